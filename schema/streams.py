"""What every subscription yields: an envelope with the event and the cursor to resume after it."""

from typing import Any, Generic, TypeVar

import strawberry

from resolvers.errors import InvalidInput
from schema.execution.type_resolution import IsA
from subscriptions.events import Kind, Logged
from subscriptions.streams import BadCursor, Opened, Request, Reset, ResetReason, Stream, cursor_of

T = TypeVar("T")

AFTER = (
    "Resume after this cursor: first everything missed, in order, then what happens next. Without it the"
    " stream starts from now."
)


def follow(stream: Stream, after: str | None) -> Any:
    """What a subscription's resolver returns. Raises InvalidInput for a cursor of another stream."""
    try:
        return Request(stream, after)
    except BadCursor as error:
        raise InvalidInput(error.message, after=error.message) from error


def of_kind(*kinds: Kind) -> IsA:
    """The `is_type_of` of an event type: what the log holds under these kinds."""
    return IsA(Logged, when=lambda logged: logged.event.kind in kinds)


def resolve_cursor(root: strawberry.Parent[Any]) -> str:
    return cursor_of(root)


def resolve_event(root: strawberry.Parent[Any]) -> Any:
    return root


@strawberry.type(description="An event and its place in the stream.")
class Envelope(Generic[T]):
    cursor: str = strawberry.field(
        resolver=resolve_cursor, description="Pass it as `after` to resume behind this event."
    )
    event: T = strawberry.field(resolver=resolve_event, description="What happened.")


strawberry.enum(ResetReason, description="Why a stream cannot be resumed where the client stands.")


@strawberry.type(description="The stream is open; whatever happens from this cursor on will be delivered.")
class StreamOpened:
    opened: bool = strawberry.field(resolver=lambda: True, description="Always true.")

    is_type_of = IsA(Opened)


@strawberry.type(
    description="Events after the client's cursor are no longer kept. Read the lists anew; the stream goes on"
    " from this envelope's cursor."
)
class StreamReset:
    reason: ResetReason = strawberry.field(description="Why.")

    is_type_of = IsA(Reset)
