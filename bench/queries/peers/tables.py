"""The tables of the page for the ORM, who asks, and the loaders: what every Python rival shares."""

import os
import uuid
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from tortoise import Tortoise, fields
from tortoise.models import Model

SECRET = os.environ["LINLI_TOKEN_KEY"]


class Row(Model):
    id = fields.UUIDField(primary_key=True)

    class Meta:
        abstract = True


class Post(Row):
    wall_id = fields.UUIDField()
    scope_id = fields.UUIDField()
    author_id = fields.UUIDField()
    kind = fields.CharField(max_length=12)
    body = fields.TextField()
    comment_count = fields.IntField()
    like_count = fields.IntField()
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "post"


class Comment(Row):
    subject_id = fields.UUIDField()
    author_id = fields.UUIDField()
    body = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "comment"


class Account(Row):
    display_name = fields.CharField(max_length=30)

    class Meta:
        table = "account"


class Residency(Row):
    account_id = fields.UUIDField()
    community_id = fields.UUIDField()
    home_id = fields.UUIDField()
    until = fields.DatetimeField(null=True)

    class Meta:
        table = "residency"


class Home(Row):
    building_id = fields.UUIDField()

    class Meta:
        table = "home"


class Building(Row):
    name = fields.CharField(max_length=40)

    class Meta:
        table = "building"


class Like(Row):
    subject_id = fields.UUIDField()
    account_id = fields.UUIDField()

    class Meta:
        table = "appreciation"


class Session(Row):
    account_id = fields.UUIDField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "session"


@dataclass
class Viewer:
    account_id: uuid.UUID
    scopes: set[uuid.UUID]
    memo: dict[Any, Any] = field(default_factory=dict)


async def viewer_of(authorization: str) -> Viewer:
    """The token's account, if its session has not ended, with the communities where it lives."""
    claims = jwt.decode(
        authorization.removeprefix("Bearer "),
        SECRET,
        algorithms=["HS256"],
        issuer="linli",
        audience="linli-api",
    )
    account_id = uuid.UUID(claims["sub"])
    if not await Session.exists(id=claims["sid"], account_id=account_id, ended_at=None):
        raise PermissionError
    homes = await Residency.filter(account_id=account_id, until=None)
    return Viewer(account_id, {home.community_id for home in homes})


async def page_of(viewer: Viewer, community_id: str, first: int) -> tuple[list[Post], bool]:
    found = (
        await Post.filter(wall_id=community_id, scope_id__in=viewer.scopes, deleted_at=None)
        .order_by("-id")
        .limit(first + 1)
    )
    return found[:first], len(found) > first


async def authors(ids: list[uuid.UUID]) -> list[dict[str, Any]]:
    wanted = set(ids)
    names = {row.id: row.display_name for row in await Account.filter(id__in=wanted)}
    living = await Residency.filter(account_id__in=wanted, until=None)
    homes = {row.id: row.building_id for row in await Home.filter(id__in={row.home_id for row in living})}
    buildings = {row.id: row.name for row in await Building.filter(id__in=set(homes.values()))}
    of = {row.account_id: buildings[homes[row.home_id]] for row in living}
    return [{"id": str(id), "display_name": names[id], "building": of.get(id)} for id in ids]


async def liked(viewer: Viewer, ids: list[uuid.UUID]) -> list[bool]:
    found = {row.subject_id for row in await Like.filter(subject_id__in=ids, account_id=viewer.account_id)}
    return [id in found for id in ids]


# The best that there is: as many rows as are shown, by one statement.
SQLITE = (
    "WITH parent(id) AS (VALUES {values}) SELECT c.* FROM parent CROSS JOIN comment c ON c.id IN"
    " (SELECT t.id FROM comment t WHERE t.subject_id = parent.id ORDER BY t.id DESC LIMIT {limit})"
)
POSTGRES = (
    "SELECT c.* FROM (VALUES {values}) AS parent(id) CROSS JOIN LATERAL"
    " (SELECT * FROM comment t WHERE t.subject_id = parent.id ORDER BY t.id DESC LIMIT {limit}) c"
)


async def comments(keys: list[tuple[uuid.UUID, int]]) -> list[list[Comment]]:
    limit = keys[0][1]
    postgres = os.environ["DATABASE_URL"].startswith("postgres")
    values = ", ".join(f"('{id}'::uuid)" if postgres else f"('{id}')" for id, _ in keys)
    rows = await Comment.raw((POSTGRES if postgres else SQLITE).format(values=values, limit=limit))
    found = defaultdict(list)
    for row in rows:
        found[row.subject_id].append(row)
    return [sorted(found[id], key=lambda row: row.id, reverse=True) for id, _ in keys]


@asynccontextmanager
async def lifespan(_app: Any):
    url = os.environ["DATABASE_URL"].replace("postgres://", "asyncpg://")
    await Tortoise.init(db_url=url, modules={"models": ["tables"]}, _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()
