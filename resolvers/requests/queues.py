"""Cases as an office sees them: what waits for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models import requests
from models.base import now
from models.messages import Message
from models.organisations import OrganisationRow
from models.requests import BY_DUE, QUEUE, RequestBucket, RequestRow, RequestState
from models.storage.paging import Page, PageArgs
from models.storage.rows import NOTHING, Where, select
from resolvers import audit, identity
from resolvers.context import Context
from resolvers.errors import NotFound
from resolvers.paging import pages

HOLDER, OFFICE, OVERSEER = "holder_id", "office_id", "overseer_id"
OPEN = requests.in_states(requests.OPEN)


def in_queue(*states: RequestState) -> Where:
    return requests.in_states(states)


def bucket(wanted: RequestBucket, at: datetime) -> tuple[str, Where]:
    """Which cases are in a bucket: the column that names the office, and the condition (on ``t``)."""
    match wanted:
        case RequestBucket.TO_ACCEPT:
            return HOLDER, in_queue(RequestState.SUBMITTED)
        case RequestBucket.HANDED_OVER_TO_US:
            return HOLDER, in_queue(RequestState.HANDED_OVER)
        case RequestBucket.IN_HAND:
            return HOLDER, in_queue(RequestState.ACCEPTED, RequestState.ASSIGNED, RequestState.IN_PROGRESS)
        case RequestBucket.WAITING:
            return HOLDER, in_queue(RequestState.WAITING)
        case RequestBucket.RETURNED:
            return HOLDER, in_queue(RequestState.RETURNED)
        case RequestBucket.OVERDUE:
            return HOLDER, requests.overdue(at)
        case RequestBucket.HANDED_OVER:
            return OFFICE, in_queue(RequestState.HANDED_OVER)
        case RequestBucket.TO_CONFIRM:
            return HOLDER, in_queue(RequestState.DONE)
        case RequestBucket.ESCALATED:
            return OVERSEER, Where("t.escalated_at IS NOT NULL") & OPEN
        case RequestBucket.CLOSED:
            return OFFICE, requests.in_states(requests.CLOSED)


@dataclass(slots=True)
class QueueCounts:
    """How many open cases of an office are in each bucket."""

    organisation_id: UUID
    to_accept: int = 0
    handed_over_to_us: int = 0
    in_hand: int = 0
    waiting: int = 0
    returned: int = 0
    overdue: int = 0
    handed_over: int = 0
    to_confirm: int = 0
    escalated: int = 0


COUNTED = [wanted for wanted in RequestBucket if wanted is not RequestBucket.CLOSED]


async def queue_of(
    ctx: Context,
    organisations: Sequence[OrganisationRow],
    wanted: RequestBucket,
    assigned_to_me: bool,
    args: PageArgs,
) -> list[Page[RequestRow]]:
    """A page of each office's queue, the longest waiting first; empty for who does not handle its cases."""
    await audit.note_reading(
        ctx, "requestQueue", organisations, lambda row: requests.can_see_queue(ctx.viewer, row.id)
    )
    by, where = bucket(wanted, now())
    seen = {row.id for row in organisations if requests.can_see_queue(ctx.viewer, row.id)}
    where &= Where(f"t.{by} IN (?)", (seen,))
    if assigned_to_me:
        where &= Where("t.assignee_id = ?", (ctx.viewer.account_id,)) if ctx.viewer.account_id else NOTHING
    order = BY_DUE if wanted is RequestBucket.OVERDUE else QUEUE
    ids = [row.id for row in organisations]
    return await pages(RequestRow, ids, by=by, args=args, where=where, order=order)


async def counts_of(ctx: Context, organisations: Sequence[OrganisationRow]) -> list[QueueCounts | None]:
    """How many cases are in each bucket, by one statement; None for who does not handle them."""
    seen = {row.id for row in organisations if requests.can_see_queue(ctx.viewer, row.id)}
    found = await counts(seen) if seen else {}
    return [found.get(row.id) or QueueCounts(row.id) if row.id in seen else None for row in organisations]


@dataclass(slots=True)
class Counted:
    organisation_id: UUID
    bucket: RequestBucket
    number: int


async def counts(organisation_ids: set[UUID]) -> dict[UUID, QueueCounts]:
    at = now()
    # A part for each bucket, so that each counts what an index has together.
    parts: list[str] = []
    params: list[object] = []
    for wanted in COUNTED:
        by, where = bucket(wanted, at)
        parts.append(
            f"SELECT t.{by} AS organisation_id, '{wanted.value}' AS bucket, COUNT(*) AS number"
            f" FROM service_request t WHERE t.{by} IN (?) AND ({where.text}) GROUP BY t.{by}"
        )
        params += [organisation_ids, *where.params]
    found: dict[UUID, QueueCounts] = {}
    for row in await select(Counted, " UNION ALL ".join(parts), *params):
        of = found.setdefault(row.organisation_id, QueueCounts(row.organisation_id))
        setattr(of, row.bucket.value.lower(), row.number)
    return found


async def followed_queue(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    """The office whose queue the viewer may follow. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    (office,) = await identity.organisations_by_id(ctx, [organisation_id])
    if office is None or not ctx.viewer.belongs_to(office.community_id):
        raise NotFound
    if not requests.can_see_queue(ctx.viewer, office.id):
        raise await audit.refuse(
            ctx, "requestQueue", Message("Only officers who handle its cases see an office's queue"), office
        )
    await audit.note_reading(ctx, "requestQueue", [office])
    return office
