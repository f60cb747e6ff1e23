"""The carrier of hints between processes: "this topic has reached that sequence number".

Events travel in the log, hints over the bus, so a lost hint costs time and never data. Every process hears
every hint, its own included. What the bus promises its caller: no outage of Redis ever raises, blocks or
grows memory without bound, and whoever may have missed hints is handed a `Gap`.

This is the only module that knows broadcaster and Redis.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import structlog
from broadcaster import Broadcast, BroadcastBackend, Event
from prometheus_client import Counter, Gauge
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CHANNEL = "linli:hints"

PUBLISH_SECONDS = 0.5
CONNECT_SECONDS = 2.0
PING_SECONDS = 2.0  # nothing heard from one PING to the next: the connection is dead
STEADY_SECONDS = 5.0  # a connection that lived this long was worth its reconnect: back off from the start
BACKOFF_SECONDS = (0.05, 2.0)

MESSAGE_HINTS = 500
PENDING_TOPICS = 10_000
QUEUE_MESSAGES = 256

HEALTHY = Gauge("linli_bus_healthy", "1 while this process hears hints and Redis answers")
PUBLISH_FAILURES = Counter("linli_bus_publish_failures", "Hints that could not be handed to Redis when due")
RECONNECTS = Counter("linli_bus_reconnects", "Subscriptions established after hints may have been missed")
DROPPED_MESSAGES = Counter(
    "linli_bus_dropped_messages", "Received messages not understood, or too many at once"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """The log of `topic` has reached `seq`; earlier hints for the topic may never come."""

    topic: str
    seq: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Hints for any topic may have been lost: read the log again."""


GAP = Gap()


