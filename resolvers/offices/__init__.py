"""What the back offices share.

founding      making and renaming organisations
grids         which buildings are in a grid, and who looks after them
invitations   offering an office to whoever has a phone
statistics    how far an office's notices came, in exact integers
exports       the audit log and the statistics as CSV, without personal data
"""
