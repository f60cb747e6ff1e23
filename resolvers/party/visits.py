"""The log of a branch's visits to homes: who was where, what was said with consent, what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from models import privacy
from models.base import new_id, now
from models.identity import NeighbourRow, account_behind
from models.messages import Message
from models.organisations import OrganisationRow
from models.party import visits as rules
from models.party.visits import VISITS, HomeVisitorRow, HomeVisitRow
from models.powers import Power
from models.requests import RequestParty, RequestRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select, select_ids
from models.storage.tables import by_ids, insert
from resolvers import audit, identity, limits, retries
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import only
from resolvers.identity.faces import neighbours
from resolvers.paging import pages
from resolvers.party.branches import branch_with_power, members_in, note_reading
from resolvers.requests import board, handling, opening, policies
from resolvers.requests.opening import Origin, Place, RequestDraft
from resolvers.retries import earlier_result

LONGEST_NOTES = 2000
LONGEST_REASON = 300
MOST_VISITORS = 10
LONGEST_AGO = timedelta(days=366)
CHANGED = Message("It has been changed meanwhile")


@dataclass(frozen=True, slots=True)
class Visit:
    """What is written down of a visit. Visitors are named as neighbours."""

    home_id: UUID
    visited_at: datetime
    visitor_ids: tuple[UUID, ...]
    consented: bool
    notes: str = ""


async def record(ctx: Context, *, branch_id: UUID, visit: Visit, key: str) -> HomeVisitRow:
    """Write a visit down; with a key used before, the one written then.

    Without the consent of the household only the fact is kept. Raises InvalidInput, NotFound, NotAllowed,
    Conflict (the key was used for something else).
    """
    branch = await branch_with_power(ctx, branch_id, Power.LOG_HOME_VISITS, "party.recordVisit")
    (visited_at,) = audit.check_moments(visitedAt=visit.visited_at)
    at = now()
    if visited_at is None or not at - LONGEST_AGO <= visited_at <= at:
        raise InvalidInput(visitedAt=Message("Must be within the past year"))
    notes = check_text("notes", visit.notes, LONGEST_NOTES, least=0)
    if notes and not visit.consented:
        raise InvalidInput(notes=Message("Without consent only the fact of the visit is kept"))
    (home,) = await identity.homes_by_id(ctx, [visit.home_id])
    if home is None or home.community_id != branch.community_id:
        raise InvalidInput(homeId=Message("There is no such place in this community"))
    visitors = await visitors_meant(ctx, branch, visit.visitor_ids)
    visit_id = new_id()
    body = [branch_id, visit.home_id, visited_at, visit.visitor_ids, visit.consented, notes]
    async with ctx.unit_of_work():
        earlier = await earlier_result(ctx, key, "recordHomeVisit", body, visit_id)
        if earlier is None:
            await insert(
                HomeVisitRow(
                    id=visit_id,
                    community_id=branch.community_id,
                    branch_id=branch.id,
                    home_id=home.id,
                    visited_at=visited_at,
                    recorded_by_id=ctx.account_id,
                    consented=visit.consented,
                    notes_sealed=ctx.services.keys.seal(privacy.VISIT, notes) if notes else None,
                )
            )
            for account_id in visitors:
                await insert(
                    HomeVisitorRow(community_id=branch.community_id, visit_id=visit_id, account_id=account_id)
                )
            await audit.record(ctx, "party.recordVisit", branch, subject_id=visit_id)
    return await visible(ctx, earlier or visit_id)


async def visitors_meant(ctx: Context, branch: OrganisationRow, ids: tuple[UUID, ...]) -> list[UUID]:
    """The accounts of these neighbours, who are officers or members of the branch. Raises InvalidInput."""
    if not 1 <= len(set(ids)) <= MOST_VISITORS:
        raise InvalidInput(visitorIds=Message("Is out of range"))
    officers = await select_ids(
        "SELECT account_id FROM appointment WHERE organisation_id = ? AND revoked_at IS NULL",
        branch.id,
    )
    known = set(officers) | set(await members_in(branch.id))
    accounts = [account_behind(branch.community_id, id) for id in dict.fromkeys(ids)]
    if not known.issuperset(accounts):
        raise InvalidInput(
            visitorIds=Message("Holds somebody who is neither officer nor member of the branch")
        )
    return accounts


async def withdraw_consent(ctx: Context, *, visit_id: UUID, version: int) -> HomeVisitRow:
    """The household does not want its words kept any more: they are gone. Raises NotFound, Conflict."""
    _ = ctx.account_id
    row = await visible(ctx, visit_id)
    async with ctx.unit_of_work():
        changed = await execute(
            "UPDATE home_visit SET consented = ?, notes_sealed = NULL, version = version + 1"
            " WHERE id = ? AND version = ? RETURNING id",
            False,
            row.id,
            version,
        )
        if not changed:
            raise Conflict(CHANGED, row)
        await retries.forget([row.recorded_by_id], [row.id])
        await audit.record(ctx, "party.withdrawVisitConsent", row)
    return await visible(ctx, visit_id)


async def read_notes(ctx: Context, *, visit_id: UUID, reason: str) -> tuple[HomeVisitRow, str | None]:
    """The notes of a visit in clear, and an audit entry that says why. Raises InvalidInput, NotFound."""
    _ = ctx.account_id
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await visible(ctx, visit_id)
    async with ctx.unit_of_work():
        await audit.record(ctx, "party.readVisitNotes", row, detail=reason)
    sealed = row.notes_sealed
    return row, ctx.services.keys.open(privacy.VISIT, sealed) if sealed else None


async def open_request(
    ctx: Context, *, visit_id: UUID, category: str, title: str, body: str, key: str
) -> HomeVisitRow:
    """Bring what a visit has shown before the office that handles it; the officer is its reporter.

    Raises InvalidInput, NotFound, RateLimited, and Conflict if there is a case already.
    """
    account_id = ctx.account_id
    row = await visible(ctx, visit_id)
    place = Place(home_id=row.home_id)
    draft = opening.checked(RequestDraft(category, title, body, place), least=1)
    located = await opening.registered_place(ctx, row.community_id, place)
    policy = await policies.current(row.community_id, category)
    office = await opening.office_for(row.community_id, policy.office_kind)
    origin = Origin(row.community_id, account_id, RequestParty.REPORTER, office)
    request_id = new_id()
    async with ctx.unit_of_work() as work:
        if await earlier_result(ctx, key, "openRequestFromVisit", [visit_id, draft], request_id) is None:
            await limits.check_rate(ctx, "submitRequest", handling.ACTS_A_MINUTE, 60)
            linked = await execute(
                "UPDATE home_visit SET request_id = ?, version = version + 1"
                " WHERE id = ? AND request_id IS NULL RETURNING id",
                request_id,
                row.id,
            )
            if not linked:
                (opened,) = await requests_of(ctx, [await visible(ctx, visit_id)])
                raise Conflict(Message("There is a case of this visit already"), opened)
            await opening.open_case(ctx, work, origin, draft, located, policy, request_id)
            await audit.record(ctx, "party.openRequest", row)
    return await visible(ctx, visit_id)


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[HomeVisitRow | None]:
    """The visits with these ids, None for each that the viewer may not see."""
    return await by_ids(HomeVisitRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, visit_id: UUID) -> HomeVisitRow:
    """The visit. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [visit_id]))


