import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from broadcaster import Event
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from subscriptions import bus as bus_module
from subscriptions.bus import CHANNEL, GAP, QUEUE_MESSAGES, Bus, Gap, GapEvent, Hint, RedisBackend
from tests.services import RedisServer

pytestmark = pytest.mark.anyio

GUARD_SECONDS = 20
T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


class Inbox:
    """What a bus has handed over, in order."""

    def __init__(self) -> None:
        self.items: list[Hint | Gap] = []
        self._arrived = asyncio.Event()

    def __call__(self, item: Hint | Gap) -> None:
        self.items.append(item)
        self._arrived.set()

    async def until(self, item: Hint | Gap) -> None:
        async with asyncio.timeout(GUARD_SECONDS):
            while item not in self.items:
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[Bus, Inbox]]:
    bus, inbox = Bus(url), Inbox()
    await soon(bus.start(inbox))
    try:
        yield bus, inbox
    finally:
        await soon(bus.stop())


@asynccontextmanager
async def raw(server: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.url)
    try:
        yield client
    finally:
        await client.aclose()


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(GUARD_SECONDS):
        return await awaitable


def metric(name: str) -> float:
    value = REGISTRY.get_sample_value(f"linli_bus_{name}")
    assert value is not None
    return value


async def test_memory_delivers() -> None:
    async with running("memory://") as (bus, inbox):
        await soon(bus.until(healthy=True))
        assert metric("healthy") == 1
        await bus.publish([Hint("a", 1), Hint("邻里", 2)])
        await inbox.until(Hint("邻里", 2))
        assert inbox.items == [Hint("a", 1), Hint("邻里", 2)]
    assert not bus.healthy
    assert metric("healthy") == 0


async def test_a_bus_starts_once_and_again_after_stop() -> None:
    bus, inbox = Bus("memory://"), Inbox()
    await bus.stop()
    for seq in (1, 2):
        await bus.start(inbox)
        with pytest.raises(RuntimeError):
            await bus.start(inbox)
        await bus.publish([Hint("a", seq)])
        await inbox.until(Hint("a", seq))
        await bus.stop()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "postgres://:hush@localhost",
        "redis-stream://:hush@localhost",
        "unix:///hush",
        "redis://:hush@localhost:hush",
        "redis://:hush@localhost?socket_timeout=hush",
        "redis://:hush@localhost?no_such_option=hush",
    ],
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match="the bus ") as refusal:
        Bus(url)
    assert "hush" not in str(refusal.value)


async def test_two_processes_exchange_hints(redis: RedisServer) -> None:
    async with running(redis.url) as (one, ones), running(redis.url) as (two, twos):
        assert one.healthy
        assert two.healthy
        await one.publish([Hint("a", 1)])
        await two.publish([Hint("b", 2)])
        for inbox in (ones, twos):
            await inbox.until(Hint("a", 1))
            await inbox.until(Hint("b", 2))
            assert len(inbox.items) == 2  # no gap at a first start that succeeds


async def test_the_url_cannot_change_what_supervision_rests_on(redis: RedisServer) -> None:
    url = f"{redis.url}?protocol=3&decode_responses=true&health_check_interval=1&retry_on_timeout=true"
    async with running(url) as (bus, inbox):
        await bus.publish([Hint("a", 1)])
        await inbox.until(Hint("a", 1))


async def test_garbage_is_dropped_and_delivery_goes_on(redis: RedisServer) -> None:
    garbage: list[bytes | str] = [
        b"\xff\xfe\x00",
        "",
        "not json",
        "[" * 200_000,
        '{"a":' * 200_000,
        "9" * 5_000,
        "null",
        "7",
        '[["a",1]]',
        '{"a":"1"}',
        '{"a":1.0}',
        '{"a":true}',
        '{"a":NaN}',
        '{"a":1,"b":null}',
    ]
    async with running(redis.url) as (bus, inbox), raw(redis) as client:
        before = metric("dropped_messages_total")
        for payload in garbage:
            await client.publish(CHANNEL, payload)
        await client.publish("linli:other", '{"other":1}')
        await bus.publish([Hint("a", 1)])
        await inbox.until(Hint("a", 1))
        assert inbox.items == [Hint("a", 1)]
        assert metric("dropped_messages_total") == before + len(garbage)
        assert bus.healthy


