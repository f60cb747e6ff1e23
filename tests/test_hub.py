"""The hub: everything, once, in order, to those it is for, whatever fails; and nobody delays another."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

import orjson
import pytest

from models.base import new_id, now
from models.identity import ResidencyRow
from models.storage.rows import execute
from models.visibility import Viewer, viewers
from subscriptions import feeds, followers, log, recent
from subscriptions import hub as hub_module
from subscriptions.bus import GAP, Bus, Gap, Hint
from subscriptions.events import STANDING, Event, Kind, Logged
from subscriptions.feeds import pause
from subscriptions.followers import Subscriber, Unrendered
from subscriptions.hub import CATCHING_UP, GROUPS, SUBSCRIBERS, Hub
from subscriptions.streams import Opened, Request, Stream, StreamItem, cursor_of
from subscriptions.work import unit_of_work
from tests.world import Recorder, World, counted

TOPIC = "community:test"
SCOPE, OTHER_SCOPE = new_id(), new_id()
EVERYONE = frozenset({SCOPE})
ALL_KINDS = frozenset(Kind)
NEVER = 3600.0


class FakeBus:
    """A bus to be held in hand. It carries nothing between processes."""

    def __init__(self) -> None:
        self.healthy = True
        self.published: list[Hint] = []
        self.on_hint: Callable[[Hint | Gap], None] | None = None
        self._changed = asyncio.Event()

    async def start(self, on_hint: Callable[[Hint | Gap], None]) -> None:
        self.on_hint = on_hint

    async def publish(self, hints: Sequence[Hint]) -> None:
        self.published += hints

    async def until(self, *, healthy: bool) -> None:
        while self.healthy is not healthy:
            await self._changed.wait()

    def turn(self, *, healthy: bool) -> None:
        self.healthy = healthy
        self._changed.set()
        self._changed = asyncio.Event()

    def hear(self, hint: Hint | Gap) -> None:
        assert self.on_hint is not None
        self.on_hint(hint)

    async def stop(self) -> None:
        self.on_hint = None


def viewer(*scopes: UUID, account_id: UUID | None = None, homes: Iterable[UUID] = ()) -> Viewer:
    return Viewer(
        account_id=account_id or new_id(),
        session_id=new_id(),
        scopes=frozenset(scopes or (SCOPE,)),
        homes=frozenset(homes),
    )


class FakeSink:
    """A client that keeps what it is given, up to `limit` frames that it has not read yet."""

    def __init__(self, viewer: Viewer, limit: int | None = None) -> None:
        self.viewer = viewer
        self.limit = limit
        self.frames: list[dict[str, Any]] = []
        self.unread = 0
        self.refusals = 0
        self.written: list[Callable[[], None]] = []
        self.followed: list[Subscriber] = []
        self.refused: list[Subscriber] = []
        self.ended = self.was_lost = False
        self.after_offer: Callable[[], None] | None = None
        self._room = asyncio.Event()
        self._changed = asyncio.Event()

    def offer(self, frame: bytes, written: Callable[[], None] | None = None) -> bool:
        if self.limit is not None and self.unread >= self.limit:
            self.refusals += 1
            self._room.clear()
            self.change()
            return False
        self.unread += 1
        self.frames.append(json.loads(frame))
        if written is not None:
            self.written.append(written)
        self.change()
        if self.after_offer is not None:
            self.after_offer()
        return True

    def read(self, limit: int | None = None) -> None:
        """All that came; from now on there is room for `limit`."""
        self.unread, self.limit = 0, limit
        self._room.set()

    async def room(self) -> None:
        await self._room.wait()

    def subscriptions(self) -> Iterable[Subscriber]:
        return list(self.followed)

    def refuse(self, subscriber: Subscriber) -> None:
        self.refused.append(subscriber)
        self.change()

    def session_ended(self) -> None:
        self.ended = True
        self.change()

    def lost(self) -> None:
        self.was_lost = True
        self.change()

    def change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self._changed.wait()

    async def is_open(self) -> None:
        await self.until(lambda: self.types == ["opened"])

    async def is_lost(self) -> None:
        await self.until(lambda: self.was_lost)

    async def has(self, number: int) -> list[int]:
        """Wait for so many events; the sequence numbers of all there are."""
        await self.until(lambda: len(self.seqs) >= number)
        return self.seqs

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] == "event"]

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


@dataclass
class Toy:
    """An operation, which counts its executions."""

    made: list[int] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)
    before: Callable[[StreamItem], Any] | None = None

    async def __call__(self, message: StreamItem, viewer: Viewer) -> bytes:
        if isinstance(message, Logged):
            self.made.append(message.seq)
            self.viewers.append(viewer)
        if self.before is not None and (waiting := self.before(message)) is not None:
            await waiting
        if isinstance(message, Logged):
            return orjson.dumps({"type": "event", "seq": message.seq, "kind": message.event.kind})
        if isinstance(message, Opened):
            return orjson.dumps({"type": "opened", "at": message.seq})
        return orjson.dumps({"type": "reset", "at": message.seq, "reason": message.reason})


@pytest.fixture
async def bus(anyio_backend: str) -> FakeBus:
    return FakeBus()


@pytest.fixture
async def hub(world: World, bus: FakeBus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A running hub that hears of nothing but what it is told."""
    monkeypatch.setattr(hub_module, "POLL_SECONDS", NEVER)
    monkeypatch.setattr(hub_module, "POLL_SECONDS_WITHOUT_BUS", 0.01)
    monkeypatch.setattr(feeds, "RETRY_SECONDS", 0.001)
    made = Hub(cast(Bus, bus))
    await made.start()
    yield made
    await made.stop()
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    assert [name for name in names if name.startswith(("Hub.", "Feed.", "Group."))] == []


