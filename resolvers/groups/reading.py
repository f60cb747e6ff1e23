"""Groups and who is in them, as far as the viewer may see."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from models import groups as rules
from models.base import now
from models.groups import GroupRow
from models.identity import CommunityRow
from models.messages import Message
from models.posts import PostRow
from models.storage.paging import Order, Page, PageArgs
from models.storage.rows import Where, columns, containing, select
from models.storage.tables import by_ids
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Logged

MOST_SUGGESTED = 10
# What makes a group likely to be liked: a member of the same building counts two, one of the same estate
# one, and as much as three of those that something was posted lately.
LIVELY_FOR = timedelta(days=14)
LIVELY = 3

ONLY_MODERATORS = Message("Only its owner and its moderators may do this")


class InGroup(Protocol):
    """Something that belongs to a group."""

    @property
    def group_id(self) -> UUID: ...


# Groups


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[GroupRow | None]:
    """The groups with these ids, None for each that the viewer may not know of."""
    return await by_ids(GroupRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, group_id: UUID) -> GroupRow:
    """The group. Raises NotFound unless the viewer may know of it."""
    return only(await visible_by_ids(ctx, [group_id]))


async def moderated_by_viewer(ctx: Context, group_id: UUID) -> GroupRow:
    """The group, for who looks after it. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await visible(ctx, group_id)
    if not rules.can_moderate(ctx.viewer, group_id):
        raise NotAllowed(ONLY_MODERATORS)
    return row


async def followable(ctx: Context, group_id: UUID) -> tuple[GroupRow, frozenset[UUID]]:
    """What a stream of a group follows, and the scopes of which one must be held.

    Raises Unauthenticated, NotFound, NotAllowed (only members may read there).
    """
    _ = ctx.account_id
    row = await visible(ctx, group_id)
    if not rules.can_read_posts(ctx.viewer, row):
        raise NotAllowed(Message("Only its members may follow this group"))
    return row, frozenset({rules.scope_of_posts(row)})


async def groups_of(
    ctx: Context,
    communities: Sequence[CommunityRow],
    name: str | None,
    archived: bool,
    order: Order,
    args: PageArgs,
) -> list[Page[GroupRow]]:
    """A page of each community's groups that the viewer may know of."""
    where = rules.visible_to(ctx.viewer) & Where(f"t.archived_at IS {'NOT NULL' if archived else 'NULL'}")
    if name is not None:
        where &= containing("t.name", name)
    return await pages(
        GroupRow,
        [community.id for community in communities],
        by="community_id",
        args=args,
        where=where,
        order=order,
    )


async def suggestions_for(ctx: Context, communities: Sequence[CommunityRow]) -> list[list[GroupRow]]:
    """Groups of each community that the viewer may like to join, by one statement.

    Which they are says nothing of any one neighbour: only groups that everyone may know of are among
    them, and none is left out for having no neighbours in it.
    """
    seen = rules.visible_to(ctx.viewer)
    near = (
        "SELECT m.host_id, SUM(CASE WHEN b.id IN (?) THEN 2 ELSE 1 END) AS weight FROM membership m"
        " JOIN residency r ON r.account_id = m.account_id AND r.until IS NULL"
        " JOIN home h ON h.id = r.home_id JOIN building b ON b.id = h.building_id"
        " WHERE m.left_at IS NULL AND m.community_id IN (?) AND b.estate_id IN (?) GROUP BY m.host_id"
    )
    scored = (
        f"SELECT {columns(GroupRow)}, ROW_NUMBER() OVER (PARTITION BY t.community_id ORDER BY"
        f" COALESCE(n.weight, 0) + CASE WHEN t.last_post_at > ? THEN {LIVELY} ELSE 0 END DESC,"
        f" t.member_count DESC, t.id DESC) AS place FROM interest_group t LEFT JOIN ({near}) n"
        " ON n.host_id = t.id WHERE t.community_id IN (?) AND t.access <> 'CLOSED'"
        " AND t.archived_at IS NULL AND NOT EXISTS (SELECT 1 FROM membership o WHERE o.host_id = t.id"
        f" AND o.account_id = ? AND o.left_at IS NULL) AND ({seen.text})"
    )
    wanted = {community.id for community in communities}
    rows = await select(
        GroupRow,
        f"SELECT {columns(GroupRow, 's')} FROM ({scored}) s WHERE s.place <= {MOST_SUGGESTED}"
        " ORDER BY s.place",
        now() - LIVELY_FOR,
        ctx.viewer.scopes,
        wanted,
        ctx.viewer.scopes,
        wanted,
        ctx.viewer.account_id,
        *seen.params,
    )
    return [[row for row in rows if row.community_id == community.id] for community in communities]


async def visible_groups_around(ctx: Context, rows: Sequence[InGroup]) -> list[GroupRow | None]:
    """The group of each, as far as the viewer may know of it."""
    return await visible_by_ids(ctx, [row.group_id for row in rows])


async def groups_of_posts(_ctx: Context, rows: Sequence[PostRow]) -> list[GroupRow | None]:
    """The group that each post is in, None for the feed's.

    Nobody is asked who reads: a post for all is in a group that all may know of, unless that has
    closed since.
    """
    found = await by_ids(GroupRow, [row.group_id for row in rows], Where("t.dissolved_at IS NULL"))
    return [
        group if group and group.scope_id in (row.scope_id, row.community_id) else None
        for row, group in zip(rows, found, strict=True)
    ]


async def groups_of_events(_ctx: Context, events: Sequence[Logged]) -> list[GroupRow | None]:
    """The group that each event happened in, None once it is dissolved."""
    return await by_ids(GroupRow, [logged.event.thread for logged in events], Where("t.dissolved_at IS NULL"))
