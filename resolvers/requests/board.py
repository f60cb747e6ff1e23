"""Cases as members see them: what, where and how far, and never whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models import privacy, requests
from models.base import now
from models.identity import CommunityRow, HomeRow, NeighbourRow
from models.organisations import OrganisationRow
from models.posts import PostRow
from models.requests import (
    BOARD,
    CLOSED,
    OPEN,
    STEPS,
    RequestAction,
    RequestRow,
    RequestState,
    StepRow,
)
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, Where, select
from models.storage.tables import by_ids
from resolvers import identity
from resolvers import posts as feed
from resolvers.context import Context
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Logged


@dataclass(frozen=True, slots=True)
class RequestCriteria:
    """Which cases of a community; None is any."""

    states: frozenset[RequestState] | None = None
    categories: frozenset[str] | None = None
    office_id: UUID | None = None
    building_id: UUID | None = None
    estate_id: UUID | None = None
    overdue: bool | None = None
    open: bool | None = None
    mine: bool = False
    followed: bool = False


async def board_of(
    ctx: Context, communities: Sequence[CommunityRow], wanted: RequestCriteria, args: PageArgs
) -> list[Page[RequestRow]]:
    """A page of each community's cases that the viewer may see, the newest first."""
    where = requests.visible_to(ctx.viewer) & filtered(ctx, wanted)
    ids = [community.id for community in communities]
    return await pages(RequestRow, ids, by="community_id", args=args, where=where, order=BOARD)


def filtered(ctx: Context, wanted: RequestCriteria) -> Where:
    where = EVERYTHING
    for column, value in (
        ("t.office_id", wanted.office_id),
        ("t.building_id", wanted.building_id),
        ("t.estate_id", wanted.estate_id),
    ):
        if value is not None:
            where &= Where(f"{column} = ?", (value,))
    if wanted.states is not None:
        where &= requests.in_states(wanted.states)
    if wanted.categories is not None:
        where &= Where("t.category IN (?)", (sorted(wanted.categories),))
    if wanted.open is not None:
        where &= requests.in_states(OPEN if wanted.open else CLOSED)
    if wanted.overdue is not None:
        over = requests.overdue(now())
        where &= over if wanted.overdue else Where(f"(t.due_at IS NULL OR NOT {over.text})", over.params)
    if wanted.mine:
        where &= Where("t.reporter_id IN (?)", ([ctx.viewer.account_id] if ctx.viewer.account_id else [],))
    if wanted.followed:
        where &= Where(
            "t.id IN (SELECT f.request_id FROM request_follower f WHERE f.account_id IN (?))",
            ([ctx.viewer.account_id] if ctx.viewer.account_id else [],),
        )
    return where


# One case


async def visible_by_ids(ctx: Context, ids: Sequence[UUID | None]) -> list[RequestRow | None]:
    """The cases with these ids, None for each that the viewer may not see."""
    return await by_ids(RequestRow, ids, requests.visible_to(ctx.viewer))


async def visible(ctx: Context, request_id: UUID) -> RequestRow:
    """The case. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [request_id]))


async def steps_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[StepRow | None]:
    """The steps with these ids, None for each that the viewer may not see."""
    seen = requests.visible_to(ctx.viewer, "q")
    inside = Where(
        f"EXISTS (SELECT 1 FROM service_request q WHERE q.id = t.request_id AND ({seen.text}))", seen.params
    )
    return await steps_by_ids(ids, inside & requests.steps_visible_to(ctx.viewer))


async def steps_by_ids(ids: Sequence[UUID], where: Where = EVERYTHING) -> list[StepRow | None]:
    return await by_ids(StepRow, ids, where)


# Fields of a case


async def steps_of(ctx: Context, rows: Sequence[RequestRow], args: PageArgs) -> list[Page[StepRow]]:
    """Each case's steps that the viewer may see, in their order."""
    ids = [row.id for row in rows]
    where = requests.steps_visible_to(ctx.viewer)
    return await pages(StepRow, ids, by="request_id", args=args, where=where, order=STEPS)


async def reporters_of(ctx: Context, rows: Sequence[RequestRow]) -> list[NeighbourRow | None]:
    """Who reported each case, for the reporter and the offices that handle it."""
    pairs = [
        (row.reporter_id if requests.can_see_reporter(ctx.viewer, row) else None, row.community_id)
        for row in rows
    ]
    return await identity.faces_of(ctx, pairs)


@dataclass(slots=True)
class Reachable:
    id: UUID
    phone_sealed: str


async def contacts_of(ctx: Context, rows: Sequence[RequestRow]) -> list[str | None]:
    """The reporter's phone, masked, for the same."""
    known = {row.reporter_id for row in rows if requests.can_see_reporter(ctx.viewer, row)}
    accounts = await select(Reachable, "SELECT id, phone_sealed FROM account WHERE id IN (?)", known)
    keys = ctx.services.keys
    phones = {
        account.id: privacy.mask_phone(keys.open(privacy.PHONE, account.phone_sealed)) for account in accounts
    }
    return [
        phones.get(row.reporter_id) if requests.can_see_reporter(ctx.viewer, row) else None for row in rows
    ]