async def until(condition: Callable[[], object]) -> None:
    """For what nobody signals."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def follow(
    hub: Hub,
    sink: FakeSink,
    render: Toy | None = None,
    *,
    after: int | None = None,
    key: Hashable = "operation",
    topic: str = TOPIC,
    **stream: Any,
) -> Subscriber:
    options = {"kinds": ALL_KINDS, "requires": EVERYONE, **stream}
    hub.sinks.add(sink)
    subscriber = await hub.follow(
        sink,
        Request(Stream(topic, **options), None if after is None else cursor_of(Opened(topic, after))),
        key=key,
        render=render or Toy(),
        opening=b"",
    )
    sink.followed.append(subscriber)
    return subscriber


def event(kind: Kind = Kind.POST_CREATED, **more: Any) -> Event:
    return Event(**{"topic": TOPIC, "kind": kind, "subject": new_id(), "audience": EVERYONE, **more})


async def write(live: Any, *events: Event) -> None:
    async with unit_of_work(live) as work:
        work.record(*events)


async def write_many(live: Any, number: int) -> None:
    for _ in range(number):
        await write(live, event())


# Delivering


async def test_what_happens_is_delivered_after_the_greeting(hub: Hub) -> None:
    await write(hub, event())
    sink = FakeSink(viewer())
    await follow(hub, sink)
    await write(hub, event(), event())
    assert await sink.has(2) == [2, 3]
    assert sink.frames[0] == {"type": "opened", "at": 1}
    assert sink.types == ["opened", "event", "event"]


async def test_the_commit_tells_the_other_processes(hub: Hub, bus: FakeBus) -> None:
    sink = FakeSink(viewer())
    await follow(hub, sink)
    await write(hub, event())
    await sink.has(1)
    assert bus.published == [Hint(TOPIC, 1)]


async def test_a_hint_of_another_process_is_enough(hub: Hub, bus: FakeBus) -> None:
    sink = FakeSink(viewer())
    await follow(hub, sink)
    await write(Recorder(), event(), event())
    bus.hear(Hint(TOPIC, 2))
    assert await sink.has(2) == [1, 2]


async def test_frames_are_framed_for_each_client(hub: Hub) -> None:
    sink = FakeSink(viewer())
    sink.frames, frames = [], []
    hub.sinks.add(sink)

    class Raw(FakeSink):
        def offer(self, frame: bytes, written: Callable[[], None] | None = None) -> bool:
            frames.append(frame)
            self.change()
            return True

    raw = Raw(viewer())
    request = Request(Stream(TOPIC, ALL_KINDS, EVERYONE))
    await hub.follow(raw, request, key="k", render=Toy(), opening=b"<1:")
    await raw.until(lambda: len(frames) == 1)
    assert frames == [b'<1:{"type":"opened","at":0}']


async def test_replay_and_live_meet_without_loss_or_duplicate(hub: Hub) -> None:
    """Clients come back with all kinds of cursors while 200 events are being written."""
    await write_many(Recorder(), 20)
    total = 220
    sinks: list[tuple[int, FakeSink]] = []
    started = asyncio.Event()

    async def some(number: int) -> None:
        for _ in range(number):
            await write(hub, event())
            started.set()

    async with asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(some(50)) for _ in range(4)]
        await started.wait()
        while not all(writer.done() for writer in writers):
            for after in (0, 7, 20):
                sink = FakeSink(viewer(), limit=None if after else 5)
                await follow(hub, sink, after=after, key=len(sinks) % 3)
                sinks.append((after, sink))
            for _, sink in sinks:
                sink.read(sink.limit)
            await asyncio.sleep(0)
            if len(sinks) > 60:
                break
    assert len(sinks) >= 3
    for after, sink in sinks:
        sink.read(None)
        assert await sink.has(total - after) == list(range(after + 1, total + 1))
    await write(hub, event())
    for after, sink in sinks:
        assert await sink.has(total + 1 - after) == list(range(after + 1, total + 2))
        assert sink.types[0] == "opened"
        assert "reset" not in sink.types


async def test_who_comes_while_the_feed_lags_behind_gets_once_what_is_after_its_cursor(
    hub: Hub, bus: FakeBus
) -> None:
    first, second, third = FakeSink(viewer()), FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, first)
    await first.until(lambda: first.types == ["opened"])
    await write(Recorder(), event(), event(), event())
    # The log is further than the feed has heard.
    for sink, after in ((second, None), (third, 2)):
        subscriber = await follow(hub, sink, after=after)
        await until(partial(getattr, subscriber, "live"))
    bus.hear(Hint(TOPIC, 3))
    assert await first.has(3) == [1, 2, 3]
    await write(hub, event())
    assert await first.has(4) == [1, 2, 3, 4]
    # Who has no cursor begins where the feed stands, and is told so.
    assert second.frames[0] == {"type": "opened", "at": 0}
    assert await second.has(4) == [1, 2, 3, 4]
    assert await third.has(2) == [3, 4]


async def test_who_follows_where_others_do_is_live_at_once(hub: Hub) -> None:
    first, second, third, full = (FakeSink(viewer()) for _ in range(4))
    await follow(hub, first)
    await write(hub, event())
    await first.has(1)
    # Nobody has been greeted here yet, and then somebody has.
    greeted = await follow(hub, second)
    await until(lambda: greeted.live)
    async with counted() as queries:
        for after in (None, 1):
            subscriber = await follow(hub, third, after=after)
            assert subscriber.live
            assert subscriber.task is None
    assert queries.count == 0
    assert third.frames == second.frames * 2 == [{"type": "opened", "at": 1}] * 2
    # Who has no room waits in a task of its own.
    full.limit = 0
    subscriber = await follow(hub, full)
    assert not subscriber.live
    full.read()
    await until(lambda: subscriber.live)
    await write(hub, event())
    assert await second.has(1) == await full.has(1) == [2]
    assert await third.has(2) == [2, 2]


async def test_only_what_a_stream_wants_is_delivered(hub: Hub) -> None:
    thread = new_id()
    sinks = {name: FakeSink(viewer()) for name in ("all", "kind", "thread", "fact")}
    await follow(hub, sinks["all"])
    await follow(hub, sinks["kind"], kinds=frozenset({Kind.COMMENT_ADDED}))
    await follow(hub, sinks["thread"], thread=thread)
    await follow(hub, sinks["fact"], filters=frozenset({("kind", frozenset({"FOUND", "LOST"}))}))
    last = event(Kind.COMMENT_ADDED, thread=thread, facts={"kind": "LOST"})
    await write(
        hub,
        event(facts={"kind": "FOUND"}),
        event(Kind.COMMENT_ADDED, facts={"kind": "OTHER"}),
        event(thread=thread),
        last,
    )
    expected = {"all": [1, 2, 3, 4], "kind": [2, 4], "thread": [3, 4], "fact": [1, 4]}
    for name, seqs in expected.items():
        assert await sinks[name].has(len(seqs)) == seqs
    # And the same from the log.
    again = FakeSink(viewer())
    await follow(hub, again, after=0, thread=thread, kinds=frozenset({Kind.COMMENT_ADDED}))
    await write(hub, last)
    assert await again.has(2) == [4, 5]


async def test_only_an_events_audience_gets_it(hub: Hub) -> None:
    ours, theirs, nobody = FakeSink(viewer(SCOPE)), FakeSink(viewer(OTHER_SCOPE)), FakeSink(Viewer())
    toy = Toy()
    for sink in (ours, theirs, nobody):
        await follow(hub, sink, toy)
    hidden = event(audience=frozenset())
    await write(hub, event(), event(audience=frozenset({OTHER_SCOPE})), hidden)
    await write(hub, event(audience=frozenset({SCOPE, OTHER_SCOPE})))
    assert await ours.has(2) == [1, 4]
    assert await theirs.has(2) == [2, 4]
    assert nobody.seqs == []
    assert toy.made == [1, 2, 4]
    late = FakeSink(viewer(OTHER_SCOPE))
    await follow(hub, late, after=0)
    assert await late.has(2) == [2, 4]


# Executing once


async def test_identical_subscriptions_are_executed_once_an_event(hub: Hub) -> None:
    toy = Toy()
    sinks = [FakeSink(viewer()) for _ in range(30)]
    for sink in sinks:
        await follow(hub, sink, toy)
    await write_many(hub, 5)
    for sink in sinks:
        assert await sink.has(5) == [1, 2, 3, 4, 5]
    assert toy.made == [1, 2, 3, 4, 5]


async def test_viewer_dependent_ones_are_executed_once_an_account(hub: Hub) -> None:
    toy = Toy()
    accounts = [new_id(), new_id(), new_id()]
    sinks = [FakeSink(viewer(account_id=accounts[number % 3])) for number in range(9)]
    for sink in sinks:
        await follow(hub, sink, toy, key=("operation", sink.viewer.account_id))
    await write_many(hub, 2)
    for sink in sinks:
        assert await sink.has(2) == [1, 2]
    assert sorted(toy.made) == [1, 1, 1, 2, 2, 2]
    assert {made.account_id for made in toy.viewers} == set(accounts)


async def test_a_storm_of_returning_clients_shares_executions(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "SECONDS", NEVER)
    await write_many(Recorder(), 10)
    toy = Toy()
    sinks = [FakeSink(viewer()) for _ in range(40)]
    for sink in sinks:
        await follow(hub, sink, toy, after=0)
    for sink in sinks:
        assert await sink.has(10) == list(range(1, 11))
    assert sorted(toy.made) == list(range(1, 11))


async def test_payloads_are_not_kept_for_long(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they tell may be withdrawn: who comes later gets it as it is then."""
    monkeypatch.setattr(recent, "SECONDS", -1.0)
    toy = Toy()
    first, second = FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, first, toy)
    await write(hub, event())
    await first.has(1)
    await follow(hub, second, toy, after=0)
    await second.has(1)
    assert toy.made == [1, 1]


