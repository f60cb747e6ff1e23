"""What happens: the use cases, one module a domain. Permission, then persistence, then the event.

Docstrings name the errors that a use case raises. Whoever needs an account and has none gets
Unauthenticated, wherever that is not named.
"""
