"""Me too: neighbours whom a case concerns as well get every change of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models import requests
from models.messages import Message
from models.requests import RequestFollowerRow, RequestRow
from models.storage.rows import execute, select
from models.storage.tables import insert, insert_all
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import NotAllowed
from resolvers.existing import locked
from resolvers.requests import board
from subscriptions.events import Kind, event_about

BATCH = 200
FOLLOWS_A_MINUTE = 60


@dataclass(slots=True)
class Followed:
    request_id: UUID
    account_id: UUID


async def set_following(ctx: Context, *, request_id: UUID, on: bool) -> RequestRow:
    """Follow a case, or no longer. To ask for what is so already changes nothing.

    Who reported it gets every change anyway, and is not counted. Raises NotFound, NotAllowed, RateLimited.
    """
    account_id = ctx.account_id
    row = await board.visible(ctx, request_id)
    if not requests.can_report(ctx.viewer, row.community_id):
        raise NotAllowed(Message("Only verified residents and officers of this community may follow a case"))
    if row.reporter_id == account_id:
        return row
    async with ctx.unit_of_work() as work:
        # The case before its followers, as a merge locks them.
        await locked(RequestRow, request_id)
        if on:
            changed = await insert(
                RequestFollowerRow(community_id=row.community_id, request_id=row.id, account_id=account_id),
                "(request_id, account_id) DO NOTHING",
            )
        else:
            changed = bool(
                await execute(
                    "DELETE FROM request_follower WHERE request_id = ? AND account_id = ? RETURNING id",
                    row.id,
                    account_id,
                )
            )
        if changed:
            await limits.check_rate(ctx, "followRequest", FOLLOWS_A_MINUTE, 60)
            by = 1 if on else -1
            await execute(
                f"UPDATE service_request SET follower_count = follower_count + {by}"
                " WHERE id = ? RETURNING id",
                row.id,
            )
            work.record(
                event_about(
                    Kind.REQUEST_FOLLOWED,
                    row,
                    requests.audience(row),
                    thread=row.post_id or row.id,
                    facts={"request": str(row.id)},
                )
            )
    return await board.visible(ctx, request_id)


async def all_of(request_id: UUID) -> list[UUID]:
    """Everyone who follows the case."""
    rows = await select(
        Followed,
        "SELECT request_id, account_id FROM request_follower WHERE request_id = ? ORDER BY id",
        request_id,
    )
    return [row.account_id for row in rows]


async def add(row: RequestRow, accounts: Sequence[UUID]) -> None:
    """Have these accounts follow a locked case; its counter is the caller's."""
    followers = [
        RequestFollowerRow(community_id=row.community_id, request_id=row.id, account_id=account_id)
        for account_id in accounts
    ]
    await insert_all(followers, "(request_id, account_id) DO NOTHING")


async def count(request_id: UUID) -> int:
    (row,) = await execute("SELECT count(*) AS n FROM request_follower WHERE request_id = ?", request_id)
    return int(row["n"])


async def followed_by_viewer(ctx: Context, rows: Sequence[RequestRow]) -> list[bool]:
    """Whether the viewer follows each case."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [False] * len(rows)
    found = await select(
        Followed,
        "SELECT request_id, account_id FROM request_follower WHERE account_id = ? AND request_id IN (?)",
        account_id,
        {row.id for row in rows},
    )
    followed = {row.request_id for row in found}
    return [row.id in followed for row in rows]
