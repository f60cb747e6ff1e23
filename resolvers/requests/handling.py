"""What is done with a case: one way in for everybody, `act`.

What may follow on what, and who may do it, are the tables `LIFE` and `MAY` in `models.requests`. `EFFECTS`
below says what else an action changes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from models import requests
from models.base import new_id, now
from models.identity import account_behind
from models.messages import Message
from models.organisations import OrganisationRow
from models.posts import PostState
from models.powers import Power
from models.requests import (
    HANDLING,
    OFFICIAL,
    ConfirmedBy,
    NoteVisibility,
    PolicyRow,
    RequestAction,
    RequestParty,
    RequestRow,
    RequestState,
    TenureRow,
    WaitingFor,
)
from models.storage.rows import Where, execute
from models.storage.tables import every, insert, update
from resolvers import audit, identity, limits
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked
from resolvers.masking import mask
from resolvers.organisations import officers_with
from resolvers.requests import board, deadlines, merging, steps
from resolvers.requests.steps import StepFacts
from resolvers.retries import earlier_result
from subscriptions.work import Work

LONGEST_NOTE = 1000
LONGEST_COMMENT = 500
ACTS_A_MINUTE = 60
HIGHEST_RATING = 5

# Nobody does these without a word to the others.
NEEDS_NOTE = frozenset(
    {
        RequestAction.NOTE,
        RequestAction.RETURN,
        RequestAction.REFUSE,
        RequestAction.WAIT,
        RequestAction.FINISH,
        RequestAction.HAND_OVER,
    }
)
# These change nothing that somebody else could have meant to change.
WITHOUT_VERSION = frozenset({RequestAction.NOTE, RequestAction.RATE})

# What they say of the complaint that the case was made of.
POST_STATES = {RequestAction.CONFIRM: PostState.RESOLVED, RequestAction.RETURN: PostState.OPEN}

NOT_NOW = Message("This cannot be done with the case as it is now")
CHANGED = Message("The case has changed meanwhile")


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does with a case."""

    action: RequestAction
    note: str = ""
    visibility: NoteVisibility | None = None
    # ASSIGN: the officer's public face; left out, whoever acts.
    assignee: UUID | None = None
    # HAND_OVER
    to_office_id: UUID | None = None
    # WAIT
    waiting_for: WaitingFor | None = None
    # MERGE
    into_id: UUID | None = None
    # RATE
    rating: int | None = None


@dataclass(slots=True)
class Move:
    """An act on a locked case."""

    ctx: Context
    work: Work
    act: Act
    party: RequestParty
    before: RequestRow
    # As far as it has got.
    after: RequestRow
    policy: PolicyRow
    at: datetime
    told: StepFacts
    step_id: UUID


async def act(
    ctx: Context, *, request_id: UUID, act: Act, key: str, version: int | None = None
) -> tuple[RequestRow, UUID]:
    """Do something with a case; the case as it is then, and the id of the step.

    `version` is the one that the viewer has read. With a key used before, what came of it then. Raises
    InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict if somebody else was first, or if this
    cannot be done in the case's state.
    """
    _ = ctx.account_id
    act = checked(act)
    row = await board.visible(ctx, request_id)
    party = requests.acting_party(ctx.viewer, row, act.action)
    if party is None:
        raise await refusal(ctx, row, act.action)
    if act.to_office_id is not None:
        await check_office(ctx, row, act.to_office_id)
    check_visibility(act, party)
    act = await with_assignee(ctx, row, party, act)
    if act.into_id is not None:
        await merging.check_target(ctx, row, act.into_id)
    step_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "request", [request_id, act], step_id)
        if earlier is None:
            await limits.check_rate(ctx, "actOnRequest", ACTS_A_MINUTE, 60)
            await perform(ctx, work, row, act, version, step_id)
    return await board.visible(ctx, request_id), earlier or step_id


def checked(act: Act) -> Act:
    """The act with its note as it is kept. Raises InvalidInput."""
    least = 1 if act.action in NEEDS_NOTE else 0
    most = LONGEST_COMMENT if act.action is RequestAction.RATE else LONGEST_NOTE
    note = mask(check_text("note", act.note, most, least=least))
    if act.action is RequestAction.RATE and not 1 <= (act.rating or 0) <= HIGHEST_RATING:
        raise InvalidInput(rating=Message("From 1 to {most}", most=HIGHEST_RATING))
    return replace(act, note=note)