async def test_a_group_keeps_few_payloads(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 3)
    monkeypatch.setattr(recent, "SECONDS", NEVER)
    sink = FakeSink(viewer())
    subscriber = await follow(hub, sink)
    await write(hub, *(event() for _ in range(10)))
    await sink.has(10)
    assert list(subscriber.group.recent) == [8, 9, 10]


async def test_only_conflated_kinds_are_conflated(hub: Hub) -> None:
    post, other = new_id(), new_id()
    sink = FakeSink(viewer())
    await write(
        Recorder(),
        event(Kind.COUNTERS_CHANGED, subject=post),
        event(Kind.POST_CHANGED, subject=post),
        event(Kind.COUNTERS_CHANGED, subject=other),
        event(Kind.POST_CHANGED, subject=post),
        event(Kind.COUNTERS_CHANGED, subject=post),
        event(Kind.COUNTERS_CHANGED, subject=post, audience=frozenset({OTHER_SCOPE})),
        event(Kind.REACH_CHANGED, subject=post),
        event(Kind.COMMENT_ADDED, subject=post),
    )
    await follow(hub, sink, after=0)
    # 6 is for others: it must not take 5 from those who do not see it.
    assert await sink.has(6) == [2, 3, 4, 5, 7, 8]


# Slow clients


