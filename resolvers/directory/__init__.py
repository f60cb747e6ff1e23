"""Local services: what organisations offer, when, and how to reach it.

entries    what an organisation says that it offers: writing it, and publishing it
listing    the directory as people read it
licences   merchants submit theirs, the residents' committee decides, the clock ends them
slots      the times at which a service can be visited
bookings   taking a place in one, taking it back, and what became of it
offers     what is offered for a while
ratings    what residents think of it, and what the organisation answers
"""
