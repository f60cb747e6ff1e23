"""Activities: what is held, and who comes.

hosts        who holds activities, and for whom
drafts       what an activity may be
recurring    when a series is held
organising   creating, editing and cancelling
seats        the queue for seats, behind an activity's lock
signing_up   signing up, and off again
attendance   who was there
reminders    what the clock does
calendar     the viewer's sign-ups as a calendar
reading      what may be read
"""
