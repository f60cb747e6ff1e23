"""Residency: who lives where, and who has moved out."""

from collections.abc import Sequence
from uuid import UUID

from models.base import now
from models.identity import (
    AccountRow,
    ApplicationRow,
    HomeRow,
    ResidencyRow,
    can_end,
    residency_visible_to,
)
from models.messages import Message
from models.notifications import NotificationKind
from models.powers import Power, has_power_in
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import Where
from models.storage.tables import by_ids, update
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.notifications import notify
from resolvers.paging import pages
from subscriptions.events import STANDING, Event, Kind


async def move_out(ctx: Context, *, residency_id: UUID) -> ResidencyRow:
    """Record that a resident has moved out: rights and open subscriptions end.

    Ending it again changes nothing. Raises NotFound, NotAllowed.
    """
    account_id = ctx.account_id
    row = await existing(ResidencyRow, residency_id)
    if not can_end(ctx.viewer, row):
        raise await refusal(ctx, "moveOut", row)
    async with ctx.unit_of_work() as work:
        ended = await update(ResidencyRow, Where("id = ? AND until IS NULL", (row.id,)), until=now())
        if ended:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, row.account_id))
        if ended and row.account_id != account_id:
            await notify(work, ctx, NotificationKind.RESIDENCY, [row.account_id], row, actor_id=account_id)
            await audit.record(ctx, "moveOut", row, power=Power.VERIFY_RESIDENTS)
    (after,) = await residencies_by_id(ctx, [row.id])
    return after or row


async def refusal(ctx: Context, action: str, row: ApplicationRow | ResidencyRow) -> NotFound | NotAllowed:
    """The error for who lacks the power: an office of the community is told, and the attempt kept."""
    if not any(office.community_id == row.community_id for office in ctx.viewer.offices.values()):
        return NotFound()
    return await audit.refuse(ctx, action, Message("Only the residents' committee may do this"), row)


async def residencies_by_id(ctx: Context, ids: Sequence[UUID]) -> list[ResidencyRow | None]:
    """The residencies with these ids that the viewer may see."""
    return await by_ids(ResidencyRow, ids, residency_visible_to(ctx.viewer))


async def residencies_of(
    ctx: Context, accounts: Sequence[AccountRow], args: PageArgs
) -> list[Page[ResidencyRow]]:
    """Where each account lives and lived, the newest first."""
    ids = [account.id for account in accounts]
    return await pages(ResidencyRow, ids, by="account_id", args=args)


async def residents_of(
    ctx: Context, homes: Sequence[HomeRow], args: PageArgs
) -> list[Page[ResidencyRow] | None]:
    """Who lives in each home now; None where the viewer may not see residents."""

    def may_see(home: HomeRow) -> bool:
        return has_power_in(ctx.viewer, home.community_id, Power.SEE_RESIDENTS)

    await audit.note_reading(ctx, "residents", homes, may_see, power=Power.SEE_RESIDENTS)
    seen = [home.id for home in homes if may_see(home)]
    if not seen:
        return [None] * len(homes)
    found = await pages(
        ResidencyRow,
        seen,
        by="home_id",
        args=args,
        where=Where("t.until IS NULL"),
        order=OLDEST,
    )
    by_home = dict(zip(seen, found, strict=True))
    return [by_home.get(home.id) for home in homes]
