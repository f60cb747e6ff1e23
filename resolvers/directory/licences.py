"""The licences of merchants: they submit them, the residents' committee decides, the clock ends them."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from models import privacy
from models.base import new_id, now
from models.directory import licences
from models.directory.hours import CHINA
from models.directory.licences import (
    LICENCE_STEPS,
    LICENCES,
    LicenceAction,
    LicenceKind,
    LicenceRow,
    LicenceState,
    LicenceStepRow,
    expiry,
)
from models.identity import CommunityRow, NeighbourRow
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.powers import Power, has_power
from models.privacy import mask_document
from models.roles import OrganisationKind
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, Where, execute
from models.storage.tables import by_ids, insert, one
from models.visibility import NOBODY
from resolvers import audit, identity, jobs, limits
from resolvers.checks import check_text
from resolvers.context import Context, Services
from resolvers.directory import entries
from resolvers.errors import Conflict, InvalidInput, NotFound
from resolvers.existing import locked, only
from resolvers.notifications import notify
from resolvers.organisations import officers_with
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Kind, Logged, event_about
from subscriptions.work import Work

NUMBER = re.compile(r"[A-Z0-9][A-Z0-9\-]{4,38}[A-Z0-9]")
LONGEST_REASON = 300
SUBMISSIONS_A_DAY = 10
LONGEST = timedelta(days=100 * 366)
REMIND_BEFORE = timedelta(days=30)
ONLY_CHECKERS = Message("Only the residents' committee checks licences")

INSTANT = timedelta(microseconds=1)

REMIND = "LICENCE_REMIND"
EXPIRE = "LICENCE_EXPIRE"

DECIDED = Message("The licence has been decided or has changed meanwhile")


async def submit(
    ctx: Context, *, organisation_id: UUID, kind: LicenceKind, number: str, valid_until: date, key: str
) -> LicenceRow:
    """Bring a merchant's licence before the residents' committee; with a key used before, the one made then.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict while another one waits.
    """
    organisation = await entries.kept_by(ctx, organisation_id, "licence.submit")
    if organisation.kind is not OrganisationKind.MERCHANT:
        raise InvalidInput(organisationId=Message("Only merchants need a licence"))
    number = check_number(number)
    expires_at = expiry(check_last_day(valid_until))
    licence_id = new_id()
    async with ctx.unit_of_work() as work:
        body = [organisation_id, kind, valid_until, number]
        earlier = await earlier_result(ctx, key, "submitLicence", body, licence_id)
        if earlier is None:
            await limits.check_rate(ctx, "submitLicence", SUBMISSIONS_A_DAY, 86400)
            await locked(OrganisationRow, organisation.id)
            waiting = await one(
                LicenceRow, Where("t.organisation_id = ? AND t.state = 'PENDING'", (organisation.id,))
            )
            if waiting:
                raise Conflict(Message("A licence is being checked already"), waiting)
            row = LicenceRow(
                id=licence_id,
                created_at=now(),
                community_id=organisation.community_id,
                organisation_id=organisation.id,
                kind=kind,
                number_sealed=ctx.services.keys.seal(privacy.LICENCE, number),
                expires_at=expires_at,
                state=LicenceState.PENDING,
                version=1,
            )
            await insert(row)
            await add_step(work, ctx, row, LicenceAction.SUBMIT)
            await audit.record(ctx, "licence.submit", row)
    return await visible(ctx, earlier or licence_id)


async def decide(
    ctx: Context, *, licence_id: UUID, version: int, approve: bool, reason: str = ""
) -> LicenceRow:
    """Approve or reject what a merchant has submitted; audited.

    Raises InvalidInput (a rejection without a reason), NotFound, NotAllowed, Conflict (it is decided).
    """
    action = LicenceAction.APPROVE if approve else LicenceAction.REJECT
    return await change_status(ctx, licence_id, version, LicenceState.PENDING, action, reason)


async def revoke(ctx: Context, *, licence_id: UUID, version: int, reason: str) -> LicenceRow:
    """Take back an approval: what the merchant offers is seen no more. Raises as `decide`."""
    return await change_status(ctx, licence_id, version, LicenceState.APPROVED, LicenceAction.REVOKE, reason)


LEADS_TO = {
    LicenceAction.APPROVE: LicenceState.APPROVED,
    LicenceAction.REJECT: LicenceState.REJECTED,
    LicenceAction.REVOKE: LicenceState.REVOKED,
}


async def change_status(
    ctx: Context, licence_id: UUID, version: int, before: LicenceState, action: LicenceAction, reason: str
) -> LicenceRow:
    row = await checked_by_viewer(ctx, licence_id, f"licence.{action.value.lower()}")
    least = 0 if action is LicenceAction.APPROVE else 1
    reason = check_text("reason", reason, LONGEST_REASON, least=least)
    at = now()
    async with ctx.unit_of_work() as work:
        await locked(OrganisationRow, row.organisation_id)
        shown = {entry.id for entry in await entries.shown_of(row.organisation_id, at)}
        changed = await execute(
            "UPDATE merchant_licence SET state = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND state = ? RETURNING id",
            LEADS_TO[action],
            row.id,
            version,
            before,
        )
        if not changed or row.expires_at <= at:
            raise Conflict(DECIDED, row)
        await add_step(work, ctx, row, action, reason)
        await tell_entries(work, row, shown)
        if action is LicenceAction.APPROVE:
            await jobs.schedule(REMIND, row.id, row.expires_at - REMIND_BEFORE)
            await jobs.schedule(EXPIRE, row.id, row.expires_at)
        await audit.record(
            ctx, f"licence.{action.value.lower()}", row, power=Power.LICENSE_MERCHANTS, detail=reason
        )
    return await visible(ctx, row.id)


async def unmask(ctx: Context, *, licence_id: UUID, reason: str) -> str:
    """The number in clear, for who checks it, and an audit entry that says why.

    Raises InvalidInput, NotFound, NotAllowed.
    """
    reason = check_text("reason", reason, LONGEST_REASON, least=4)
    row = await checked_by_viewer(ctx, licence_id, "licence.unmask")
    async with ctx.unit_of_work():
        await audit.record(ctx, "licence.unmask", row, power=Power.LICENSE_MERCHANTS, detail=reason)
    return ctx.services.keys.open(privacy.LICENCE, row.number_sealed)


async def checked_by_viewer(ctx: Context, licence_id: UUID, action: str) -> LicenceRow:
    """The licence, for who checks licences. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await visible(ctx, licence_id)
    if not licences.can_license(ctx.viewer, row.community_id):
        raise await audit.refuse(ctx, action, ONLY_CHECKERS, row, power=Power.LICENSE_MERCHANTS)
    return row


