"""A member's opinion: submitted with a number, taken back."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.organisations import OrganisationRow
from models.party.opinions import (
    PartyOpinionAction,
    PartyOpinionReach,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionTopic,
)
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotFound
from resolvers.limits import check_rate
from resolvers.masking import mask
from resolvers.party.branches import own_branch
from resolvers.party.opinions import clock, reading, steps
from resolvers.retries import earlier_result
from subscriptions.work import Work

LONGEST_TITLE = 80
LONGEST_BODY = 2000
OPINIONS_A_DAY = 10
# Years are those of China, where a year of opinions begins.
CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class OpinionDraft:
    """What a member has to say, how far it may go once it is answered, and whether with the name."""

    topic: PartyOpinionTopic
    title: str
    body: str
    reach: PartyOpinionReach
    named: bool = False


async def submit(ctx: Context, *, branch_id: UUID, draft: OpinionDraft, key: str) -> PartyOpinionRow:
    """Bring an opinion before the branch; with a key used before, the one brought then.

    Raises InvalidInput, NotFound, NotAllowed (no member), Conflict (the key was used for something else),
    RateLimited.
    """
    _ = ctx.account_id
    branch = await own_branch(ctx, branch_id)
    if draft.named and draft.reach is not PartyOpinionReach.MEMBERS:
        raise InvalidInput(named=Message("Only opinions for members can be signed"))
    draft = replace(
        draft,
        title=mask(check_text("title", draft.title, LONGEST_TITLE)),
        body=mask(check_text("body", draft.body, LONGEST_BODY)),
    )
    opinion_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "submitPartyOpinion", [branch_id, draft], opinion_id)
        if earlier is None:
            await check_rate(ctx, "submitPartyOpinion", OPINIONS_A_DAY, 24 * 3600)
            await write_opinion(ctx, work, opinion_id, branch, draft)
    return await reading.visible(ctx, earlier or opinion_id)


async def write_opinion(
    ctx: Context, work: Work, opinion_id: UUID, branch: OrganisationRow, draft: OpinionDraft
) -> None:
    at = now()
    year = at.astimezone(CHINA).year
    number = await next_number(branch, year, at)
    row = PartyOpinionRow(
        id=opinion_id,
        created_at=at,
        community_id=branch.community_id,
        branch_id=branch.id,
        scope_id=branch.id,
        author_id=ctx.account_id,
        year=year,
        number=number,
        step_count=1,
        **asdict(draft),
    )
    await insert(row)
    await steps.add_step(work, ctx, row, PartyOpinionAction.SUBMIT, at)
    await clock.wait_for_owner(row)


async def next_number(branch: OrganisationRow, year: int, at: datetime) -> int:
    """Opinions of a branch are numbered without gaps in each year, behind a lock of the branch's own."""
    (row,) = await execute(
        "INSERT INTO party_opinion_number (id, created_at, community_id, branch_id, year, last_number)"
        " VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (branch_id, year)"
        " DO UPDATE SET last_number = party_opinion_number.last_number + 1 RETURNING last_number",
        new_id(),
        at,
        branch.community_id,
        branch.id,
        year,
    )
    return int(row["last_number"])


async def withdraw(ctx: Context, *, opinion_id: UUID, version: int) -> PartyOpinionRow:
    """Take back an own opinion that is not answered. Its number stays taken. Raises NotFound, Conflict."""
    row = await reading.visible(ctx, opinion_id)
    if row.author_id != ctx.account_id:
        raise NotFound
    async with ctx.unit_of_work() as work:
        await clock.unschedule_reminders(row.id)
        before = await steps.locked_at(
            row.id, version, PartyOpinionState.SUBMITTED, PartyOpinionState.ASSIGNED
        )
        after = replace(before, state=PartyOpinionState.WITHDRAWN)
        await steps.write(work, ctx, before, after, PartyOpinionAction.WITHDRAW, now())
    return await reading.visible(ctx, opinion_id)