def check_visibility(act: Act, party: RequestParty) -> None:
    """Raises InvalidInput for what is hidden from the reporter and must not be."""
    if act.visibility is not NoteVisibility.OFFICES:
        return
    if party is RequestParty.REPORTER or (act.action in NEEDS_NOTE and act.action is not RequestAction.NOTE):
        raise InvalidInput(visibility=Message("The reporter must be able to read this"))


async def refusal(ctx: Context, row: RequestRow, action: RequestAction) -> NotAllowed:
    name = f"request.{action.value}"
    refuse = partial(audit.refuse, ctx, name, community_id=row.community_id, subject_id=row.id)
    if action is RequestAction.NOTE:
        return await refuse(Message("Only the reporter of the case and its offices may do this"))
    if RequestParty.REPORTER in requests.MAY[action]:
        return await refuse(Message("Only the reporter of the case may do this"))
    if RequestParty.OFFERED in requests.MAY[action]:
        return await refuse(Message("Only the office that the case is offered to may do this"))
    return await refuse(Message("Only the office that has the case may do this"))


async def perform(
    ctx: Context, work: Work, seen: RequestRow, act: Act, version: int | None, step_id: UUID
) -> None:
    """Take the case through one step, in the caller's transaction, behind its lock."""
    if act.action not in WITHOUT_VERSION:
        await deadlines.forget(seen.id)
    # Two cases are always locked in the same order.
    rows = {id: await locked(RequestRow, id) for id in sorted({seen.id, act.into_id or seen.id})}
    before = rows[seen.id]
    party = requests.acting_party(ctx.viewer, before, act.action)
    if party is None or (act.action not in WITHOUT_VERSION and version != before.version):
        raise Conflict(CHANGED, before)
    state = requests.state_after(before.state, act.action)
    if state is None:
        raise Conflict(NOT_NOW, before)
    move = Move(
        ctx=ctx,
        work=work,
        act=act,
        party=party,
        before=before,
        after=replace(before, state=state),
        policy=await existing(PolicyRow, before.policy_id),
        at=now(),
        told=step_facts(ctx, before, act, party),
        step_id=step_id,
    )
    if effect := EFFECTS.get(act.action):
        await effect(move)
    await write_outcome(move)


def step_facts(ctx: Context, row: RequestRow, act: Act, party: RequestParty) -> StepFacts:
    office = {
        RequestParty.OFFICE: row.office_id,
        RequestParty.OFFERED: row.offered_to_id,
        RequestParty.OVERSEER: row.overseer_id,
    }
    # What residents write is between them and the offices, unless they say otherwise.
    usual = NoteVisibility.REPORTER if party is RequestParty.REPORTER else NoteVisibility.PUBLIC
    return StepFacts(
        action=act.action,
        party=party,
        actor_id=ctx.account_id,
        office_id=office.get(party),
        note=act.note,
        visibility=act.visibility or usual,
        to_office_id=act.to_office_id,
        assignee_id=act.assignee,
        linked_request_id=act.into_id,
        waiting_for=act.waiting_for,
        rating=act.rating,
    )


async def write_outcome(move: Move) -> None:
    """Write what has become of the case, set its clock, and tell and audit the step."""
    after, stood = move.after, timedelta(0)
    keeps_clock = move.act.action in WITHOUT_VERSION
    if not keeps_clock:
        after, stood = deadlines.with_clock(after, move.at)
        if after.state is not RequestState.WAITING:
            after = replace(after, waiting_for=None)
    after = await steps.write(move.work, move.ctx, move.before, after, move.told, move.at, move.step_id)
    if not keeps_clock:
        await deadlines.keep_time(after, move.policy, stood)
    if move.act.action in POST_STATES:
        await steps.settle_post(move.work, after, POST_STATES[move.act.action])
    if move.party in OFFICIAL:
        await audit.record(
            move.ctx,
            f"request.{move.act.action.value}",
            after,
            organisation_id=move.told.office_id,
            detail=f"{move.before.state.value} → {after.state.value}",
        )


# What an action changes beside the state


async def accept(move: Move) -> None:
    await record_acceptance(move.after.tenure_id, move.at)


async def assign(move: Move) -> None:
    move.after = replace(move.after, assignee_id=move.act.assignee)


async def wait(move: Move) -> None:
    waiting_for = move.act.waiting_for or WaitingFor.OTHERS
    move.after = replace(move.after, waiting_for=waiting_for)
    move.told = replace(move.told, waiting_for=waiting_for)


