"""What an organisation offers for a while: it begins and ends by itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.base import new_id, now
from models.directory import entries, offers
from models.directory.entries import EntryRow
from models.directory.offers import OFFERS, OfferRow
from models.identity import CommunityRow
from models.messages import Message
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where
from models.storage.tables import by_ids, insert
from resolvers import audit, jobs, limits
from resolvers.checks import check_text
from resolvers.context import Context, Services
from resolvers.directory import entries as keeping
from resolvers.directory import listing
from resolvers.errors import InvalidInput
from resolvers.existing import change_as_read, only
from resolvers.masking import mask
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, Logged, event_about
from subscriptions.work import Work

LONGEST_TITLE = 80
LONGEST_BODY = 1000
DEAREST = 100_000_000
LONGEST = timedelta(days=366)
OFFERS_A_DAY = 20

BEGIN = "OFFER_BEGIN"
END = "OFFER_END"

CHANGED = Message("The offer has been changed or has ended meanwhile")


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """What an offer says."""

    title: str
    body: str
    price_fen: int | None
    starts_at: datetime
    ends_at: datetime


async def create(ctx: Context, *, entry_id: UUID, draft: OfferDraft, key: str) -> OfferRow:
    """Offer something; with a key used before, the offer made then.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict for a key that was used for something
    else.
    """
    entry, _ = await keeping.editable(ctx, entry_id, "offer.create")
    draft = checked(draft)
    offer_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "createOffer", [entry_id, draft], offer_id)
        if earlier is None:
            await limits.check_rate(ctx, "createOffer", OFFERS_A_DAY, 86400)
            row = OfferRow(
                id=offer_id,
                created_at=now(),
                community_id=entry.community_id,
                entry_id=entry.id,
                organisation_id=entry.organisation_id,
                **asdict(draft),
                withdrawn_at=None,
                version=1,
            )
            await insert(row)
            await keep_time(row)
            await audit.record(ctx, "offer.create", row)
            work.record(await event_of(Kind.OFFER_PUBLISHED, row))
    return await visible(ctx, earlier or offer_id)


async def edit(ctx: Context, *, offer_id: UUID, version: int, draft: OfferDraft) -> OfferRow:
    """Replace what an offer says, while it has not ended.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, Conflict.
    """
    row, _ = await editable(ctx, offer_id, "offer.edit")
    draft = checked(draft)
    after = replace(row, **asdict(draft))
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "editOffer", OFFERS_A_DAY * 3, 86400)
        # Before the offer is locked: a job locks itself and then its offer.
        await jobs.unschedule(row.id, BEGIN, END)
        before = await event_of(Kind.OFFER_ENDED, row)
        await change(row, version, **asdict(draft))
        await keep_time(after)
        await audit.record(ctx, "offer.edit", row)
        at = now()
        work.record(
            before if row.runs(at) and not after.runs(at) else await event_of(Kind.OFFER_CHANGED, after)
        )
    return await visible(ctx, offer_id)


async def withdraw(ctx: Context, *, offer_id: UUID, version: int) -> OfferRow:
    """End an offer before its time. Raises NotFound, NotAllowed, Conflict."""
    row, _ = await editable(ctx, offer_id, "offer.withdraw")
    async with ctx.unit_of_work() as work:
        await jobs.unschedule(row.id, BEGIN, END)
        before = await event_of(Kind.OFFER_ENDED, row)
        await change(row, version, withdrawn_at=now())
        await audit.record(ctx, "offer.withdraw", row)
        work.record(before)
    return await visible(ctx, offer_id)


async def change(row: OfferRow, version: int, **values: Any) -> None:
    """Raises Conflict, and so undoes all, unless the offer is as it was read and has not ended."""
    still = Where("t.withdrawn_at IS NULL AND t.ends_at > ?", (now(),))
    await change_as_read(row, version, CHANGED, still, **values)


async def editable(ctx: Context, offer_id: UUID, action: str) -> tuple[OfferRow, EntryRow]:
    """The offer and its entry, for who keeps it. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await visible(ctx, offer_id)
    entry, _ = await keeping.editable(ctx, row.entry_id, action)
    return row, entry