async def visits_of(
    ctx: Context, branches: Sequence[OrganisationRow], home_id: UUID | None, args: PageArgs
) -> list[Page[HomeVisitRow]]:
    """The visits of each branch, the latest written first, for who keeps its log; empty for others."""
    await note_reading(ctx, "party.visits", branches, Power.LOG_HOME_VISITS)
    where = rules.visible_to(ctx.viewer)
    if home_id is not None:
        where &= Where("t.home_id = ?", (home_id,))
    ids = [branch.id for branch in branches]
    return await pages(HomeVisitRow, ids, by="branch_id", args=args, where=where, order=VISITS)


async def recorders_of(ctx: Context, rows: Sequence[HomeVisitRow]) -> list[NeighbourRow]:
    """Who wrote each down."""
    return await neighbours(ctx, [(row.recorded_by_id, row.community_id) for row in rows])


@dataclass(slots=True)
class Visitor:
    visit_id: UUID
    account_id: UUID
    community_id: UUID


async def visitors_of(ctx: Context, rows: Sequence[HomeVisitRow]) -> list[list[NeighbourRow]]:
    """Who went there."""
    went = await select(
        Visitor,
        "SELECT visit_id, account_id, community_id FROM home_visitor WHERE visit_id IN (?) ORDER BY id",
        {row.id for row in rows},
    )
    faces = await neighbours(ctx, [(it.account_id, it.community_id) for it in went])
    return [[face for it, face in zip(went, faces, strict=True) if it.visit_id == row.id] for row in rows]


async def requests_of(_ctx: Context, rows: Sequence[HomeVisitRow]) -> list[RequestRow | None]:
    """How far what follows from each is, whoever of the office asks."""
    return await by_ids(RequestRow, [row.request_id for row in rows])


async def requests_seen(ctx: Context, rows: Sequence[HomeVisitRow]) -> list[RequestRow | None]:
    """The case itself, where the viewer may see it."""
    return await board.visible_by_ids(ctx, [row.request_id for row in rows])
