"""The inbox of each account: what is put into it, and what its owner has read."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from models.base import InCommunity, new_id, now
from models.identity import AccountRow, NeighbourRow
from models.memberships import Alerts, still_in_community
from models.messages import Message
from models.notifications import NotificationKind, NotificationRow, visible_to
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, every, insert_all
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.identity import neighbours
from resolvers.paging import pages
from subscriptions.events import Event, Kind, Logged, community_topic, event_about
from subscriptions.work import Work

# Rows a statement, and accounts an event: statements stay below the databases' limits of parameters.
BATCH = 1000
MOST_IDS = 100


async def notify(
    work: Work,
    ctx: Context,
    kind: NotificationKind,
    account_ids: Iterable[UUID],
    about: InCommunity,
    *,
    subject_id: UUID | None = None,
    actor_id: UUID | None = None,
    group_id: UUID | None = None,
) -> None:
    """Put an entry about a row, or `subject_id`, into the inbox of each account, in the caller's transaction.

    The actor is not told of what they did themselves, and nobody twice of the same subject. Of what
    happens in a group nobody is told who has muted it, or left. Those who are told anew get it live.
    """
    accounts = others(account_ids, actor_id)
    subject_id = subject_id or about.id
    at = now()
    told: list[UUID] = []
    for start in range(0, len(accounts), BATCH):
        chunk = accounts[start : start + BATCH]
        if group_id:
            deaf = await accounts_that_muted(group_id, chunk)
            chunk = [account_id for account_id in chunk if account_id not in deaf]
        if not chunk:
            continue
        params: list[object] = []
        for account_id in chunk:
            params += [new_id(), at, about.community_id, account_id, kind, subject_id, actor_id]
        told += await select_ids(
            "INSERT INTO notification (id, created_at, community_id, account_id, kind, subject_id, actor_id)"
            f" VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?)'] * len(chunk))}"
            " ON CONFLICT (account_id, subject_id) DO NOTHING RETURNING account_id",
            *params,
        )
    for start in range(0, len(told), BATCH):
        work.record(
            event_about(
                Kind.NOTIFICATION_ADDED,
                about,
                told[start : start + BATCH],
                subject=subject_id,
                facts={"kind": kind.value},
            )
        )


async def accounts_that_muted(group_id: UUID, account_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the accounts that have muted the group, or left it, or the community."""
    muted = await select_ids(
        "SELECT m.account_id FROM membership m WHERE m.host_id = ? AND m.account_id IN (?)"
        " AND (m.left_at IS NOT NULL"
        f" OR m.alerts = '{Alerts.NONE}' OR NOT {still_in_community('m')})",
        group_id,
        account_ids,
    )
    return set(muted)


async def put_new(
    account_ids: Iterable[UUID],
    *,
    community_id: UUID,
    kind: NotificationKind,
    subject_id: UUID,
    actor_id: UUID | None,
) -> None:
    """As `notify`, for a subject that nobody can have been told of yet, and without telling it live."""
    at = now()
    await insert_all(
        [
            NotificationRow(
                created_at=at,
                community_id=community_id,
                account_id=account_id,
                kind=kind,
                subject_id=subject_id,
                actor_id=actor_id,
            )
            for account_id in others(account_ids, actor_id)
        ]
    )


def others(account_ids: Iterable[UUID], actor_id: UUID | None) -> list[UUID]:
    """The accounts, each once, without the one who did it."""
    return [account_id for account_id in dict.fromkeys(account_ids) if account_id != actor_id]


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[NotificationRow | None]:
    """The entries with these ids in the viewer's own inbox, None for each of the others."""
    where = visible_to(ctx.viewer)
    return await by_ids(NotificationRow, ids, where)


async def inboxes_of(
    ctx: Context, accounts: Sequence[AccountRow], unread_only: bool, args: PageArgs
) -> list[Page[NotificationRow]]:
    """Each account's inbox, newest first; empty but for the viewer's own."""
    where = visible_to(ctx.viewer)
    if unread_only:
        where &= Where("t.read_at IS NULL")
    ids = [account.id for account in accounts]
    return await pages(NotificationRow, ids, by="account_id", args=args, where=where)


async def unread_counts_of(ctx: Context, parents: Sequence[object]) -> list[int]:
    """How many entries the viewer has not read, the same for each parent."""
    return [await unread_count(ctx)] * len(parents)


async def unread_count(ctx: Context) -> int:
    """Raises Unauthenticated."""
    (row,) = await execute(
        "SELECT count(*) AS n FROM notification WHERE account_id = ? AND read_at IS NULL", ctx.account_id
    )
    return int(row["n"])


async def told_of(ctx: Context, events: Sequence[Logged]) -> list[NotificationRow | None]:
    """For each event the entry in the viewer's own inbox about its subject."""
    rows = await every(
        NotificationRow,
        Where(
            "t.account_id = ? AND t.subject_id IN (?)",
            (ctx.account_id, {logged.event.subject for logged in events}),
        ),
    )
    found = {row.subject_id: row for row in rows}
    return [found.get(logged.event.subject) for logged in events]


async def actors_of(ctx: Context, rows: Sequence[NotificationRow]) -> list[NeighbourRow | None]:
    """Who did what each entry tells of, if somebody did."""
    known = [row for row in rows if row.actor_id]
    faces = await neighbours(ctx, [(row.actor_id, row.community_id) for row in known if row.actor_id])
    found = {row.id: face for row, face in zip(known, faces, strict=True)}
    return [found.get(row.id) for row in rows]


# What the owner does


async def mark_read(ctx: Context, *, ids: Sequence[UUID] | None, up_to: UUID | None) -> int:
    """Mark these entries as read, or all up to one; returns how many are still unread.

    What is not in the viewer's inbox, or read already, stays as it is. The account's other devices are
    told. Raises InvalidInput.
    """
    account_id = ctx.account_id
    if (ids is None) == (up_to is None):
        raise InvalidInput(ids=Message("Give either ids or upTo"))
    if ids is not None and len(ids) > MOST_IDS:
        raise InvalidInput(ids=Message("At most {most}", most=MOST_IDS))
    chosen = Where("id IN (?)", (list(ids),)) if ids is not None else Where("id <= ?", (up_to,))
    async with ctx.unit_of_work() as work:
        read = await execute(
            "UPDATE notification SET read_at = ?"
            f" WHERE account_id = ? AND read_at IS NULL AND {chosen.text} RETURNING community_id",
            now(),
            account_id,
            *chosen.params,
        )
        for community_id in {str(row["community_id"]) for row in read}:
            work.record(
                Event(
                    community_topic(UUID(community_id)),
                    Kind.NOTIFICATIONS_READ,
                    account_id,
                    audience=frozenset({account_id}),
                )
            )
    return await unread_count(ctx)
