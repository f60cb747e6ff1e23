"""A process that is asked to end, whoever is connected and whatever they wait for."""

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed

from models.storage.rows import execute
from tests.client import Refused
from tests.faults.scene import Scene
from tests.faults.test_what_is_sent import POST, Line, line
from tests.wire import COMMENT, COMMENTS, wired

pytestmark = pytest.mark.anyio

SECONDS = 7.0


@asynccontextmanager
async def locked(scene: Scene) -> AsyncIterator[None]:
    """Nobody else may write a comment."""
    url = scene.neighbourhood.deployment.database_url
    if url.startswith("sqlite"):
        holder = sqlite3.connect(url.removeprefix("sqlite://"))
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.close()
        return
    connection = await asyncpg.connect(url.replace("asyncpg://", "postgres://"))
    try:
        await connection.execute("BEGIN")
        await connection.execute("LOCK TABLE comment IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        await connection.close()


async def half_a_body(stranger: Line) -> None:
    await stranger.send(POST + "content-length: 1000\r\n\r\n", "{")


async def half_an_upload(scene: Scene, stranger: Line) -> None:
    await stranger.send(
        f"POST /media?community={scene.community_id} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
        f"authorization: Bearer {scene.reader}\r\nx-requested-with: x\r\ncontent-length: 100000\r\n\r\n",
        b"\x89PNG",
    )


async def idle(stranger: Line) -> None:
    await stranger.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b" 200 " in await stranger.head()


async def asking_without_reading(stranger: Line) -> None:
    body = json.dumps({"query": "{ __schema { types { name description fields { name description } } } }"})
    await stranger.send((POST + f"content-length: {len(body)}\r\n\r\n{body}") * 4)


async def test_a_process_ends_in_time_whoever_is_connected(scene: Scene) -> None:
    """Half a head, half a body, half an upload, an idle line, answers that nobody reads, a WebSocket that is
    not read, mutations over both that wait for a lock: the process ends within seven seconds with status 0,
    and what it had answered is in the database."""
    server = scene.servers[0]
    process = server.process
    assert process is not None
    for _ in range(10):
        await scene.comment()
    known = set(scene.said)
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        strangers = [await stack.enter_async_context(line(scene)) for _ in range(6)]
        await strangers[0].send("GET / HTTP/1.1\r\nhost:")
        await half_a_body(strangers[1])
        await half_an_upload(scene, strangers[2])
        await idle(strangers[3])
        await asking_without_reading(strangers[4])
        reader = await stack.enter_async_context(wired(server, scene.reader, max_queue=1))
        await reader.subscribe(COMMENTS, subject=scene.subject)
        await stack.enter_async_context(locked(scene))
        variables: dict[str, Any] = {"subjectId": scene.subject, "body": "never", "idempotencyKey": "never"}
        waiting = await stack.enter_async_context(wired(server, scene.tokens[1]))
        await waiting.subscribe(COMMENT, input=variables)
        body = json.dumps({"query": COMMENT, "variables": {"input": {**variables, "idempotencyKey": "http"}}})
        await strangers[5].send(
            POST + f"authorization: Bearer {scene.tokens[2]}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        )
        await asyncio.sleep(0.5)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.wait, 30)
        assert time.monotonic() - started < SECONDS
        assert status == 0
        with suppress(ConnectionClosed):
            while True:
                assert (await waiting.receive())["type"] != "next"
    assert known <= {row["body"] for row in await execute("SELECT body FROM comment")}
    scene.check_quiet()


async def test_a_process_with_nobody_ends_at_once(alone: Scene) -> None:
    process = alone.servers[0].process
    assert process is not None
    await alone.http.aclose()
    await asyncio.sleep(0.2)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0
    assert time.monotonic() - started < 2


async def test_what_is_answered_while_a_process_ends_is_kept(scene: Scene) -> None:
    """Neighbours write all along; of what they were told is written nothing is lost."""
    server = scene.servers[0]
    process = server.process
    assert process is not None
    written: list[str] = []

    async def write(person: int) -> None:
        async with wired(server, scene.tokens[person]) as wire:
            for n in range(50):
                body = f"{person} {n}"
                await wire.subscribe(
                    COMMENT,
                    input={"subjectId": scene.subject, "body": body, "idempotencyKey": body},
                )
                while (message := await wire.receive())["type"] == "complete":
                    pass
                if message["type"] == "error":
                    raise Refused(message["payload"])
                assert message["payload"]["data"]["addComment"]["__typename"] == "AddCommentPayload"
                written.append(body)

    async with asyncio.timeout(60):
        writing = [asyncio.create_task(write(person)) for person in range(5)]
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
        await asyncio.wait(writing)
    for task in writing:
        assert task.exception() is None or isinstance(task.exception(), ConnectionClosed)
    assert written
    assert set(written) <= {row["body"] for row in await execute("SELECT body FROM comment")}
    scene.check_quiet()
