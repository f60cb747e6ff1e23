"""The hub: reads the log once per process and topic, and hands each event to whom it is for.

    bus or commit ──► Feed (one a topic: reads the log in order)
                        └─► Group (identical operations: executed once per event, encoded once)
                              └─► Subscriber (one client's: cursor, live or catching up)

A subscriber is either *live*, fed by its topic's feed, or *catching up*, fed from the log at its own
pace: at the start, unless it begins where the feed stands, and whenever its connection's buffer
overflowed. It goes live in the moment in which its cursor has reached the feed's position, with no await
in between, so that it misses nothing; whatever is at or before its cursor is dropped, so that it gets
nothing twice.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Hashable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from models.base import now
from models.storage.rows import Where
from models.visibility import Viewer, viewers
from subscriptions import log
from subscriptions.bus import Bus, Gap, Hint
from subscriptions.events import ACCOUNTED, STANDING, Kind, Logged
from subscriptions.feeds import PAGE, Feed, greeting_at, newest, pause
from subscriptions.followers import Group, Render, Sink, Subscriber, Unrendered, key_of
from subscriptions.streams import Opened, Request, Reset, ResetReason, Stream, StreamItem, position_of
from subscriptions.together import Together

# How often a payload is tried while the log can be read.
RENDER_TRIES = 5
# Events that are made at once, so that a client gets them in one write.
TOGETHER = 16
# Subscribers who are handed events before the event loop looks after others.
SLICE = 200
# Accounts whose standing is read at once.
ACCOUNTS = 1_000
POLL_SECONDS = 5.0
POLL_SECONDS_WITHOUT_BUS = 0.5

SUBSCRIBERS = Gauge("linli_subscribers", "Open subscriptions of this process.")
GROUPS = Gauge("linli_groups", "Groups of identical subscriptions, each executed once per event.")
CATCHING_UP = Gauge("linli_subscribers_catching_up", "Subscriptions that are being fed from the log.")
FRAMES = Counter("linli_frames_total", "Event frames handed to connections.")
OVERFLOWS = Counter("linli_overflows_total", "Times that a connection's buffer was full.")
LAG = Histogram(
    "linli_delivery_lag_seconds",
    "From an event's recording to its hand-over to the connections, for live subscribers.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)

logger = structlog.get_logger("linli.hub")

T = TypeVar("T")


class HandedOver(Protocol):
    """Told of every event of the kinds `ACCOUNTED` that has been written to a household's client."""

    def handed_over(self, subject: UUID, homes: frozenset[UUID], /) -> None: ...


