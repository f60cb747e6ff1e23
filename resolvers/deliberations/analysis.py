"""Computing the opinion map of a deliberation, off the event loop, and keeping it.

Votes ask for it; the first one schedules it a little later, those in between wait with it. The computation
runs in a thread, before the transaction that keeps its result: on SQLite a transaction would hold up all
writers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.base import now
from models.deliberations import (
    FEWEST_PARTICIPANTS,
    AnalysisRow,
    DeliberationRow,
    PointRow,
    StatementChoice,
)
from models.storage.rows import Where, execute, select
from models.storage.tables import by_ids, insert, insert_all, update
from resolvers.context import Context, Services
from resolvers.deliberations import opinions, steps, topics
from resolvers.deliberations.opinions import Cast, Opinions, Placed
from resolvers.existing import locked
from resolvers.jobs import Handler, prepares, schedule
from subscriptions.events import Kind, Logged
from subscriptions.work import Work

ANALYSE = "ANALYSE_OPINIONS"
# How long votes wait for those that follow.
PATIENCE = timedelta(seconds=3)
AT_ONCE = timedelta()
# One at a time in a process: it is the processor that is short.
ONE = asyncio.Semaphore(1)

VALUES = {StatementChoice.AGREE: 1, StatementChoice.DISAGREE: -1, StatementChoice.PASS: 0}


async def request_analysis(deliberation_id: UUID, patience: timedelta = AT_ONCE) -> None:
    """Have the map computed, in the transaction that changes the votes; once, however many ask."""
    at = now() + patience
    asked = await update(
        DeliberationRow, Where("id = ? AND analysis_due_at IS NULL", (deliberation_id,)), analysis_due_at=at
    )
    if asked:
        await schedule(ANALYSE, deliberation_id, at)


@dataclass(slots=True)
class VoteRow:
    account_id: UUID
    statement_id: UUID
    choice: StatementChoice


@dataclass(slots=True)
class StoodRow:
    account_id: UUID
    x: float
    y: float
    group_number: int


@prepares(ANALYSE)
async def prepare(_services: Services, deliberation_id: UUID) -> Handler:
    """Compute the map of the votes as they are now; what it gives keeps it."""
    # Cleared before the votes are read: a vote that comes later asks anew.
    await execute("UPDATE deliberation SET analysis_due_at = NULL WHERE id = ? RETURNING id", deliberation_id)
    at = now()
    votes = await select(
        VoteRow,
        "SELECT v.account_id, v.statement_id, v.choice FROM statement_vote v"
        " JOIN statement s ON s.id = v.statement_id WHERE v.deliberation_id = ? AND s.hidden_at IS NULL",
        deliberation_id,
    )
    stood = await select(
        StoodRow,
        "SELECT account_id, x, y, group_number FROM opinion_point WHERE deliberation_id = ?",
        deliberation_id,
    )
    before = {row.account_id: Placed(row.x, row.y, row.group_number) for row in stood}
    async with ONE:
        found = await asyncio.to_thread(compute_map, votes, before)

    async def keep(_services: Services, work: Work, deliberation_id: UUID) -> None:
        row = await locked(DeliberationRow, deliberation_id)
        kept = await keep_map(row, found, at) if found else await delete_map(row)
        if kept:
            work.record(steps.event(Kind.OPINIONS_ANALYSED, row, row.id))

    return keep


def compute_map(votes: Sequence[VoteRow], before: Mapping[UUID, Placed]) -> Opinions | None:
    from threadpoolctl import threadpool_limits

    casts = [Cast(vote.account_id, vote.statement_id, VALUES[vote.choice]) for vote in votes]
    # The other processors serve clients.
    with threadpool_limits(1):
        return opinions.analyse(casts, fewest=FEWEST_PARTICIPANTS, before=before)


async def keep_map(row: DeliberationRow, found: Opinions, at: datetime) -> bool:
    """Keep the map, unless one of later votes is there already."""
    kept = await insert(
        AnalysisRow(
            created_at=at,
            community_id=row.community_id,
            deliberation_id=row.id,
            version=1,
            computed_at=at,
            participant_count=len(found.placed),
            vote_count=found.votes,
            result=result_of(found),
        ),
        "(deliberation_id) DO UPDATE SET version = opinion_analysis.version + 1,"
        " computed_at = excluded.computed_at, participant_count = excluded.participant_count,"
        " vote_count = excluded.vote_count, result = excluded.result"
        " WHERE opinion_analysis.computed_at < excluded.computed_at",
    )
    if not kept:
        return False
    await execute("DELETE FROM opinion_point WHERE deliberation_id = ? RETURNING id", row.id)
    await insert_all(
        [
            PointRow(
                created_at=at,
                deliberation_id=row.id,
                account_id=account_id,
                x=placed.x,
                y=placed.y,
                group_number=placed.group,
            )
            for account_id, placed in found.placed.items()
        ]
    )
    return True


async def delete_map(row: DeliberationRow) -> bool:
    """Take the map back when too few are left; whether there was one."""
    await execute("DELETE FROM opinion_point WHERE deliberation_id = ? RETURNING id", row.id)
    return bool(await execute("DELETE FROM opinion_analysis WHERE deliberation_id = ? RETURNING id", row.id))


def result_of(found: Opinions) -> dict[str, Any]:
    """What is kept of a map: no account, and points in an order that tells nothing."""
    return {
        "points": sorted([placed.group, placed.x, placed.y] for placed in found.placed.values()),
        "groups": [asdict(group) for group in found.groups],
        "statements": [asdict(position) for position in found.positions],
        "consensus": [str(position.statement) for position in found.consensus],
        "silhouette": found.silhouette,
        "explained": list(found.explained),
    }


# Reading


async def maps_of(_ctx: Context, rows: Sequence[DeliberationRow]) -> list[AnalysisRow | None]:
    """The newest map of each deliberation, None while too few have voted."""
    return await by_ids(AnalysisRow, [row.id for row in rows], by="deliberation_id")


async def viewer_points_of(ctx: Context, maps: Sequence[AnalysisRow]) -> list[PointRow | None]:
    """Where the viewer stands on each map."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [None] * len(maps)
    own = Where("t.account_id = ?", (account_id,))
    return await by_ids(PointRow, [item.deliberation_id for item in maps], own, by="deliberation_id")


async def maps_of_events(ctx: Context, events: Sequence[Logged]) -> list[AnalysisRow | None]:
    """The newest map of the deliberation that each event happened in."""
    rows = await topics.deliberations_of_events(ctx, events)
    known = [row for row in rows if row]
    found = {row.id: item for row, item in zip(known, await maps_of(ctx, known), strict=True)}
    return [found.get(row.id) if row else None for row in rows]