async def test_a_raising_receiver_does_not_end_delivery() -> None:
    inbox = Inbox()

    def receive(item: Hint | Gap) -> None:
        inbox(item)
        raise LookupError

    bus = Bus("memory://")
    await bus.start(receive)
    await bus.publish([Hint("a", 1), Hint("b", 1)])
    await inbox.until(Hint("b", 1))
    await bus.publish([Hint("c", 1)])
    await inbox.until(Hint("c", 1))
    await bus.stop()


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_after_an_outage_a_gap_comes_and_hints_flow_again(redis: RedisServer, ending: str) -> None:
    async with running(redis.url) as (one, ones), running(redis.url) as (two, twos):
        reconnects = metric("reconnects_total")
        getattr(redis, ending)()
        await soon(one.until(healthy=False))
        await soon(two.until(healthy=False))
        assert metric("healthy") == 0
        redis.start()
        for bus, inbox in ((one, ones), (two, twos)):
            await inbox.until(GAP)
            assert bus.healthy
        assert metric("healthy") == 1
        assert metric("reconnects_total") == reconnects + 2
        await one.publish([Hint("a", 1)])
        await twos.until(Hint("a", 1))
        assert twos.items == [GAP, Hint("a", 1)]


async def test_a_connection_lost_while_redis_stays_up_is_a_gap_too(redis: RedisServer) -> None:
    async with running(redis.url) as (bus, inbox), raw(redis) as client:
        await client.client_kill_filter(_type="pubsub")
        await inbox.until(GAP)
        await bus.publish([Hint("a", 1)])
        await inbox.until(Hint("a", 1))


async def test_publish_in_an_outage_returns_counts_and_is_made_up_for(redis: RedisServer) -> None:
    async with running(redis.url) as (one, _), running(redis.url) as (_, twos):
        redis.kill()
        await soon(one.until(healthy=False))
        failures = metric("publish_failures_total")
        async with asyncio.timeout(GUARD_SECONDS):
            for seq in range(1, 1_001):
                await one.publish([Hint("a", seq)])
        assert metric("publish_failures_total") == failures + 1_000
        redis.start()
        await twos.until(GAP)
        await soon(one.until(healthy=True))
        # Two may subscribe later than one sends; then the gap stands for the hint.
        await one.publish([Hint("a", 1_001)])
        await twos.until(Hint("a", 1_001))


async def test_a_redis_that_hangs_makes_the_bus_unhealthy_at_the_first_hint(redis: RedisServer) -> None:
    async with running(redis.url) as (bus, inbox):
        failures = metric("publish_failures_total")
        os.kill(redis.pid, signal.SIGSTOP)
        await bus.publish([Hint("a", 1)])
        await soon(bus.until(healthy=False))
        os.kill(redis.pid, signal.SIGCONT)
        await inbox.until(Hint("a", 1))
        await soon(bus.until(healthy=True))
        assert metric("publish_failures_total") >= failures + 1


async def test_a_silent_connection_is_noticed_and_replaced(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "PING_SECONDS", 0.2)
    async with running(redis.url) as (bus, inbox):
        os.kill(redis.pid, signal.SIGSTOP)
        await soon(bus.until(healthy=False))
        os.kill(redis.pid, signal.SIGCONT)
        await inbox.until(GAP)
        assert bus.healthy
        await bus.publish([Hint("a", 1)])
        await inbox.until(Hint("a", 1))


async def test_start_succeeds_while_redis_is_down(redis: RedisServer) -> None:
    redis.stop()
    async with running(redis.url) as (bus, inbox):
        assert not bus.healthy
        await bus.publish([Hint("a", 1)])
        redis.start()
        await inbox.until(Hint("a", 1))
        assert inbox.items == [GAP, Hint("a", 1)]
        assert bus.healthy


async def test_a_wrong_password_is_an_outage_like_any_other(redis: RedisServer) -> None:
    async with running(redis.url.replace("//", "//somebody:wrong@")) as (bus, _):
        assert not bus.healthy