async def test_a_full_buffer_is_made_up_for_from_the_log(hub: Hub) -> None:
    sink = FakeSink(viewer(), limit=4)
    subscriber = await follow(hub, sink)
    await sink.until(lambda: sink.types == ["opened"])
    await write_many(hub, 10)
    await sink.until(lambda: sink.refusals > 0)
    while len(sink.seqs) < 10:
        sink.read(limit=4)
        await asyncio.sleep(0)
    assert sink.seqs == list(range(1, 11))
    sink.read(None)
    await write(hub, event())
    assert await sink.has(11) == list(range(1, 12))
    await until(lambda: subscriber.live)
    assert "reset" not in sink.types


async def test_a_client_that_never_reads_delays_nobody(hub: Hub) -> None:
    stuck, returning = FakeSink(viewer(), limit=0), FakeSink(viewer(), limit=2)
    others = [FakeSink(viewer()) for _ in range(3)]
    for sink in (stuck, *others):
        await follow(hub, sink)
    await write_many(hub, 50)
    await follow(hub, returning, after=0)
    for sink in others:
        assert await sink.has(50) == list(range(1, 51))
    await returning.until(lambda: returning.refusals > 0)
    assert stuck.frames == []
    assert len(returning.frames) == 2


async def test_rights_that_end_while_there_is_no_room_count(hub: Hub) -> None:
    sink = FakeSink(viewer(), limit=1)
    await write_many(Recorder(), 3)
    subscriber = await follow(hub, sink, after=0)
    await sink.until(lambda: sink.refusals > 0)
    sink.viewer = viewer(OTHER_SCOPE)
    sink.read(None)
    await until(lambda: subscriber.live)
    assert sink.types == ["opened"]


# Resets


async def test_a_cursor_older_than_the_log_is_reset(hub: Hub) -> None:
    await write_many(Recorder(), 10)
    await log.trim(timedelta(days=1), 4)
    older, oldest, just = FakeSink(viewer()), FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, older, after=5)
    await follow(hub, oldest, after=0)
    await follow(hub, just, after=6)
    await write(hub, event())
    for sink in (older, oldest):
        assert await sink.has(1) == [11]
        assert sink.frames[0] == {"type": "reset", "at": 10, "reason": "LOG_TRIMMED"}
    assert await just.has(5) == [7, 8, 9, 10, 11]
    assert just.types[0] == "opened"


async def test_a_cursor_ahead_of_the_log_is_reset(hub: Hub) -> None:
    """As after restoring an old backup."""
    await write_many(Recorder(), 2)
    sink = FakeSink(viewer())
    await follow(hub, sink, after=900)
    await write(hub, event())
    assert await sink.has(1) == [3]
    assert sink.frames[0] == {"type": "reset", "at": 2, "reason": "CURSOR_AHEAD"}


