"""Opinions of a party branch's members.

submitting  a member's opinion gets its number, and may be taken back
answering   the secretary assigns it, its owner answers
steps       how an opinion and its history are written, and who is told
clock       reminders and escalation
reading     what is seen of opinions
figures     opinions by topic and month
"""