def checked(draft: OfferDraft) -> OfferDraft:
    if not now() < draft.ends_at > draft.starts_at:
        raise InvalidInput(validUntil=Message("Must be later than the start, and in the future"))
    if draft.ends_at > max(draft.starts_at, now()) + LONGEST or draft.starts_at > now() + LONGEST:
        raise InvalidInput(validUntil=Message("Is too far in the future"))
    if draft.price_fen is not None and not 0 <= draft.price_fen <= DEAREST:
        raise InvalidInput(priceFen=Message("Is out of range"))
    return replace(
        draft,
        title=check_text("title", draft.title, LONGEST_TITLE),
        body=mask(check_text("body", draft.body, LONGEST_BODY)),
    )


async def keep_time(row: OfferRow) -> None:
    if row.starts_at > now():
        await jobs.schedule(BEGIN, row.id, row.starts_at)
    await jobs.schedule(END, row.id, row.ends_at)


async def event_of(kind: Kind, row: OfferRow) -> Event:
    """What happened to an offer, for whoever sees it now."""
    at = now()
    (shown,) = await by_ids(EntryRow, [row.entry_id], entries.published_and_licensed(at))
    return event(kind, row, shown if row.runs(at) else None)


def event(kind: Kind, row: OfferRow, shown: EntryRow | None) -> Event:
    return event_about(
        kind, row, entries.audience(shown) if shown else frozenset({row.organisation_id}), thread=row.entry_id
    )


# What the clock does. Whether an offer runs is decided by the query; this tells of it.


@jobs.does(BEGIN)
async def begin(_services: Services, work: Work, offer_id: UUID) -> None:
    (row,) = await by_ids(OfferRow, [offer_id])
    if row and row.runs(now()):
        work.record(await event_of(Kind.OFFER_PUBLISHED, row))


@jobs.does(END)
async def end(_services: Services, work: Work, offer_id: UUID) -> None:
    (row,) = await by_ids(OfferRow, [offer_id])
    if row and row.withdrawn_at is None and row.ends_at <= now():
        (shown,) = await by_ids(EntryRow, [row.entry_id], entries.published_and_licensed(now()))
        work.record(event(Kind.OFFER_ENDED, row, shown))


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[OfferRow | None]:
    """The offers with these ids, None for each that the viewer may not see."""
    return await by_ids(OfferRow, ids, offers.visible_to(ctx.viewer, now()))


async def visible(ctx: Context, offer_id: UUID) -> OfferRow:
    """The offer. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [offer_id]))


async def offers_of_events(_ctx: Context, events: Sequence[Logged]) -> list[OfferRow | None]:
    """The offer that each event is about; None if what was shown to the public is not any more."""
    rows = await by_ids(OfferRow, [logged.event.subject for logged in events])
    shown = {
        row.id
        for row in await by_ids(
            OfferRow, [row.id for row in rows if row], offers.running_of_shown_entries(now())
        )
        if row
    }
    return [
        row if row and (row.id in shown or logged.event.audience == {row.organisation_id}) else None
        for row, logged in zip(rows, events, strict=True)
    ]


async def offers_of(ctx: Context, rows: Sequence[EntryRow], args: PageArgs) -> list[Page[OfferRow]]:
    """What is offered under each entry now, the newest first; for its own office, all that ever was."""
    where = offers.visible_to(ctx.viewer, listing.moment(ctx))
    return await pages(
        OfferRow, [row.id for row in rows], by="entry_id", args=args, where=where, order=OFFERS
    )


async def offers_in(
    ctx: Context, communities: Sequence[CommunityRow], args: PageArgs
) -> list[Page[OfferRow]]:
    """What is offered in each community now, the newest first."""
    at = listing.moment(ctx)
    where = offers.visible_to(ctx.viewer, at) & offers.running_of_shown_entries(at)
    ids = [row.id for row in communities]
    return await pages(OfferRow, ids, by="community_id", args=args, where=where, order=OFFERS)


async def entries_of(_ctx: Context, rows: Sequence[OfferRow]) -> list[EntryRow | None]:
    """The entry of each offer. Whoever sees an offer sees its entry."""
    return await by_ids(EntryRow, [row.entry_id for row in rows])
