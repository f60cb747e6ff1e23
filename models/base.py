"""What every table shares."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Protocol
from uuid import UUID, uuid5

import uuid_utils
from asyncpg.pgproto import pgproto

from models.storage import fields
from models.storage.tables import Row


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): ordered by time, so it serves as key and as keyset cursor."""
    # A UUID as PostgreSQL's driver makes it is made, compared and hashed in a fraction of the time.
    return pgproto.UUID(uuid_utils.uuid7().bytes)


@lru_cache(maxsize=50_000)
def named_id(within: UUID, name: str) -> UUID:
    """The UUID version 5 (RFC 9562) that `name` has within another id: always the same."""
    return pgproto.UUID(uuid5(within, name).bytes)


def made_at(id: UUID) -> datetime:
    """The moment at which `new_id` made an id: its first 48 bits are milliseconds (RFC 9562, section 5.7)."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


# What tells the time. A test puts another here.
clock: Callable[[], datetime] = partial(datetime.now, UTC)


def now() -> datetime:
    """The present moment in UTC."""
    return clock()


class InCommunity(Protocol):
    """A row of a community, or what stands for one."""

    @property
    def id(self) -> UUID: ...
    @property
    def community_id(self) -> UUID: ...


class Table(Row):
    """A row with an id of ours, known before it is written."""

    id: UUID = fields.UUIDField(primary_key=True, default=new_id)
    created_at: datetime = fields.DatetimeField(default=now)

    class Meta:
        abstract = True


class CommunityTable(Table):
    """A row that belongs to one community, the boundary that no data crosses."""

    community_id: UUID = fields.UUIDField(db_index=True)

    class Meta:
        abstract = True
