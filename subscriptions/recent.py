"""What was made lately: each thing once, however many ask for it, and kept for a moment."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Iterator
from typing import Any, Generic, TypeVar

# A reconnect storm asks for the same things. Not for long, since what they tell may be withdrawn, and not
# many, since thousands of groups keep them.
MOST = 128
SECONDS = 5.0

T = TypeVar("T")


class Recent(Generic[T]):
    """Things by their keys, at most MOST of them, none older than SECONDS.

    `spawn` begins a task that makes one, and keeps hold of it.
    """

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, T]], asyncio.Task[T]]) -> None:
        self._spawn = spawn
        self._made: OrderedDict[Hashable, tuple[float, asyncio.Task[T]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._made)

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What was made for `key`, or what `make` makes now. Raises what `make` raises, and keeps nothing."""
        self.forget()
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = (time.monotonic(), self._spawn(make()))
            while len(self._made) > MOST:
                self._made.popitem(last=False)
        _, task = made
        if not task.done():
            # One who leaves meanwhile does not take it from the others.
            await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            return task.result()
        if self._made.get(key) is made:
            del self._made[key]
        if task.cancelled():
            # An error to us: the one who asked has not been cancelled.
            raise RuntimeError("what was asked for was cancelled while it was made")
        return task.result()

    def made(self, key: Hashable) -> T | None:
        """What was made for `key`; None if that has yet to be made."""
        self.forget()
        _, task = self._made.get(key, (0.0, None))
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    def forget(self) -> None:
        """Keep nothing that is older than SECONDS."""
        oldest = time.monotonic() - SECONDS
        while self._made and next(iter(self._made.values()))[0] < oldest:
            self._made.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        """Have it made anew for the next one who asks."""
        self._made.pop(key, None)

    def clear(self) -> None:
        self._made.clear()

    def cancel(self) -> None:
        """Make nothing more of what is being made."""
        for _, task in self._made.values():
            task.cancel()
        self._made.clear()
