"""Writing a motion, announcing it to the owners, and withdrawing it before it opens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from models.base import new_id, now
from models.deliberations import ExecutionKind
from models.messages import Message
from models.motions import (
    CONVENORS,
    ItemClass,
    ItemRow,
    MotionRow,
    MotionStatus,
    RulesRow,
    ScopeKind,
    can_put_motions,
)
from models.organisations import OrganisationRow
from models.roles import OrganisationKind
from models.storage.rows import execute, select
from models.storage.tables import insert, insert_all
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import executions
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked
from resolvers.jobs import schedule, unschedule
from resolvers.motions import announcing, ballot_box, electorate, reading, rules, wording
from resolvers.notices.publishing import check_moment
from resolvers.organisations import organisation_for
from resolvers.retries import earlier_result
from subscriptions.events import Kind

MOST_ITEMS = 20
MOST_BUILDINGS = 100
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    item_class: ItemClass
    title: str
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionDraft:
    """What a motion shall be. `scope_ids`: the estate, or the buildings."""

    title: str
    body: str
    items: tuple[ItemDraft, ...]
    scope_kind: ScopeKind
    scope_ids: tuple[UUID, ...]
    opens_at: datetime
    closes_at: datetime
    secret: bool = False


@dataclass(slots=True)
class PlaceName:
    id: UUID
    name: str


def check_draft(draft: MotionDraft) -> MotionDraft:
    """The draft as it will be kept. Raises InvalidInput naming what is wrong."""
    if not 1 <= len(draft.items) <= MOST_ITEMS:
        raise InvalidInput(items=Message("From 1 to {most}", most=MOST_ITEMS))
    opens_at = check_moment("opensAt", draft.opens_at) or now()
    closes_at = check_moment("closesAt", draft.closes_at) or now()
    if not SHORTEST <= closes_at - opens_at <= LONGEST:
        raise InvalidInput(closesAt=Message("Must be later than the opening, by a year at most"))
    return replace(
        draft,
        title=check_text("title", draft.title, 80),
        body=check_text("body", draft.body, 20_000),
        items=tuple(
            replace(
                item,
                title=check_text("items", item.title, 200),
                body=check_text("items", item.body, 20_000, least=0),
            )
            for item in draft.items
        ),
        opens_at=opens_at,
        closes_at=closes_at,
    )


async def check_scope(organisation: OrganisationRow, draft: MotionDraft) -> str:
    """What the scope is called. Raises InvalidInput for places outside of the community."""
    ids = set(draft.scope_ids)
    if draft.scope_kind is ScopeKind.COMMUNITY:
        if ids:
            raise InvalidInput(scopeIds=Message("The whole community needs no places"))
        found = await select(
            PlaceName, "SELECT id, name FROM community WHERE id = ?", organisation.community_id
        )
        return found[0].name
    if draft.scope_kind is ScopeKind.ESTATE:
        if len(ids) != 1:
            raise InvalidInput(scopeIds=Message("Exactly one estate"))
        statement = "SELECT id, name FROM estate WHERE community_id = ? AND id IN (?)"
    else:
        if not 1 <= len(ids) <= MOST_BUILDINGS:
            raise InvalidInput(scopeIds=Message("Choose from 1 to {most} buildings", most=MOST_BUILDINGS))
        statement = "SELECT id, name FROM building WHERE community_id = ? AND id IN (?) ORDER BY id"
    found = await select(PlaceName, statement, organisation.community_id, ids)
    if len(found) < len(ids):
        raise InvalidInput(scopeIds=Message("Holds a place that is not in the organisation's community"))
    return "、".join(row.name for row in found)[:200]


async def check_convenor(ctx: Context, organisation: OrganisationRow, action: str) -> None:
    """Raises NotAllowed unless the viewer may put motions for the organisation, and it may convene."""
    if organisation.kind not in CONVENORS or not can_put_motions(ctx.viewer, organisation.id):
        raise await audit.refuse(
            ctx, action, Message("Only the owners' committee puts motions to the owners"), organisation
        )
    if organisation.kind is OrganisationKind.RESIDENTS_COMMITTEE and await owners_committee_sits(
        organisation.community_id
    ):
        raise await audit.refuse(
            ctx,
            action,
            Message("The residents' committee convenes only where no owners' committee sits"),
            organisation,
        )


async def owners_committee_sits(community_id: UUID) -> bool:
    """Whether there is an owners' committee in which somebody holds an office."""
    return bool(
        await execute(
            "SELECT o.id FROM organisation o JOIN appointment a ON a.organisation_id = o.id"
            " WHERE o.community_id = ? AND o.kind = ? AND a.revoked_at IS NULL LIMIT 1",
            community_id,
            OrganisationKind.OWNERS_COMMITTEE,
        )
    )


