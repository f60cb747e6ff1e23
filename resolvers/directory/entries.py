"""What an organisation offers: writing it, and saying it to the community."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.base import new_id, now
from models.directory import entries
from models.directory.entries import OFFERED, DirectoryCategory, EntryRow
from models.directory.hours import CHINA, Hours
from models.messages import Message
from models.organisations import OrganisationRow
from models.roles import OrganisationKind
from models.storage.rows import EVERYTHING, Where, execute
from models.storage.tables import by_ids, every, insert
from models.visibility import public_of
from resolvers import audit, identity, limits
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.directory import listing
from resolvers.errors import Conflict, InvalidInput, NotFound
from resolvers.existing import only
from resolvers.masking import mask
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, event_about

LONGEST_NAME = 80
LONGEST_SUMMARY = 1000
LONGEST_PLACE = 120
LONGEST_LINE = 200
MOST_LINES = 20
LONGEST_ADDRESS = 500
MOST_INTERVALS = 6
MOST_EXCEPTIONS = 60
FURTHEST_EXCEPTION = timedelta(days=2 * 366)
CHANGES_AN_HOUR = 60

PHONE = re.compile(r"[+＋]?[0-9][0-9 \-()]{1,22}[0-9]")
ADDRESS = re.compile(r"https?://[^\s<>\"]+")

CHANGED = Message("The entry has been changed meanwhile")
ONLY_KEEPERS = Message("Only officers who keep the organisation's entries may do this")


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    address: str


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """What an entry says."""

    category: DirectoryCategory
    name: str
    summary: str
    place: str = ""
    estate_id: UUID | None = None
    building_id: UUID | None = None
    grid_id: UUID | None = None
    phone: str = ""
    hours: Hours = field(default_factory=Hours)
    steps: Sequence[str] = ()
    documents: Sequence[str] = ()
    links: Sequence[Link] = ()

    def columns(self) -> dict[str, Any]:
        """As the table keeps it."""
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "hours": self.hours.to_text(),
            "steps": json.dumps(list(self.steps), ensure_ascii=False),
            "documents": json.dumps(list(self.documents), ensure_ascii=False),
            "links": json.dumps([[it.title, it.address] for it in self.links], ensure_ascii=False),
        }


PLAIN = ("category", "name", "summary", "place", "estate_id", "building_id", "grid_id", "phone")


async def create(ctx: Context, *, organisation_id: UUID, draft: EntryDraft, key: str) -> EntryRow:
    """Write an entry that only its organisation sees; with a key used before, the entry made then.

    Raises InvalidInput, NotFound, NotAllowed, RateLimited, and Conflict for a key that was used for something
    else.
    """
    organisation = await kept_by(ctx, organisation_id, "directory.create")
    draft = await checked(ctx, organisation, draft)
    entry_id = new_id()
    async with ctx.unit_of_work():
        body = {name: str(value) for name, value in draft.columns().items()}
        earlier = await earlier_result(ctx, key, "createEntry", [organisation_id, body], entry_id)
        if earlier is None:
            await limits.check_rate(ctx, "keepDirectory", CHANGES_AN_HOUR, 3600)
            entry = EntryRow(
                id=entry_id,
                community_id=organisation.community_id,
                organisation_id=organisation.id,
                scope_id=organisation.id,
                needs_licence=organisation.kind is OrganisationKind.MERCHANT,
                **draft.columns(),
            )
            await insert(entry)
            await audit.record(ctx, "directory.create", organisation, subject_id=entry_id)
    return await listing.visible(ctx, earlier or entry_id)


async def edit(ctx: Context, *, entry_id: UUID, version: int, draft: EntryDraft) -> EntryRow:
    """Replace what an entry says. Raises InvalidInput, NotFound, NotAllowed, RateLimited, Conflict."""
    row, organisation = await editable(ctx, entry_id, "directory.edit")
    draft = await checked(ctx, organisation, draft)
    values = draft.columns()
    settings = ", ".join(f"{name} = ?" for name in values)
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "keepDirectory", CHANGES_AN_HOUR, 3600)
        changed = await execute(
            f"UPDATE directory_entry SET {settings}, version = version + 1"
            " WHERE id = ? AND version = ? RETURNING id",
            *values.values(),
            row.id,
            version,
        )
        if not changed:
            raise Conflict(CHANGED, row)
        await audit.record(ctx, "directory.edit", row)
        work.record(await event_of(Kind.ENTRY_CHANGED, row))
    return await listing.visible(ctx, entry_id)


async def set_published(ctx: Context, *, entry_id: UUID, version: int, on: bool) -> EntryRow:
    """Say an entry to the community, or take it back.

    What a merchant publishes is seen as soon as a licence holds. To ask for what is so already changes
    nothing. Raises NotFound, NotAllowed, RateLimited, Conflict.
    """
    action = "directory.publish" if on else "directory.withdraw"
    row, _ = await editable(ctx, entry_id, action)
    if row.published == on:
        return row
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "keepDirectory", CHANGES_AN_HOUR, 3600)
        before = await event_of(Kind.ENTRY_WITHDRAWN, row)
        changed = await execute(
            "UPDATE directory_entry SET published_at = ?, scope_id = ?, version = version + 1"
            " WHERE id = ? AND version = ? RETURNING id",
            now() if on else None,
            public_of(row.community_id) if on else row.organisation_id,
            row.id,
            version,
        )
        if not changed:
            raise Conflict(CHANGED, row)
        await audit.record(ctx, action, row)
        work.record(await event_of(Kind.ENTRY_PUBLISHED, row) if on else before)
    return await listing.visible(ctx, entry_id)


# Who may


async def kept_by(ctx: Context, organisation_id: UUID, action: str) -> OrganisationRow:
    """The organisation, for who keeps its entries. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    (organisation,) = await identity.organisations_by_id(ctx, [organisation_id])
    if organisation is None or not ctx.viewer.belongs_to(organisation.community_id):
        raise NotFound
    if not entries.can_keep(ctx.viewer, organisation.id):
        raise await audit.refuse(ctx, action, ONLY_KEEPERS, organisation)
    return organisation


