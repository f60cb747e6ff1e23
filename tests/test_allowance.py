"""Whose turn it is to have a document prepared, and at whose expense."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from graphql import GraphQLError, build_schema
from prometheus_client import REGISTRY

from schema.serving import allowance
from schema.serving.allowance import Payer, Preparation, Purse, Purses, purses_of
from schema.serving.limits import Limits
from schema.serving.operations import Operation, Operations
from schema.serving.results import Rejected

pytestmark = pytest.mark.anyio

SCHEMA = build_schema("type Query { post: Post } type Post { id: ID author: Post }")


class Costing(Operations):
    """Operations that note which documents they prepare, and for which the clock goes on."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__(SCHEMA, Limits(cached_operations=50), introspection=False)
        self.clock = clock
        self.prepared: list[str] = []

    def prepare(self, query: str, operation_name: str | None = None) -> Operation:
        self.prepared.append(query)
        self.clock.computed += self.clock.costs
        self.clock.present += self.clock.costs
        return super().prepare(query, operation_name)


class Clock:
    """What `time` tells, as far as allowances ask it."""

    def __init__(self) -> None:
        self.present = 1_000.0
        self.computed = 0.0
        self.costs = 0.0

    def monotonic(self) -> float:
        return self.present

    def thread_time(self) -> float:
        return self.computed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(allowance, "time", made)
    return made


def document(n: object) -> str:
    return f"{{ post {{ id }} }} # {n}"


def error_of(refused: pytest.ExceptionInfo[Rejected]) -> GraphQLError:
    (error,) = refused.value.errors
    return error


# Purses


@pytest.mark.parametrize("payer", list(Payer))
def test_so_much_at_once_and_then_a_share_of_the_time(payer: Payer, clock: Clock) -> None:
    purses, purse = Purses(), (payer, "a")
    rate = payer.value
    purses.spend([purse], rate.most)
    assert purses.overdrawn([purse]) is None
    purses.spend([purse], 3 * rate.share)
    assert purses.overdrawn([purse]) == (payer, 3)
    clock.present += 2
    assert purses.overdrawn([purse]) == (payer, 1)
    clock.present += 1
    assert purses.overdrawn([purse]) is None
    # What is not spent is not saved beyond the most.
    clock.present += 1_000_000
    purses.spend([purse], rate.most + rate.share)
    assert purses.overdrawn([purse]) == (payer, 1)


def test_who_has_to_wait_longest_is_named(clock: Clock) -> None:
    purses = Purses()
    address, account = purses_of("192.0.2.1", "an account")
    purses.spend([address], 2.2)
    purses.spend([account], 1.2)
    assert purses.overdrawn([address]) == (Payer.ADDRESS, 2)
    assert purses.overdrawn([address, account]) == (Payer.ACCOUNT, 4)
    assert purses.overdrawn(purses_of("192.0.2.2", None)) is None


def test_an_address_pays_with_all_that_its_client_can_choose_from() -> None:
    assert purses_of("2001:db8::1", None) == purses_of("2001:db8::ffff:2", None)
    assert purses_of("2001:db8::1", None) != purses_of("2001:db8:0:1::1", None)
    assert purses_of("::ffff:192.0.2.1", None) == purses_of("192.0.2.1", None)
    assert purses_of("", None) == purses_of("testclient", None)
    assert len(purses_of("192.0.2.1", "an account")) == 2


def test_purses_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "MOST_PAYERS", 10)
    purses = Purses()
    for n in range(100):
        purses.spend([(Payer.ADDRESS, n)], 100)
    assert len(purses) == 10
    assert purses.overdrawn([(Payer.ADDRESS, 99)]) is not None
    assert purses.overdrawn([(Payer.ADDRESS, 0)]) is None


# Turns


class Rests:
    """Turns end when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rests: list[tuple[float, Any]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", lambda seconds, end: self.rests.append((seconds, end)))

    async def end(self) -> float:
        """End the rest after the document that was prepared last; how long it would have been."""
        seconds, end = self.rests.pop(0)
        end()
        for _ in range(5):
            await asyncio.sleep(0)
        return seconds


async def test_one_at_a_time_and_then_the_loop_is_left_to_others(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payers take turns, however much one of them asks for; the rest is as long as the work was."""
    operations, rests = Costing(clock), Rests(monkeypatch)
    preparation = Preparation(operations)
    clock.costs = 0.25
    greedy, other = purses_of("192.0.2.1", None), purses_of("192.0.2.2", None)
    tasks = [asyncio.create_task(preparation.operation(document(n), None, greedy)) for n in range(3)]
    tasks.append(asyncio.create_task(preparation.operation(document("other"), None, other)))
    await asyncio.sleep(0)
    assert operations.prepared == [document(0)]
    assert await rests.end() == pytest.approx(0.25)
    assert operations.prepared == [document(0), document(1)]
    await rests.end()
    assert operations.prepared[2:] == [document("other")]
    await rests.end()
    assert operations.prepared[3:] == [document(2)]
    await rests.end()
    assert len({id(task.result()) for task in tasks}) == 4
    assert not rests.rests
    assert preparation.purses.overdrawn(greedy) is None


