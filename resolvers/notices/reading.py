"""Notices as the viewer may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.base import now
from models.identity import CommunityRow
from models.messages import Message
from models.notices import (
    AudienceKind,
    AudienceRow,
    NoticeCategory,
    NoticeRow,
    NoticeStatus,
    ReceiptRow,
    Severity,
    visible_to,
)
from models.organisations import OrganisationRow
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import EVERYTHING, Where, columns, select
from models.storage.tables import by_ids, lists
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.existing import existing, only
from resolvers.identity import community_visible
from resolvers.paging import pages
from subscriptions.events import Logged


async def notice(notice_id: UUID) -> NoticeRow:
    """The notice itself, for those who have asked before whether it may be seen."""
    return await existing(NoticeRow, notice_id)


async def visible(ctx: Context, notice_id: UUID) -> NoticeRow:
    """Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [notice_id]))


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[NoticeRow | None]:
    return await by_ids(NoticeRow, ids, visible_to(ctx.viewer))


async def current_of(row: NoticeRow) -> NoticeRow:
    """The newest notice in the chain of updates that `row` belongs to."""
    (newest,) = await select(
        NoticeRow,
        f"SELECT {columns(NoticeRow)} FROM notice t WHERE t.root_id = ? ORDER BY t.id DESC LIMIT 1",
        row.root_id,
    )
    return newest


async def check_may_follow(ctx: Context, community_id: UUID) -> None:
    """Raises unless the viewer may follow the notices of the community.

    Unauthenticated without an account; NotFound for those who know nothing of the community;
    NotAllowed for those who are not verified in it.
    """
    _ = ctx.account_id
    await community_visible(ctx, community_id)
    if not ctx.viewer.belongs_to(community_id):
        raise NotAllowed(Message("Only verified residents and officers are sent notices"))


# Lists


@dataclass(frozen=True, slots=True)
class Filters:
    """Which notices are wanted; None for all."""

    status: NoticeStatus | None = None
    severities: frozenset[Severity] | None = None
    category: NoticeCategory | None = None

    @property
    def where(self) -> Where:
        where = EVERYTHING
        if self.status is not None:
            where &= Where("t.status = ?", (self.status,))
        if self.severities is not None:
            where &= Where("t.severity IN (?)", (self.severities,))
        if self.category is not None:
            where &= Where("t.category = ?", (self.category,))
        return where


def in_force() -> Where:
    """Active notices whose time has come and is not over."""
    at = now()
    return Where(
        "t.status = ? AND t.starts_at <= ? AND (t.ends_at IS NULL OR t.ends_at > ?)",
        (NoticeStatus.ACTIVE, at, at),
    )


async def notices_of_communities(
    ctx: Context, communities: Sequence[CommunityRow], filters: Filters, args: PageArgs
) -> list[Page[NoticeRow]]:
    """For each community its notices that the viewer may see, newest first."""
    return await pages(
        NoticeRow,
        [community.id for community in communities],
        by="community_id",
        args=args,
        where=visible_to(ctx.viewer) & filters.where,
    )


async def notices_of_organisations(
    ctx: Context, organisations: Sequence[OrganisationRow], filters: Filters, args: PageArgs
) -> list[Page[NoticeRow]]:
    """For each organisation the notices it published that the viewer may see, newest first."""
    return await pages(
        NoticeRow,
        [organisation.id for organisation in organisations],
        by="organisation_id",
        args=args,
        where=visible_to(ctx.viewer) & filters.where,
    )


async def active(ctx: Context, community_id: UUID, args: PageArgs) -> Page[NoticeRow]:
    """What is in force now for the viewer, newest first. Raises InvalidInput."""
    (page,) = await pages(
        NoticeRow,
        [community_id],
        by="community_id",
        args=args,
        where=visible_to(ctx.viewer) & in_force(),
    )
    return page


async def unacknowledged(
    ctx: Context, community_id: UUID, severities: frozenset[Severity], args: PageArgs
) -> Page[NoticeRow]:
    """Active notices not yet over that went to a home of the viewer's and were not acknowledged there.

    Raises InvalidInput.
    """
    open_receipt = Where(
        "EXISTS (SELECT 1 FROM receipt r"
        " WHERE r.notice_id = t.id AND r.home_id IN (?) AND r.acknowledged_at IS NULL)",
        (ctx.viewer.homes,),
    )
    pending = Where(
        "t.status = ? AND (t.ends_at IS NULL OR t.ends_at > ?) AND t.severity IN (?)",
        (NoticeStatus.ACTIVE, now(), severities),
    )
    (page,) = await pages(
        NoticeRow,
        [community_id],
        by="community_id",
        args=args,
        where=visible_to(ctx.viewer) & pending & open_receipt,
    )
    return page


# What belongs to a notice. Who may see the notice may see these: an update goes to the same audience.


async def audiences_of(_ctx: Context, notices: Sequence[NoticeRow]) -> list[list[AudienceRow]]:
    """For each notice the scopes it was sent to, without the offices that look on."""
    scopes = Where("t.kind <> ?", (AudienceKind.OFFICE,))
    return await lists(AudienceRow, [row.id for row in notices], scopes, by="notice_id")


async def superseded_by(_ctx: Context, notices: Sequence[NoticeRow]) -> list[NoticeRow | None]:
    """For each notice the one that it supersedes."""
    return await by_ids(NoticeRow, [row.supersedes_id for row in notices])


async def superseding(_ctx: Context, notices: Sequence[NoticeRow]) -> list[NoticeRow | None]:
    """For each notice the one by which it was superseded."""
    return await by_ids(NoticeRow, [row.id for row in notices], by="supersedes_id")


async def histories_of(_ctx: Context, notices: Sequence[NoticeRow], args: PageArgs) -> list[Page[NoticeRow]]:
    """For each notice the chain of updates that it belongs to, oldest first."""
    return await pages(NoticeRow, [row.root_id for row in notices], by="root_id", args=args, order=OLDEST)


async def viewers_receipts(ctx: Context, notices: Sequence[NoticeRow]) -> list[list[ReceiptRow]]:
    """For each notice the receipts of the viewer's own homes."""
    own = Where("t.home_id IN (?)", (ctx.viewer.homes,))
    return await lists(ReceiptRow, [row.id for row in notices], own, by="notice_id")


async def subjects_of(_ctx: Context, events: Sequence[Logged]) -> list[Any]:
    """The notice that each event is about, for those whom the event was for."""
    return list(await by_ids(NoticeRow, [logged.event.subject for logged in events]))
