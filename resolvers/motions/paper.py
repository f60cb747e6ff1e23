"""Ballots on paper and from door to door: one officer enters, another one enters again, and both must agree.

Until then nobody is shown what was entered, not even the two: the second one reads it from the paper.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.motions import (
    Channel,
    Choice,
    EntryKind,
    MotionRow,
    PaperRow,
    PaperStatus,
    Standing,
    Via,
    can_count,
)
from models.privacy import BALLOT
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked, only
from resolvers.motions import ballot_box, ballots, reading, receipts
from resolvers.retries import earlier_result


async def enter(
    ctx: Context,
    *,
    motion_id: UUID,
    home_id: UUID,
    channel: Channel,
    choices: Mapping[UUID, Choice],
    photo: str,
    key: str,
) -> PaperRow:
    """Enter what a paper says, as the first of two officers.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    account_id = ctx.account_id
    motion = await motion_to_count(ctx, motion_id, "enterPaperBallot")
    if channel is Channel.ONLINE:
        raise InvalidInput(channel=Message("A ballot on paper did not come online"))
    photo = check_text("photo", photo, 200)
    chosen = ballots.check_choices(await ballots.items_of(motion), choices)
    paper_id = new_id()
    async with refusals_kept(ctx, "enterPaperBallot", motion), ctx.unit_of_work() as work:
        at = await ballot_box.begun_at()
        # The claim tells nothing of the choices: a digest of them could be tried out.
        earlier = await earlier_result(
            ctx, key, "enterPaperBallot", [motion_id, home_id, channel, photo], paper_id
        )
        if earlier is None:
            motion = await ballots.locked_when_open(ctx, work, motion.id, at)
            ballots.check_open(motion, at)
            elector = await ballots.elector_of(motion, home_id)
            if elector is None:
                raise InvalidInput(homeId=Message("This home has no vote in this motion"))
            await check_impartial(account_id, motion, elector.id)
            await insert(
                PaperRow(
                    id=paper_id,
                    community_id=motion.community_id,
                    motion_id=motion.id,
                    elector_id=elector.id,
                    home_id=home_id,
                    channel=channel,
                    photo=photo,
                    choices_sealed=ctx.services.keys.seal(BALLOT, json.dumps(chosen)),
                    entered_by_id=account_id,
                )
            )
            await audit.record(ctx, "enterPaperBallot", motion, subject_id=paper_id, detail=channel.value)
    return await existing(PaperRow, earlier or paper_id)


async def confirm(
    ctx: Context, *, paper_id: UUID, choices: Mapping[UUID, Choice]
) -> tuple[PaperRow, ballots.RecordedBallot | None]:
    """Enter a paper again, as the second officer: the same, and it is in the box; else it is DISCREPANT.

    A discrepant paper is out; the two enter it anew. In a conflict with another ballot of the same home the
    first one counts until the office has settled it. Raises InvalidInput, NotFound, NotAllowed, and Conflict
    if it was confirmed meanwhile.
    """
    account_id = ctx.account_id
    found = only(await reading.papers_by_ids(ctx, [paper_id]))
    motion = await motion_to_count(ctx, found.motion_id, "confirmPaperBallot")
    if found.entered_by_id == account_id:
        raise await audit.refuse(
            ctx,
            "confirmPaperBallot",
            Message("Another officer than the one who entered it confirms a ballot"),
            motion,
            subject_id=paper_id,
        )
    chosen = ballots.check_choices(await ballots.items_of(motion), choices)
    entry_id = new_id()
    secret = receipts.new_secret() if motion.secret else None
    async with refusals_kept(ctx, "confirmPaperBallot", motion), ctx.unit_of_work() as work:
        at = await ballot_box.begun_at()
        motion = await locked(MotionRow, motion.id)
        ballots.check_open(motion, at)
        paper = await existing(PaperRow, paper_id)
        if paper.status is not PaperStatus.ENTERED or paper.choices_sealed is None:
            raise Conflict(Message("It was confirmed meanwhile"), paper)
        elector = await ballots.elector_by_id(paper.elector_id)
        await check_impartial(account_id, motion, elector.id)
        entered = json.loads(ctx.services.keys.open(BALLOT, paper.choices_sealed))
        agreed = entered == chosen
        number = None
        if agreed:
            number = await ballots.record_ballot(
                work,
                ctx,
                motion,
                elector,
                chosen,
                entry_id=entry_id,
                at=at,
                channel=paper.channel,
                via=Via.OFFICE,
                cast_by_id=None,
                secret=secret,
            )
        await execute(
            "UPDATE paper_ballot SET status = ?, confirmed_by_id = ?, decided_at = ?, entry_number = ?,"
            " choices_sealed = NULL WHERE id = ? RETURNING id",
            PaperStatus.CONFIRMED if agreed else PaperStatus.DISCREPANT,
            account_id,
            now(),
            number,
            paper.id,
        )
        status = PaperStatus.CONFIRMED if agreed else PaperStatus.DISCREPANT
        await audit.record(ctx, "confirmPaperBallot", motion, subject_id=paper.id, detail=status.value)
    paper = await existing(PaperRow, paper_id)
    if number is None:
        return paper, None
    code = receipts.in_groups_of_four(secret) if secret is not None else receipts.code_of(ctx, entry_id)
    return paper, ballots.RecordedBallot(
        await reading.motion(motion.id), await ballots.entry_by_id(entry_id), code
    )


