"""A comment with all the rows that Linli writes for one, by Strawberry over Tortoise with a transaction
each (`tortoise`), or over raw aiosqlite (`aiosqlite`)."""

import asyncio
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiosqlite
import jwt
import orjson
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction

URL = os.environ["DATABASE_URL"]
SECRET = os.environ["LINLI_TOKEN_KEY"]
POSTGRES = URL.startswith("postgres")


def new_id() -> uuid.UUID:
    """Ordered by time, as Linli's ids are."""
    stamp = time.time_ns() // 1_000_000
    return uuid.UUID(bytes=stamp.to_bytes(6, "big") + b"\x70" + os.urandom(1) + b"\x80" + os.urandom(7))


class Orm:
    """Tortoise, with its pool or its lock, and a transaction for each comment."""

    async def start(self) -> None:
        url = URL.replace("postgres://", "asyncpg://")
        if not POSTGRES:
            url += "?journal_mode=WAL&synchronous=FULL&busy_timeout=10000"
        await Tortoise.init(db_url=url, modules={"models": ["__main__"]}, _enable_global_fallback=True)

    async def stop(self) -> None:
        await Tortoise.close_connections()

    def transaction(self) -> Any:
        return in_transaction("default")

    async def run(self, db: BaseDBAsyncClient | None, sql: str, *values: Any) -> list[Any]:
        if POSTGRES:
            for number in range(1, len(values) + 1):
                sql = sql.replace("?", f"${number}", 1)
        else:
            values = tuple(
                str(value) if isinstance(value, uuid.UUID | datetime) else value for value in values
            )
        rows = await (db or get_connection("default")).execute_query_dict(sql, list(values))
        return [tuple(row.values()) for row in rows]


class Raw:
    """aiosqlite's connection, and a lock around each transaction."""

    async def start(self) -> None:
        self.db = await aiosqlite.connect(URL.removeprefix("sqlite://"), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
            await self.db.execute(f"PRAGMA {pragma}")
        self.lock = asyncio.Lock()

    async def stop(self) -> None:
        await self.db.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                await self.db.rollback()
                raise
            await self.db.commit()

    async def run(self, db: Any, sql: str, *values: Any) -> list[Any]:
        values = tuple(str(value) if isinstance(value, uuid.UUID | datetime) else value for value in values)
        if db is not None:
            return list(await self.db.execute_fetchall(sql, values))
        async with self.lock:
            return list(await self.db.execute_fetchall(sql, values))


store: Any = Raw() if sys.argv[1] == "aiosqlite" else Orm()


@strawberry.type
class Comment:
    id: strawberry.ID
    body: str


async def add(authorization: str, subject: uuid.UUID, body: str, key: str) -> Comment:
    claims = jwt.decode(
        authorization.removeprefix("Bearer "),
        SECRET,
        algorithms=["HS256"],
        issuer="linli",
        audience="linli-api",
    )
    me = uuid.UUID(claims["sub"])
    if not await store.run(
        None,
        "SELECT account_id FROM session WHERE id = ? AND account_id = ? AND ended_at IS NULL",
        uuid.UUID(claims["sid"]),
        me,
    ):
        raise PermissionError
    homes = await store.run(
        None, "SELECT community_id FROM residency WHERE account_id = ? AND until IS NULL", me
    )
    ((community, author),) = await store.run(
        None, "SELECT community_id, author_id FROM post WHERE id = ? AND deleted_at IS NULL", subject
    )
    if str(community) not in {str(home) for (home,) in homes}:
        raise PermissionError
    comment, at = new_id(), datetime.now(UTC)
    digest = hashlib.sha256(json.dumps([str(subject), body]).encode()).hexdigest()
    async with store.transaction() as db:
        claimed = await store.run(
            db,
            "INSERT INTO idempotent_call (id, created_at, account_id, key, action, digest, result_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, key) DO NOTHING RETURNING id",
            *(new_id(), at, me, key, "addComment", digest, comment),
        )
        if not claimed:
            raise ValueError
        window = int(time.time()) // 60
        await store.run(
            db,
            'INSERT INTO rate_count (id, created_at, key, "window", count) VALUES (?, ?, ?, ?, 1)'
            ' ON CONFLICT (key, "window") DO UPDATE SET count = rate_count.count + 1 RETURNING count',
            *(new_id(), at, f"addComment/{me}/60", window),
        )
        await store.run(
            db,
            'SELECT count FROM rate_count WHERE key = ? AND "window" = ?',
            f"addComment/{me}/60",
            window - 1,
        )
        await store.run(
            db,
            "INSERT INTO comment (id, community_id, subject_kind, subject_id, author_id, parent_id, body,"
            " like_count, reply_count, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
            *(comment, community, "POST", subject, me, subject, body, at),
        )
        await store.run(
            db,
            "UPDATE post SET comment_count = comment_count + 1, hot = hot + 1 WHERE id = ? RETURNING id",
            subject,
        )
        told = str(author) != str(me)
        if told:
            await store.run(
                db,
                "INSERT INTO notification (id, created_at, community_id, account_id, kind, subject_id,"
                " actor_id) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, subject_id) DO NOTHING"
                " RETURNING id",
                *(new_id(), at, community, author, "COMMENT", comment, me),
            )
        kinds = ["COMMENT_ADDED", "COUNTERS_CHANGED", *(["NOTIFICATION_ADDED"] if told else [])]
        topic = f"community:{community}"
        ((last,),) = await store.run(
            db,
            "INSERT INTO topic (name, seq, trimmed) VALUES (?, ?, 0)"
            " ON CONFLICT (name) DO UPDATE SET seq = topic.seq + excluded.seq RETURNING seq",
            *(topic, len(kinds)),
        )
        events = []
        for number, kind in enumerate(kinds):
            events += [
                topic,
                last - len(kinds) + 1 + number,
                kind,
                comment,
                subject,
                f'["{community}"]',
                "{}",
                at,
            ]
        await store.run(
            db,
            "INSERT INTO event (topic, seq, kind, subject_id, thread_id, audience, facts, at) VALUES "
            + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(kinds)),
            *events,
        )
    await store.run(None, "SELECT id, body FROM comment WHERE id = ?", comment)
    return Comment(id=strawberry.ID(str(comment)), body=body)


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add_comment(
        self, info: strawberry.Info, subject: strawberry.ID, body: str, key: str
    ) -> Comment:
        return await add(info.context["request"].headers["authorization"], uuid.UUID(subject), body, key)


class Endpoint(GraphQL):
    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    await store.start()
    yield
    await store.stop()


schema = strawberry.Schema(Query, Mutation, extensions=[ParserCache, ValidationCache])
uvicorn.run(
    Starlette(routes=[Route("/graphql", Endpoint(schema))], lifespan=lifespan),
    port=int(os.environ["PORT"]),
    loop="uvloop",
    http="httptools",
    access_log=False,
    log_level="warning",
)
