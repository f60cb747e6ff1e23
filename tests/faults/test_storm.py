"""Everybody comes back at once."""

import asyncio
import resource
from contextlib import AsyncExitStack
from functools import partial

import pytest
from tortoise.transactions import in_transaction

from models.storage.rows import execute
from tests.faults.scene import Scene, set_up
from tests.neighbourhood import prepared, running
from tests.servers import Deployment
from tests.wire import COMMENTS, Follower, bodies, connected, hears, wired

pytestmark = pytest.mark.anyio

CLIENTS = 1_500
MISSED = 20
SECONDS = 60


async def test_a_reconnect_storm(pair: Scene) -> None:
    """Both servers die and come back, and more than a thousand clients with them at the same moment, with
    the cursor where it stood: each gets exactly what it missed, in order, and what happens meanwhile."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cursors: list[str] = []
    async with asyncio.timeout(SECONDS):
        async with wired(pair.servers[0], pair.reader) as wire:
            await wire.subscribe(COMMENTS, subject=pair.subject)
            cursors.append((await wire.event())["cursor"])
            for _ in range(MISSED):
                await pair.comment()
                cursors.append((await wire.event())["cursor"])
        for server in pair.servers:
            server.kill()
        for server in pair.servers:
            server.start()
        for server in pair.servers:
            await server.ready()

        clients: list[Follower] = []
        for n in range(CLIENTS):
            servers = pair.servers[n % 2 :] + pair.servers[: n % 2]
            client = Follower(servers, pair.tokens[n % len(pair.tokens)], COMMENTS, subject=pair.subject)
            client.cursor = cursors[n % len(cursors)]
            clients.append(client)
        async with AsyncExitStack() as stack:
            for client in clients:
                await stack.enter_async_context(client)
            # While they come.
            await pair.comment()

            def is_there(client: Follower) -> bool:
                return client.opened and bodies(client)[-1:] == pair.said[-1:]

            for client in clients:
                await client.until(partial(is_there, client), SECONDS)
            # While all are there.
            last = await pair.comment()
            for client in clients:
                await hears(client, last, SECONDS)
        for n, client in enumerate(clients):
            assert bodies(client) == pair.said[n % len(cursors) :], n
            assert client.resets == 0
            # The server is slow in a storm, and sends nobody away for it.
            assert client.connections == 1
    pair.check_quiet()


async def test_a_server_that_is_slow_to_admit(two_processes: Deployment) -> None:
    """The database keeps the admission waiting for longer than clients may take to ask for it: who has asked
    is admitted in the end, since to be sent away would only make the storm larger; who asks nothing goes."""
    for server in two_processes.servers:
        server.prelude = "import subscriptions.connection as c; c.INIT_SECONDS = 0.5"
    async with running(two_processes), prepared(two_processes) as made, set_up(made) as scene:
        async with asyncio.timeout(30):
            async with in_transaction():
                await execute("LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
                waiting = asyncio.create_task(admitted(scene))
                async with connected(scene.servers[0]) as silent:
                    assert await silent.closed() == 4408
                assert not waiting.done()
            await waiting
        scene.check_quiet()


async def admitted(scene: Scene) -> None:
    async with wired(scene.servers[0], scene.reader) as wire:
        await wire.subscribe(COMMENTS, subject=scene.subject)
        assert (await wire.event())["event"]["__typename"] == "StreamOpened"
