"""What a subscription selects from the event log, and where in it a client stands."""

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn
from uuid import UUID

from models.messages import BadValue, Message
from subscriptions.events import Event, Kind, Logged


class BadCursor(BadValue):
    """The text is no cursor, or one of another stream."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A selection of one topic's events.

    topic     the sequence it reads
    kinds     only events of these kinds
    requires  scope ids of which the viewer must hold one as long as the stream is open
    thread    only events below this post or notice
    filters   for each named fact, the values wanted; an event without the fact is not wanted

    Each event's own audience is checked besides.
    """

    topic: str
    kinds: frozenset[Kind]
    requires: frozenset[UUID]
    thread: UUID | None = None
    filters: frozenset[tuple[str, frozenset[str]]] = frozenset()

    def wants(self, event: Event) -> bool:
        return (
            event.kind in self.kinds
            and (self.thread is None or event.thread == self.thread)
            and all(event.facts.get(name) in values for name, values in self.filters)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a subscription's resolver answers: follow `stream`, from after the cursor or from now."""

    stream: Stream
    after: str | None = None

    def __post_init__(self) -> None:
        if self.after is not None:
            position_of(self.stream.topic, self.after)

    def __aiter__(self) -> NoReturn:
        # graphql-core takes nothing else from a subscription's resolver, and leaves the iterating to us.
        raise TypeError("The hub follows a request; nobody iterates it")


class ResetReason(StrEnum):
    LOG_TRIMMED = "LOG_TRIMMED"
    CURSOR_AHEAD = "CURSOR_AHEAD"


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream follows from here on."""

    topic: str
    seq: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Events after the client's cursor are lost to it; it must read its lists anew."""

    topic: str
    seq: int
    reason: ResetReason


StreamItem = Logged | Opened | Reset


def cursor_of(message: StreamItem) -> str:
    """The opaque cursor of a place in a topic."""
    topic = message.event.topic if isinstance(message, Logged) else message.topic
    return base64.urlsafe_b64encode(f"{topic}#{message.seq}".encode()).decode().rstrip("=")


def position_of(topic: str, cursor: str) -> int:
    """The sequence number in a cursor of `topic`. Raises BadCursor."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
        name, _, seq = text.rpartition("#")
        if name != topic:
            raise BadCursor(Message("This cursor belongs to another stream"))
        if not (seq.isdecimal() and len(seq) <= 18):
            raise BadCursor(Message("This is not a cursor"))
        return int(seq)
    except (UnicodeError, binascii.Error) as error:
        raise BadCursor(Message("This is not a cursor")) from error
