"""The event log: no holes and no disorder, whoever writes at the same time, and no silent loss."""

import asyncio
import base64
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.base import new_id, now
from models.storage.rows import Where, execute
from subscriptions import log
from subscriptions.bus import Hint
from subscriptions.events import Event, Kind, Logged, community_topic, reach_topic
from subscriptions.streams import BadCursor, Opened, Request, Stream, cursor_of, position_of
from subscriptions.work import unit_of_work
from tests.world import Recorder, World

ROOT = Path(__file__).parent.parent
A, B, C = "topic a", "topic b", "topic c"
WEEK = timedelta(days=7)

WRITES = """
import asyncio, sys
from uuid import UUID
from models import database
from models.base import new_id
from subscriptions.events import Event, Kind
from subscriptions.work import unit_of_work

class Nobody:
    def committed(self, hints):
        pass

async def main(url, topics, number):
    async with database.database(url):
        print("ready", flush=True)
        sys.stdin.readline()
        async def one():
            async with unit_of_work(Nobody()) as work:
                work.record(*(Event(topic, Kind.POST_CREATED, new_id()) for topic in topics.split(",")))
        for _ in range(number // 5):
            await asyncio.gather(*(one() for _ in range(5)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def event(topic: str = A, kind: Kind = Kind.POST_CREATED, **more: Any) -> Event:
    return Event(topic, kind, new_id(), **more)


async def write(*events: Event, live: Recorder | None = None) -> None:
    async with unit_of_work(live or Recorder()) as work:
        work.record(*events)


async def seqs(topic: str = A) -> list[int]:
    return [logged.seq for logged in await log.read(topic, 0, 100_000)]


async def follow(topic: str, until: int, limit: int = 7) -> list[Logged]:
    """Read as a feed does: always from where one stands. Fails if there ever is a hole."""
    seen: list[Logged] = []
    while len(seen) < until:
        position = seen[-1].seq if seen else 0
        for logged in await log.read(topic, position, limit):
            assert logged.seq == position + 1
            position = logged.seq
            seen.append(logged)
        await asyncio.sleep(0)
    return seen


# Writing


async def test_sequences_are_dense_and_each_topics_own(world: World) -> None:
    live = Recorder()
    await write(event(A), event(B), event(A), live=live)
    await write(event(A), event(C), live=live)
    assert (await seqs(A), await seqs(B), await seqs(C)) == ([1, 2, 3], [1], [1])
    assert live.hints == [Hint(A, 2), Hint(B, 1), Hint(A, 3), Hint(C, 1)]


async def test_events_are_read_as_they_were_written(world: World) -> None:
    before = now()
    written = [event(facts={"n": str(n)}, audience=frozenset({new_id()}), thread=new_id()) for n in range(3)]
    await write(*written)
    found = await log.read(A, 0, 10)
    assert [logged.event for logged in found] == written
    assert all(before <= logged.at <= now() for logged in found)


async def test_a_large_transaction_is_written_in_order(world: World) -> None:
    written = [event() for _ in range(2 * log.BATCH + 7)]
    await write(event())
    await write(*written)
    found = await log.read(A, 1, 10_000)
    assert [logged.event for logged in found] == written
    assert [logged.seq for logged in found] == list(range(2, len(written) + 2))


async def test_nothing_of_a_transaction_that_failed_is_told(world: World) -> None:
    live = Recorder()

    async def fail() -> None:
        async with unit_of_work(live) as work:
            work.record(event())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert live.hints == []
    assert await seqs() == []
    await write(event(), live=live)
    assert await seqs() == [1]


async def test_a_transaction_without_events_tells_nobody(world: World) -> None:
    class Loud:
        def committed(self, hints: Any) -> None:
            raise AssertionError(hints)

    async with unit_of_work(Loud()):
        await execute("INSERT INTO topic (name, seq, trimmed) VALUES (?, 0, 0)", "x")


# Writing at the same time


# SQLite's writers wait for each other at BEGIN.
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_what_commits_first_comes_first(world: World) -> None:
    """The race that loses events with a plain serial: the first to take a number commits last."""
    appended, go = asyncio.Event(), asyncio.Event()
    first, second = event(), event()

    async def slow() -> None:
        from tortoise.transactions import in_transaction

        async with in_transaction():
            await log.append([first])
            appended.set()
            await go.wait()

    async def fast() -> None:
        await write(second)

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(slow())
        await appended.wait()
        later = tasks.create_task(fast())
        # It can be seen waiting for the lock; until then nobody sees anything.
        waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while (await execute(waiting))[0]["n"] == 0:
            assert not later.done()
        assert await log.read(A, 0, 10) == []
        assert (await log.positions([A]))[A].seq == 0
        go.set()
    assert [logged.event for logged in await log.read(A, 0, 10)] == [first, second]


async def test_a_reader_sees_everything_in_order_while_many_write(world: World) -> None:
    async def some(number: int) -> None:
        for _ in range(5):
            await write(*(event() for _ in range(1 + number % 3)))

    total = 5 * sum(1 + number % 3 for number in range(20))
    async with asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(follow(A, total, limit)) for limit in (3, 200)]
        for number in range(20):
            tasks.create_task(some(number))
    first, second = (reader.result() for reader in readers)
    assert first == second
    assert [logged.seq for logged in first] == list(range(1, total + 1))


async def test_transactions_with_the_same_topics_never_lock_each_other_out(world: World) -> None:
    orders = [(A, B, C), (C, B, A), (B, C, A), (C, A, B)]

    async def some(number: int) -> None:
        for _ in range(5):
            await write(*(event(topic) for topic in orders[number % 4]))

    async with asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        for number in range(16):
            tasks.create_task(some(number))
    for topic in (A, B, C):
        assert await seqs(topic) == list(range(1, 81))


async def test_two_processes_and_a_reader(world: World, database_url: str) -> None:
    number = 100
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITES, database_url, topics, str(number)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for topics in (f"{A},{B}", f"{B},{A}")
    ]
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for process in processes:
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
        readers = [tasks.create_task(follow(topic, 2 * number)) for topic in (A, B)]
        for _, errors in await asyncio.gather(*(process.communicate(b"go\n") for process in processes)):
            assert errors == b""
    assert [process.returncode for process in processes] == [0, 0]
    for reader in readers:
        assert [logged.seq for logged in reader.result()] == list(range(1, 2 * number + 1))


# Reading


async def test_reading_is_bounded_in_every_way(world: World) -> None:
    await write(*(event(kind=kind) for kind in (Kind.POST_CREATED, Kind.COMMENT_ADDED) * 5))
    assert [logged.seq for logged in await log.read(A, 3, 4)] == [4, 5, 6, 7]
    assert [logged.seq for logged in await log.read(A, 3, 100, until=5)] == [4, 5]
    where = Where("t.kind IN (?)", ([Kind.COMMENT_ADDED],))
    assert [logged.seq for logged in await log.read(A, 3, 2, until=9, where=where)] == [4, 6]
    assert await log.read(B, 0, 10) == []


async def test_positions_of_topics_known_and_unknown(world: World) -> None:
    await write(event(), event())
    found = await log.positions([A, B])
    assert (found[A].seq, found[A].trimmed) == (2, 0)
    assert (found[B].seq, found[B].trimmed) == (0, 0)
    assert await log.positions([]) == {}
    many = [f"topic {n}" for n in range(log.NAMES + 1)]
    assert len(await log.positions([A, *many])) == len(many) + 1


# Trimming


async def age(topic: str, seqs: list[int], by: timedelta) -> None:
    await execute("UPDATE event SET at = ? WHERE topic = ? AND seq IN (?)", now() - by, topic, seqs)


async def test_trimming_by_number_keeps_the_newest(world: World) -> None:
    await write(*(event() for _ in range(10)), *(event(B) for _ in range(2)))
    assert await log.trim(WEEK, 3) == 7
    assert (await seqs(A), await seqs(B)) == ([8, 9, 10], [1, 2])
    found = await log.positions([A, B])
    assert (found[A].seq, found[A].trimmed, found[B].trimmed) == (10, 7, 0)
    assert await log.trim(WEEK, 3) == 0


async def test_trimming_by_age_may_empty_a_topic_whose_sequence_goes_on(world: World) -> None:
    await write(*(event() for _ in range(5)))
    await age(A, [1, 2, 3, 4, 5], 2 * WEEK)
    assert await log.trim(WEEK, 100) == 5
    assert (await log.positions([A]))[A].trimmed == 5
    await write(event())
    assert await seqs() == [6]


async def test_clocks_that_differ_make_no_holes(world: World) -> None:
    """An event that a slow clock dated long ago goes only together with all before it."""
    await write(*(event() for _ in range(6)))
    await age(A, [1, 2, 4], 2 * WEEK)
    assert await log.trim(WEEK, 100) == 2
    assert await seqs() == [3, 4, 5, 6]
    assert (await log.positions([A]))[A].trimmed == 2


async def test_many_are_trimmed_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "TRIMMED_AT_ONCE", 4)
    await write(*(event() for _ in range(19)))
    assert await log.trim(WEEK, 2) == 17
    assert await seqs() == [18, 19]


async def test_nothing_is_ever_gone_before_it_is_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it trims must not make a reader miss events without knowing."""
    await write(*(event() for _ in range(9)))
    real = execute
    steps = dies_after = 0

    async def dying(statement: str, *params: Any) -> Any:
        nonlocal steps
        result = await real(statement, *params)
        steps += not statement.startswith("SELECT")
        there = await seqs()
        trimmed = (await log.positions([A]))[A].trimmed
        assert there == list(range(there[0], 10))
        assert there[0] <= trimmed + 1
        if steps == dies_after:
            raise ConnectionError
        return result

    monkeypatch.setattr(log, "execute", dying)
    monkeypatch.setattr(log, "TRIMMED_AT_ONCE", 2)
    for dying_step in (1, 2, 3):
        steps, dies_after = 0, dying_step
        with pytest.raises(ConnectionError):
            await log.trim(WEEK, 3)
    dies_after = 99
    await log.trim(WEEK, 3)
    assert await seqs() == [7, 8, 9]
    assert (await log.positions([A]))[A].trimmed == 6


