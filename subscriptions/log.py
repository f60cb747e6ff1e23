"""The event log: dense sequences per topic, written in the transaction of what they tell.

The last thing a transaction does before its commit is to raise its topics' counters. The row lock
makes commit order equal sequence order without holes, so that a reader that stands at `n` has seen
everything up to `n`. (A plain serial loses events: 1 and 2 are taken, 2 commits first, the reader
moves to 2, and 1 is never seen.)
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from prometheus_client import Gauge

from models.base import now
from models.storage.rows import EVERYTHING, Where, execute, select
from subscriptions.bus import Hint
from subscriptions.events import Event, Kind, Logged

SIZE = Gauge("linli_log_events", "Events kept in the log, as last measured.")

# Statements stay below SQLite's limit of parameters.
BATCH = 500
NAMES = 10_000
# Deleting many at once would keep writers waiting.
TRIMMED_AT_ONCE = 1_000


@dataclass(slots=True)
class EventRow:
    topic: str
    seq: int
    kind: Kind
    subject_id: UUID
    thread_id: UUID | None
    audience: list[str]
    facts: dict[str, str]
    at: datetime


@dataclass(slots=True)
class Position:
    """Where a topic stands: the last sequence number, and the last one no longer kept."""

    name: str
    seq: int
    trimmed: int


async def append(events: Sequence[Event]) -> list[Hint]:
    """Write `events` at the end of their topics; the last statement before the commit.

    Returns where each topic stands afterwards.
    """
    by_topic: dict[str, list[Event]] = {}
    for event in events:
        by_topic.setdefault(event.topic, []).append(event)
    hints = []
    # In the order of names, so that two transactions never wait for each other.
    for topic in sorted(by_topic):
        batch = by_topic[topic]
        (row,) = await execute(
            "INSERT INTO topic (name, seq, trimmed) VALUES (?, ?, 0)"
            " ON CONFLICT (name) DO UPDATE SET seq = topic.seq + excluded.seq RETURNING seq",
            topic,
            len(batch),
        )
        last: int = row["seq"]
        await write(batch, first=last - len(batch) + 1)
        hints.append(Hint(topic, last))
    return hints


async def write(events: Sequence[Event], first: int) -> None:
    at = now()
    for start in range(0, len(events), BATCH):
        chunk = events[start : start + BATCH]
        values = ", ".join("(?, ?, ?, ?, ?, ?, ?, ?)" for _ in chunk)
        params: list[object] = []
        for offset, event in enumerate(chunk, first + start):
            params += [
                event.topic,
                offset,
                event.kind,
                event.subject,
                event.thread,
                json.dumps([str(scope) for scope in event.audience]),
                json.dumps(event.facts),
                at,
            ]
        await execute(
            "INSERT INTO event (topic, seq, kind, subject_id, thread_id, audience, facts, at)"
            f" VALUES {values}",
            *params,
        )


async def read(
    topic: str, after: int, limit: int, *, until: int | None = None, where: Where = EVERYTHING
) -> list[Logged]:
    """The events of `topic` after sequence number `after`, in order, `limit` at most."""
    bound = where if until is None else where & Where("t.seq <= ?", (until,))
    rows = await select(
        EventRow,
        "SELECT t.topic, t.seq, t.kind, t.subject_id, t.thread_id, t.audience, t.facts, t.at"
        f" FROM event t WHERE t.topic = ? AND t.seq > ? AND {bound.text} ORDER BY t.seq LIMIT ?",
        topic,
        after,
        *bound.params,
        limit,
    )
    return [
        Logged(
            row.seq,
            row.at,
            Event(
                topic=row.topic,
                kind=row.kind,
                subject=row.subject_id,
                audience=frozenset(map(UUID, row.audience)),
                thread=row.thread_id,
                facts=row.facts,
            ),
        )
        for row in rows
    ]


async def positions(topics: Iterable[str]) -> Mapping[str, Position]:
    """Where each topic stands; a topic without events stands at 0."""
    names = list(topics)
    found: dict[str, Position] = {}
    for start in range(0, len(names), NAMES):
        chunk = names[start : start + NAMES]
        rows = await select(Position, "SELECT name, seq, trimmed FROM topic WHERE name IN (?)", chunk)
        found |= {row.name: row for row in rows}
    return {name: found.get(name) or Position(name, 0, 0) for name in names}


async def trim(keep: timedelta, most: int) -> int:
    """Forget events older than `keep`, and all but the newest `most` of a topic.

    Returns how many were forgotten. A cursor before them gets a Reset from then on.
    """
    oldest = now() - keep
    forgotten = 0
    for topic in await select(Position, "SELECT name, seq, trimmed FROM topic"):
        # Only ever a beginning of the sequence, even if the clocks of those who wrote it differ.
        (row,) = await execute(
            "SELECT min(seq) AS first, (SELECT min(seq) FROM event WHERE topic = ? AND at >= ?) AS kept"
            " FROM event WHERE topic = ?",
            topic.name,
            oldest,
            topic.name,
        )
        if row["first"] is None:
            continue
        last = max(topic.seq if row["kept"] is None else row["kept"] - 1, topic.seq - most)
        last = min(last, topic.seq)
        if last < row["first"]:
            continue
        # First said, then done: whoever finds events missing finds why, whenever this process dies.
        await execute("UPDATE topic SET trimmed = ? WHERE name = ? AND trimmed < ?", last, topic.name, last)
        for start in range(row["first"], last + 1, TRIMMED_AT_ONCE):
            gone = await execute(
                "DELETE FROM event WHERE topic = ? AND seq >= ? AND seq <= ? RETURNING seq",
                topic.name,
                start,
                min(start + TRIMMED_AT_ONCE - 1, last),
            )
            forgotten += len(gone)
    return forgotten


async def measure() -> None:
    """Tell the metrics how many events are kept."""
    (row,) = await execute("SELECT count(*) AS n FROM event")
    SIZE.set(row["n"])
