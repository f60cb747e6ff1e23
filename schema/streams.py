"""What every subscription yields: an envelope with the event and the cursor to resume after it."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.union import StrawberryUnion

from resolvers.errors import InvalidInput
from schema.execution.type_resolution import IsA
from schema.fields import Info
from schema.node import global_id
from subscriptions.events import Kind, Logged
from subscriptions.streams import BadCursor, Opened, Request, Reset, ResetReason, Stream, cursor_of

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

After = Annotated[
    str | None,
    strawberry.argument(
        description="Resume after this cursor: first everything missed, in order, then what happens next."
        " By default the stream starts from now."
    ),
]

# Under which kind the log holds the events of each type.
KINDS: dict[type, Kind] = {}


def follow(stream: Stream, after: str | None) -> Request:
    """What a subscription's resolver answers. Raises InvalidInput for a cursor of another stream."""
    try:
        return Request(stream, after)
    except BadCursor as error:
        raise InvalidInput(error.message, after=error.message) from error


def event(kind: Kind, description: str) -> Callable[[type[T]], type[T]]:
    """Decorate the type of what the log holds under this kind."""

    def decorate(cls: type[T]) -> type[T]:
        KINDS[cls] = kind
        type_: Any = cls
        type_.is_type_of = IsA(Logged, when=lambda logged: logged.event.kind == kind)
        return strawberry.type(cls, description=description)

    return decorate


def subject_id(type_name: str, *, description: str) -> Any:
    """An event's field: the id of its subject, which is or was of this type."""

    def resolve(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id(type_name, root.event.subject)

    return strawberry.field(resolver=resolve, description=description)


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
    description="Events after the client's cursor have been deleted. Fetch the lists again;"
    " the stream continues from this envelope's cursor."
)
class StreamReset:
    reason: ResetReason = strawberry.field(description="Why.")

    is_type_of = IsA(Reset)


class Events:
    """What a stream may yield: one of `types`, or what is said of the stream itself."""

    def __init__(self, name: str, *types: type, description: str) -> None:
        self.kinds = frozenset(KINDS[each] for each in types)
        members = tuple(StrawberryAnnotation(member) for member in (*types, StreamOpened, StreamReset))
        self._union = StrawberryUnion(name, members, description=description)

    def subscription(self, resolve: Callable[Concatenate[S, Info, P], Awaitable[Stream]]) -> Any:
        """Decorate the resolver of a subscription to them: its docstring describes it.

        It checks that the viewer may follow, and answers the stream. `after` is added to its arguments.
        """

        @functools.wraps(resolve)
        async def answer(self: S, info: Info, *args: P.args, **kwargs: P.kwargs) -> Request:
            after: Any = kwargs.pop("after", None)
            return follow(await resolve(self, info, *args, **kwargs), after)

        resolver: Any = answer
        signature = inspect.signature(resolve)
        added = inspect.Parameter("after", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=After)
        resolver.__signature__ = signature.replace(parameters=[*signature.parameters.values(), added])
        envelope: Any = Envelope
        return strawberry.subscription(
            resolver=resolver,
            graphql_type=envelope[self._union],
            description=" ".join((resolve.__doc__ or "").split()),
        )
