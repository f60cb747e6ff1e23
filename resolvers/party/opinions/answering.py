"""Who answers an opinion and until when, and the answer."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from models.base import now
from models.identity import account_behind
from models.messages import Message
from models.party import opinions as rules
from models.party.opinions import (
    REACH,
    PartyOpinionAction,
    PartyOpinionReach,
    PartyOpinionRow,
    PartyOpinionState,
)
from models.powers import Power
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.masking import mask
from resolvers.organisations import officers_with
from resolvers.party.branches import check_power
from resolvers.party.opinions import clock, reading, steps

LONGEST_ANSWER = 2000
LONGEST_TIME = timedelta(days=366)


async def assign(
    ctx: Context, *, opinion_id: UUID, version: int, assignee_id: UUID, due_at: datetime
) -> PartyOpinionRow:
    """Say which officer (as a neighbour) answers an opinion, and until when; again, to change it.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    row = await dealt_with(ctx, opinion_id, Power.ASSIGN_OPINIONS, "party.assignOpinion")
    (due,) = audit.check_moments(dueAt=due_at)
    at = now()
    if due is None or not at < due <= at + LONGEST_TIME:
        raise InvalidInput(dueAt=Message("Must be within the coming year"))
    owner = account_behind(row.community_id, assignee_id)
    if owner not in await officers_with(row.branch_id, Power.ANSWER_OPINIONS):
        raise InvalidInput(assigneeId=Message("Is no officer of the branch who answers opinions"))
    async with ctx.unit_of_work() as work:
        await clock.unschedule_reminders(row.id)
        before = await steps.locked_at(
            row.id, version, PartyOpinionState.SUBMITTED, PartyOpinionState.ASSIGNED
        )
        after = replace(before, state=PartyOpinionState.ASSIGNED, owner_id=owner, due_at=due)
        await steps.write(work, ctx, before, after, PartyOpinionAction.ASSIGN, at, ctx.account_id)
        await clock.wait_for_answer(after)
        await audit.record(ctx, "party.assignOpinion", row)
    return await reading.visible(ctx, opinion_id)


async def answer(
    ctx: Context, *, opinion_id: UUID, version: int, text: str, published: PartyOpinionReach
) -> PartyOpinionRow:
    """Answer an opinion, or correct the answer. It is published as far as the member wants, or less far.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    row = await dealt_with(ctx, opinion_id, Power.ANSWER_OPINIONS, "party.answerOpinion")
    if not rules.can_answer(ctx.viewer, row):
        raise NotAllowed(Message("Only its owner and those who assign opinions may answer this one"))
    text = mask(check_text("answer", text, LONGEST_ANSWER))
    if REACH.index(published) > REACH.index(row.reach):
        raise InvalidInput(published=Message("The member has not agreed to such a wide audience"))
    at = now()
    async with ctx.unit_of_work() as work:
        await clock.unschedule_reminders(row.id)
        before = await steps.locked_at(
            row.id, version, PartyOpinionState.ASSIGNED, PartyOpinionState.ANSWERED
        )
        first = before.state is PartyOpinionState.ASSIGNED
        after = replace(
            before,
            state=PartyOpinionState.ANSWERED,
            answer=text,
            answered_at=before.answered_at or at,
            corrected_at=None if first else at,
            published=published,
            scope_id=rules.scope_of(before, published),
        )
        action = PartyOpinionAction.ANSWER if first else PartyOpinionAction.CORRECT
        await steps.write(work, ctx, before, after, action, at, ctx.account_id)
        await audit.record(ctx, "party.answerOpinion", row)
    return await reading.visible(ctx, opinion_id)


async def dealt_with(ctx: Context, opinion_id: UUID, power: Power, action: str) -> PartyOpinionRow:
    """The opinion, for who may do this with it. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await reading.visible(ctx, opinion_id)
    await check_power(ctx, row.community_id, row.branch_id, power, action, row.id)
    return row
