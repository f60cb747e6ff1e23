"""Errors that clients are told of.

DomainError
├── InvalidInput      what was sent cannot be accepted; names the fields
├── NotFound          there is no such thing, or the viewer may not know of it
├── NotAllowed        the viewer sees it and may not do this with it
├── Conflict          it has changed meanwhile, or the key was used for something else
├── RateLimited       too often; says when to try again
└── Unauthenticated   nobody is signed in, or the token is no longer good
"""

from typing import Any, Protocol
from uuid import UUID

from models.messages import Message


class Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class DomainError(Exception):
    """A refusal that is no fault: the client is told `code` and the message, nothing is logged."""

    code = "DOMAIN_ERROR"

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message

    def extensions(self) -> dict[str, Any]:
        return {}


class InvalidInput(DomainError):
    """`fields` maps the input's field names (as GraphQL spells them) to what is wrong with each."""

    code = "INVALID_INPUT"

    def __init__(
        self, message: Message = Message("Some of the input cannot be accepted"), **fields: Message
    ) -> None:
        super().__init__(message)
        self.fields = fields

    def extensions(self) -> dict[str, Any]:
        return {"fields": self.fields}


class NotFound(DomainError):
    code = "NOT_FOUND"

    def __init__(self, message: Message = Message("There is no such thing, or you may not see it")) -> None:
        super().__init__(message)


class NotAllowed(DomainError):
    code = "NOT_ALLOWED"

    def __init__(self, message: Message = Message("You may not do this")) -> None:
        super().__init__(message)


class Conflict(DomainError):
    """`current` is the id of what is there now, a row of type `kind`, for the client to read again."""

    code = "CONFLICT"

    def __init__(self, message: Message, existing: Identified | None = None) -> None:
        super().__init__(message)
        self.kind = type(existing)
        self.current = existing.id if existing else None


class RateLimited(DomainError):
    """`retry_after` is in seconds."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(Message("Too often; try again in {seconds} seconds", seconds=retry_after))
        self.retry_after = retry_after

    def extensions(self) -> dict[str, Any]:
        return {"retryAfter": self.retry_after}


class Unauthenticated(DomainError):
    code = "UNAUTHENTICATED"

    def __init__(self, message: Message = Message("Sign in first")) -> None:
        super().__init__(message)
