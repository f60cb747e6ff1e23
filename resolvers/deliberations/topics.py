"""Convening a deliberation, or proposing one to who may convene; its text and its plan."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from models import deliberations as rules
from models import posts
from models.base import new_id, now
from models.deliberations import (
    COURSE,
    LATEST,
    PLANNED,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
)
from models.identity import CommunityRow
from models.messages import Message
from models.organisations import OrganisationRow
from models.posts import PostRow
from models.powers import POWERS, Power, has_power_in
from models.roles import OrganisationKind
from models.search import SearchKind
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, select_ids
from models.storage.tables import by_ids, insert
from resolvers import audit, identity, limits, search
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import steps
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import change_as_read, existing, only
from resolvers.jobs import schedule, unschedule
from resolvers.masking import mask
from resolvers.organisations import officers_with
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Kind, Logged

LONGEST_TITLE = 80
LONGEST_BODY = 5000
LONGEST_REASON = 300
PROPOSALS_A_DAY = 5
FARTHEST_PLAN = timedelta(days=366)

# The job that moves a deliberation on at its time; see phases.
MOVE = "MOVE_DELIBERATION"

ONLY_CONVENOR = Message("Only the convenor may do this")
CHANGED = Message("The deliberation has changed meanwhile")


@dataclass(frozen=True, slots=True)
class Plan:
    """When each phase begins; None for whenever the convenor says so."""

    discussion_at: datetime | None = None
    statements_at: datetime | None = None
    outcome_at: datetime | None = None
    closes_at: datetime | None = None


UNPLANNED = Plan()
FIELDS = {
    "discussion_at": "discussionAt",
    "statements_at": "statementsAt",
    "outcome_at": "outcomeAt",
    "closes_at": "closesAt",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """What a deliberation is about, and for whom."""

    title: str
    body: str
    # None for the whole community.
    estate_id: UUID | None = None
    # The complaint that it begins with.
    post_id: UUID | None = None


# Writing


async def convene(
    ctx: Context, *, organisation_id: UUID, topic: Topic, key: str, plan: Plan = UNPLANNED
) -> DeliberationRow:
    """Open a deliberation in the name of an organisation; with a key used before, the one opened then.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict (the key was used for
    something else).
    """
    _ = ctx.account_id
    topic = checked(topic)
    plan = checked_plan(plan, DeliberationPhase.GATHERING)
    organisation = await convening_organisation(ctx, organisation_id)
    if not rules.can_convene(ctx.viewer, organisation.id):
        raise await audit.refuse(
            ctx,
            "deliberation.convene",
            Message("Only officers who convene may open a deliberation"),
            organisation,
        )
    await check_places(ctx, organisation.community_id, topic)
    deliberation_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(
            ctx,
            key,
            "conveneDeliberation",
            [organisation_id, topic, plan],
            deliberation_id,
        )
        if earlier is None:
            row = await write_topic(
                ctx, deliberation_id, organisation, topic, DeliberationPhase.GATHERING, plan
            )
            await steps.record(work, ctx, row, DeliberationAction.CONVENED, to_phase=row.phase)
            await audit.record(ctx, "deliberation.convene", row)
            await schedule_moves(row)
    return await visible(ctx, earlier or deliberation_id)


async def propose(ctx: Context, *, organisation_id: UUID, topic: Topic, key: str) -> DeliberationRow:
    """Ask an organisation to open a deliberation; with a key used before, what was proposed then.

    Until it is accepted its author and the organisation see it, nobody else. Raises InvalidInput, NotFound,
    NotAllowed (no member of the community), Conflict, RateLimited.
    """
    _ = ctx.account_id
    topic = checked(topic)
    organisation = await convening_organisation(ctx, organisation_id)
    if not rules.can_propose(ctx.viewer, organisation.community_id):
        raise NotAllowed(feed.NOT_A_MEMBER)
    await check_places(ctx, organisation.community_id, topic)
    deliberation_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(
            ctx, key, "proposeDeliberation", [organisation_id, topic], deliberation_id
        )
        if earlier is None:
            await limits.check_rate(ctx, "proposeDeliberation", PROPOSALS_A_DAY, 24 * 3600)
            row = await write_topic(
                ctx, deliberation_id, organisation, topic, DeliberationPhase.PROPOSED, UNPLANNED
            )
            await steps.record(
                work,
                ctx,
                row,
                DeliberationAction.PROPOSED,
                to_phase=row.phase,
                told=await officers_with(row.organisation_id, Power.CONVENE),
            )
    return await visible(ctx, earlier or deliberation_id)


async def accept(
    ctx: Context, *, deliberation_id: UUID, version: int, plan: Plan = UNPLANNED
) -> DeliberationRow:
    """Open a proposed deliberation. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    plan = checked_plan(plan, DeliberationPhase.GATHERING)
    row = await led_by_viewer(ctx, deliberation_id, "deliberation.accept")
    async with ctx.unit_of_work() as work:
        await decide(row, version, DeliberationPhase.GATHERING, plan)
        opened = await existing(DeliberationRow, row.id)
        await index_deliberation(opened)
        await steps.record(
            work,
            ctx,
            opened,
            DeliberationAction.CONVENED,
            from_phase=row.phase,
            to_phase=opened.phase,
            told=[row.author_id],
        )
        await audit.record(ctx, "deliberation.accept", opened)
        await schedule_moves(opened)
    return await visible(ctx, deliberation_id)


