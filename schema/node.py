"""Relay's Node: opaque ids that are unique over all types, and fetching by them."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import strawberry
from asyncpg.pgproto import pgproto
from strawberry.types.info import Info

from models.messages import Message
from models.remembered import Remembered
from resolvers.context import Context
from resolvers.errors import InvalidInput

Fetch = Callable[[Context, Sequence[UUID]], Awaitable[Sequence[Any]]]

# Type name → who fetches rows of it that the viewer may see, None for each of the others.
FETCHERS: dict[str, Fetch] = {}
# Row type → who fetches such rows; several where a row may be of one GraphQL type or of another.
ROW_FETCHERS: dict[type, list[Fetch]] = {}
# Of each type, remembered.
MOST_IDS = 20_000
LONGEST_ID = 200


@cache
def global_ids(type_name: str) -> Remembered[UUID, strawberry.ID]:
    """From the key of each object of a type to the id that clients see."""

    def coded(key: UUID) -> strawberry.ID:
        # Letters, a colon and hexadecimal digits need none of those in which base64's alphabets differ.
        text = binascii.b2a_base64(f"{type_name}:{key.hex}".encode(), newline=False)
        return strawberry.ID(text.decode().rstrip("="))

    return Remembered(coded, MOST_IDS)


def global_id(type_name: str, key: UUID) -> strawberry.ID:
    """The id that clients see."""
    return global_ids(type_name)[key]


def type_and_key(value: str) -> tuple[str, UUID] | None:
    """What `global_id` was made of, or None if it is no id of ours."""
    return _decoded(value) if len(value) <= LONGEST_ID else None


# The community's, and that of what everyone looks at, come with nearly every operation.
@lru_cache(maxsize=MOST_IDS)
def _decoded(value: str) -> tuple[str, UUID] | None:
    try:
        text = base64.urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4)).decode("ascii")
        type_name, _, key = text.partition(":")
        return type_name, pgproto.UUID(key)
    except (ValueError, binascii.Error):
        return None


def key_of(field: str, value: str, *type_names: str) -> UUID:
    """The key in a global id of one of `type_names`. Raises InvalidInput naming `field`."""
    found = type_and_key(value)
    if found is None or found[0] not in type_names:
        raise InvalidInput(**{field: Message("Is not the id of a {type}", type=" or ".join(type_names))})
    return found[1]


def resolve_id(root: strawberry.Parent[Any], info: Info[Any, Any]) -> strawberry.ID:
    return global_id(info._raw_info.parent_type.name, root.id)


def resolve_ids(info: Any, rows: Sequence[Any]) -> list[strawberry.ID]:
    shown = global_ids(info.parent_type.name)
    return [shown[row.id] for row in rows]


@strawberry.interface(description="An object with an id that is unique over all types.")
class Node:
    id: strawberry.ID = strawberry.field(
        resolver=resolve_id,
        description="Opaque and stable; `node(id)` finds the object again.",
        metadata={"column": resolve_ids},
    )


def fetched_by(fetch: Fetch) -> Callable[[type], type]:
    """Decorate a Node type with the function by which `node(id)` and `nodes(ids)` fetch it."""

    def register(cls: type) -> type:
        FETCHERS[cls.__name__] = fetch
        for row_type in vars(cls)["is_type_of"].classes:
            ROW_FETCHERS.setdefault(row_type, []).append(fetch)
        return cls

    return register


@strawberry.type
class NodeQuery:
    @strawberry.field(
        description="The object with this id, or null if there is none that the viewer may see.",
        metadata={"viewer": True},
    )
    async def node(self, info: Info[Context, Any], id: strawberry.ID) -> Node | None:
        found: list[Node | None] = await fetch_all(info.context, [id])
        return found[0]

    @strawberry.field(
        description="The objects with these ids (at most 100), null for each that the viewer may not see.",
        metadata={"viewer": True},
    )
    async def nodes(self, info: Info[Context, Any], ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > 100:
            raise InvalidInput(ids=Message("At most {most}", most=100))
        return await fetch_all(info.context, ids)


async def fetch_all(ctx: Context, ids: Sequence[str]) -> list[Any]:
    """Rows in the order of `ids`, fetched with one call a type."""
    keys = [type_and_key(value) for value in ids]
    found: dict[tuple[str, UUID], Any] = {}
    for type_name in dict.fromkeys(key[0] for key in keys if key):
        if fetch := FETCHERS.get(type_name):
            wanted = list(dict.fromkeys(key[1] for key in keys if key and key[0] == type_name))
            for key, row in zip(wanted, await fetch(ctx, wanted), strict=True):
                found[type_name, key] = row
    return [found.get(key) if key else None for key in keys]


async def fetch_again(ctx: Context, kind: type, key: UUID | None) -> Any:
    """The row of type `kind` with this key, as far as the viewer may see it now, or None."""
    if key is not None:
        for fetch in ROW_FETCHERS[kind]:
            (row,) = await fetch(ctx, [key])
            if row is not None:
                return row
    return None
