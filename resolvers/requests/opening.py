"""Reporting a case, or making one of a complaint of the feed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models import requests
from models.base import new_id, now
from models.messages import Message
from models.organisations import OrganisationRow
from models.posts import PostKind, PostRow, is_author
from models.powers import Power, office_with
from models.requests import HANDLING, PolicyRow, RequestAction, RequestParty, RequestRow, RequestState
from models.roles import OrganisationKind
from models.storage.rows import Where, execute, select_one
from models.storage.tables import every, insert, one
from resolvers import audit, identity, limits
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing
from resolvers.masking import mask
from resolvers.requests import board, deadlines, handling, policies, steps
from resolvers.requests.steps import StepFacts
from resolvers.retries import earlier_result
from subscriptions.work import Work

LONGEST_TITLE = 80
LONGEST_BODY = 2000
LONGEST_AREA = 80
REPORTS_AN_HOUR = 10
NO_OFFICE = Message("No office of this community handles this yet")


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: one of a home, a building and an estate, and in words."""

    home_id: UUID | None = None
    building_id: UUID | None = None
    estate_id: UUID | None = None
    area: str = ""


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """What a case says."""

    category: str
    title: str
    body: str
    place: Place


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose case it is, who opens it, and what of."""

    community_id: UUID
    reporter_id: UUID
    party: RequestParty
    office: OrganisationRow
    post: PostRow | None = None


async def submit(ctx: Context, *, community_id: UUID, draft: RequestDraft, key: str) -> RequestRow:
    """Bring a case before the office that handles its category; with a key used before, the case made then.

    Raises InvalidInput, NotFound (no such community), NotAllowed (no member of it), Conflict (the key was
    used for something else), RateLimited.
    """
    account_id = ctx.account_id
    await identity.community_visible(ctx, community_id)
    if not requests.can_report(ctx.viewer, community_id):
        raise NotAllowed(Message("Only verified residents and officers of this community may report a case"))
    draft = checked(draft, least=1)
    home = draft.place.home_id
    if home is not None and home not in ctx.viewer.homes:
        raise InvalidInput(homeId=Message("Is no home of yours"))
    place = await registered_place(ctx, community_id, draft.place)
    policy = await policies.current(community_id, draft.category)
    office = await office_for(community_id, policy.office_kind)
    origin = Origin(community_id, account_id, RequestParty.REPORTER, office)
    request_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "submitRequest", [community_id, draft], request_id)
        if earlier is None:
            await limits.check_rate(ctx, "submitRequest", REPORTS_AN_HOUR, 3600)
            await open_case(ctx, work, origin, draft, place, policy, request_id)
    return await board.visible(ctx, earlier or request_id)


async def open_from_post(
    ctx: Context, *, post_id: UUID, category: str, title: str, place: Place, key: str
) -> RequestRow:
    """Make a case of a complaint; its steps then happen inside the post's thread.

    Its author may, and who handles cases for an office, whose case it then is. The case is the author's.
    Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict if there is one already.
    """
    _ = ctx.account_id
    post = await feed.visible(ctx, post_id)
    own = is_author(ctx.viewer, post)
    office_id = office_with(ctx.viewer, post.community_id, Power.HANDLE_REQUESTS)
    if not own and office_id is None:
        raise await audit.refuse(
            ctx,
            "request.openFromPost",
            Message("Only its author or an office that handles cases may make a case of a post"),
            post,
        )
    draft = checked(RequestDraft(category, title, post.body[:LONGEST_BODY], place), least=0)
    if place.home_id is not None and not (own and place.home_id in ctx.viewer.homes):
        raise InvalidInput(homeId=Message("Is no home of yours"))
    if place == Place(area=place.area):
        place = Place(estate_id=post.estate_id, area=place.area)
    found = await registered_place(ctx, post.community_id, place)
    if post.kind is not PostKind.COMPLAINT:
        raise InvalidInput(postId=Message("Is no complaint"))
    policy = await policies.current(post.community_id, category)
    office = (
        await existing(OrganisationRow, office_id)
        if office_id is not None and not own
        else await office_for(post.community_id, policy.office_kind)
    )
    party = RequestParty.REPORTER if own else RequestParty.OFFICE
    origin = Origin(post.community_id, post.author_id, party, office, post)
    request_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "openRequestFromPost", [post_id, draft], request_id)
        if earlier is None:
            await limits.check_rate(ctx, "submitRequest", handling.ACTS_A_MINUTE, 60)
            await open_case(ctx, work, origin, draft, found, policy, request_id)
            await steps.tell_post(work, post.id)
            if party is RequestParty.OFFICE:
                await audit.record(
                    ctx, "request.openFromPost", post, organisation_id=office.id, subject_id=request_id
                )
    return await board.visible(ctx, earlier or request_id)


def checked(draft: RequestDraft, *, least: int) -> RequestDraft:
    """The draft as it is kept. Raises InvalidInput."""
    place = draft.place
    given = [id for id in (place.home_id, place.building_id, place.estate_id) if id]
    if len(given) > 1:
        raise InvalidInput(place=Message("Give one of a home, a building and an estate"))
    area = mask(check_text("area", place.area, LONGEST_AREA, least=0))
    return RequestDraft(
        category=draft.category,
        title=mask(check_text("title", draft.title, LONGEST_TITLE)),
        body=mask(check_text("body", draft.body, LONGEST_BODY, least=least)),
        place=Place(place.home_id, place.building_id, place.estate_id, area),
    )


@dataclass(slots=True)
class RegisteredPlace:
    estate_id: UUID
    building_id: UUID | None
    home_id: UUID | None


async def registered_place(ctx: Context, community_id: UUID, place: Place) -> RegisteredPlace | None:
    """The register's places around the one that was given. Raises InvalidInput."""
    if place.home_id is not None:
        found = await select_one(
            RegisteredPlace,
            "SELECT b.estate_id, b.id AS building_id, h.id AS home_id FROM home h"
            " JOIN building b ON b.id = h.building_id WHERE h.id = ? AND h.community_id = ?",
            place.home_id,
            community_id,
        )
        field = "homeId"
    elif place.building_id is not None:
        found = await select_one(
            RegisteredPlace,
            "SELECT b.estate_id, b.id AS building_id, NULL AS home_id FROM building b"
            " WHERE b.id = ? AND b.community_id = ?",
            place.building_id,
            community_id,
        )
        field = "buildingId"
    elif place.estate_id is not None:
        found = await select_one(
            RegisteredPlace,
            "SELECT e.id AS estate_id, NULL AS building_id, NULL AS home_id FROM estate e"
            " WHERE e.id = ? AND e.community_id = ?",
            place.estate_id,
            community_id,
        )
        field = "estateId"
    else:
        return None
    if found is None:
        raise InvalidInput(**{field: Message("There is no such place in this community")})
    return found


