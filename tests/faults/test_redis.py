"""Redis goes away and comes back under two processes."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from tests.faults.scene import Scene, eventually
from tests.servers import ServerProcess
from tests.services import RedisServer
from tests.wire import bodies

pytestmark = pytest.mark.anyio


@contextmanager
def silent(redis: RedisServer) -> Iterator[None]:
    """Redis hangs: connections stay open and nothing is answered."""
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(redis.pid, signal.SIGCONT)


@contextmanager
def gone(redis: RedisServer, end: Callable[[], None]) -> Iterator[None]:
    end()
    try:
        yield
    finally:
        redis.start()


async def test_redis_stops_dies_and_hangs_in_mid_stream(pair: Scene, redis: RedisServer) -> None:
    """Redis is stopped and started, killed and started, and frozen, while people write on both servers: no
    mutation fails, no connection breaks, and readers of both servers get everything once and in order."""
    async with asyncio.timeout(90), AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(pair.follower(server)) for server in pair.servers]

        async def arrived(seconds: float) -> None:
            for follower in followers:
                await follower.has(len(pair.said), seconds)

        async def talk(n: int) -> None:
            for _ in range(n):
                await pair.comment()

        for outage in (gone(redis, redis.stop), gone(redis, redis.kill), silent(redis)):
            await talk(10)
            with outage:
                await talk(10)
                # By polling: no hint reaches the other server.
                await arrived(10)
            await talk(10)
            await arrived(10)
            for server in pair.servers:
                await eventually(lambda s=server: healthy(pair, s))
        for follower in followers:
            assert bodies(follower) == pair.said
            assert follower.connections == 1
            assert follower.resets == 0
    assert await pair.check_whole() == pair.said
    pair.check_quiet()


async def healthy(scene: Scene, server: ServerProcess) -> bool:
    return await scene.metric(server, "linli_bus_healthy") == 1