def check_number(number: str) -> str:
    kept = re.sub(r"\s", "", number).upper()
    if not NUMBER.fullmatch(kept):
        raise InvalidInput(number=Message("Must have 6 to 40 letters, digits and hyphens"))
    return kept


def check_last_day(day: date) -> date:
    today = now().astimezone(CHINA).date()
    if not today <= day <= today + LONGEST:
        raise InvalidInput(validUntil=Message("Must be today or later, within a hundred years"))
    return day


# What is written and told


async def add_step(
    work: Work, ctx: Context, row: LicenceRow, action: LicenceAction, reason: str = ""
) -> None:
    """Write what was done with a licence, and tell of it: the merchant's officers in their inboxes."""
    step = LicenceStepRow(
        id=new_id(),
        created_at=now(),
        community_id=row.community_id,
        licence_id=row.id,
        organisation_id=row.organisation_id,
        action=action,
        actor_id=ctx.viewer.account_id,
        reason=reason,
    )
    await insert(step)
    work.record(event_about(Kind.LICENCE_STEP, step, licences.audience(row), thread=row.organisation_id))
    if action is not LicenceAction.SUBMIT:
        await notify(
            work,
            ctx,
            NotificationKind.LICENCE,
            await officers_with(row.organisation_id, Power.KEEP_DIRECTORY),
            step,
            actor_id=step.actor_id,
        )


async def tell_entries(work: Work, row: LicenceRow, before: set[UUID]) -> None:
    """Tell the community which of the merchant's entries have come, and which have gone."""
    found = {entry.id: entry for entry in await entries.of_organisation(row.organisation_id)}
    after = {entry.id for entry in await entries.shown_of(row.organisation_id, now())}
    work.record(
        *(entries.event(Kind.ENTRY_PUBLISHED, found[id], shown=True) for id in sorted(after - before)),
        *(entries.event(Kind.ENTRY_WITHDRAWN, found[id], shown=True) for id in sorted(before - after)),
    )


# What the clock does. Each looks at the licence anew, and does nothing if it is not so any more.


