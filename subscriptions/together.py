"""One reading for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Asked for by one reading.
MOST = 10_000


class Together(Generic[K, V]):
    """What `read` finds for many keys, for those who ask for one each.

    Who asks while a reading is under way waits for the next one: whatever is told was read after it was
    asked for. `spawn` begins a task, and keeps hold of it; `most` keys are read at once.
    """

    def __init__(
        self,
        read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        most: int = MOST,
    ) -> None:
        self.read = read
        self._spawn = spawn
        self._most = most
        self._asked: dict[K, list[asyncio.Future[V]]] = {}
        self._reading = False

    async def of(self, key: K) -> V:
        """What is found for `key`. Raises what `read` raises."""
        if self._reading:
            answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            self._asked.setdefault(key, []).append(answer)
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
                asked = self._next()
                try:
                    found = await self.read(asked)
                    for key, answers in asked.items():
                        settle(answers, found[key])
                except Exception as error:
                    for answers in asked.values():
                        fail(answers, error)
                finally:
                    for answers in asked.values():
                        for answer in answers:
                            answer.cancel()
        finally:
            self._reading = False

    def _next(self) -> dict[K, list[asyncio.Future[V]]]:
        if len(self._asked) <= self._most:
            asked, self._asked = self._asked, {}
            return asked
        return {key: self._asked.pop(key) for key in list(self._asked)[: self._most]}


def settle(answers: list[asyncio.Future[V]], found: V) -> None:
    for answer in answers:
        # Who has left meanwhile has cancelled it.
        if not answer.done():
            answer.set_result(found)


def fail(answers: list[asyncio.Future[V]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
