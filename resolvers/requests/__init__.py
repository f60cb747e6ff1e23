"""Service requests: cases that residents bring before the offices.

opening      reporting a case, or making one of a complaint of the feed
handling     what is done with a case: one way in, the table `models.requests.LIFE` decides
steps        how a case and its history are written, and who is told
merging      one case for many reports of the same thing
following    me too
deadlines    which clock runs, reminders, escalation, confirmation by time
policies     categories and deadlines, as the residents' committee sets them
board        cases as members see them: anonymised
queues       cases as an office sees them: what waits for it
statistics   how offices answer, resolve and satisfy
"""