async def decline(ctx: Context, *, deliberation_id: UUID, version: int, reason: str) -> DeliberationRow:
    """Refuse a proposal, with the reason that its author is told.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await led_by_viewer(ctx, deliberation_id, "deliberation.decline")
    async with ctx.unit_of_work() as work:
        await decide(row, version, DeliberationPhase.DECLINED, UNPLANNED)
        declined = await existing(DeliberationRow, row.id)
        await steps.record(
            work,
            ctx,
            declined,
            DeliberationAction.DECLINED,
            note=reason,
            from_phase=row.phase,
            to_phase=declined.phase,
            told=[row.author_id],
        )
        await audit.record(ctx, "deliberation.decline", declined, detail=reason)
    return await visible(ctx, deliberation_id)


async def edit(
    ctx: Context, *, deliberation_id: UUID, version: int, title: str, body: str
) -> DeliberationRow:
    """Replace what a deliberation is about, in words. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    topic = checked(Topic(title, body))
    row = await led_by_viewer(ctx, deliberation_id, "deliberation.edit")
    async with ctx.unit_of_work() as work:
        await change(row, version, title=topic.title, body=topic.body)
        await index_deliberation(replace(row, title=topic.title, body=topic.body))
        await feed.keep_revision(posts.SubjectKind.DELIBERATION, row.id, f"{row.title}\n\n{row.body}")
        await audit.record(ctx, "deliberation.edit", row)
        work.record(steps.event(Kind.DELIBERATION_EDITED, row, row.id))
    return await visible(ctx, deliberation_id)


async def set_plan(ctx: Context, *, deliberation_id: UUID, version: int, plan: Plan) -> DeliberationRow:
    """Say when the phases to come begin. Raises InvalidInput, NotFound, NotAllowed, Conflict."""
    row = await led_by_viewer(ctx, deliberation_id, "deliberation.plan")
    if row.phase not in COURSE:
        raise NotAllowed(Message("Only what has been convened has a plan"))
    plan = checked_plan(plan, row.phase)
    async with ctx.unit_of_work() as work:
        # Jobs before the deliberation, as whoever does them locks them.
        await unschedule(row.id, MOVE)
        await change(row, version, **asdict(plan))
        await schedule_moves(await existing(DeliberationRow, row.id))
        await audit.record(ctx, "deliberation.plan", row)
        work.record(steps.event(Kind.DELIBERATION_EDITED, row, row.id))
    return await visible(ctx, deliberation_id)


async def write_topic(
    ctx: Context,
    deliberation_id: UUID,
    organisation: OrganisationRow,
    topic: Topic,
    phase: DeliberationPhase,
    plan: Plan,
) -> DeliberationRow:
    overseers = await select_ids(
        "SELECT id FROM organisation WHERE community_id = ? AND kind = ? ORDER BY id LIMIT 1",
        organisation.community_id,
        OrganisationKind.RESIDENTS_COMMITTEE,
    )
    row = DeliberationRow(
        id=deliberation_id,
        community_id=organisation.community_id,
        scope_id=topic.estate_id or organisation.community_id,
        estate_id=topic.estate_id,
        organisation_id=organisation.id,
        overseer_id=overseers[0] if overseers else None,
        author_id=ctx.account_id,
        post_id=topic.post_id,
        phase=phase,
        phase_since=now(),
        title=topic.title,
        body=topic.body,
        **{field.name: getattr(plan, field.name) for field in fields(plan)},
    )
    await insert(row)
    await index_deliberation(row)
    return row


async def index_deliberation(row: DeliberationRow) -> None:
    """Have a deliberation found by its title and its text, by whoever may see it."""
    await search.index(
        SearchKind.DELIBERATION,
        row.id,
        row.title,
        row.body,
        community_id=row.community_id,
        audience=rules.audience(row),
    )


async def decide(row: DeliberationRow, version: int, phase: DeliberationPhase, plan: Plan) -> None:
    """Accept or decline a proposal. Raises Conflict if that was done, or it was edited, meanwhile."""
    if row.phase is not DeliberationPhase.PROPOSED:
        raise Conflict(Message("It has been decided already"), row)
    await change(row, version, phase=phase, phase_since=now(), **asdict(plan))


async def change(row: DeliberationRow, version: int, **values: Any) -> None:
    """Change a deliberation as it was read. Raises Conflict if it has changed since `version`."""
    await change_as_read(row, version, CHANGED, Where("t.phase = ?", (row.phase,)), **values)


async def schedule_moves(row: DeliberationRow) -> None:
    """Have the deliberation moved on at each of its planned times."""
    for column in PLANNED.values():
        if at := getattr(row, column):
            await schedule(MOVE, row.id, at)


# Checking