async def test_who_is_overtaken_by_the_trimming_is_told(hub: Hub) -> None:
    await write_many(Recorder(), 10)
    sink = FakeSink(viewer(), limit=4)
    await follow(hub, sink, after=0)
    await sink.until(lambda: sink.refusals > 0)
    # While it stands still, more comes than one page of its reading holds, and goes again.
    await write(hub, *(event() for _ in range(feeds.PAGE)))
    await log.trim(timedelta(days=1), 2)
    sink.read(None)
    await sink.until(lambda: "reset" in sink.types)
    await write(hub, event())
    last = 10 + feeds.PAGE + 1
    await sink.until(lambda: sink.seqs[-1:] == [last])
    before = sink.types.index("reset")
    assert sink.seqs[: before - 1] == list(range(1, before))
    assert [frame["seq"] for frame in sink.frames[before + 1 :]] == [last]


async def test_a_feed_that_is_overtaken_by_the_trimming_says_so(hub: Hub, bus: FakeBus) -> None:
    sink = FakeSink(viewer())
    subscriber = await follow(hub, sink)
    await sink.until(lambda: sink.types == ["opened"])
    await until(lambda: subscriber.live)
    await write_many(Recorder(), 10)
    await log.trim(timedelta(days=1), 3)
    bus.hear(Hint(TOPIC, 10))
    await sink.until(lambda: "reset" in sink.types)
    await write(hub, event())
    assert await sink.has(1) == [11]
    assert sink.frames[1] == {"type": "reset", "at": 10, "reason": "LOG_TRIMMED"}


async def test_a_quiet_client_loses_nothing_to_the_trimming(hub: Hub) -> None:
    """It has seen all that it wants, however long ago that was."""
    failing = iter([RuntimeError("once")])

    def before(message: StreamItem) -> None:
        if isinstance(message, Logged) and (error := next(failing, None)):
            raise error

    sink, witness = FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, sink, Toy(before=before), kinds=frozenset({Kind.NOTICE_PUBLISHED}))
    await follow(hub, witness)
    await write_many(hub, 10)
    await witness.has(10)
    await log.trim(timedelta(days=1), 1)
    await write(hub, event(Kind.NOTICE_PUBLISHED))
    assert await sink.has(1) == [11]
    assert sink.types == ["opened", "event"]


# Standing


async def test_who_moves_out_gets_nothing_more(hub: Hub, world: World) -> None:
    community = await world.community()
    leaving, staying = await world.neighbour(community), await world.neighbour(community)
    scope = frozenset({community.id})
    found = await viewers({leaving.id: new_id(), staying.id: new_id()})
    gone, kept = FakeSink(found[leaving.id]), FakeSink(found[staying.id])
    first = await follow(hub, gone, requires=scope)
    second = await follow(hub, gone, requires=frozenset({leaving.id}), key="own")
    await follow(hub, kept, requires=scope)
    await write(hub, event(audience=scope))
    assert await gone.has(2) == [1, 1]
    session = gone.viewer.session_id
    await ResidencyRow.filter(account_id=leaving.id).update(until=now())
    await write(hub, Event(STANDING, Kind.STANDING_CHANGED, leaving.id))
    await gone.until(lambda: bool(gone.refused))
    assert gone.refused == [first]
    assert second in gone.followed
    assert gone.viewer.session_id == session
    await write(hub, event(audience=scope), event(audience=frozenset({leaving.id})))
    assert await kept.has(2) == [1, 2]
    assert [seq for seq in await gone.has(4) if seq > 1] == [3, 3]
    assert kept.refused == []


async def test_who_moves_in_sees_what_happens_from_then_on(hub: Hub, world: World) -> None:
    community = await world.community()
    account = await world.account()
    home = await world.home(await world.building(await world.estate(community)))
    sink = FakeSink((await viewers({account.id: None}))[account.id])
    await follow(hub, sink, requires=frozenset({account.id}))
    audience = frozenset({community.id})
    await write(hub, event(audience=audience), event(audience=frozenset({account.id})))
    assert await sink.has(1) == [2]
    await ResidencyRow.create(
        community_id=community.id, account_id=account.id, home_id=home.id, relation="OWNER"
    )
    await write(hub, Event(STANDING, Kind.STANDING_CHANGED, account.id))
    await until(lambda: community.id in sink.viewer.scopes)
    await write(hub, event(audience=audience))
    assert await sink.has(2) == [2, 3]


