"""Activities: what is held, and who comes.

hosts        who holds activities, and for whom
drafts       what an activity may be
recurring    when a series is held
organising   creating, editing and cancelling
sign_ups     signing up, and off again; the queue for seats, behind an activity's lock
attendance   who was there
reminders    what the clock does
calendar     the viewer's sign-ups as a calendar
reading      what may be read
"""