class Hub:
    """All live delivery of one process."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.deliveries: HandedOver | None = None
        self.sinks: set[Sink] = set()
        self._feeds: dict[str, Feed] = {}
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.positions = Together(log.positions, self.spawn, log.NAMES)
        self._poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow the log. The database is open; the bus may be unreachable."""
        position = (await log.positions([STANDING]))[STANDING].seq
        self._feeds[STANDING] = Feed(STANDING, position, self._review)
        await self.bus.start(self._hear)
        self._poller = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """End all feeds and tasks; connections are the protocol's to close."""
        ending = [feed.stop() for feed in self._feeds.values()]
        for feed in list(self._feeds.values()):
            for subscriber in [s for group in feed.groups.values() for s in group.subscribers]:
                self.leave(subscriber)
        self._feeds.clear()
        if self._poller:
            self._poller.cancel()
            ending.append(self._poller)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*ending, *self._tasks, return_exceptions=True)
        await self.bus.stop()

    @property
    def standing(self) -> int:
        """How far this process has heard of changed standings. A viewer that was read before this
        rose may be out of date, unless its sink was among `sinks` with the account already."""
        feed = self._feeds.get(STANDING)
        return feed.position if feed else 0

    # Hearing of events

    def committed(self, hints: Sequence[Hint]) -> None:
        """A transaction of this process has committed; tell our feeds and the other processes."""
        for hint in hints:
            self._hear(hint)
        self.spawn(self.bus.publish(hints))

    def _hear(self, hint: Hint | Gap) -> None:
        if isinstance(hint, Gap):
            for each in self._feeds.values():
                each.wake()
            return
        feed = self._feeds.get(hint.topic)
        if feed is not None and hint.seq > feed.position:
            feed.wake()

    async def _poll(self) -> None:
        """Hints may be lost; the log is asked now and then, and often while the bus is away."""
        while True:
            await self._poll_pause()
            for feed in self._feeds.values():
                for group in feed.groups.values():
                    group.recent.forget()
            try:
                for topic, position in (await log.positions(self._feeds)).items():
                    self._hear(Hint(topic, position.seq))
            except Exception as error:
                logger.warning("poll_failed", error=type(error).__name__)

    async def _poll_pause(self) -> None:
        if not self.bus.healthy:
            await asyncio.sleep(POLL_SECONDS_WITHOUT_BUS)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self.bus.until(healthy=False)

    # Subscribing

    async def follow(
        self, sink: Sink, request: Request, *, key: Hashable, render: Render, opening: bytes
    ) -> Subscriber:
        """Feed `sink` with what `request` selects, from its cursor or from where this process stands.

        Each frame is `opening`, and then what `render` makes of a message; subscriptions with equal
        `key` and stream share that. The first frame says that the stream is open, or that the cursor is
        older than the log.
        """
        topic = request.stream.topic
        after = None if request.after is None else position_of(topic, request.after)
        feed = self._feeds.get(topic)
        if feed is not None and after in (None, feed.position):
            # As it nearly always is, above all when thousands come back at once.
            greeting: Opened | Reset = Opened(topic, feed.position)
        else:
            at = await self.positions.of(topic)
            feed = await self._feed(topic)
            greeting = greeting_at(at, at.seq if after is None else after)
        # No await from here to the registration: the feed may end with its last subscriber.
        group_key = (key, request.stream)
        group = feed.groups.get(group_key)
        if group is None:
            group = feed.groups[group_key] = Group(group_key, request.stream, render, self.spawn)
            GROUPS.inc()
        subscriber = Subscriber(sink, opening, group, greeting.seq)
        group.subscribers.put(subscriber)
        SUBSCRIBERS.inc()
        if not self._opened(feed, subscriber, greeting):
            subscriber.task = self.spawn(self._open(feed, subscriber, greeting))
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Stop feeding a subscriber; a topic that nobody follows any more is no longer read."""
        group = subscriber.group
        if subscriber not in group.subscribers:
            return
        group.subscribers.discard(subscriber)
        # Whatever is being delivered at the moment is not for it any more.
        subscriber.live = False
        SUBSCRIBERS.dec()
        if subscriber.task:
            subscriber.task.cancel()
        feed = self._feeds.get(group.stream.topic)
        if feed is None or group.subscribers:
            return
        feed.groups.pop(group.key, None)
        GROUPS.dec()
        group.recent.cancel()
        if not feed.groups:
            del self._feeds[feed.topic]
            feed.stop()

    async def _feed(self, topic: str) -> Feed:
        # Two first subscribers of a topic must not open two feeds.
        async with self._opening:
            feed = self._feeds.get(topic)
            if feed is None:
                position = (await log.positions([topic]))[topic].seq
                feed = self._feeds[topic] = Feed(topic, position, self._deliver)
            return feed

    # Delivering

    async def _deliver(self, feed: Feed, events: Sequence[Logged], whole: bool) -> None:
        if not whole:
            for group in list(feed.groups.values()):
                for subscriber in list(group.subscribers):
                    self._fall_back(feed, subscriber, reset=True)
            return
        await asyncio.gather(*(self._deliver_to(feed, group, events) for group in list(feed.groups.values())))

    async def _deliver_to(self, feed: Feed, group: Group, events: Sequence[Logged]) -> None:
        wanted = [event for event in events if group.stream.wants(event.event)]
        for start in range(0, len(wanted), TOGETHER):
            batch = wanted[start : start + TOGETHER]
            if len(batch) == 1:
                # As it nearly always is: no task of its own.
                made = [await self._prepared(group, batch[0])]
            else:
                made = await asyncio.gather(*(self._prepared(group, event) for event in batch))
            await self._hand_out(feed, group, [each for each in made if each is not None])

    async def _prepared(self, group: Group, event: Logged) -> tuple[Logged, bytes | None] | None:
        """The event with its payload, None if that cannot be made; nothing if nobody is to have it."""
        for subscriber in group.subscribers.of(event.event.audience):
            if is_due(subscriber, event):
                viewer = subscriber.sink.viewer
                break
        else:
            return None
        try:
            payload = await group.payload(event, viewer)
        except Exception as error:
            # A group that everybody has left meanwhile has failed nobody.
            if group.subscribers:
                logger.warning("render_failed", kind=event.event.kind, error=type(error).__name__)
            return event, None
        LAG.observe(max(0.0, (now() - event.at).total_seconds()))
        return event, payload

    async def _hand_out(self, feed: Feed, group: Group, made: Sequence[tuple[Logged, bytes | None]]) -> None:
        """Give each subscriber all that is for it, before the next; in slices, so that nobody waits long."""
        holders, changes = audiences(group, made), group.subscribers.changes
        taken = 0
        for number, subscriber in enumerate(list(set[Subscriber]().union(*holders)), 1):
            for (event, payload), audience in zip(made, holders, strict=True):
                # It may have left, or gone on by itself, while the payload was made.
                if subscriber not in audience or not is_due(subscriber, event):
                    continue
                if payload is not None and self._offer(subscriber, event, payload):
                    subscriber.cursor = event.seq
                    taken += 1
                else:
                    # It has had, or was not meant to have, all before.
                    subscriber.cursor = event.seq - 1
                    self._fall_back(feed, subscriber)
            if number % SLICE == 0:
                await asyncio.sleep(0)
                if group.subscribers.changes != changes:
                    # Rights may have ended in between.
                    holders, changes = audiences(group, made), group.subscribers.changes
        FRAMES.inc(taken)

    def _offer(self, subscriber: Subscriber, event: Logged, payload: bytes) -> bool:
        written = None
        sink = subscriber.sink
        if event.event.kind in ACCOUNTED and self.deliveries is not None and sink.viewer.homes:
            written = partial(self.deliveries.handed_over, event.event.subject, sink.viewer.homes)
        taken = sink.offer(subscriber.opening + payload, written)
        if not taken:
            OVERFLOWS.inc()
        return taken

    def _fall_back(self, feed: Feed, subscriber: Subscriber, *, reset: bool = False) -> None:
        """Feed a subscriber from the log from now on, since it could not take what was live."""
        if not subscriber.live:
            return
        subscriber.live = False
        greeting = Reset(feed.topic, feed.position, ResetReason.LOG_TRIMMED) if reset else None
        subscriber.task = self.spawn(self._open(feed, subscriber, greeting))

    def _opened(self, feed: Feed, subscriber: Subscriber, greeting: Opened | Reset) -> bool:
        """Greet a subscriber at once, if it needs nothing but what others have been greeted with."""
        payload = subscriber.group.recent.made(key_of(greeting))
        if payload is None or greeting.seq < feed.position:
            return False
        subscriber.live = subscriber.sink.offer(subscriber.opening + payload)
        return subscriber.live

    async def _open(self, feed: Feed, subscriber: Subscriber, greeting: Opened | Reset | None) -> None:
        """Greet a subscriber and feed it from the log, until it has all that the feed has read."""
        CATCHING_UP.inc()
        failures = 0
        try:
            while greeting is not None or subscriber.cursor < feed.position:
                try:
                    if greeting is not None:
                        await self._greet(subscriber, greeting)
                        greeting = None
                    else:
                        await self._read_page(feed, subscriber)
                    failures = 0
                except Exception as error:
                    failures += 1
                    logger.warning("catch_up_failed", error=type(error).__name__)
                    await asyncio.sleep(pause(failures))
            subscriber.live = True
            subscriber.task = None
        finally:
            CATCHING_UP.dec()

    async def _greet(self, subscriber: Subscriber, greeting: Opened | Reset) -> None:
        await self._hand(subscriber, await self._rendered(subscriber, greeting), None)
        subscriber.cursor = greeting.seq

    async def _read_page(self, feed: Feed, subscriber: Subscriber) -> None:
        group, until = subscriber.group, feed.position
        events = await log.read(
            feed.topic, subscriber.cursor, PAGE, until=until, where=selection(group.stream)
        )
        at = await self.positions.of(feed.topic)
        if subscriber.cursor < at.trimmed:
            # Trimmed while it was being read: what is missing cannot be told from what was read.
            await self._greet(subscriber, Reset(feed.topic, at.seq, ResetReason.LOG_TRIMMED))
            return
        for event in newest(events):
            if group.stream.wants(event.event) and subscriber.sink.viewer.may_see(event.event.audience):
                await self._hand(subscriber, await self._rendered(subscriber, event), event)
            subscriber.cursor = event.seq
        subscriber.cursor = events[-1].seq if len(events) == PAGE else until

    async def _rendered(self, subscriber: Subscriber, message: StreamItem) -> bytes:
        """The payload, once it could be made; after RENDER_TRIES the one that tells of an error."""
        group, viewer = subscriber.group, subscriber.sink.viewer
        try:
            payload = await group.payload(message, viewer)
        except Exception as error:
            subscriber.failures += 1
            if subscriber.failures < RENDER_TRIES:
                raise
            if not isinstance(error, Unrendered):
                logger.exception("render_given_up")
                subscriber.sink.lost()
                raise
            payload = error.payload
        subscriber.failures = 0
        return payload

    async def _hand(self, subscriber: Subscriber, payload: bytes, event: Logged | None) -> None:
        while True:
            if event is None:
                taken = subscriber.sink.offer(subscriber.opening + payload)
            elif taken := self._offer(subscriber, event, payload):
                FRAMES.inc()
            if taken:
                return
            await subscriber.sink.room()
            # Rights may have gone while there was no room.
            if event is not None and not subscriber.sink.viewer.may_see(event.event.audience):
                return

    # Standing

    async def _review(self, _feed: Feed, events: Sequence[Logged], whole: bool) -> None:
        """Rights have changed or sessions have ended: look at the connections concerned again."""
        if not whole:
            # Nobody knows whose; whoever comes back is looked at anew.
            for sink in list(self.sinks):
                sink.lost()
            return
        changed = {e.event.subject for e in events if e.event.kind is Kind.STANDING_CHANGED}
        ended = {e.event.subject for e in events if e.event.kind is Kind.SESSION_ENDED}
        concerned: dict[UUID, list[Sink]] = {}
        for sink in list(self.sinks):
            if sink.viewer.session_id in ended:
                sink.session_ended()
            if sink.viewer.account_id in changed:
                concerned.setdefault(sink.viewer.account_id, []).append(sink)
        accounts = list(concerned)
        for start in range(0, len(accounts), ACCOUNTS):
            for account_id, viewer in (await self._standings(accounts[start : start + ACCOUNTS])).items():
                for sink in concerned[account_id]:
                    self._restand(sink, viewer)

    async def _standings(self, accounts: Sequence[UUID]) -> Mapping[UUID, Viewer]:
        failures = 0
        while True:
            try:
                return await viewers(dict.fromkeys(accounts))
            except Exception as error:
                # Nobody may keep rights because the database was away when they ended.
                failures += 1
                logger.warning("review_failed", error=type(error).__name__)
                await asyncio.sleep(pause(failures))

    @staticmethod
    def _restand(sink: Sink, viewer: Viewer) -> None:
        sink.viewer = replace(viewer, session_id=sink.viewer.session_id)
        for subscriber in list(sink.subscriptions()):
            subscriber.group.subscribers.put(subscriber)
            # What was made with the former rights.
            subscriber.group.recent.clear()
            if not sink.viewer.may_see(subscriber.group.stream.requires):
                sink.refuse(subscriber)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin `work`, which the hub's end ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it hears of it


def is_due(subscriber: Subscriber, event: Logged) -> bool:
    return subscriber.live and subscriber.cursor < event.seq


def audiences(group: Group, made: Sequence[tuple[Logged, bytes | None]]) -> list[Set[Subscriber]]:
    """Whom each event is for."""
    return [group.subscribers.of(event.event.audience) for event, _ in made]


def selection(stream: Stream) -> Where:
    """The part of `Stream.wants` that the log's indexes can answer."""
    kinds = Where("t.kind IN (?)", (sorted(stream.kinds),))
    return kinds if stream.thread is None else kinds & Where("t.thread_id = ?", (stream.thread,))