async def test_concurrent_hints_of_a_topic_merge_to_the_highest(redis: RedisServer) -> None:
    async with running(redis.url) as (one, _), running(redis.url) as (_, twos):
        await asyncio.gather(*(one.publish([Hint("a", seq)]) for seq in [*range(1, 501), 3]))
        await one.publish([Hint("b", 1)])
        await twos.until(Hint("b", 1))
        hints = [item for item in twos.items if item != Hint("b", 1)]
        assert Hint("a", 500) in hints
        assert len(hints) == 1


async def test_hints_for_many_topics_all_arrive(redis: RedisServer) -> None:
    hints = [Hint(f"topic:{number}", 1) for number in range(3_000)]
    async with running(redis.url) as (one, _), running(redis.url) as (_, twos):
        await one.publish(hints)
        await twos.until(hints[-1])
        assert twos.items == hints


async def test_a_burst_is_not_taken_for_an_overflow(redis: RedisServer) -> None:
    async with running(redis.url) as (_, inbox), raw(redis) as client:
        pipeline = client.pipeline(transaction=False)
        for seq in range(10 * QUEUE_MESSAGES):
            pipeline.publish(CHANNEL, f'{{"a":{seq}}}')
        await pipeline.execute()
        await inbox.until(Hint("a", 10 * QUEUE_MESSAGES - 1))
        assert len(inbox.items) == 10 * QUEUE_MESSAGES


async def test_messages_that_nobody_takes_become_a_gap(redis: RedisServer) -> None:
    backend = RedisBackend({"host": "127.0.0.1", "port": redis.port}, lambda healthy: None)
    before = metric("dropped_messages_total")
    for _ in range(QUEUE_MESSAGES + 1):
        backend._offer(Event(CHANNEL, '{"a":1}'))
    backend._offer(Event(CHANNEL, '{"b":1}'))
    assert isinstance(await soon(backend.next_published()), GapEvent)
    assert await soon(backend.next_published()) == Event(CHANNEL, '{"b":1}')
    assert metric("dropped_messages_total") == before + QUEUE_MESSAGES + 1


async def test_hints_that_wait_for_redis_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "PENDING_TOPICS", 10)
    bus, inbox = Bus("memory://"), Inbox()
    await bus.publish([Hint(f"topic:{number}", 1) for number in range(100)])
    await bus.start(inbox)
    await inbox.until(Hint("topic:99", 1))
    assert inbox.items == [Hint(f"topic:{number}", 1) for number in range(90, 100)]
    await bus.stop()


@pytest.mark.parametrize("outage", [False, True])
async def test_stop_leaves_no_task_and_no_connection(redis: RedisServer, outage: bool) -> None:
    before = asyncio.all_tasks()
    bus, inbox = Bus(redis.url), Inbox()
    await soon(bus.start(inbox))
    await bus.publish([Hint("a", 1)])
    await inbox.until(Hint("a", 1))
    if outage:
        redis.kill()
        await soon(bus.until(healthy=False))
    await soon(bus.stop())
    assert asyncio.all_tasks() == before
    assert not bus.healthy
    if not outage:
        async with raw(redis) as client, asyncio.timeout(GUARD_SECONDS):
            while len(await client.client_list()) > 1:
                pass


async def test_stop_leaves_no_task_without_redis() -> None:
    before = asyncio.all_tasks()
    bus = Bus("memory://")
    await bus.start(Inbox())
    await bus.publish([Hint("a", 1)])
    await soon(bus.stop())
    assert asyncio.all_tasks() == before


async def test_stop_sends_what_was_published_just_before(redis: RedisServer) -> None:
    async with running(redis.url) as (_, inbox):
        async with running(redis.url) as (other, _):
            await other.publish([Hint("a", 1)])
        await inbox.until(Hint("a", 1))


async def test_stop_works_on_a_redis_that_hangs(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with running(redis.url) as (bus, _):
        os.kill(redis.pid, signal.SIGSTOP)
        await bus.publish([Hint("a", 1)])
    assert asyncio.all_tasks() == before


async def test_a_cancelled_start_leaves_nothing(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    os.kill(redis.pid, signal.SIGSTOP)
    bus = Bus(redis.url)
    starting = asyncio.create_task(bus.start(Inbox()))
    await asyncio.sleep(0)
    starting.cancel()
    await soon(asyncio.wait({starting}))
    assert starting.cancelled()
    assert asyncio.all_tasks() == before