async def homes_of(ctx: Context, rows: Sequence[RequestRow]) -> list[HomeRow | None]:
    """The home that each case is about, for the same; others see its building."""
    return await identity.homes_by_id(
        ctx, [row.home_id if requests.can_see_reporter(ctx.viewer, row) else None for row in rows]
    )


async def offices_of(ctx: Context, rows: Sequence[RequestRow]) -> list[OrganisationRow | None]:
    """The office that has each case."""
    return await identity.organisations_by_id(ctx, [row.office_id for row in rows])


async def offered_to(ctx: Context, rows: Sequence[RequestRow]) -> list[OrganisationRow | None]:
    """The office that each case is offered to."""
    return await identity.organisations_by_id(ctx, [row.offered_to_id for row in rows])


async def assignees_of(ctx: Context, rows: Sequence[RequestRow | StepRow]) -> list[NeighbourRow | None]:
    """The officer whom each is assigned to."""
    return await identity.faces_of(ctx, [(row.assignee_id, row.community_id) for row in rows])


async def originals_of(ctx: Context, rows: Sequence[RequestRow]) -> list[RequestRow | None]:
    """The case that each is a duplicate of, as far as the viewer may see it."""
    return await visible_by_ids(ctx, [row.duplicate_of_id for row in rows])


async def duplicates_of(ctx: Context, rows: Sequence[RequestRow], args: PageArgs) -> list[Page[RequestRow]]:
    """The cases that were merged into each, as far as the viewer may see them."""
    return await pages(
        RequestRow,
        [row.id for row in rows],
        by="duplicate_of_id",
        args=args,
        where=requests.visible_to(ctx.viewer),
        order=BOARD,
    )


async def posts_of(ctx: Context, rows: Sequence[RequestRow]) -> list[PostRow | None]:
    """The complaint that each case was made of, as far as the viewer may see it."""
    return await feed.visible_by_ids(ctx, [row.post_id for row in rows])


async def requests_of_posts(ctx: Context, posts: Sequence[PostRow]) -> list[RequestRow | None]:
    """The case that was made of each post, as far as the viewer may see it."""
    where = requests.visible_to(ctx.viewer)
    return await by_ids(RequestRow, [post.id for post in posts], where, by="post_id")


def actions_of(ctx: Context, row: RequestRow) -> list[RequestAction]:
    """What the viewer may do with the case now."""
    return [
        action
        for action in requests.MAY
        if requests.state_after(row.state, action) is not None
        and requests.acting_party(ctx.viewer, row, action)
    ]


# Fields of a step


async def requests_around(ctx: Context, steps: Sequence[StepRow]) -> list[RequestRow | None]:
    """The case of each step. Not asked for a viewer: who may see a step may see its case."""
    return await by_ids(RequestRow, [step.request_id for step in steps])


async def officers_of(ctx: Context, steps: Sequence[StepRow]) -> list[NeighbourRow | None]:
    """The officer who did each; a reporter stays unnamed."""
    return await identity.faces_of(
        ctx, [(step.actor_id if step.office_id else None, step.community_id) for step in steps]
    )


async def acting_offices_of(ctx: Context, steps: Sequence[StepRow]) -> list[OrganisationRow | None]:
    """In the name of which office each was done."""
    return await identity.organisations_by_id(ctx, [step.office_id for step in steps])


async def receiving_offices_of(ctx: Context, steps: Sequence[StepRow]) -> list[OrganisationRow | None]:
    """The office that each gives the case to."""
    return await identity.organisations_by_id(ctx, [step.to_office_id for step in steps])


async def linked_by(ctx: Context, steps: Sequence[StepRow]) -> list[RequestRow | None]:
    """The other case of a merge, as far as the viewer may see it."""
    return await visible_by_ids(ctx, [step.linked_request_id for step in steps])


async def notes_of(ctx: Context, steps: Sequence[StepRow]) -> list[str | None]:
    """Each note that the viewer may read."""
    rows = await by_ids(RequestRow, [step.request_id for step in steps])
    return [
        step.note if row and requests.can_read_note(ctx.viewer, step, row) else None
        for step, row in zip(steps, rows, strict=True)
    ]


# Live. Whoever delivers an event has checked its audience, so no viewer is asked.


async def steps_of_events(_ctx: Context, events: Sequence[Logged]) -> list[StepRow | None]:
    """The step that each event tells of."""
    return await steps_by_ids([logged.event.subject for logged in events])


async def requests_of_step_events(_ctx: Context, events: Sequence[Logged]) -> list[RequestRow | None]:
    """The case of the step that each event tells of."""
    return await by_ids(RequestRow, [UUID(logged.fact("request")) for logged in events])


async def requests_of_events(_ctx: Context, events: Sequence[Logged]) -> list[RequestRow | None]:
    """The case that each event is about."""
    return await by_ids(RequestRow, [logged.event.subject for logged in events])


async def offices_of_events(ctx: Context, events: Sequence[Logged]) -> list[OrganisationRow | None]:
    """The office whose queue each event is about."""
    return await identity.organisations_by_id(ctx, [logged.event.thread for logged in events])
