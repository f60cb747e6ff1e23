"""What is done about an outcome: items that are carried out, and that residents find done or not.

An item is done by hand, and then has a state of its own, or it is a service request or a motion, and then its
state is theirs. Of what is done by hand residents have the last word: three who find it done, and more than
find it not done, make it verified; three who find it not done, and more than find it done, send it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from models import deliberations as rules
from models import motions, requests
from models.base import new_id
from models.deliberations import (
    ITEMS,
    Act,
    DeliberationAction,
    DeliberationRow,
    ExecutionCheckRow,
    ExecutionKind,
    ExecutionRow,
    ExecutionState,
)
from models.messages import Message
from models.powers import Power, has_power
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select
from models.storage.tables import by_ids, every, insert
from resolvers import audit, identity
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import statements, steps, topics
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked, only
from resolvers.organisations import officers_with
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Kind, Logged
from subscriptions.work import Work

LONGEST_TITLE = 80
LONGEST_NOTE = 1000
MOST_ITEMS = 50
ENOUGH_CHECKS = 3

S = ExecutionState
# What an office may say of an item; VERIFIED is said by residents.
LIFE: dict[ExecutionState, frozenset[ExecutionState]] = {
    S.PLANNED: frozenset({S.UNDER_WAY, S.DONE, S.ABANDONED}),
    S.UNDER_WAY: frozenset({S.PLANNED, S.DONE, S.ABANDONED}),
    S.DONE: frozenset({S.UNDER_WAY, S.ABANDONED}),
    S.VERIFIED: frozenset({S.UNDER_WAY}),
    S.ABANDONED: frozenset({S.PLANNED}),
}

# The states of what carries an item out.
REQUEST_STATES = {
    "SUBMITTED": S.PLANNED,
    "HANDED_OVER": S.PLANNED,
    "DONE": S.DONE,
    "CONFIRMED": S.VERIFIED,
    "WITHDRAWN": S.ABANDONED,
    "DUPLICATE": S.ABANDONED,
}
MOTION_STATES = {
    "DRAFT": S.PLANNED,
    "ANNOUNCED": S.PLANNED,
    "CLOSED": S.DONE,
    "WITHDRAWN": S.ABANDONED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """What shall be done: by whom, until when, and as which service request or motion."""

    title: str
    kind: ExecutionKind = ExecutionKind.ACTION
    subject_id: UUID | None = None
    organisation_id: UUID | None = None
    due_at: datetime | None = None


async def add(ctx: Context, *, deliberation_id: UUID, item: Item, key: str) -> ExecutionRow:
    """Add to what is done about an outcome; with a key used before, what was added then.

    Raises InvalidInput, NotFound, NotAllowed (not the convenor, or there is no outcome yet), Conflict.
    """
    title = " ".join(check_text("title", item.title, LONGEST_TITLE).split())
    if item.due_at is not None and item.due_at.tzinfo is None:
        raise InvalidInput(dueAt=Message("Needs a time zone"))
    row = await topics.led_by_viewer(ctx, deliberation_id, "execution.add")
    await check_link(ctx, row, item)
    item_id = new_id()
    async with ctx.unit_of_work() as work:
        body = [row.id, title, item.kind, item.subject_id, item.organisation_id, item.due_at]
        earlier = await earlier_result(ctx, key, "addExecutionItem", body, item_id)
        if earlier is None:
            row = await statements.locked_when_allowed(row.id, Act.EXECUTE)
            (counted,) = await execute(
                "SELECT count(*) AS n FROM execution_item WHERE deliberation_id = ?", row.id
            )
            if int(counted["n"]) >= MOST_ITEMS:
                raise NotAllowed(Message("There are too many items"))
            await insert(
                ExecutionRow(
                    id=item_id,
                    community_id=row.community_id,
                    deliberation_id=row.id,
                    kind=item.kind,
                    subject_id=item.subject_id,
                    title=title,
                    organisation_id=item.organisation_id,
                    due_at=item.due_at.astimezone(UTC) if item.due_at else None,
                    state=ExecutionState.PLANNED,
                )
            )
            made = await existing(ExecutionRow, item_id)
            await steps.record(
                work,
                ctx,
                row,
                DeliberationAction.EXECUTION_ADDED,
                note=title,
                item=made,
                state=made.state,
                told=await steps.participants(row),
            )
            await audit.record(ctx, "execution.add", row, detail=title)
    return await existing(ExecutionRow, earlier or item_id)


async def set_state(
    ctx: Context, *, item_id: UUID, state: ExecutionState, note: str, version: int
) -> ExecutionRow:
    """Say how far an item is, for the convenor and for the office that carries it out.

    Raises InvalidInput (no such way), NotFound, NotAllowed (or it follows what it links to), Conflict.
    """
    _ = ctx.account_id
    abandoned = state is ExecutionState.ABANDONED
    note = check_text("note", note, LONGEST_NOTE, least=4 if abandoned else 0)
    item, row = await visible(ctx, item_id)
    if not may_say(ctx, item, row):
        raise await audit.refuse(
            ctx,
            "execution.state",
            Message("Only the convenor and the office in charge may do this"),
            row,
            subject_id=item.id,
        )
    if item.kind is not ExecutionKind.ACTION:
        raise NotAllowed(Message("Its state is that of what it links to"))
    async with ctx.unit_of_work() as work:
        row = await locked(DeliberationRow, row.id)
        item = await existing(ExecutionRow, item.id)
        if item.version != version:
            raise Conflict(Message("The item has changed meanwhile"), item)
        if state not in LIFE[item.state]:
            raise InvalidInput(state=Message("Does not follow from the present state"))
        await change(work, ctx, row, item, state, note)
        office = row.organisation_id if rules.can_lead(ctx.viewer, row) else item.organisation_id
        await audit.record(
            ctx,
            "execution.state",
            row,
            organisation_id=office,
            subject_id=item.id,
            detail=f"{item.state.value} → {state.value}",
        )
    return await existing(ExecutionRow, item_id)


async def check(ctx: Context, *, item_id: UUID, confirmed: bool) -> ExecutionRow:
    """Say as a resident whether an item that is said to be done is done, or something else than before.

    Raises NotFound, NotAllowed (no resident there, or it is not said to be done).
    """
    account_id = ctx.account_id
    item, row = await visible(ctx, item_id)
    if item.kind is not ExecutionKind.ACTION:
        raise NotAllowed(Message("Its state is that of what it links to"))
    async with ctx.unit_of_work() as work:
        row = await locked(DeliberationRow, row.id)
        item = await existing(ExecutionRow, item.id)
        if item.state not in (ExecutionState.DONE, ExecutionState.VERIFIED):
            raise NotAllowed(Message("It has not been reported as done"))
        if not await statements.lives_there(account_id, row):
            raise NotAllowed(Message("Only verified residents whom the deliberation is for may vote"))
        await put_check(item, account_id, confirmed)
        item = await recounted(item)
        work.record(steps.event(Kind.EXECUTION_CHECKED, row, item.id))
        enough, more = item.confirmed_count >= ENOUGH_CHECKS, item.confirmed_count > item.disputed_count
        if item.state is ExecutionState.DONE and enough and more:
            await change(work, ctx, row, item, ExecutionState.VERIFIED, "", by_clock=True)
        elif item.disputed_count >= ENOUGH_CHECKS and item.disputed_count > item.confirmed_count:
            await change(work, ctx, row, item, ExecutionState.UNDER_WAY, "", by_clock=True)
    return await existing(ExecutionRow, item_id)


async def change(
    work: Work,
    ctx: Context,
    row: DeliberationRow,
    item: ExecutionRow,
    state: ExecutionState,
    note: str,
    *,
    by_clock: bool = False,
) -> None:
    """Bring an item, whose deliberation is locked, to another state; who takes part is told."""
    anew = ", round = round + 1, confirmed_count = 0, disputed_count = 0"
    await execute(
        "UPDATE execution_item SET state = ?, note = ?, version = version + 1"
        f"{anew if state is not ExecutionState.VERIFIED else ''} WHERE id = ? RETURNING id",
        state,
        note,
        item.id,
    )
    verified = state is ExecutionState.VERIFIED
    told = set(await steps.participants(row))
    if by_clock:
        told |= set(await officers_with(row.organisation_id, Power.CONVENE))
    await steps.record(
        work,
        ctx,
        row,
        DeliberationAction.EXECUTION_VERIFIED if verified else DeliberationAction.EXECUTION_CHANGED,
        note=note,
        item=item,
        state=state,
        told=sorted(told),
        # What many residents said together is nobody's step.
        by_clock=by_clock,
    )


async def put_check(item: ExecutionRow, account_id: UUID, confirmed: bool) -> None:
    await insert(
        ExecutionCheckRow(item_id=item.id, round=item.round, account_id=account_id, confirmed=confirmed),
        "(item_id, round, account_id) DO UPDATE SET confirmed = excluded.confirmed",
    )


async def recounted(item: ExecutionRow) -> ExecutionRow:
    """The item with its checks counted; exact, since the deliberation is locked."""
    await execute(
        "UPDATE execution_item SET"
        " confirmed_count = (SELECT count(*) FROM execution_check c WHERE c.item_id = execution_item.id"
        " AND c.round = execution_item.round AND c.confirmed),"
        " disputed_count = (SELECT count(*) FROM execution_check c WHERE c.item_id = execution_item.id"
        " AND c.round = execution_item.round AND NOT c.confirmed) WHERE id = ? RETURNING id",
        item.id,
    )
    return await existing(ExecutionRow, item.id)


async def link_changed(work: Work, kind: ExecutionKind, subject_id: UUID) -> None:
    """Tell whoever follows a deliberation that a service request or a motion it led to has changed.

    For the use cases of those, in their transactions.
    """
    items = await every(ExecutionRow, Where("t.subject_id = ? AND t.kind = ?", (subject_id, kind)))
    for item in items:
        row = await existing(DeliberationRow, item.deliberation_id)
        work.record(steps.event(Kind.EXECUTION_CHECKED, row, item.id))


def may_say(ctx: Context, item: ExecutionRow, row: DeliberationRow) -> bool:
    """Whether the viewer leads the deliberation, or handles requests for the office in charge."""
    office = item.organisation_id
    return rules.can_lead(ctx.viewer, row) or (
        office is not None and has_power(ctx.viewer, office, Power.HANDLE_REQUESTS)
    )


async def check_link(ctx: Context, row: DeliberationRow, item: Item) -> None:
    """Raises InvalidInput for what is not of this community, or that the viewer may not see."""
    if (item.subject_id is None) != (item.kind is ExecutionKind.ACTION):
        raise InvalidInput(subjectId=Message("Is not the id of a ServiceRequest or Motion"))
    if item.subject_id is not None:
        table, seen = (
            ("service_request", requests.visible_to(ctx.viewer))
            if item.kind is ExecutionKind.REQUEST
            else ("motion", motions.visible_to(ctx.viewer))
        )
        found = await execute(
            f"SELECT t.id FROM {table} t WHERE t.id = ? AND t.community_id = ? AND ({seen.text})",
            item.subject_id,
            row.community_id,
            *seen.params,
        )
        if not found:
            raise InvalidInput(
                subjectId=Message("There is no such service request or motion in this community")
            )
    if item.organisation_id is not None:
        (office,) = await identity.organisations_by_id(ctx, [item.organisation_id])
        if office is None or office.community_id != row.community_id:
            raise InvalidInput(organisationId=Message("There is no such organisation in this community"))


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[ExecutionRow | None]:
    """The items of deliberations that the viewer may see, None for each of the others."""
    seen = rules.visible_to(ctx.viewer)
    return await by_ids(
        ExecutionRow,
        ids,
        Where(f"t.deliberation_id IN (SELECT t.id FROM deliberation t WHERE {seen.text})", seen.params),
    )


async def visible(ctx: Context, item_id: UUID) -> tuple[ExecutionRow, DeliberationRow]:
    """The item and its deliberation. Raises NotFound unless the viewer may see it."""
    item = only(await visible_by_ids(ctx, [item_id]))
    return item, await topics.visible(ctx, item.deliberation_id)


async def items_of(
    _ctx: Context, rows: Sequence[DeliberationRow], args: PageArgs
) -> list[Page[ExecutionRow]]:
    """A page of what is done about each outcome. Raises InvalidInput."""
    keys = [row.id for row in rows]
    return await pages(ExecutionRow, keys, by="deliberation_id", args=args, order=ITEMS)


async def items_of_events(_ctx: Context, events: Sequence[Logged]) -> list[ExecutionRow | None]:
    return await by_ids(ExecutionRow, [logged.event.subject for logged in events])


async def items_of_steps(
    _ctx: Context, rows: Sequence[rules.DeliberationStepRow]
) -> list[ExecutionRow | None]:
    """The item that each step is about."""
    known = [row.item_id for row in rows if row.item_id]
    found = dict(zip(known, await by_ids(ExecutionRow, known), strict=True)) if known else {}
    return [found.get(row.item_id) if row.item_id else None for row in rows]


@dataclass(slots=True)
class Linked:
    id: UUID
    state: str


async def states_of(_ctx: Context, items: Sequence[ExecutionRow]) -> list[ExecutionState]:
    """How far each item is: its own state, or that of the service request or motion it is.

    No more than that is told of a case which the viewer may not see.
    """
    keys = {
        kind: [item.subject_id for item in items if item.kind is kind and item.subject_id]
        for kind in (ExecutionKind.REQUEST, ExecutionKind.MOTION)
    }
    linked = (
        await select(
            Linked,
            "SELECT t.id, t.state FROM service_request t WHERE t.id IN (?)"
            " UNION ALL SELECT t.id, t.status FROM motion t WHERE t.id IN (?)",
            keys[ExecutionKind.REQUEST],
            keys[ExecutionKind.MOTION],
        )
        if any(keys.values())
        else []
    )
    found = {row.id: row.state for row in linked}
    return [state_of(item, found.get(item.subject_id) if item.subject_id else None) for item in items]


def state_of(item: ExecutionRow, linked: str | None) -> ExecutionState:
    if linked is None:
        return item.state
    states = REQUEST_STATES if item.kind is ExecutionKind.REQUEST else MOTION_STATES
    return states.get(linked, ExecutionState.UNDER_WAY)


@dataclass(slots=True)
class Check:
    item_id: UUID
    round: int
    confirmed: bool


async def viewer_checks_of(ctx: Context, items: Sequence[ExecutionRow]) -> list[bool | None]:
    """What the viewer says of each item that is said to be done now."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [None] * len(items)
    checks = await select(
        Check,
        "SELECT item_id, round, confirmed FROM execution_check WHERE account_id = ? AND item_id IN (?)",
        account_id,
        [item.id for item in items],
    )
    found = {(check.item_id, check.round): check.confirmed for check in checks}
    return [found.get((item.id, item.round)) for item in items]


async def deliberations_of(_ctx: Context, items: Sequence[ExecutionRow]) -> list[DeliberationRow | None]:
    return await by_ids(DeliberationRow, [item.deliberation_id for item in items])
