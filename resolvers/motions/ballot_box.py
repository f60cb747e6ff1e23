"""The ballot box: entries in a chain of hashes, appended to behind the motion's row lock.

Each entry holds the hash of the one before, the first one the hash of the header, which says who may vote on
what under which rules. Whoever knows the last hash notices any change of anything before.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models.base import new_id, now
from models.motions import BoxEntryRow, Channel, EntryKind, ItemRow, MotionRow, RulesRow, Standing, Via
from models.storage.rows import Where, dialect, execute
from models.storage.tables import every, insert, one, update
from resolvers.errors import NotFound

FORMAT = "linli-vote/1"


def canonical(value: Any) -> str:
    """The one text of a value: keys sorted, no space, integers and texts only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


async def begun_at() -> datetime:
    """The server's clock at the beginning of the open transaction.

    On PostgreSQL it is the database's, one for all processes.
    """
    if dialect() != "postgres":
        return now()
    (row,) = await execute("SELECT now() AS at")
    moment: datetime = row["at"]
    return moment.astimezone(UTC)


def header(motion: MotionRow, rules: RulesRow, items: list[ItemRow], electorate: str) -> dict[str, Any]:
    """What the chain begins with."""
    return {
        "format": FORMAT,
        "motion": motion.id.hex,
        "title": motion.title,
        "body": motion.body,
        "secret": motion.secret,
        "opens_at": iso(motion.opens_at),
        "closes_at": iso(motion.first_closes_at),
        "items": [
            {
                "position": item.position,
                "class": item.item_class.value,
                "title": item.title,
                "body": item.body,
            }
            for item in items
        ],
        "rules": rules_content(rules),
        "electorate": electorate,
    }


def rules_content(rules: RulesRow) -> dict[str, Any]:
    return {
        "version": rules.version,
        "name": rules.name,
        "binding": rules.binding,
        "quorum": rules.quorum,
        "ordinary": rules.ordinary,
        "special": rules.special,
        "changes_allowed": rules.changes_allowed,
        "proxies_allowed": rules.proxies_allowed,
        "notice_hours": rules.notice_hours,
        "most_extensions": rules.most_extensions,
        "extension_hours": rules.extension_hours,
    }


async def append(
    motion: MotionRow,
    kind: EntryKind,
    content: dict[str, Any],
    *,
    entry_id: UUID | None = None,
    elector_id: UUID | None = None,
    channel: Channel | None = None,
    via: Via | None = None,
    cast_by_id: UUID | None = None,
    receipt: str | None = None,
    standing: Standing | None = None,
) -> int:
    """Put an entry into the locked motion's box; its number."""
    number = motion.entries + 1
    text = canonical({**content, "kind": kind.value, "number": number, "previous": motion.last_hash})
    await insert(
        BoxEntryRow(
            id=entry_id or new_id(),
            community_id=motion.community_id,
            motion_id=motion.id,
            number=number,
            kind=kind,
            content=text,
            hash=digest(text),
            elector_id=elector_id,
            channel=channel,
            via=via,
            cast_by_id=cast_by_id,
            receipt=receipt,
            standing=standing,
        )
    )
    motion.entries, motion.last_hash = number, digest(text)
    await update(MotionRow, motion.id, entries=motion.entries, last_hash=motion.last_hash)
    return number


async def entry(motion_id: UUID, number: int) -> BoxEntryRow:
    row = await one(BoxEntryRow, Where("t.motion_id = ? AND t.number = ?", (motion_id, number)))
    if row is None:
        raise NotFound
    return row


async def entries(motion_id: UUID) -> list[BoxEntryRow]:
    return await every(BoxEntryRow, Where("t.motion_id = ?", (motion_id,)), "t.number")