async def test_what_many_ask_for_is_prepared_once_and_is_free_from_then_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, rests = Costing(clock), Rests(monkeypatch)
    preparation = Preparation(operations)
    clock.costs = 100.0
    purses = [purses_of(f"192.0.2.{n}", None) for n in range(50)]
    tasks = [asyncio.create_task(preparation.operation(document(0), None, each)) for each in purses]
    await asyncio.sleep(0)
    await rests.end()
    assert len({id(task.result()) for task in tasks}) == 1
    assert operations.prepared == [document(0)]
    assert not rests.rests
    # Only the first has paid, and even that one is answered.
    assert [preparation.purses.overdrawn(each) is None for each in purses] == [False] + [True] * 49
    assert await preparation.operation(document(0), None, purses[0]) is tasks[0].result()


async def test_who_is_overdrawn_is_refused_before_anything_is_computed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, rests = Costing(clock), Rests(monkeypatch)
    preparation = Preparation(operations)
    purse: Purse = (Payer.CONNECTION, "a")
    clock.costs = 0.6
    payers = [purses_of("192.0.2.1", None), [purse], [purse], [purse]]
    tasks = [
        asyncio.create_task(preparation.operation(document(n), None, payer)) for n, payer in enumerate(payers)
    ]
    counted = {"payer": "connection"}
    before = REGISTRY.get_sample_value("linli_overdrawn_total", counted) or 0
    await asyncio.sleep(0)
    # Those that wait already are refused in their turn, which is over at once.
    assert [await rests.end() for _ in tasks] == pytest.approx([0.6, 0.6, 0, 0])
    for task, refused_ in zip(tasks, (False, False, True, True), strict=True):
        assert isinstance(task.exception(), Rejected) is refused_
    with pytest.raises(Rejected) as refused:
        await preparation.operation(document(9), None, [purse])
    assert operations.prepared == [document(0), document(1)]
    assert error_of(refused).extensions == {"code": "RATE_LIMITED", "retryAfter": 5}
    assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "5"})
    assert REGISTRY.get_sample_value("linli_overdrawn_total", counted) == before + 3
    clock.present += 5
    assert isinstance(await preparation.operation(document(9), None, [purse]), Operation)


async def test_what_is_refused_is_paid_for(clock: Clock) -> None:
    preparation = Preparation(Costing(clock))
    clock.costs = 0.6
    purse: Purse = (Payer.CONNECTION, "a")
    with pytest.raises(Rejected) as refused:
        await preparation.operation("{", None, [purse])
    assert error_of(refused).extensions == {"code": "GRAPHQL_PARSE_FAILED"}
    assert preparation.purses.overdrawn([purse]) == (Payer.CONNECTION, 5)


async def test_who_leaves_gives_up_the_turn(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    operations, rests = Costing(clock), Rests(monkeypatch)
    preparation = Preparation(operations)
    tasks = [
        asyncio.create_task(preparation.operation(document(n), None, purses_of(f"192.0.2.{n}", None)))
        for n in range(4)
    ]
    await asyncio.sleep(0)
    # One while it waits, one in the moment that it is its turn.
    tasks[1].cancel()
    await asyncio.sleep(0)
    _, end = rests.rests.pop()
    end()
    tasks[2].cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert operations.prepared == [document(0), document(3)]
    assert [task.cancelled() for task in tasks] == [False, True, True, False]


# The budget


async def test_no_document_takes_long() -> None:
    """Of the largest documents that pass the limits on text, tokens and definitions, none takes long."""
    operations = Operations(SCHEMA, introspection=True)
    worst = [
        "{ post { " + "author { id author { id } } " * 180 + "} }",
        "{ post { " + "id " * 1_990 + "} }",
        "{ post { " + "a:id " * 600 + "} }",
        "{ post { id(" + "a:1 " * 600 + ") } }",
        "{ __schema { types { " + "fields { name type { name ofType { name } } } " * 160 + "} } }",
        "".join(f"query Q{n} {{ ...F }} " for n in range(99)) + "fragment F on Query { post { id } }",
        "query Q { ...F0 } "
        + "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(98))
        + "fragment F98 on Query { post { id } }",
        "query (" + "$v:Int " * 490 + ") { post { id } }",
    ]
    for text in worst:
        started = time.thread_time()
        with suppress(Rejected):
            operations.prepare(text, "Q0" if "Q0" in text else None)
        assert time.thread_time() - started < 0.5, text[:80]
