"""The directory as people read it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from models.base import now
from models.directory import entries
from models.directory.entries import FAR, NEAR, DirectoryCategory, EntryRow
from models.directory.licences import last_day
from models.identity import AccountRow, CommunityRow, HomeRow
from models.organisations import OrganisationRow
from models.storage import paging
from models.storage.paging import BadPage, Order, Page, PageArgs
from models.storage.rows import EVERYTHING, Where, columns, select
from models.storage.tables import by_ids
from resolvers import identity
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Logged

LONGEST_SEARCH = 40
MOST_GRID_SERVICES = 500


def moment(ctx: Context) -> datetime:
    """The present, the same for all that one operation asks."""
    at: datetime = ctx.memo.setdefault("the directory's moment", now())
    return at


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[EntryRow | None]:
    """The entries with these ids, None for each that the viewer may not see."""
    return await by_ids(EntryRow, ids, entries.visible_to(ctx.viewer, now()))


async def visible(ctx: Context, entry_id: UUID) -> EntryRow:
    """The entry. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [entry_id]))


async def entries_of_events(_ctx: Context, events: Sequence[Logged]) -> list[EntryRow | None]:
    """The entry that each event is about; None if what was shown to the public is not any more.

    Not asked for a viewer: whoever delivers an event has checked its audience.
    """
    rows = await by_ids(EntryRow, [logged.event.subject for logged in events])
    seen = {
        row.id
        for row in await by_ids(
            EntryRow, [row.id for row in rows if row], entries.published_and_licensed(now())
        )
        if row
    }
    return [
        row if row and (row.id in seen or logged.event.audience == {row.organisation_id}) else None
        for row, logged in zip(rows, events, strict=True)
    ]


# Lists


@dataclass(frozen=True, slots=True)
class DirectoryCriteria:
    """Which entries of a community; None is any."""

    categories: frozenset[DirectoryCategory] | None = None
    name: str | None = None

    def where(self) -> Where:
        """Raises InvalidInput."""
        found = EVERYTHING
        if self.categories is not None:
            found &= Where("t.category IN (?)", (sorted(self.categories),))
        if self.name is not None:
            found &= containing_text("t.name", check_text("name", self.name, LONGEST_SEARCH))
        return found


def containing_text(column: str, text: str) -> Where:
    """The rows whose `column` holds `text`."""
    pattern = re.sub(r"([%_\\])", r"\\\1", text.lower())
    return Where(f"lower({column}) LIKE ? ESCAPE '\\'", (f"%{pattern}%",))


async def directory_of(
    ctx: Context, communities: Sequence[CommunityRow], wanted: DirectoryCriteria, args: PageArgs
) -> list[Page[EntryRow]]:
    """What each community's organisations offer, what is near the viewer's home before the rest.

    The two parts are lists of their own with cursors of their own, read by a statement each.
    """
    at = moment(ctx)
    where = entries.visible_to(ctx.viewer, at) & entries.published_and_licensed(at) & wanted.where()
    ids = [row.id for row in communities]
    parts = [
        await part_of(ids, where & mine, order, share)
        for mine, order, share in (
            (entries.where_viewer_lives(ctx.viewer), NEAR, share_of(args, NEAR, before=None, after=FAR)),
            (
                entries.where_viewer_does_not_live(ctx.viewer),
                FAR,
                share_of(args, FAR, before=NEAR, after=None),
            ),
        )
    ]
    return [joined_page(near, far, args) for near, far in zip(*parts, strict=True)]


async def part_of(
    ids: Sequence[UUID], where: Where, order: Order, args: PageArgs | None
) -> list[Page[EntryRow]]:
    if args is None:
        return [Page([], [], False, False) for _ in ids]
    return await pages(EntryRow, ids, by="community_id", args=args, where=where, order=order)