async def test_the_size_is_measured(world: World) -> None:
    await write(*(event() for _ in range(4)))
    await log.measure()
    assert log.SIZE._value.get() == 4


# Cursors


def test_cursors_name_their_topic() -> None:
    topic = community_topic(new_id())
    cursor = cursor_of(Opened(topic, 42))
    assert position_of(topic, cursor) == 42
    with pytest.raises(BadCursor, match="another"):
        position_of(community_topic(new_id()), cursor)
    with pytest.raises(BadCursor):
        Request(Stream(reach_topic(new_id()), frozenset(), frozenset()), cursor)


def test_a_cursor_does_not_say_how_much_has_happened() -> None:
    """Else whoever looks at two of them counts what others do behind closed doors."""
    topic = community_topic(new_id())
    cursors = [cursor_of(Opened(topic, seq)) for seq in range(1, 300)]
    assert len(set(cursors)) == 299
    assert len({len(cursor) for cursor in cursors}) == 1
    places = [base64.urlsafe_b64decode(cursor + "==") for cursor in cursors]
    # Nothing stays the same from one to the next, neither the topic's part nor the number's.
    for byte in range(16):
        assert len({place[byte] for place in places}) > 100
    assert cursors != sorted(cursors)
    assert [position_of(topic, cursor) for cursor in cursors] == list(range(1, 300))


@pytest.mark.parametrize(
    "text", ["", "x", "停水", "a#1", "dG9waWMgYSMtMQ", "dG9waWMgYSMx" * 9, "\ud800", "A" * 9999]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        position_of(A, text)