async def settle_conflict(
    ctx: Context, *, motion_id: UUID, home_id: UUID, ballot_number: int, reason: str
) -> MotionRow:
    """Decide which of a head's two ballots stands, without knowing what either says.

    By an officer who entered or confirmed neither and has no part in that head's vote. The decision is an
    entry of the box. Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    account_id = ctx.account_id
    motion = await motion_to_count(ctx, motion_id, "settleBallotConflict")
    reason = check_text("reason", reason, 500)
    async with refusals_kept(ctx, "settleBallotConflict", motion), ctx.unit_of_work():
        at = await ballot_box.begun_at()
        motion = await locked(MotionRow, motion.id)
        ballots.check_open(motion, at)
        elector = await ballots.elector_of(motion, home_id)
        if elector is None:
            raise InvalidInput(homeId=Message("This home has no vote in this motion"))
        if elector.counted is None or elector.disputed is None:
            raise Conflict(Message("There is no conflict, or not any more"), motion)
        rivals = {elector.counted, elector.disputed}
        if ballot_number not in rivals:
            raise InvalidInput(ballotNumber=Message("Is neither of the two ballots in conflict"))
        await check_impartial(account_id, motion, elector.id)
        if await officer_entered(account_id, motion, rivals):
            raise Partial(Message("Another officer than those who entered the ballot settles its conflict"))
        (other,) = rivals - {ballot_number}
        content = {"elector": elector.number, "stands": ballot_number, "at": ballot_box.iso(at)}
        await ballot_box.append(motion, EntryKind.RESOLUTION, content, elector_id=elector.id)
        await ballots.set_standing(motion, ballot_number, Standing.COUNTED)
        await ballots.set_standing(motion, other, Standing.SET_ASIDE)
        standing = await ballot_box.entry(motion.id, ballot_number)
        await execute(
            "UPDATE elector SET counted = ?, disputed = NULL, channel = ? WHERE id = ? RETURNING id",
            ballot_number,
            standing.channel,
            elector.id,
        )
        await audit.record(
            ctx,
            "settleBallotConflict",
            motion,
            subject_id=elector.id,
            detail=Message("ballot {number} counts: {reason}", number=ballot_number, reason=reason),
        )
    return await reading.motion(motion.id)


async def officer_entered(account_id: UUID, motion: MotionRow, numbers: set[int]) -> bool:
    return bool(
        await execute(
            "SELECT id FROM paper_ballot WHERE motion_id = ? AND entry_number IN (?)"
            " AND (entered_by_id = ? OR confirmed_by_id = ?)",
            motion.id,
            numbers,
            account_id,
            account_id,
        )
    )


async def motion_to_count(ctx: Context, motion_id: UUID, action: str) -> MotionRow:
    """The motion, for who counts its ballots. Raises NotFound, NotAllowed, which is kept."""
    _ = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    if not can_count(ctx.viewer, motion):
        raise await audit.refuse(
            ctx, action, Message("Only officers who count the ballots may do this"), motion
        )
    return motion


class Partial(NotAllowed):
    """The officer has a part of their own in what is to be done."""


@asynccontextmanager
async def refusals_kept(ctx: Context, action: str, motion: MotionRow) -> AsyncIterator[None]:
    """Around a unit of work: it ends with the refusal, and the audit log keeps the attempt nevertheless."""
    try:
        yield
    except Partial as refused:
        raise await audit.refuse(ctx, action, refused.message, motion) from None


async def check_impartial(account_id: UUID, motion: MotionRow, elector_id: UUID) -> None:
    """Raises Partial if the officer may cast this head's ballot themselves."""
    own = await reading.entitlements(account_id, [motion.id])
    if any(row.elector_id == elector_id for row in own):
        raise Partial(Message("No officer handles the ballot of their own home"))