def share_of(args: PageArgs, own: Order, *, before: Order | None, after: Order | None) -> PageArgs | None:
    """What is asked of one part of a list; None if its cursors leave nothing of it.

    `before` and `after` are the orders of the parts that come before and after it.
    """
    if args.after and after and is_of(args.after, after):
        return None
    if args.before and before and is_of(args.before, before):
        return None
    return replace(
        args,
        after=None if args.after and before and is_of(args.after, before) else args.after,
        before=None if args.before and after and is_of(args.before, after) else args.before,
    )


def is_of(cursor: str, order: Order) -> bool:
    try:
        paging.key_of(EntryRow, order, cursor, "after")
    except BadPage:
        return False
    return True


def joined_page(near: Page[EntryRow], far: Page[EntryRow], args: PageArgs) -> Page[EntryRow]:
    """One page of the two parts' pages."""
    items, cursors = near.items + far.items, [*near.cursors, *far.cursors]
    more = len(items) > args.size
    chosen = slice(-args.size, None) if args.backward else slice(args.size)
    if args.backward:
        more |= near.has_previous_page or far.has_previous_page
    else:
        more |= near.has_next_page or far.has_next_page
    return Page(
        items=items[chosen],
        cursors=cursors[chosen],
        has_next_page=more if not args.backward else args.before is not None,
        has_previous_page=more if args.backward else args.after is not None,
    )


async def entries_of(
    ctx: Context, organisations: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[EntryRow]]:
    """What each organisation offers, as far as the viewer sees it; for its own office all that it has
    written."""
    return await pages(
        EntryRow,
        [row.id for row in organisations],
        by="organisation_id",
        args=args,
        where=entries.visible_to(ctx.viewer, moment(ctx)),
        order=FAR,
    )


# What an entry says of itself


@dataclass(slots=True)
class Term:
    organisation_id: UUID
    expires_at: datetime


async def licensed_until(ctx: Context, rows: Sequence[EntryRow]) -> list[date | None]:
    """The last day on which the licence of each entry's merchant is valid; None where none is needed."""
    terms = await select(
        Term,
        "SELECT organisation_id, max(expires_at) AS expires_at FROM merchant_licence"
        " WHERE organisation_id IN (?) AND state = 'APPROVED' AND expires_at > ? GROUP BY organisation_id",
        {row.organisation_id for row in rows if row.needs_licence},
        moment(ctx),
    )
    found = {term.organisation_id: last_day(term.expires_at) for term in terms}
    return [found.get(row.organisation_id) if row.needs_licence else None for row in rows]


# Who looks after a home


@dataclass(slots=True)
class InGrid:
    id: UUID
    grid_id: UUID | None


async def grid_services_of(ctx: Context, homes: Sequence[HomeRow]) -> list[list[EntryRow]]:
    """How the grid that each home is in is reached: entries for just this grid, then those for all."""
    buildings = await select(
        InGrid, "SELECT id, grid_id FROM building WHERE id IN (?)", {home.building_id for home in homes}
    )
    grid_of = {row.id: row.grid_id for row in buildings}
    at = moment(ctx)
    where = entries.visible_to(ctx.viewer, at) & entries.published_and_licensed(at)
    rows = await select(
        EntryRow,
        f"SELECT {columns(EntryRow)} FROM directory_entry t WHERE t.category = ? AND t.community_id IN (?)"
        f" AND (t.grid_id IS NULL OR t.grid_id IN (?)) AND {where.text}"
        f" ORDER BY t.grid_id IS NULL, t.id LIMIT {MOST_GRID_SERVICES}",
        DirectoryCategory.GRID,
        {home.community_id for home in homes},
        {grid_id for grid_id in grid_of.values() if grid_id},
        *where.params,
    )
    return [
        [
            row
            for row in rows
            if row.community_id == home.community_id and row.grid_id in (None, grid_of.get(home.building_id))
        ]
        for home in homes
    ]


async def homes_of_viewer(ctx: Context, accounts: Sequence[AccountRow]) -> list[list[HomeRow]]:
    """Where the signed-in account lives now."""
    homes = [home for home in await identity.homes_by_id(ctx, sorted(ctx.viewer.homes)) if home]
    return [homes if account.id == ctx.viewer.account_id else [] for account in accounts]