async def finish(move: Move) -> None:
    await record_resolution(move.before, move.at)
    confirm_by = move.at + timedelta(seconds=move.policy.confirm_seconds)
    move.after = replace(move.after, done_at=move.at, confirm_by=confirm_by, confirm_reminded_at=None)


async def confirm(move: Move) -> None:
    move.after = replace(move.after, closed_at=move.at, confirmed_by=ConfirmedBy.REPORTER, confirm_by=None)


async def return_to_office(move: Move) -> None:
    """The reporter returns it: the office has it again."""
    closed_at = move.before.closed_at
    reopening = timedelta(seconds=move.policy.reopen_seconds)
    if move.before.state is RequestState.CONFIRMED and closed_at and move.at > closed_at + reopening:
        raise Conflict(Message("The time to return it is over; report it again"), move.before)
    await execute(
        "UPDATE request_tenure SET resolved_at = NULL, resolve_seconds = NULL, resolved_in_time = NULL,"
        " returns = returns + 1 WHERE id = ? RETURNING id",
        move.after.tenure_id,
    )
    move.after = replace(
        move.after,
        done_at=None,
        confirm_by=None,
        confirm_reminded_at=None,
        confirmed_by=None,
        closed_at=None,
        duplicate_of_id=None,
    )


async def withdraw(move: Move) -> None:
    for tenure_id in (move.before.tenure_id, move.before.offered_tenure_id):
        if tenure_id:
            await end_tenure(tenure_id, move.at)
    move.after = replace(
        move.after,
        closed_at=move.at,
        holder_id=move.before.office_id,
        offered_to_id=None,
        offered_tenure_id=None,
    )


async def rate(move: Move) -> None:
    if move.act.rating is None:
        raise InvalidInput(rating=Message("From 1 to {most}", most=HIGHEST_RATING))
    move.after = replace(move.after, rating=move.act.rating, rating_comment=move.act.note)
    await update(TenureRow, move.after.tenure_id, rating=move.act.rating)


async def hand_over(move: Move) -> None:
    office = move.act.to_office_id
    if office is None or office == move.before.office_id:
        raise InvalidInput(officeId=Message("This office has the case already"))
    tenure = await begin_tenure(move.before, office, move.policy, move.at)
    move.after = replace(
        move.after,
        offered_to_id=office,
        holder_id=office,
        offered_tenure_id=tenure.id,
        accept_by=tenure.accept_by,
        resolve_by=tenure.resolve_by,
    )


async def take_over(move: Move) -> None:
    row = move.before
    if row.offered_to_id is None or row.offered_tenure_id is None:
        raise Conflict(NOT_NOW, row)
    await end_tenure(row.tenure_id, move.at)
    await record_acceptance(row.offered_tenure_id, move.at)
    move.after = replace(
        move.after,
        office_id=row.offered_to_id,
        tenure_id=row.offered_tenure_id,
        offered_to_id=None,
        offered_tenure_id=None,
        assignee_id=None,
    )


async def refuse(move: Move) -> None:
    """A case that an office refuses goes to the residents' committee, so that it is always somebody's."""
    row = move.before
    await end_tenure(row.tenure_id, move.at)
    if row.offered_tenure_id:
        await end_tenure(row.offered_tenure_id, move.at)
    office = row.overseer_id or row.office_id
    tenure = await begin_tenure(row, office, move.policy, move.at)
    move.told = replace(move.told, to_office_id=office)
    move.after = replace(
        move.after,
        office_id=office,
        holder_id=office,
        tenure_id=tenure.id,
        offered_to_id=None,
        offered_tenure_id=None,
        assignee_id=None,
        accept_by=tenure.accept_by,
        resolve_by=tenure.resolve_by,
    )


async def recall(move: Move) -> None:
    row = move.before
    if row.offered_tenure_id:
        await end_tenure(row.offered_tenure_id, move.at)
        # Taken back in time, it is as if the other office had never had it.
        await execute(
            "DELETE FROM request_tenure WHERE id = ? AND accept_by >= ? RETURNING id",
            row.offered_tenure_id,
            move.at,
        )
    (tenure,) = await tenures_by_id([row.tenure_id])
    await record_acceptance(row.tenure_id, move.at)
    move.after = replace(
        move.after,
        holder_id=row.office_id,
        offered_to_id=None,
        offered_tenure_id=None,
        accept_by=tenure.accept_by,
        resolve_by=tenure.resolve_by,
    )


