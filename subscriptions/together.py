"""One reading for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """What `read` finds for many keys, for those who ask for one each.

    Who asks while a reading is under way waits for the next one: whatever is told was read after it was
    asked for. `spawn` begins a task, and keeps hold of it; no more than `most` are answered by one reading.
    """

    def __init__(
        self,
        read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        most: int,
    ) -> None:
        self.read = read
        self._spawn = spawn
        self._most = most
        self._asked: list[tuple[K, asyncio.Future[V]]] = []
        self._reading = False

    async def of(self, key: K) -> V:
        """What is found for `key`. Raises what `read` raises."""
        if self._reading:
            answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            self._asked.append((key, answer))
            return await answer
        self._reading = True
        try:
            return (await self.read((key,)))[key]
        finally:
            self._reading = False
            if self._asked:
                self._reading = True
                self._spawn(self._answer_all())

    async def _answer_all(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked[: self._most], self._asked[self._most :]
                try:
                    found = await self.read(dict.fromkeys(key for key, _ in asked))
                    for key, answer in asked:
                        # Who has left meanwhile has cancelled it.
                        if not answer.done():
                            answer.set_result(found[key])
                except Exception as error:
                    for _, answer in asked:
                        if not answer.done():
                            answer.set_exception(error)
                finally:
                    for _, answer in asked:
                        answer.cancel()
        finally:
            self._reading = False