def checked(topic: Topic) -> Topic:
    title = " ".join(check_text("title", topic.title, LONGEST_TITLE).split())
    body = mask(check_text("body", topic.body, LONGEST_BODY))
    return Topic(mask(title), body, topic.estate_id, topic.post_id)


def checked_plan(plan: Plan, phase: DeliberationPhase) -> Plan:
    """The plan, of which only what comes after `phase` is kept.

    Raises InvalidInput unless its times lie ahead, one after the other.
    """
    kept: dict[str, datetime] = {}
    earliest = now()
    for later in COURSE[COURSE.index(phase) + 1 :]:
        name = PLANNED[later]
        at: datetime | None = getattr(plan, name)
        if at is None:
            continue
        if at.tzinfo is None:
            raise InvalidInput(**{FIELDS[name]: Message("Needs a time zone")})
        if at <= earliest:
            raise InvalidInput(
                **{FIELDS[name]: Message("Must be later than what comes before it, and in the future")}
            )
        if at > now() + FARTHEST_PLAN:
            raise InvalidInput(**{FIELDS[name]: Message("Is out of range")})
        kept[name] = earliest = at.astimezone(UTC)
    return Plan(**kept)


async def convening_organisation(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    """An organisation that convenes deliberations. Raises NotFound, InvalidInput."""
    organisation = only(await identity.organisations_by_id(ctx, [organisation_id]))
    await identity.community_visible(ctx, organisation.community_id)
    if not any(Power.CONVENE in powers for powers in POWERS[organisation.kind].values()):
        raise InvalidInput(organisationId=Message("This organisation convenes no deliberations"))
    return organisation


async def check_places(ctx: Context, community_id: UUID, topic: Topic) -> None:
    """Raises InvalidInput for an estate or a post that is not of this community."""
    if topic.estate_id:
        (estate,) = await identity.estates_by_id(ctx, [topic.estate_id])
        # A resident speaks for where he lives.
        speaks = topic.estate_id in ctx.viewer.scopes or has_power_in(ctx.viewer, community_id, Power.CONVENE)
        if estate is None or estate.community_id != community_id or not speaks:
            raise InvalidInput(estateId=Message("There is no such estate in this community"))
    if topic.post_id:
        (post,) = await feed.visible_by_ids(ctx, [topic.post_id])
        if post is None or post.community_id != community_id:
            raise InvalidInput(postId=Message("There is no such post in this community"))


async def led_by_viewer(ctx: Context, deliberation_id: UUID, action: str) -> DeliberationRow:
    """The deliberation, for who leads it. Raises NotFound, NotAllowed (and keeps the attempt)."""
    _ = ctx.account_id
    row = await visible(ctx, deliberation_id)
    if not rules.can_lead(ctx.viewer, row):
        raise await audit.refuse(ctx, action, ONLY_CONVENOR, row)
    return row


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[DeliberationRow | None]:
    """The deliberations with these ids, None for each that the viewer may not see."""
    return await by_ids(DeliberationRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, deliberation_id: UUID) -> DeliberationRow:
    """The deliberation. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [deliberation_id]))


async def followable(ctx: Context, deliberation_id: UUID) -> tuple[DeliberationRow, frozenset[UUID]]:
    """What a stream of a deliberation follows, and the scopes of which one must be held.

    Raises Unauthenticated, NotFound.
    """
    _ = ctx.account_id
    row = await visible(ctx, deliberation_id)
    # A proposal's author follows it on once it is accepted.
    return row, rules.audience(row) | {row.scope_id}


async def deliberations_of(
    ctx: Context,
    communities: Sequence[CommunityRow],
    phases: frozenset[DeliberationPhase] | None,
    estate_id: UUID | None,
    args: PageArgs,
) -> list[Page[DeliberationRow]]:
    """A page of each community's deliberations that the viewer may see. Raises InvalidInput."""
    where = rules.visible_to(ctx.viewer)
    if phases is not None:
        where &= posts.equal_to_any("t.phase", sorted(phases))
    if estate_id is not None:
        where &= Where("t.estate_id = ?", (estate_id,))
    return await pages(
        DeliberationRow,
        [community.id for community in communities],
        by="community_id",
        args=args,
        where=where,
        order=LATEST,
    )


async def deliberations_of_posts(
    ctx: Context, rows: Sequence[PostRow], args: PageArgs
) -> list[Page[DeliberationRow]]:
    """What each post has led to, as far as the viewer may see."""
    return await pages(
        DeliberationRow,
        [row.id for row in rows],
        by="post_id",
        args=args,
        where=rules.visible_to(ctx.viewer),
        order=LATEST,
    )


async def deliberations_of_events(_ctx: Context, events: Sequence[Logged]) -> list[DeliberationRow | None]:
    """The deliberation that each event happened in."""
    return await by_ids(DeliberationRow, [logged.event.thread for logged in events])


async def posts_of(ctx: Context, rows: Sequence[DeliberationRow]) -> list[PostRow | None]:
    """The post that each began with, as far as the viewer may see it."""
    return await feed.visible_by_ids(ctx, [row.post_id for row in rows])
