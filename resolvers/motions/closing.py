"""The close: extended where the rules say so, else counted, once and for all."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from models.base import now
from models.deliberations import ExecutionKind
from models.motions import (
    BoxEntryRow,
    Channel,
    Choice,
    ElectorRow,
    EntryKind,
    ItemRow,
    MotionRow,
    MotionStatus,
    PaperStatus,
    RulesRow,
)
from models.storage.rows import Where, execute
from models.storage.tables import every
from resolvers.context import Services
from resolvers.deliberations import executions
from resolvers.existing import existing, locked
from resolvers.jobs import does, schedule
from resolvers.motions import announcing, ballot_box, reading, receipts, rules, tally, wording
from resolvers.motions.announcing import CLOSE_MOTION, SETTLE
from resolvers.motions.tally import CountedBallot, Weight
from subscriptions.events import Kind
from subscriptions.work import Work


@does(CLOSE_MOTION)
async def close_or_extend(services: Services, work: Work, motion_id: UUID) -> None:
    """Count, or extend. Whenever this runs, only ballots from before the close are in the box."""
    motion = await locked(MotionRow, motion_id)
    at = await ballot_box.begun_at()
    if motion.status is MotionStatus.ANNOUNCED and at >= motion.closes_at:
        motion = await announcing.open_now(services, work, motion)
    if motion.status is not MotionStatus.OPEN:
        return
    if at < motion.closes_at + SETTLE:
        await schedule(CLOSE_MOTION, motion.id, motion.closes_at + SETTLE)
        return
    under = await existing(RulesRow, motion.rules_id)
    total = Weight(motion.heads, motion.area_cm2)
    participating = Weight(motion.heads_cast, motion.area_cast_cm2)
    short = not all(
        test.passed for test in tally.tests(rules.thresholds_of(under).quorum, participating, total)
    )
    if short and motion.extensions < under.most_extensions:
        await extend_voting(services, work, motion, under)
    else:
        await close_voting(services, work, motion, under)


async def extend_voting(services: Services, work: Work, motion: MotionRow, under: RulesRow) -> None:
    """Give the owners more time, tell them, and write it into the box."""
    at = now()
    # Who was told late, because no process ran at the close, has as long as everyone else.
    begin = motion.closes_at if at - motion.closes_at < timedelta(minutes=1) else at
    closes_at = begin + timedelta(hours=under.extension_hours)
    content = {"at": ballot_box.iso(at), "closes_at": ballot_box.iso(closes_at)}
    await ballot_box.append(motion, EntryKind.EXTENSION, content)
    await execute(
        "UPDATE motion SET closes_at = ?, extensions = extensions + 1, version = version + 1"
        " WHERE id = ? RETURNING id",
        closes_at,
        motion.id,
    )
    await schedule(CLOSE_MOTION, motion.id, closes_at + SETTLE)
    await announcing.publish(
        work,
        announcing.speaking_for(services, motion),
        motion,
        *wording.extended(motion, under, closes_at),
    )
    work.record(announcing.event(Kind.MOTION_EXTENDED, motion))


async def close_voting(services: Services, work: Work, motion: MotionRow, under: RulesRow) -> None:
    """Count the locked motion's ballots and publish the result."""
    (items,) = await reading.items([motion.id])
    result = await count_result(motion, under, items)
    await execute(
        "UPDATE motion SET status = ?, closed_at = ?, result = ?, version = version + 1 WHERE"
        " id = ? RETURNING id",
        MotionStatus.CLOSED,
        now(),
        ballot_box.canonical(result),
        motion.id,
    )
    # What two officers did not both enter in time is no ballot, and is not kept.
    await execute("UPDATE paper_ballot SET choices_sealed = NULL WHERE motion_id = ? RETURNING id", motion.id)
    await announcing.publish(
        work,
        announcing.speaking_for(services, motion),
        motion,
        *wording.closed(motion, items, under, result),
    )
    work.record(announcing.event(Kind.MOTION_CLOSED, motion))
    await executions.link_changed(work, ExecutionKind.MOTION, motion.id)


async def count_result(motion: MotionRow, under: RulesRow, items: list[ItemRow]) -> dict[str, Any]:
    """The result: each head's ballot that counts, each test with its figures."""
    electors = await every(ElectorRow, Where("t.motion_id = ?", (motion.id,)))
    numbers = [row.counted for row in electors if row.counted is not None]
    contents = {row.number: json.loads(row.content) for row in await entries_of(motion, set(numbers))}
    ballots = []
    for elector in electors:
        if elector.counted is not None:
            content = contents[elector.counted]
            choices = tuple(Choice(value) for value in content.get("choices", ()))
            weight = Weight(1, elector.area_cm2)
            ballots.append(CountedBallot(weight, Channel(content["channel"]), choices))
    secret = None
    if motion.secret:
        pieces = await receipts.reshuffle(motion)
        secret = [(row.position, row.choice, Weight(row.heads, row.area_cm2)) for row in pieces]
    total = Weight(len(electors), sum(row.area_cm2 for row in electors))
    result = tally.tally_result(
        rules.thresholds_of(under), [item.item_class for item in items], total, ballots, secret
    )
    unconfirmed = await execute(
        "SELECT count(*) AS n FROM paper_ballot WHERE motion_id = ? AND status = ?",
        motion.id,
        PaperStatus.ENTERED,
    )
    return {
        **result,
        "binding": under.binding,
        "conflicts": sum(row.disputed is not None for row in electors),
        "unconfirmed_papers": int(unconfirmed[0]["n"]),
    }


async def entries_of(motion: MotionRow, numbers: set[int]) -> list[BoxEntryRow]:
    """The box's entries with these numbers; there are more of them than a statement takes parameters."""
    return [row for row in await ballot_box.entries(motion.id) if row.number in numbers]