async def create(ctx: Context, *, organisation_id: UUID, draft: MotionDraft, key: str) -> MotionRow:
    """Write a draft, which only its organisation sees. It pins the rules that are newest now.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    organisation = await organisation_for(ctx, organisation_id)
    await check_convenor(ctx, organisation, "createMotion")
    draft = check_draft(draft)
    label = await check_scope(organisation, draft)
    motion_id = new_id()
    async with ctx.unit_of_work():
        earlier = await earlier_result(ctx, key, "createMotion", [organisation_id, draft], motion_id)
        if earlier is None:
            under = await rules.newest_or_law(organisation.community_id)
            await insert(
                MotionRow(
                    id=motion_id,
                    community_id=organisation.community_id,
                    organisation_id=organisation.id,
                    author_id=ctx.account_id,
                    rules_id=under.id,
                    scope_kind=draft.scope_kind,
                    scope_ids=[str(id) for id in draft.scope_ids],
                    scope_label=label,
                    title=draft.title,
                    body=draft.body,
                    secret=draft.secret,
                    opens_at=draft.opens_at,
                    closes_at=draft.closes_at,
                    first_closes_at=draft.closes_at,
                )
            )
            await write_items(motion_id, draft.items)
            await audit.record(ctx, "createMotion", organisation, subject_id=motion_id)
    return await reading.motion(earlier or motion_id)


async def write_items(motion_id: UUID, items: Sequence[ItemDraft]) -> None:
    at = now()
    await insert_all(
        [
            ItemRow(
                created_at=at,
                motion_id=motion_id,
                position=position,
                item_class=item.item_class,
                title=item.title,
                body=item.body,
            )
            for position, item in enumerate(items, 1)
        ]
    )


async def editable(ctx: Context, motion_id: UUID, action: str) -> tuple[MotionRow, OrganisationRow]:
    """The motion and its organisation, for who may put motions there. Raises NotFound, NotAllowed."""
    _ = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    organisation = await organisation_for(ctx, motion.organisation_id)
    await check_convenor(ctx, organisation, action)
    return motion, organisation


async def update(ctx: Context, *, motion_id: UUID, version: int, draft: MotionDraft) -> MotionRow:
    """Rewrite a draft, under the rules that are newest now.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict if it has changed meanwhile.
    """
    motion, organisation = await editable(ctx, motion_id, "updateMotion")
    draft = check_draft(draft)
    label = await check_scope(organisation, draft)
    async with ctx.unit_of_work():
        under = await rules.newest_or_law(motion.community_id)
        changed = await execute(
            "UPDATE motion SET rules_id = ?, scope_kind = ?, scope_ids = ?, scope_label = ?,"
            " title = ?, body = ?,"
            " secret = ?, opens_at = ?, closes_at = ?, first_closes_at = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND status = ? RETURNING id",
            under.id,
            draft.scope_kind,
            ballot_box.canonical([str(id) for id in draft.scope_ids]),
            label,
            draft.title,
            draft.body,
            draft.secret,
            draft.opens_at,
            draft.closes_at,
            draft.closes_at,
            motion.id,
            version,
            MotionStatus.DRAFT,
        )
        if not changed:
            raise Conflict(Message("It was changed or announced meanwhile"), motion)
        await execute("DELETE FROM motion_item WHERE motion_id = ? RETURNING id", motion.id)
        await write_items(motion.id, draft.items)
        await audit.record(ctx, "updateMotion", motion)
    return await reading.motion(motion.id)


async def announce(ctx: Context, *, motion_id: UUID, version: int) -> MotionRow:
    """Put the motion to the owners: from here on nothing in it changes, and it opens at its hour.

    Raises NotFound, NotAllowed, and Conflict if it has changed meanwhile, InvalidInput if the notice period
    is too short.
    """
    motion, _ = await editable(ctx, motion_id, "announceMotion")
    under = await existing(RulesRow, motion.rules_id)
    if motion.opens_at < now() + timedelta(hours=under.notice_hours) - timedelta(minutes=1):
        raise InvalidInput(
            motionId=Message(
                "The rules ask for {hours} hours between announcement and opening",
                hours=under.notice_hours,
            )
        )
    if motion.closes_at <= now():
        raise InvalidInput(motionId=Message("The close is in the past"))
    if not await electorate.homes_in_scope(motion):
        raise InvalidInput(motionId=Message("There is no home in its scope"))
    async with ctx.unit_of_work() as work:
        announced = await execute(
            "UPDATE motion SET status = ?, announced_at = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND status = ? RETURNING id",
            MotionStatus.ANNOUNCED,
            now(),
            motion.id,
            version,
            MotionStatus.DRAFT,
        )
        if not announced:
            raise Conflict(Message("It was changed or announced meanwhile"), motion)
        await schedule(announcing.OPEN_MOTION, motion.id, motion.opens_at)
        await schedule(announcing.CLOSE_MOTION, motion.id, motion.closes_at + announcing.SETTLE)
        (items,) = await reading.items([motion.id])
        await announcing.publish(work, ctx, motion, *wording.announced(motion, items, under))
        work.record(announcing.event(Kind.MOTION_ANNOUNCED, motion))
        await audit.record(ctx, "announceMotion", motion)
    return await reading.motion(motion.id)


async def withdraw(ctx: Context, *, motion_id: UUID, version: int, reason: str) -> MotionRow:
    """Take a motion back before it opens; afterwards nobody can.

    Raises InvalidInput, NotFound, Conflict, NotAllowed.
    """
    motion, _ = await editable(ctx, motion_id, "withdrawMotion")
    reason = check_text("reason", reason, 500)
    async with ctx.unit_of_work() as work:
        at = await ballot_box.begun_at()
        current = await locked(MotionRow, motion.id)
        if current.status is MotionStatus.WITHDRAWN or current.version != version:
            raise Conflict(Message("It was changed or announced meanwhile"), motion)
        if current.status not in (MotionStatus.DRAFT, MotionStatus.ANNOUNCED) or (
            current.status is MotionStatus.ANNOUNCED and at >= current.opens_at
        ):
            raise NotAllowed(Message("A vote that has opened runs to its close"))
        await execute(
            "UPDATE motion SET status = ?, withdraw_reason = ?, version = version + 1 WHERE id"
            " = ? RETURNING id",
            MotionStatus.WITHDRAWN,
            reason,
            motion.id,
        )
        await unschedule(motion.id, announcing.OPEN_MOTION, announcing.CLOSE_MOTION)
        if current.status is MotionStatus.ANNOUNCED:
            under = await existing(RulesRow, motion.rules_id)
            await announcing.publish(work, ctx, motion, *wording.called_off(motion, under, reason))
            work.record(announcing.event(Kind.MOTION_WITHDRAWN, motion))
            await executions.link_changed(work, ExecutionKind.MOTION, motion.id)
        await audit.record(ctx, "withdrawMotion", motion, detail=reason)
    return await reading.motion(motion.id)
