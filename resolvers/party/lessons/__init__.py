"""Lessons of a party branch.

drafts      what a lesson says, checked
keeping     writing, publishing and withdrawing lessons
learning    finishing items and quizzes
completing  certificates, and the record of who has finished
reading     what is seen of lessons
"""
