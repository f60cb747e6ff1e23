"""Keeping what can be found, in the transaction that changes it."""

from collections.abc import Iterable
from uuid import UUID

from models.base import now
from models.search import SearchAudienceRow, SearchKind, bigrams
from models.storage.rows import execute
from models.storage.tables import insert_all


async def index(
    kind: SearchKind, subject_id: UUID, *texts: str, community_id: UUID, audience: Iterable[UUID]
) -> None:
    """Have whoever holds a scope of `audience` find a thing by `texts`, and not by what it said before."""
    await execute(
        "INSERT INTO search_entry (id, community_id, kind, bigrams) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET bigrams = excluded.bigrams RETURNING id",
        subject_id,
        community_id,
        kind,
        " ".join(bigrams("\n".join(texts))),
    )
    await execute("DELETE FROM search_audience WHERE entry_id = ? RETURNING id", subject_id)
    at = now()
    await insert_all(
        [
            SearchAudienceRow(created_at=at, entry_id=subject_id, scope_id=scope_id)
            for scope_id in sorted(audience)
        ]
    )


async def forget(subject_id: UUID) -> None:
    """Have a thing found no more."""
    await execute("DELETE FROM search_audience WHERE entry_id = ? RETURNING id", subject_id)
    await execute("DELETE FROM search_entry WHERE id = ? RETURNING id", subject_id)


async def forget_posts(wall_id: UUID) -> None:
    """Have nothing that is posted in a group found any more."""
    below = "(SELECT p.id FROM post p WHERE p.wall_id = ?)"
    await execute(f"DELETE FROM search_audience WHERE entry_id IN {below} RETURNING id", wall_id)
    await execute(f"DELETE FROM search_entry WHERE id IN {below} RETURNING id", wall_id)