async def offices(community_id: UUID) -> list[OrganisationRow]:
    """The offices of a community that handle cases, the oldest first."""
    return await every(
        OrganisationRow, Where("t.community_id = ? AND t.kind IN (?)", (community_id, sorted(HANDLING)))
    )


async def office_for(community_id: UUID, kind: OrganisationKind) -> OrganisationRow:
    """The office of this kind, else the residents' committee. Raises InvalidInput if there is neither."""
    found = await offices(community_id)
    for wanted in (kind, OrganisationKind.RESIDENTS_COMMITTEE):
        for office in found:
            if office.kind is wanted:
                return office
    raise InvalidInput(category=NO_OFFICE)


async def overseer_of(community_id: UUID) -> UUID | None:
    for office in await offices(community_id):
        if office.kind is OrganisationKind.RESIDENTS_COMMITTEE:
            return office.id
    return None


async def next_number(community_id: UUID) -> int:
    """Cases are numbered without gaps, behind a lock of the community's own."""
    (row,) = await execute(
        "INSERT INTO request_number (id, created_at, community_id, last_number) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (community_id) DO UPDATE SET last_number = request_number.last_number + 1"
        " RETURNING last_number",
        new_id(),
        now(),
        community_id,
    )
    return int(row["last_number"])


async def open_case(
    ctx: Context,
    work: Work,
    origin: Origin,
    draft: RequestDraft,
    place: RegisteredPlace | None,
    policy: PolicyRow,
    request_id: UUID,
) -> None:
    """Write a new case with its first step and its clock, in the caller's transaction."""
    at = now()
    await policies.seed(origin.community_id)
    row = new_case(origin, draft, place, policy, request_id, at, await overseer_of(origin.community_id))
    tenure = await handling.begin_tenure(row, origin.office.id, policy, at)
    row.tenure_id, row.accept_by, row.resolve_by = tenure.id, tenure.accept_by, tenure.resolve_by
    row.due_at = deadlines.deadline(row)
    row.number = await next_number(origin.community_id)
    if not await insert(row, "(post_id) DO NOTHING"):
        earlier = await one(RequestRow, Where("t.post_id = ?", (row.post_id,)))
        raise Conflict(Message("There is a case of this post already"), earlier)
    told = StepFacts(
        action=RequestAction.SUBMIT,
        party=origin.party,
        actor_id=ctx.account_id,
        office_id=origin.office.id if origin.party is RequestParty.OFFICE else None,
        to_office_id=origin.office.id,
    )
    await steps.add(work, ctx, None, row, told, at, new_id())
    await deadlines.keep_time(row, policy, deadlines.NO_TIME)


def new_case(
    origin: Origin,
    draft: RequestDraft,
    place: RegisteredPlace | None,
    policy: PolicyRow,
    request_id: UUID,
    at: datetime,
    overseer_id: UUID | None,
) -> RequestRow:
    # What was said to all neighbours already stays where they can see what becomes of it.
    on_board = policy.on_board or origin.post is not None
    return RequestRow(
        id=request_id,
        created_at=at,
        community_id=origin.community_id,
        number=0,
        scope_id=origin.community_id if on_board else origin.reporter_id,
        reporter_id=origin.reporter_id,
        post_id=origin.post.id if origin.post else None,
        category=policy.code,
        policy_id=policy.id,
        title=draft.title,
        body=draft.body,
        estate_id=place.estate_id if place else None,
        building_id=place.building_id if place else None,
        home_id=place.home_id if place else None,
        area=draft.place.area,
        state=RequestState.SUBMITTED,
        office_id=origin.office.id,
        offered_to_id=None,
        holder_id=origin.office.id,
        overseer_id=overseer_id,
        assignee_id=None,
        tenure_id=request_id,
        offered_tenure_id=None,
        waiting_for=None,
        accept_by=at,
        resolve_by=at,
        due_at=None,
        paused_at=None,
        reminded_for=None,
        escalated_for=None,
        escalated_at=None,
        done_at=None,
        confirm_by=None,
        confirm_reminded_at=None,
        confirmed_by=None,
        closed_at=None,
        duplicate_of_id=None,
        follower_count=0,
        rating=None,
        rating_comment="",
        step_count=1,
        version=1,
    )