class Bus:
    """One subscription per process, and one publisher that merges what waits for it."""

    def __init__(self, url: str) -> None:
        """`memory://` reaches this process only, `redis://` and `rediss://` all that share the Redis."""
        # Errors name the scheme at most: the rest of the URL may hold a password.
        scheme = urlsplit(url).scheme
        if scheme == "memory":
            self._redis: Mapping[str, Any] | None = None
        elif scheme in ("redis", "rediss"):
            self._redis = _connection_options(url)
        else:
            raise ValueError(f"the bus needs a memory://, redis:// or rediss:// URL, not {scheme!r}")
        self._healthy = False
        self._health_changed = asyncio.Event()
        self._pending: dict[str, int] = {}
        self._broadcast: Broadcast | None = None
        self._running = AsyncExitStack()
        self._listener: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Is the subscription established, and does Redis answer? While not, hints may be missing."""
        return self._healthy

    async def until(self, *, healthy: bool) -> None:
        """Wait until `healthy` is as asked."""
        while self._healthy is not healthy:
            await self._health_changed.wait()

    async def start(self, on_hint: Callable[[Hint | Gap], None]) -> None:
        """Hand every hint to `on_hint`, which is called in the event loop and must be quick.

        When Redis answers, the subscription stands on return. When it does not, that is no error: the bus is
        unhealthy and keeps trying, and a `Gap` comes first once it hears.
        """
        if self._broadcast is not None:
            raise RuntimeError("the bus is started already")
        backend = None if self._redis is None else RedisBackend(self._redis, self._set_healthy)
        broadcast = self._broadcast = (
            Broadcast("memory://") if backend is None else Broadcast(backend=backend)
        )
        try:
            await broadcast.connect()
            self._running.push_async_callback(broadcast.disconnect)
            subscriber = await self._running.enter_async_context(broadcast.subscribe(CHANNEL))
            self._listener = asyncio.create_task(_listen(subscriber.get, on_hint))
            if backend is None:
                self._set_healthy(True)
            else:
                await backend.attempted.wait()
        except BaseException:
            await self.stop()
            raise

    async def publish(self, hints: Sequence[Hint]) -> None:
        """Tell every process; never raises and never waits for Redis.

        Hints wait for the one message under way, merged to the highest seq of each topic. Those that fail are
        counted, and sent again once Redis answers.
        """
        for hint in hints:
            self._keep(hint.topic, hint.seq)
        if self._healthy:
            self._send_pending()
        else:
            PUBLISH_FAILURES.inc(len(hints))

    async def stop(self) -> None:
        """Send what waits, if Redis takes it at once; leaves no task and no connection behind."""
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=PUBLISH_SECONDS)
        self._broadcast = None  # from here on nothing starts another sender
        for task in (self._sender, self._listener):
            await _end(task)
        self._sender = self._listener = None
        await self._running.aclose()
        await asyncio.sleep(0)  # broadcaster cancels its own task without waiting for it
        self._pending.clear()
        self._set_healthy(False)

    def _set_healthy(self, healthy: bool) -> None:
        if healthy is self._healthy:
            return
        self._healthy = healthy
        HEALTHY.set(healthy)
        if healthy:
            log.info("bus_healthy")
        elif self._broadcast is not None:
            log.warning("bus_unhealthy")
        self._health_changed.set()
        self._health_changed = asyncio.Event()
        if healthy:
            self._send_pending()

    def _keep(self, topic: str, seq: int) -> None:
        if len(self._pending) >= PENDING_TOPICS and topic not in self._pending:
            del self._pending[next(iter(self._pending))]
            PUBLISH_FAILURES.inc()
        self._pending[topic] = max(seq, self._pending.get(topic, seq))

    def _send_pending(self) -> None:
        busy = self._sender is not None and not self._sender.done()
        if self._pending and self._broadcast is not None and not busy:
            self._sender = asyncio.create_task(self._send(self._broadcast))

    async def _send(self, broadcast: Broadcast) -> None:
        while self._pending and self._healthy:
            batch = dict(islice(self._pending.items(), MESSAGE_HINTS))
            for topic in batch:
                del self._pending[topic]
            message = json.dumps(batch, separators=(",", ":"))
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await broadcast.publish(CHANNEL, message)
            except Exception as error:
                # The type only: Redis quotes the message in some errors.
                log.warning("bus_publish_failed", error=type(error).__name__, hints=len(batch))
                PUBLISH_FAILURES.inc(len(batch))
                for topic, seq in batch.items():
                    self._keep(topic, seq)


class RedisBackend(BroadcastBackend):
    """A Redis subscription that outlives its connections, for one channel.

    `next_published` never raises. After each connection but the one of the first attempt it returns a
    `GapEvent`, and so it does in place of the messages that nobody took in time.
    """

    def __init__(self, options: Mapping[str, Any], on_health: Callable[[bool], None]) -> None:
        self.attempted = asyncio.Event()
        self._options = options
        self._on_health = on_health
        self._publisher = _client(options)
        self._events: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MESSAGES)
        self._supervisor: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Nothing to do: connections are opened when a channel is known."""

    async def disconnect(self) -> None:
        await self._publisher.aclose()

    async def subscribe(self, group: str) -> None:
        self._supervisor = asyncio.create_task(self._supervise(group))

    async def unsubscribe(self, group: str) -> None:
        await _end(self._supervisor)

    async def publish(self, channel: str, message: Any) -> None:
        try:
            await self._publisher.publish(channel, message)
        except BaseException:
            # Until the next PONG, so that a Redis which hangs is not asked for every hint.
            self._on_health(False)
            raise

    async def next_published(self) -> Event:
        return await self._events.get()

    async def _supervise(self, channel: str) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                # A new client each time, so that redis-py never reconnects on its own and hides a gap.
                async with _client(self._options) as client, client.pubsub() as pubsub:
                    try:
                        async with asyncio.timeout(CONNECT_SECONDS):
                            await self._establish(pubsub, channel)
                        self._established(channel)
                        await self._read(pubsub)
                    finally:
                        self._on_health(False)
            except Exception as error:
                log.warning("bus_disconnected", error=type(error).__name__, failures=failures)
            self.attempted.set()
            failures = 1 if loop.time() - began > STEADY_SECONDS else failures + 1
            await asyncio.sleep(_backoff(failures))

    async def _establish(self, pubsub: PubSub, channel: str) -> None:
        await self._publisher.ping()
        await pubsub.subscribe(channel)
        confirmed = False
        while not confirmed:
            message = await pubsub.get_message(timeout=CONNECT_SECONDS)
            confirmed = message is not None and message["type"] == "subscribe"

    def _established(self, channel: str) -> None:
        self._on_health(True)
        if self.attempted.is_set():
            RECONNECTS.inc()
            self._offer(GapEvent(channel))
        self.attempted.set()

    async def _read(self, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        heard, ping_at = True, loop.time() + PING_SECONDS
        while True:
            message = await pubsub.get_message(timeout=max(0.0, ping_at - loop.time()))
            if message is not None:
                heard = True
                self._take(message)
                if self._events.full():
                    await asyncio.sleep(0)  # buffered input never waits, and the queue's reader needs a turn
            if loop.time() >= ping_at:
                if not heard:
                    raise TimeoutError("Redis is silent")
                await pubsub.ping()
                heard, ping_at = False, loop.time() + PING_SECONDS

    def _take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "pong":
            self._on_health(True)
        elif message["type"] == "message":
            try:
                self._offer(Event(message["channel"].decode(), message["data"].decode()))
            except UnicodeDecodeError:
                DROPPED_MESSAGES.inc()

    def _offer(self, event: Event) -> None:
        if self._events.full():
            DROPPED_MESSAGES.inc(self._events.qsize() + 1)
            while not self._events.empty():
                self._events.get_nowait()
            event = GapEvent(event.channel)
        self._events.put_nowait(event)


class GapEvent(Event):
    """A class of its own, because nothing that is published can forge it."""

    def __init__(self, channel: str) -> None:
        super().__init__(channel, "")


async def _listen(next_event: Callable[[], Awaitable[Event]], on_hint: Callable[[Hint | Gap], None]) -> None:
    while True:
        event = await next_event()
        for hint in [GAP] if isinstance(event, GapEvent) else _decode(event.message):
            try:
                on_hint(hint)
            except Exception:
                log.exception("bus_hint_failed")


def _decode(message: str) -> Sequence[Hint]:
    """The hints of one message; none, and counted, when any part of it is not understood."""
    with suppress(ValueError, RecursionError):
        batch = json.loads(message)
        if isinstance(batch, dict) and all(type(seq) is int for seq in batch.values()):
            return [Hint(topic, seq) for topic, seq in batch.items()]
    DROPPED_MESSAGES.inc()
    return []


def _backoff(failures: int) -> float:
    base, cap = BACKOFF_SECONDS
    return random.uniform(base, min(cap, base * 2.0 ** min(failures, 10)))  # noqa: S311


def _connection_options(url: str) -> Mapping[str, Any]:
    try:
        options: dict[str, Any] = {
            **parse_url(url),
            # What the supervision rests on is not for the URL to change. RESP2 pub/sub works on every Redis;
            # with no supported errors redis-py neither retries nor reconnects behind our back.
            "decode_responses": False,
            "health_check_interval": 0,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0, supported_errors=()),
            "retry_on_error": [],
            "retry_on_timeout": False,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": CONNECT_SECONDS,
        }
        # Opens nothing yet, but knows which options exist. redis-py leaves it without types.
        ConnectionPool(**options).make_connection()  # type: ignore[no-untyped-call]
    except Exception:
        raise ValueError("the bus URL is not a valid Redis URL") from None
    return options


def _client(options: Mapping[str, Any]) -> Redis:
    return Redis.from_pool(ConnectionPool(**options))


async def _end(task: asyncio.Task[None] | None) -> None:
    while task is not None and not task.done():
        # Python 3.11's wait_for, which redis-py writes through, can swallow a cancellation.
        task.cancel()
        await asyncio.wait({task}, timeout=PUBLISH_SECONDS)