async def merge(move: Move) -> None:
    if move.act.into_id is None:
        raise InvalidInput(intoId=Message("Must not be empty"))
    await record_acceptance(move.after.tenure_id, move.at)
    move.after = replace(move.after, duplicate_of_id=move.act.into_id, closed_at=move.at)
    await merging.absorb(
        move.ctx, move.work, duplicate=move.before, target_id=move.act.into_id, told=move.told, at=move.at
    )


EFFECTS: dict[RequestAction, Callable[[Move], Awaitable[None]]] = {
    RequestAction.ACCEPT: accept,
    RequestAction.ASSIGN: assign,
    RequestAction.WAIT: wait,
    RequestAction.FINISH: finish,
    RequestAction.CONFIRM: confirm,
    RequestAction.RETURN: return_to_office,
    RequestAction.WITHDRAW: withdraw,
    RequestAction.RATE: rate,
    RequestAction.HAND_OVER: hand_over,
    RequestAction.TAKE_OVER: take_over,
    RequestAction.REFUSE: refuse,
    RequestAction.RECALL: recall,
    RequestAction.MERGE: merge,
}


# An office's time with a case


async def begin_tenure(row: RequestRow, office: UUID, policy: PolicyRow, at: datetime) -> TenureRow:
    """An office receives a case: both of its clocks begin."""
    tenure = TenureRow(
        id=new_id(),
        created_at=at,
        community_id=row.community_id,
        request_id=row.id,
        organisation_id=office,
        received_at=at,
        accept_by=at + timedelta(seconds=policy.accept_seconds),
        resolve_by=at + timedelta(seconds=policy.resolve_seconds),
        accepted_at=None,
        accept_seconds=None,
        accepted_in_time=None,
        resolved_at=None,
        resolve_seconds=None,
        resolved_in_time=None,
        paused_seconds=0,
        returns=0,
        escalations=0,
        rating=None,
        ended_at=None,
    )
    await insert(tenure)
    return tenure


async def tenures_by_id(ids: Sequence[UUID]) -> list[TenureRow]:
    return await every(TenureRow, Where("t.id IN (?)", (ids,)))


async def record_acceptance(tenure_id: UUID, at: datetime) -> None:
    """The office has accepted, the first time that it says so."""
    (tenure,) = await tenures_by_id([tenure_id])
    await update(
        TenureRow,
        Where("id = ? AND accepted_at IS NULL", (tenure_id,)),
        accepted_at=at,
        accept_seconds=int((at - tenure.received_at).total_seconds()),
        accepted_in_time=at <= tenure.accept_by,
    )


async def record_resolution(row: RequestRow, at: datetime) -> None:
    """The office says that it is done. What counts is the time in which the clock ran."""
    (tenure,) = await tenures_by_id([row.tenure_id])
    stopped = row.paused_at or at
    seconds = int((stopped - tenure.received_at).total_seconds()) - tenure.paused_seconds
    await update(
        TenureRow,
        tenure.id,
        resolved_at=at,
        resolve_seconds=seconds,
        resolved_in_time=stopped <= row.resolve_by,
    )


async def end_tenure(tenure_id: UUID, at: datetime) -> None:
    await update(TenureRow, tenure_id, ended_at=at)


# Whom a case is given to


async def check_office(ctx: Context, row: RequestRow, office_id: UUID) -> OrganisationRow:
    """An office of the community that handles cases. Raises InvalidInput."""
    (office,) = await identity.organisations_by_id(ctx, [office_id])
    if office is None or office.community_id != row.community_id or office.kind not in HANDLING:
        raise InvalidInput(officeId=Message("Is no office of this community that handles service requests"))
    return office


async def with_assignee(ctx: Context, row: RequestRow, party: RequestParty, act: Act) -> Act:
    """The act with the account that it assigns the case to. Raises InvalidInput."""
    if act.action is not RequestAction.ASSIGN:
        return replace(act, assignee=None)
    officers = await officers_with(row.office_id, Power.HANDLE_REQUESTS)
    account_id = account_behind(row.community_id, act.assignee) if act.assignee else ctx.account_id
    if account_id not in officers:
        raise InvalidInput(assigneeId=Message("Is no officer of the office that has the case"))
    return replace(act, assignee=account_id)