async def editable(ctx: Context, entry_id: UUID, action: str) -> tuple[EntryRow, OrganisationRow]:
    """The entry and its organisation, for who keeps it. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await listing.visible(ctx, entry_id)
    if not entries.can_keep(ctx.viewer, row.organisation_id):
        raise await audit.refuse(ctx, action, ONLY_KEEPERS, row)
    organisation = only(await identity.organisations_by_id(ctx, [row.organisation_id]))
    return row, organisation


# What is told


async def event_of(kind: Kind, row: EntryRow) -> Event:
    """What happened to an entry, for whoever sees it now; call it while that is true of the row stored."""
    (seen,) = await by_ids(EntryRow, [row.id], entries.published_and_licensed(now()))
    return event(kind, row, shown=seen is not None)


def event(kind: Kind, row: EntryRow, *, shown: bool) -> Event:
    return event_about(
        kind, row, entries.audience(row) if shown else frozenset({row.organisation_id}), thread=row.id
    )


async def shown_of(organisation_id: UUID, at: datetime) -> list[EntryRow]:
    """The entries of an organisation that the community sees at this moment."""
    return await of_organisation(organisation_id, entries.published_and_licensed(at))


async def of_organisation(organisation_id: UUID, where: Where = EVERYTHING) -> list[EntryRow]:
    return await every(EntryRow, Where("t.organisation_id = ?", (organisation_id,)) & where)


# What may be said


async def checked(ctx: Context, organisation: OrganisationRow, draft: EntryDraft) -> EntryDraft:
    """The draft as it is kept. Raises InvalidInput."""
    if draft.category not in OFFERED.get(organisation.kind, frozenset()):
        raise InvalidInput(category=Message("This organisation offers nothing of this category"))
    if draft.grid_id is not None and draft.category is not DirectoryCategory.GRID:
        raise InvalidInput(gridId=Message("Only an entry of the category GRID is for a grid"))
    await check_place(ctx, organisation.community_id, draft)
    phone = draft.phone.strip()
    if phone and not PHONE.fullmatch(phone):
        raise InvalidInput(phone=Message("Is not a phone number"))
    check_hours(draft.hours)
    return replace(
        draft,
        name=check_text("name", draft.name, LONGEST_NAME),
        summary=mask(check_text("summary", draft.summary, LONGEST_SUMMARY)),
        place=check_text("place", draft.place, LONGEST_PLACE, least=0),
        phone=phone,
        steps=check_lines("steps", draft.steps),
        documents=check_lines("documents", draft.documents),
        links=check_links(draft.links),
    )


async def check_place(ctx: Context, community_id: UUID, draft: EntryDraft) -> None:
    if draft.estate_id and draft.building_id:
        raise InvalidInput(placeId=Message("Give one of a building and an estate"))
    places: list[Any] = [
        *await identity.estates_by_id(ctx, [draft.estate_id]),
        *await identity.buildings_by_id(ctx, [draft.building_id]),
        *await identity.grids_by_id(ctx, [draft.grid_id]),
    ]
    wanted = (draft.estate_id, draft.building_id, draft.grid_id)
    for name, id, place in zip(("estateId", "buildingId", "gridId"), wanted, places, strict=True):
        if id is not None and (place is None or place.community_id != community_id):
            raise InvalidInput(**{name: Message("There is no such place in this community")})


def check_lines(name: str, lines: Sequence[str]) -> list[str]:
    if len(lines) > MOST_LINES:
        raise InvalidInput(**{name: Message("At most {most}", most=MOST_LINES)})
    return [mask(check_text(name, line, LONGEST_LINE)) for line in lines]


def check_links(links: Sequence[Link]) -> list[Link]:
    if len(links) > MOST_LINES:
        raise InvalidInput(links=Message("At most {most}", most=MOST_LINES))
    for link in links:
        if len(link.address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(link.address):
            raise InvalidInput(links=Message("Is not an address that begins with http:// or https://"))
    return [Link(check_text("links", link.title, LONGEST_NAME), link.address) for link in links]


def check_hours(hours: Hours) -> None:
    if len(hours.exceptions) > MOST_EXCEPTIONS:
        raise InvalidInput(exceptions=Message("At most {most}", most=MOST_EXCEPTIONS))
    today = now().astimezone(CHINA).date()
    if any(abs(day - today) > FURTHEST_EXCEPTION for day in hours.exceptions):
        raise InvalidInput(exceptions=Message("Is too far in the future"))
    days = [*hours.weekly.values(), *(found.intervals for found in hours.exceptions.values())]
    if any(len(intervals) > MOST_INTERVALS for intervals in days):
        raise InvalidInput(hours=Message("At most {most} times a day", most=MOST_INTERVALS))
    for exceptional in hours.exceptions.values():
        check_text("exceptions", exceptional.note, LONGEST_NAME, least=0)
