"""PostgreSQL goes away and comes back under two processes."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.client import Refused
from tests.faults.scene import Scene
from tests.servers import ServerProcess
from tests.services import PostgresServer
from tests.wire import bodies, hears

pytestmark = pytest.mark.anyio


async def readiness(server: ServerProcess) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{server.http}/readyz")).status_code


@pytest.mark.parametrize("how", ["restarted", "killed"])
async def test_the_database_goes_in_mid_stream(pair: Scene, postgres: PostgresServer, how: str) -> None:
    """PostgreSQL is restarted at once, or dies and comes back later. Meanwhile writes fail with a masked
    error, whole or not at all; afterwards they succeed, and the streams go on without loss."""
    end: Callable[[], None] = postgres.stop if how == "restarted" else postgres.kill
    refusals: list[Refused] = []
    stop = asyncio.Event()

    async def keep_writing() -> None:
        while not stop.is_set():
            try:
                await pair.comment()
            except Refused as error:
                refusals.append(error)
                await asyncio.sleep(0.02)

    async with asyncio.timeout(90), AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(pair.follower(server)) for server in pair.servers]
        writing = asyncio.create_task(keep_writing())
        try:
            await followers[0].until(lambda: len(followers[0].events) > 5)
            await asyncio.to_thread(end)
            try:
                if how == "killed":
                    assert [await readiness(server) for server in pair.servers] == [503, 503]
                    await asyncio.sleep(1)
            finally:
                await asyncio.to_thread(postgres.start)
            there = len(followers[0].events)
            await followers[0].until(lambda: len(followers[0].events) > there + 10)
        finally:
            stop.set()
            await writing
        last = await pair.comment("恢复了")
        for follower in followers:
            await hears(follower, last)
        # What was refused may have been written if the answer was lost, but never in part.
        everything = await pair.check_whole()
        assert set(pair.said) <= set(everything)
        for follower in followers:
            assert bodies(follower) == everything
            assert follower.resets == 0
    assert [await readiness(server) for server in pair.servers] == [200, 200]
    assert refusals
    for refused in refusals:
        assert set(refused.codes) == {"INTERNAL"}, refused.errors
        assert "asyncpg" not in str(refused.errors)
