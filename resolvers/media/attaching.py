"""What shows which files. A file belongs to one subject, and is seen by whoever sees that."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from models.base import now
from models.media import MediaKind, MediaRow
from models.messages import Message
from models.storage.rows import EVERYTHING, Where, execute, select_ids
from models.storage.tables import every
from resolvers.context import Context
from resolvers.errors import InvalidInput


async def attach(
    ctx: Context,
    *,
    community_id: UUID,
    subject_id: UUID,
    wanted: Sequence[tuple[str, UUID]],
    kind: MediaKind = MediaKind.PICTURE,
) -> None:
    """Have a subject show exactly these files, in the caller's transaction.

    `wanted` names the input's field for each. They are what the subject shows already, or uploads of the
    viewer's own that nothing shows yet. What it showed before and shows no more is forgotten in a day.
    Raises InvalidInput.
    """
    keys = {media_id for _, media_id in wanted}
    taken = await select_ids(
        "UPDATE media SET subject_id = ?, loose_since = NULL"
        " WHERE id IN (?) AND kind = ? AND community_id = ?"
        " AND (subject_id = ? OR (subject_id IS NULL AND uploader_id = ?)) RETURNING id",
        subject_id,
        keys,
        kind,
        community_id,
        subject_id,
        ctx.account_id,
    )
    missing = keys.difference(taken)
    if missing:
        (name, *_) = [name for name, media_id in wanted if media_id in missing]
        raise InvalidInput(**{name: Message("There is no such upload of yours")})
    others = Where("id NOT IN (?)", (keys,)) if keys else EVERYTHING
    await execute(
        "UPDATE media SET subject_id = NULL, loose_since = ?"
        f" WHERE subject_id = ? AND kind = ? AND {others.text} RETURNING id",
        now(),
        subject_id,
        kind,
        *others.params,
    )


async def release(*subject_ids: UUID) -> None:
    """Have these subjects show nothing any more, in the caller's transaction."""
    await execute(
        "UPDATE media SET subject_id = NULL, loose_since = ? WHERE subject_id IN (?) RETURNING id",
        now(),
        subject_ids,
    )


class Subject(Protocol):
    @property
    def id(self) -> UUID: ...


async def attached(subjects: Sequence[Subject], kind: MediaKind) -> list[list[MediaRow]]:
    """All files of a kind that each subject shows, in the order of their uploads."""
    rows = await every(
        MediaRow,
        Where(
            "t.subject_id IN (?) AND t.kind = ?",
            (list(dict.fromkeys(subject.id for subject in subjects)), kind),
        ),
    )
    found: dict[UUID | None, list[MediaRow]] = {}
    for row in rows:
        found.setdefault(row.subject_id, []).append(row)
    return [found.get(subject.id, []) for subject in subjects]
