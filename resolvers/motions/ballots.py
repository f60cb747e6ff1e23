"""Casting: one head, one ballot that counts, and every ballot that ever was kept in the box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.base import new_id
from models.messages import Message
from models.motions import (
    BoxEntryRow,
    Channel,
    Choice,
    ElectorHomeRow,
    ElectorRow,
    EntryKind,
    ItemRow,
    MotionPhase,
    MotionRow,
    MotionStatus,
    RulesRow,
    Standing,
    Via,
)
from models.storage.rows import Where, columns, execute, select_one
from models.storage.tables import every, one, update
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked
from resolvers.motions import announcing, ballot_box, reading, receipts
from resolvers.retries import earlier_result
from subscriptions.events import Kind, event_about
from subscriptions.work import Work

BALLOTS_A_MINUTE = 60
NOT_AN_OWNER = Message(
    "Only those who owned a home when the vote opened may vote, and those who hold their proxy"
)
VOTED = Message("The vote of this home has been cast and cannot be changed under the rules of this vote")


@dataclass(slots=True)
class RecordedBallot:
    """A ballot in the box, and the code to check it with."""

    motion: MotionRow
    entry: BoxEntryRow
    receipt: str


async def cast(
    ctx: Context,
    *,
    motion_id: UUID,
    home_id: UUID | None,
    choices: Mapping[UUID, Choice],
    key: str,
    receipt_secret: str | None = None,
) -> RecordedBallot:
    """Cast the one ballot of the viewer's head, or change it where the rules allow.

    `choices` maps every item to a choice. Raises NotFound, NotAllowed, InvalidInput, Conflict, RateLimited.
    """
    account_id = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    chosen = check_choices(await items_of(motion), choices)
    secret = receipts.check_secret(receipt_secret) if motion.secret else None
    await limits.check_rate(ctx, "castBallot", BALLOTS_A_MINUTE, 60)
    entry_id = new_id()
    async with ctx.unit_of_work() as work:
        at = await ballot_box.begun_at()
        motion = await locked_when_open(ctx, work, motion.id, at)
        elector, via = await own_elector(account_id, motion, home_id)
        if secret is not None:
            # No key and no digest of the choices is kept: either could be tried out against all of them.
            earlier = await same_ballot_sent_again(motion, elector, secret, chosen)
        else:
            body = [motion.id, home_id, chosen]
            earlier = await earlier_result(ctx, key, "castBallot", body, entry_id)
        if earlier is None:
            check_open(motion, at)
            await record_ballot(
                work,
                ctx,
                motion,
                elector,
                chosen,
                entry_id=entry_id,
                at=at,
                channel=Channel.ONLINE,
                via=via,
                cast_by_id=account_id,
                secret=secret,
            )
    found = await entry_by_id(earlier or entry_id)
    code = receipts.in_groups_of_four(secret) if secret is not None else receipts.code_of(ctx, found.id)
    return RecordedBallot(await reading.motion(motion.id), found, code)


def check_choices(items: Sequence[ItemRow], choices: Mapping[UUID, Choice]) -> list[Choice]:
    """The choices in the order of the items. Raises InvalidInput unless each item has one."""
    if set(choices) != {item.id for item in items}:
        raise InvalidInput(
            choices=Message("Choose once for every item of the motion; to abstain is a choice")
        )
    return [choices[item.id] for item in items]


async def items_of(motion: MotionRow) -> list[ItemRow]:
    (items,) = await reading.items([motion.id])
    return items


async def locked_when_open(ctx: Context, work: Work, motion_id: UUID, at: datetime) -> MotionRow:
    """The motion behind its lock, opened if its hour has come and nobody has yet.

    Raises NotFound, NotAllowed.
    """
    motion = await locked(MotionRow, motion_id)
    if motion.status is MotionStatus.ANNOUNCED and motion.opens_at <= at:
        motion = await announcing.open_now(ctx.services, work, motion)
    if motion.status in (MotionStatus.DRAFT, MotionStatus.ANNOUNCED):
        raise NotAllowed(Message("The vote has not opened yet"))
    if motion.status is MotionStatus.WITHDRAWN:
        raise NotAllowed(Message("The motion was withdrawn"))
    return motion


def check_open(motion: MotionRow, at: datetime) -> None:
    """Raises NotAllowed unless a ballot of a transaction that began at `at` is timely."""
    if motion.phase_at(at) is not MotionPhase.OPEN:
        raise NotAllowed(Message("The vote is closed: the ballot does not count"))


async def own_elector(account_id: UUID, motion: MotionRow, home_id: UUID | None) -> tuple[ElectorRow, Via]:
    """The head for which the account casts, named by any of its homes if there are several."""
    entitled = {row.elector_id: row.via for row in await reading.entitlements(account_id, [motion.id])}
    if not entitled:
        raise NotAllowed(NOT_AN_OWNER)
    if home_id is not None:
        elector = await elector_of(motion, home_id)
        if elector is None or elector.id not in entitled:
            raise NotAllowed(NOT_AN_OWNER)
    elif len(entitled) > 1:
        raise InvalidInput(homeId=Message("Say for which home: you vote for several owners"))
    else:
        elector = await elector_by_id(next(iter(entitled)))
    return elector, entitled[elector.id]


async def elector_of(motion: MotionRow, home_id: UUID) -> ElectorRow | None:
    return await select_one(
        ElectorRow,
        f"SELECT {columns(ElectorRow)} FROM elector t JOIN elector_home h ON h.elector_id = t.id"
        " WHERE h.motion_id = ? AND h.home_id = ?",
        motion.id,
        home_id,
    )


async def elector_by_id(elector_id: UUID) -> ElectorRow:
    return await existing(ElectorRow, elector_id)


async def entry_by_id(entry_id: UUID) -> BoxEntryRow:
    return await existing(BoxEntryRow, entry_id)


async def same_ballot_sent_again(
    motion: MotionRow, elector: ElectorRow, secret: str, choices: list[Choice]
) -> UUID | None:
    """The head's ballot, if it is this very one sent again. Raises Conflict for another under the secret."""
    found = await one(
        BoxEntryRow, Where("t.motion_id = ? AND t.receipt = ?", (motion.id, receipts.digest_of(secret)))
    )
    if found is None:
        return None
    if found.elector_id == elector.id and receipts.commitment(secret, choices) in found.content:
        return found.id
    raise Conflict(Message("This secret was used for another ballot"), motion)


