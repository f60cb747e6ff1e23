"""How the resolver of one parent asks for what is loaded for all of them together.

The executor calls such a resolver for each parent and runs it until it asks; when all have asked, it calls
the batch resolver once and lets each go on with its result. So a resolver that checks rights or loads twice
is written for one parent, and still costs one statement for all.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

Batch = Callable[..., Awaitable[Sequence[Any]]]


@dataclass(slots=True, eq=False)
class LoadRequest:
    """What a resolver awaits: `batch`'s result for `parent`."""

    batch: Batch
    parent: Any
    args: tuple[Hashable, ...]

    def __await__(self) -> Generator["LoadRequest", Any, Any]:
        return (yield self)


class Resumed:
    """The rest of a coroutine that awaits something else, to be run by the event loop.

    What it asks for from then on, it gets for itself alone.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], awaited: Any, context: Any = None) -> None:
        self._coroutine = coroutine
        self._awaited = awaited
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        awaited = self._awaited
        while True:
            step: Callable[[Any], Any]
            try:
                if isinstance(awaited, LoadRequest):
                    loading = awaited.batch(self._context, [awaited.parent], *awaited.args)
                    (value,) = yield from loading.__await__()
                    if isinstance(value, Exception):
                        raise value  # noqa: TRY301 -- thrown into the coroutine
                else:
                    value = yield awaited
            except BaseException as error:
                step, value = self._coroutine.throw, error
            else:
                step = self._coroutine.send
            try:
                awaited = step(value)
            except StopIteration as end:
                return end.value
