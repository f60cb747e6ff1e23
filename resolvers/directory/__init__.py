"""Local services: what organisations offer, when, and how to reach it.

entries    what an organisation says that it offers: writing it, and publishing it
listing    the directory as people read it
licences   merchants submit theirs, the residents' committee decides, the clock ends them
"""
