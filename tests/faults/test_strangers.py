"""Strangers who cost what they can: others notice nothing, and whoever goes on is sent away."""

import asyncio
import time
from contextlib import suppress
from itertools import count

import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.scene import Scene
from tests.wire import Wire, bodies, wired

pytestmark = pytest.mark.anyio

# The promise is a second (bench/strangers); a machine that runs other tests beside is given three.
SECONDS = 3
CODES = ("GRAPHQL_VALIDATION_FAILED", "RATE_LIMITED")


def costly(name: object) -> str:
    """What takes validation longest, and is new under each name."""
    same = "estates(first: 1) { edges { node { id name buildings(first: 1) { edges { node { id } } } } } } "
    return f'query Q{name} {{ node(id: "x") {{ ... on Community {{ {same * 90} }} }} }}'


async def ask(wire: Wire, stranger: int, n: int) -> None:
    await wire.send({"id": f"{n}", "type": "subscribe", "payload": {"query": costly(f"{stranger}_{n}")}})


async def test_costly_documents_delay_nobody(alone: Scene) -> None:
    """Ten strangers send forty costly documents each, as fast as they can. A neighbour's comments arrive
    while they do."""
    server = alone.servers[0]

    async def attack(stranger: int) -> None:
        with suppress(ConnectionClosed):
            async with wired(server, None) as wire:
                for n in range(40):
                    await ask(wire, stranger, n)
                while True:
                    message = await wire.receive()
                    assert message["type"] == "error"
                    assert message["payload"][-1]["extensions"]["code"] in CODES

    async with asyncio.timeout(90), alone.follower() as follower:
        said = [await alone.comment()]
        await follower.until(lambda: bodies(follower) == said)
        attacks = [asyncio.create_task(attack(stranger)) for stranger in range(10)]
        try:
            await asyncio.sleep(0.5)
            for _ in range(20):
                started = time.monotonic()
                said.append(await alone.comment())
                await follower.until(lambda: bodies(follower) == said)
                assert time.monotonic() - started < SECONDS
        finally:
            for task in attacks:
                task.cancel()
            done, _ = await asyncio.wait(attacks)
        assert [task.exception() for task in done if not task.cancelled()] == []
        assert follower.connections == 1
    alone.check_quiet()


async def test_who_goes_on_is_sent_away(alone: Scene) -> None:
    """A stranger who has used up what a connection may have computed is told when to come back, and loses
    the connection after twenty documents more. What is remembered costs nothing and is answered all along."""
    server, known = alone.servers[0], "{ viewer { displayName } }"
    refused = 0
    async with asyncio.timeout(90), wired(server, None) as wire:
        await wire.subscribe(known)
        assert (await wire.receive())["type"] == "next"
        assert (await wire.receive())["type"] == "complete"
        for n in count():
            await ask(wire, 0, n)
            message = await wire.receive()
            extensions = message["payload"][-1]["extensions"]
            assert extensions["code"] in CODES
            if extensions["code"] == "RATE_LIMITED":
                refused += 1
                assert 1 <= extensions["retryAfter"] <= 60
                if refused == 1:
                    await wire.send({"id": "known", "type": "subscribe", "payload": {"query": known}})
                    assert (await wire.receive())["type"] == "next"
                    assert (await wire.receive())["type"] == "complete"
                if refused == 20:
                    break
        assert await wire.closed() == 1013
    assert await alone.metric(server, 'linli_overdrawn_total{payer="connection"}') >= 20
    alone.check_quiet()
