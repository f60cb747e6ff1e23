"""Readings for all who ask at the same time."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any

import pytest

from subscriptions.together import Together


class Reading:
    """Readings that take until they are let go on."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.began = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, keys: Collection[str]) -> Mapping[str, str]:
        self.asked.append(tuple(keys))
        self.waiting.append(asyncio.get_running_loop().create_future())
        self.began.set()
        await self.waiting[-1]
        return {key: f"{key}{len(self.asked)}" for key in keys}

    async def next(self) -> asyncio.Future[None]:
        """The next reading that has begun."""
        while not self.waiting:
            self.began.clear()
            await self.began.wait()
        return self.waiting.pop(0)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def ask(together: Together[str, str], *keys: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(together.of(key)) for key in keys]


async def test_who_asks_during_a_reading_is_answered_by_the_next_one_with_all_others() -> None:
    reading = Reading()
    together = Together(reading, reading.spawn, most=100)
    first = ask(together, "a")
    held = await reading.next()
    rest = ask(together, "a", "b", "b", "c")
    await asyncio.sleep(0)
    held.set_result(None)
    assert await first[0] == "a1"
    (await reading.next()).set_result(None)
    assert await asyncio.gather(*rest) == ["a2", "b2", "b2", "c2"]
    assert reading.asked == [("a",), ("a", "b", "c")]


async def test_so_many_at_once_and_no_more() -> None:
    reading = Reading()
    together = Together(reading, reading.spawn, most=2)
    tasks = ask(together, "a")
    held = await reading.next()
    tasks += ask(together, "b", "c", "d")
    await asyncio.sleep(0)
    held.set_result(None)
    for _ in range(2):
        (await reading.next()).set_result(None)
    assert await asyncio.gather(*tasks) == ["a1", "b2", "c2", "d3"]
    assert reading.asked == [("a",), ("b", "c"), ("d",)]


@pytest.mark.parametrize("leaving", [0, 1])
async def test_who_leaves_takes_nothing_from_the_others(leaving: int) -> None:
    reading = Reading()
    together = Together(reading, reading.spawn, most=100)
    tasks = ask(together, "a")
    held = await reading.next()
    tasks += ask(together, "b", "b")
    await asyncio.sleep(0)
    tasks[leaving].cancel()
    await asyncio.wait({tasks[leaving]})
    assert tasks[leaving].cancelled()
    if leaving:
        held.set_result(None)
        assert await tasks[0] == "a1"
    (await reading.next()).set_result(None)
    assert await tasks[2] == "b2"
    # And it is ready for the next one.
    last = ask(together, "c")
    (await reading.next()).set_result(None)
    assert await last[0] == "c3"


async def test_an_error_is_told_to_all_of_that_reading_and_to_no_other() -> None:
    reading = Reading()
    together = Together(reading, reading.spawn, most=100)
    tasks = ask(together, "a")
    held = await reading.next()
    tasks += ask(together, "b", "c")
    await asyncio.sleep(0)
    held.set_exception(ConnectionError("first"))
    (await reading.next()).set_exception(ConnectionError("second"))
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["first", "second", "second"]
    last = ask(together, "d")
    (await reading.next()).set_result(None)
    assert await last[0] == "d3"


async def test_a_reading_that_is_ended_ends_all_who_wait_for_it() -> None:
    reading = Reading()
    together = Together(reading, reading.spawn, most=100)
    tasks = ask(together, "a")
    held = await reading.next()
    tasks += ask(together, "b")
    await asyncio.sleep(0)
    held.set_result(None)
    await reading.next()
    for task in list(reading.tasks):
        task.cancel()
    await asyncio.wait(tasks)
    assert tasks[0].result() == "a1"
    assert tasks[1].cancelled()
