"""What a subscription selects from the event log, and where in it a client stands."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn
from uuid import UUID

from models.messages import BadValue, Message
from models.pseudonyms import BLOCK, deciphered, enciphered
from subscriptions.events import Event, Kind, Logged

PURPOSE = "stream cursor"


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
    """The cursor of a place in a topic. Nobody learns of it how much has happened that is not theirs."""
    topic = message.event.topic if isinstance(message, Logged) else message.topic
    place = tag_of(topic) + message.seq.to_bytes(8, "big")
    return base64.urlsafe_b64encode(enciphered(PURPOSE, place)).decode().rstrip("=")


@lru_cache(maxsize=10_000)
def tag_of(topic: str) -> bytes:
    return hashlib.blake2b(topic.encode(), digest_size=8).digest()


def position_of(topic: str, cursor: str) -> int:
    """The sequence number in a cursor of `topic`. Raises BadCursor."""
    try:
        place = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeError, binascii.Error) as error:
        raise BadCursor(Message("This is not a cursor")) from error
    if len(place) != BLOCK:
        raise BadCursor(Message("This is not a cursor"))
    place = deciphered(PURPOSE, place)
    if place[:8] != tag_of(topic):
        raise BadCursor(Message("This cursor belongs to another stream"))
    return int.from_bytes(place[8:], "big")