async def test_rights_end_even_if_the_database_is_away_for_a_moment(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def failing(accounts: Any) -> Any:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise ConnectionError
        return await viewers(accounts)

    monkeypatch.setattr(hub_module, "viewers", failing)
    sink = FakeSink(viewer())
    subscriber = await follow(hub, sink)
    assert sink.viewer.account_id is not None
    await write(hub, Event(STANDING, Kind.STANDING_CHANGED, sink.viewer.account_id))
    await sink.until(lambda: sink.refused == [subscriber])
    assert attempts == 4


async def test_an_ended_session_ends_its_own_connections_only(hub: Hub) -> None:
    account = new_id()
    ended, other = FakeSink(viewer(account_id=account)), FakeSink(viewer(account_id=account))
    nobody = FakeSink(Viewer())
    for sink in (ended, other, nobody):
        hub.sinks.add(sink)
    assert ended.viewer.session_id is not None
    standing = hub.standing
    await write(hub, Event(STANDING, Kind.SESSION_ENDED, ended.viewer.session_id))
    await ended.until(lambda: ended.ended)
    assert not other.ended
    assert not nobody.ended
    assert hub.standing == standing + 1


async def test_changes_of_standing_that_are_lost_close_every_connection(hub: Hub, bus: FakeBus) -> None:
    sinks = [FakeSink(viewer()) for _ in range(3)]
    hub.sinks.update(sinks)
    await write(Recorder(), *(Event(STANDING, Kind.STANDING_CHANGED, new_id()) for _ in range(3)))
    await log.trim(timedelta(days=1), 1)
    bus.hear(Hint(STANDING, 3))
    for sink in sinks:
        await sink.is_lost()


async def test_payloads_made_with_former_rights_are_forgotten(hub: Hub, world: World) -> None:
    community = await world.community()
    account = await world.neighbour(community)
    sink = FakeSink((await viewers({account.id: None}))[account.id])
    subscriber = await follow(hub, sink, requires=frozenset({account.id}))
    await write(hub, event(audience=frozenset({account.id})))
    await sink.has(1)
    assert subscriber.group.recent
    await write(hub, Event(STANDING, Kind.STANDING_CHANGED, account.id))
    await until(lambda: not subscriber.group.recent)


# Faults


async def test_after_a_gap_the_log_is_read_again(hub: Hub, bus: FakeBus) -> None:
    sinks = {topic: FakeSink(viewer()) for topic in (TOPIC, "other")}
    for topic, sink in sinks.items():
        await follow(hub, sink, topic=topic)
        await sink.is_open()
        await write(Recorder(), event(topic=topic), event(topic=topic))
    assert all(sink.seqs == [] for sink in sinks.values())
    bus.hear(GAP)
    for sink in sinks.values():
        assert await sink.has(2) == [1, 2]


async def test_without_the_bus_the_log_is_polled(hub: Hub, bus: FakeBus) -> None:
    sink = FakeSink(viewer())
    await follow(hub, sink)
    await sink.until(lambda: sink.types == ["opened"])
    await write(Recorder(), event())
    bus.turn(healthy=False)
    assert await sink.has(1) == [1]
    await write(Recorder(), event())
    assert await sink.has(2) == [1, 2]


async def test_hints_that_are_late_repeated_or_wrong_do_no_harm(hub: Hub, bus: FakeBus) -> None:
    sink = FakeSink(viewer())
    await follow(hub, sink)
    for hint in (Hint(TOPIC, 99), Hint("unknown", 1), Hint(TOPIC, 0), Hint(TOPIC, -1)):
        bus.hear(hint)
    await write(hub, event())
    await sink.has(1)
    for _ in range(3):
        bus.hear(Hint(TOPIC, 1))
    await write(hub, event())
    assert await sink.has(2) == [1, 2]


@pytest.mark.parametrize("name", ["read", "positions"])
async def test_a_database_that_fails_for_a_while_costs_time_only(
    hub: Hub, bus: FakeBus, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    live, returning = FakeSink(viewer()), FakeSink(viewer(), limit=1)
    await follow(hub, live)
    await write_many(hub, 3)
    await live.has(3)
    await follow(hub, returning, after=0)
    await returning.until(lambda: returning.refusals > 0)
    real = getattr(log, name)
    failures = 0

    async def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures <= 5:
            raise ConnectionError
        return await real(*args, **kwargs)

    monkeypatch.setattr(log, name, failing)
    if name == "positions":
        monkeypatch.setattr(hub.positions, "read", failing)
    bus.turn(healthy=False)  # so that positions are asked for
    await write_many(hub, 3)
    returning.read(None)
    assert await live.has(6) == list(range(1, 7))
    assert await returning.has(6) == list(range(1, 7))
    assert failures > 5


def test_the_longest_outage_ends_no_feed() -> None:
    for failures in (1, 10, 1_000, 1_000_000):
        assert 0 < pause(failures) <= feeds.LONGEST_RETRY_SECONDS


async def test_a_payload_that_fails_for_a_while_is_delivered_in_its_place(hub: Hub) -> None:
    failing = iter([RuntimeError(), Unrendered(b'{"type": "error"}'), asyncio.CancelledError()])

    def before(message: StreamItem) -> None:
        if isinstance(message, Logged) and message.seq == 2 and (error := next(failing, None)):
            raise error

    sink, other = FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, sink, Toy(before=before))
    await follow(hub, other, key="another")
    await write_many(hub, 4)
    assert await other.has(4) == [1, 2, 3, 4]
    assert await sink.has(4) == [1, 2, 3, 4]
    assert sink.types == ["opened", *["event"] * 4]


async def test_a_greeting_that_fails_for_a_while_comes_first_nevertheless(hub: Hub) -> None:
    failing = iter([RuntimeError(), RuntimeError()])

    def before(_message: StreamItem) -> None:
        if error := next(failing, None):
            raise error

    sink = FakeSink(viewer())
    await follow(hub, sink, Toy(before=before))
    await write(hub, event())
    await sink.has(1)
    assert sink.types == ["opened", "event"]


async def test_a_payload_that_always_fails_is_delivered_as_the_error_it_is(hub: Hub) -> None:
    def before(message: StreamItem) -> None:
        if isinstance(message, Logged) and message.seq == 2:
            raise Unrendered(b'{"type": "error"}')

    sink = FakeSink(viewer())
    await follow(hub, sink, Toy(before=before))
    await write_many(hub, 3)
    assert await sink.has(2) == [1, 3]
    assert sink.types == ["opened", "event", "error", "event"]


async def test_a_fault_that_stays_closes_the_connection(hub: Hub) -> None:
    def before(message: StreamItem) -> None:
        if isinstance(message, Logged):
            raise ZeroDivisionError

    sink, other = FakeSink(viewer()), FakeSink(viewer())
    subscriber = await follow(hub, sink, Toy(before=before))
    await follow(hub, other, key="another")
    await write_many(hub, 2)
    await sink.until(lambda: sink.was_lost)
    hub.leave(subscriber)
    assert await other.has(2) == [1, 2]
    assert sink.types == ["opened"]


async def test_a_payload_that_hangs_holds_up_its_feed_for_a_while_only(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "RENDER_SECONDS", 0.02)
    hanging = [True]

    def before(message: StreamItem) -> Any:
        if isinstance(message, Logged) and hanging and hanging.pop():
            return asyncio.Event().wait()
        return None

    sink, other = FakeSink(viewer()), FakeSink(viewer())
    await follow(hub, sink, Toy(before=before))
    await follow(hub, other, key="another")
    await write_many(hub, 3)
    assert await other.has(3) == [1, 2, 3]
    assert await sink.has(3) == [1, 2, 3]


async def test_one_members_failure_takes_nothing_from_the_rest_of_its_group(hub: Hub) -> None:
    """The event that fails is for some, the one after it for others."""

    def before(message: StreamItem) -> None:
        if isinstance(message, Logged) and message.seq == 1:
            raise Unrendered(b'{"type": "error"}')

    ours, theirs = FakeSink(viewer(SCOPE)), FakeSink(viewer(OTHER_SCOPE))
    toy = Toy(before=before)
    await follow(hub, ours, toy)
    await follow(hub, theirs, toy)
    await ours.until(lambda: ours.types == ["opened"])
    await theirs.until(lambda: theirs.types == ["opened"])
    await write(hub, event(), event(audience=frozenset({OTHER_SCOPE})))
    assert await theirs.has(1) == [2]
    await ours.until(lambda: ours.types == ["opened", "error"])


# Coming and going


async def test_who_leaves_gets_nothing_that_is_under_way(hub: Hub) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    def before(message: StreamItem) -> Any:
        if isinstance(message, Logged):
            begun.set()
            return go.wait()
        return None

    toy = Toy(before=before)
    leaving, staying = FakeSink(viewer()), FakeSink(viewer())
    subscriber = await follow(hub, leaving, toy)
    await follow(hub, staying, toy)
    for sink in (leaving, staying):
        await sink.is_open()
    await write(hub, event())
    await begun.wait()
    hub.leave(subscriber)
    go.set()
    assert await staying.has(1) == [1]
    assert leaving.types == ["opened"]
    hub.leave(subscriber)  # twice does no harm


async def test_a_topic_is_read_only_while_it_is_followed(hub: Hub) -> None:
    first, second = FakeSink(viewer()), FakeSink(viewer())
    subscriber = await follow(hub, first)
    await write(hub, event())
    await first.has(1)
    assert set(hub._feeds) == {STANDING, TOPIC}
    hub.leave(subscriber)
    assert set(hub._feeds) == {STANDING}
    await write(hub, event(), event())
    await follow(hub, first)
    await follow(hub, second, after=1)
    await write(hub, event())
    assert await first.has(2) == [1, 4]
    assert await second.has(3) == [2, 3, 4]


async def test_first_subscribers_at_once_open_one_feed(hub: Hub) -> None:
    toy = Toy()
    sinks = [FakeSink(viewer()) for _ in range(20)]
    await asyncio.gather(*(follow(hub, sink, toy) for sink in sinks))
    await write(hub, event())
    for sink in sinks:
        assert await sink.has(1) == [1]
    assert toy.made == [1]


async def test_a_thousand_that_came_and_went_leave_nothing(hub: Hub) -> None:
    gauges = [gauge._value.get() for gauge in (SUBSCRIBERS, GROUPS, CATCHING_UP)]
    await write_many(Recorder(), 3)
    idle = set(hub._tasks)
    for number in range(1000):
        sink = FakeSink(viewer(), limit=number % 3)
        subscriber = await follow(hub, sink, after=number % 4, key=number % 7, topic=TOPIC)
        if number % 2:
            await asyncio.sleep(0)
        if number % 50 == 0:
            await write(hub, event())
        hub.leave(subscriber)
        hub.sinks.discard(sink)
    await until(lambda: not hub._tasks - idle)
    assert set(hub._feeds) == {STANDING}
    assert hub.sinks == set()
    assert [gauge._value.get() for gauge in (SUBSCRIBERS, GROUPS, CATCHING_UP)] == gauges


async def test_following_that_is_cancelled_at_any_moment_leaves_nothing(hub: Hub) -> None:
    for turns in range(60):
        sink = FakeSink(viewer())
        task = asyncio.create_task(follow(hub, sink, key=turns))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            hub.leave(task.result())
    assert set(hub._feeds) <= {STANDING, TOPIC}
    # A feed that was opened for nobody ends with the next one who comes and goes.
    hub.leave(await follow(hub, FakeSink(viewer())))
    assert set(hub._feeds) == {STANDING}


async def test_stopping_leaves_no_task(world: World) -> None:
    before = asyncio.all_tasks()
    hub = Hub(Bus("memory://"))
    await hub.start()
    hanging = FakeSink(viewer(), limit=0)
    forever = asyncio.Event()
    stuck = Toy(before=lambda message: forever.wait() if isinstance(message, Logged) else None)
    await write(hub, event())
    for sink, toy in ((FakeSink(viewer()), Toy()), (hanging, Toy()), (FakeSink(viewer()), stuck)):
        await follow(hub, sink, toy, after=0, key=id(toy))
    await until(lambda: stuck.made)
    async with asyncio.timeout(20):
        await hub.stop()
    # The pool takes a cancelled connection back in a task of its own.
    await until(lambda: asyncio.all_tasks() == before)
    assert hub._feeds == {}
    assert hub._tasks == set()


async def test_two_hubs_share_what_each_hears(world: World) -> None:
    """In one process, over the memory bus of each; the log is what they share."""
    ours, theirs = Hub(Bus("memory://")), Hub(Bus("memory://"))
    await ours.start()
    await theirs.start()
    try:
        sinks = [FakeSink(viewer()), FakeSink(viewer())]
        await follow(ours, sinks[0])
        await follow(theirs, sinks[1])
        await write(ours, event())
        theirs.committed([Hint(TOPIC, 1)])
        for sink in sinks:
            assert await sink.has(1) == [1]
    finally:
        await ours.stop()
        await theirs.stop()


# Receipts


async def test_notices_are_handed_over_once_they_are_on_the_wire(hub: Hub) -> None:
    handed: list[tuple[UUID, frozenset[UUID]]] = []

    class Deliveries:
        def handed_over(self, notice_id: UUID, homes: frozenset[UUID]) -> None:
            handed.append((notice_id, homes))

    hub.deliveries = Deliveries()
    home, notice = new_id(), new_id()
    resident, officer = FakeSink(viewer(homes=[home])), FakeSink(viewer())
    for sink in (resident, officer):
        await follow(hub, sink)
    await write(hub, event(Kind.NOTICE_PUBLISHED, subject=notice), event())
    for sink in (resident, officer):
        await sink.has(2)
    assert handed == []
    assert officer.written == []
    (written,) = resident.written
    written()
    assert handed == [(notice, frozenset({home}))]


async def test_events_of_nothing_stored_are_impossible_to_follow(hub: Hub) -> None:
    """A stream of a topic that has no events yet is open, at its beginning."""
    (row,) = await execute("SELECT count(*) AS n FROM topic")
    assert row["n"] == 0
    sink = FakeSink(viewer())
    await follow(hub, sink)
    await sink.until(lambda: sink.frames == [{"type": "opened", "at": 0}])


async def test_rights_that_end_in_the_middle_of_a_hand_out_count(
    hub: Hub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands are handed an event in slices; whoever loses the right between two of them gets nothing."""
    monkeypatch.setattr(hub_module, "SLICE", 1)
    others = [viewer() for _ in range(20)]
    sinks = [FakeSink(other) for other in others]
    for sink in sinks:
        await follow(hub, sink)
        await sink.is_open()

    def restand() -> None:
        for sink in sinks:
            if not sink.seqs:
                hub._restand(sink, viewer(OTHER_SCOPE, account_id=sink.viewer.account_id))

    for sink in sinks:
        sink.after_offer = restand
    await write(hub, event(audience=frozenset({SCOPE, new_id()})))
    await until(lambda: any(sink.seqs for sink in sinks))
    for sink in sinks:
        sink.after_offer = None
    marker = FakeSink(viewer())
    await follow(hub, marker, after=0)
    await marker.has(1)
    assert sorted(len(sink.seqs) for sink in sinks) == [0] * 19 + [1]


async def test_an_audience_of_several_scopes_gets_an_event_once(hub: Hub) -> None:
    both, one, neither = (
        FakeSink(viewer(SCOPE, OTHER_SCOPE)),
        FakeSink(viewer(SCOPE)),
        FakeSink(viewer(new_id())),
    )
    for sink in (both, one, neither):
        await follow(hub, sink)
        await sink.is_open()
    await write(
        hub, event(audience=frozenset({SCOPE, OTHER_SCOPE})), event(audience=frozenset({OTHER_SCOPE}))
    )
    assert await both.has(2) == [1, 2]
    await write(hub, event())
    assert await both.has(3) == [1, 2, 3]
    assert await one.has(2) == [1, 3]
    assert neither.seqs == []
