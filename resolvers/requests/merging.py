"""One case for many reports of the same thing: the others are closed as its duplicates and follow it."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from models.base import new_id
from models.messages import Message
from models.requests import MERGED_INTO, RequestAction, RequestParty, RequestRow
from models.storage.rows import Where
from models.storage.tables import update
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import locked
from resolvers.requests import board, following, steps
from resolvers.requests.steps import StepFacts
from subscriptions.work import Work

CANNOT = Message("Cannot take in another case as it is now")


async def check_target(ctx: Context, row: RequestRow, target_id: UUID) -> RequestRow:
    """The case to merge into. Raises InvalidInput."""
    (target,) = await board.visible_by_ids(ctx, [target_id])
    if target is None or target.community_id != row.community_id or target.id == row.id:
        raise InvalidInput(intoId=Message("Is no other case of this community"))
    if target.scope_id != target.community_id and target.reporter_id != row.reporter_id:
        # Its reporter would follow what is nobody else's business.
        raise InvalidInput(intoId=Message("Is not on the board"))
    return target


async def absorb(
    ctx: Context, work: Work, *, duplicate: RequestRow, target_id: UUID, told: StepFacts, at: datetime
) -> None:
    """Have a locked case take in another: whoever follows that one, or reported it, follows this one.

    Raises Conflict unless it is open.
    """
    target = await locked(RequestRow, target_id)
    if target.state not in MERGED_INTO:
        raise Conflict(CANNOT, target)
    accounts = [duplicate.reporter_id, *await following.all_of(duplicate.id)]
    await following.add(target, [id for id in dict.fromkeys(accounts) if id != target.reporter_id])
    # What was merged into the duplicate is a duplicate of the same case now.
    await update(RequestRow, Where("duplicate_of_id = ?", (duplicate.id,)), duplicate_of_id=target.id)
    after = replace(target, follower_count=await following.count(target.id))
    step = StepFacts(
        action=RequestAction.ABSORB,
        party=RequestParty.OFFICE,
        actor_id=told.actor_id,
        office_id=told.office_id,
        linked_request_id=duplicate.id,
    )
    await steps.write(work, ctx, target, after, step, at, new_id())