async def record_ballot(
    work: Work,
    ctx: Context,
    motion: MotionRow,
    elector: ElectorRow,
    choices: list[Choice],
    *,
    entry_id: UUID,
    at: datetime,
    channel: Channel,
    via: Via,
    cast_by_id: UUID | None,
    secret: str | None,
) -> int:
    """Put a head's ballot into the locked motion's box: first, instead of one, or in conflict with one."""
    supersedes, disputes = await relation_to_earlier(motion, elector, channel, via)
    content: dict[str, Any] = {
        "elector": elector.number,
        "channel": channel.value,
        "via": via.value,
        "at": ballot_box.iso(at),
        "supersedes": supersedes,
        "disputes": disputes,
    }
    if secret is not None:
        code = secret
        content["commitment"] = receipts.commitment(secret, choices)
    else:
        code = receipts.code_of(ctx, entry_id)
        content["choices"] = [choice.value for choice in choices]
    content["receipt"] = receipts.digest_of(code)
    number = await ballot_box.append(
        motion,
        EntryKind.BALLOT,
        content,
        entry_id=entry_id,
        elector_id=elector.id,
        channel=channel,
        via=via,
        cast_by_id=cast_by_id,
        receipt=content["receipt"],
        standing=Standing.DISPUTED if disputes else Standing.COUNTED,
    )
    if secret is not None:
        await receipts.put_pieces(motion, secret, choices, elector.area_cm2)
    if disputes is not None:
        await set_disputed(work, motion, elector, number)
        return number
    if supersedes is not None:
        await set_standing(motion, supersedes, Standing.SUPERSEDED)
    await update(ElectorRow, elector.id, counted=number, channel=channel, voted_at=at)
    if supersedes is None:
        await count_participation(work, motion, elector)
    return number


async def relation_to_earlier(
    motion: MotionRow, elector: ElectorRow, channel: Channel, via: Via
) -> tuple[int | None, int | None]:
    """Which ballot of the head this one supersedes, or which it is in conflict with. Raises Conflict."""
    if elector.counted is None:
        return None, None
    if elector.disputed is not None:
        raise Conflict(
            Message("Two ballots of this home are in conflict; the office settles that first"), motion
        )
    earlier = await ballot_box.entry(motion.id, elector.counted)
    if earlier.channel is channel is Channel.ONLINE:
        under: RulesRow = await existing(RulesRow, motion.rules_id)
        if motion.secret or not under.changes_allowed:
            raise Conflict(VOTED, motion)
        if earlier.via is Via.OWNER and via is Via.PROXY:
            raise Conflict(Message("The owner has voted: a proxy cannot change that"), motion)
        return elector.counted, None
    if motion.secret:
        raise Conflict(
            Message("A secret ballot of this home is in the box already: the first one counts"), motion
        )
    return None, elector.counted


async def set_disputed(work: Work, motion: MotionRow, elector: ElectorRow, number: int) -> None:
    """Leave the first ballot counting, and let both sides see the conflict."""
    await update(ElectorRow, elector.id, disputed=number)
    await announcing.tell_voters(work, motion, elector.id)
    work.record(
        event_about(Kind.BALLOT_CONFLICT, motion, await announcing.counting_offices(motion), thread=motion.id)
    )


async def set_standing(motion: MotionRow, number: int, standing: Standing) -> None:
    await update(BoxEntryRow, Where("motion_id = ? AND number = ?", (motion.id, number)), standing=standing)


async def count_participation(work: Work, motion: MotionRow, elector: ElectorRow) -> None:
    """Raise the gauges by a head that takes part for the first time."""
    homes = await every(ElectorHomeRow, Where("t.elector_id = ?", (elector.id,)))
    areas: dict[UUID, int] = {}
    for home in homes:
        areas[home.building_id] = areas.get(home.building_id, 0) + home.area_cm2
    for building_id, area in sorted(areas.items()):
        await execute(
            "UPDATE motion_building SET heads_cast = heads_cast + ?, area_cast_cm2 = area_cast_cm2 + ?"
            " WHERE motion_id = ? AND building_id = ? RETURNING id",
            int(building_id == elector.building_id),
            area,
            motion.id,
            building_id,
        )
    await execute(
        "UPDATE motion SET heads_cast = heads_cast + 1, area_cast_cm2 = area_cast_cm2 + ? WHERE"
        " id = ? RETURNING id",
        elector.area_cm2,
        motion.id,
    )
    work.record(event_about(Kind.PARTICIPATION_CHANGED, motion, {motion.community_id}, thread=motion.id))