@jobs.does(REMIND)
async def remind(services: Services, work: Work, licence_id: UUID) -> None:
    """Tell the merchant that a licence is about to expire."""
    (row,) = await by_ids(LicenceRow, [licence_id])
    if row and row.state is LicenceState.APPROVED and row.expires_at > now():
        await add_step(work, Context(services, NOBODY), row, LicenceAction.REMIND)


@jobs.does(EXPIRE)
async def expire(services: Services, work: Work, licence_id: UUID) -> None:
    """Tell the merchant, and the community of the entries that it sees no more.

    What is seen is decided by the query, not by this.
    """
    (row,) = await by_ids(LicenceRow, [licence_id])
    at = now()
    if row is None or row.state is not LicenceState.APPROVED or row.expires_at > at:
        return
    before = {entry.id for entry in await entries.shown_of(row.organisation_id, row.expires_at - INSTANT)}
    await add_step(work, Context(services, NOBODY), row, LicenceAction.EXPIRE)
    await tell_entries(work, row, before)


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[LicenceRow | None]:
    """The licences with these ids, None for each that the viewer may not see."""
    return await by_ids(LicenceRow, ids, licences.visible_to(ctx.viewer))


async def visible(ctx: Context, licence_id: UUID) -> LicenceRow:
    """The licence. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [licence_id]))


async def followable(ctx: Context, organisation_id: UUID) -> OrganisationRow:
    """The office in which the viewer follows licences: the merchant's own, or one that checks them.

    Raises Unauthenticated, NotFound, NotAllowed.
    """
    _ = ctx.account_id
    (office,) = await identity.organisations_by_id(ctx, [organisation_id])
    if office is None or not ctx.viewer.belongs_to(office.community_id):
        raise NotFound
    if not any(
        has_power(ctx.viewer, office.id, power) for power in (Power.KEEP_DIRECTORY, Power.LICENSE_MERCHANTS)
    ):
        raise await audit.refuse(
            ctx, "licence.follow", ONLY_CHECKERS, office, power=Power.LICENSE_MERCHANTS, subject_id=office.id
        )
    return office


async def steps_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[LicenceStepRow | None]:
    """The steps with these ids, None for each that the viewer may not see."""
    return await steps_by_ids(ids, licences.visible_to(ctx.viewer))


async def steps_by_ids(ids: Sequence[UUID], where: Where = EVERYTHING) -> list[LicenceStepRow | None]:
    return await by_ids(LicenceStepRow, ids, where)


async def steps_of_events(_ctx: Context, events: Sequence[Logged]) -> list[LicenceStepRow | None]:
    """The step that each event tells of. Whoever delivers an event has checked its audience."""
    return await steps_by_ids([logged.event.subject for logged in events])


async def steps_of(_ctx: Context, rows: Sequence[LicenceRow], args: PageArgs) -> list[Page[LicenceStepRow]]:
    """What was done with each licence, in its order."""
    ids = [row.id for row in rows]
    return await pages(LicenceStepRow, ids, by="licence_id", args=args, order=LICENCE_STEPS)


async def licences_around(_ctx: Context, rows: Sequence[LicenceStepRow]) -> list[LicenceRow | None]:
    """The licence of each step."""
    return await by_ids(LicenceRow, [row.licence_id for row in rows])


async def actors_of(ctx: Context, rows: Sequence[LicenceStepRow]) -> list[NeighbourRow | None]:
    """Who did each step; None for the clock."""
    return await identity.faces_of(ctx, [(row.actor_id, row.community_id) for row in rows])


async def masked_numbers(ctx: Context, rows: Sequence[LicenceRow]) -> list[str]:
    """The number of each licence, masked."""
    keys = ctx.services.keys
    return [mask_document(keys.open(privacy.LICENCE, row.number_sealed)) for row in rows]


async def licences_of_merchants(
    ctx: Context, organisations: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[LicenceRow]]:
    """What each merchant has submitted, the newest first; empty for who may not see it."""
    return await pages(
        LicenceRow,
        [row.id for row in organisations],
        by="organisation_id",
        args=args,
        where=licences.visible_to(ctx.viewer),
        order=LICENCES,
    )


async def licences_of_communities(
    ctx: Context, communities: Sequence[CommunityRow], state: LicenceState | None, args: PageArgs
) -> list[Page[LicenceRow]]:
    """The licences of each community's merchants, the newest first, as far as the viewer may see them."""
    where = licences.visible_to(ctx.viewer)
    if state is not None:
        where &= Where("t.state = ?", (state,))
    return await pages(
        LicenceRow,
        [row.id for row in communities],
        by="community_id",
        args=args,
        where=where,
        order=LICENCES,
    )
