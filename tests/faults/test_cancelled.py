"""Operations that the client gives up the moment they start."""

import asyncio

import pytest

from tests.faults.scene import Scene, eventually
from tests.wire import COMMENT, wired

pytestmark = pytest.mark.anyio

CONNECTIONS = 6
EACH = 50


async def test_mutations_cancelled_as_they_start(scene: Scene) -> None:
    """300 mutations over WebSocket, each completed by the client in the next frame, and half of the
    connections gone at once: each has had its whole effect or none, and no lock or connection is lost."""

    async def give_up(connection: int) -> None:
        async with wired(scene.servers[connection % len(scene.servers)], scene.tokens[connection]) as wire:
            for n in range(EACH):
                body = f"{connection}/{n}"
                input = {"subjectId": scene.subject, "body": body, "idempotencyKey": body}
                id = await wire.subscribe(COMMENT, input=input)
                await wire.send({"id": id, "type": "complete"})
                # Cancelled at every stage: before it starts, and a moment after.
                if n % 3:
                    await asyncio.sleep(0.001 * (n % 7))
            if connection % 2:
                wire.socket.transport.abort()
                return
            await wire.send({"type": "ping"})
            while (await wire.receive())["type"] != "pong":
                pass

    async with asyncio.timeout(60), scene.follower() as follower:
        await asyncio.gather(*(give_up(connection) for connection in range(CONNECTIONS)))
        # As many at once as the pool has connections, so that a lost one would be missed.
        await asyncio.gather(*(scene.comment() for _ in range(20)))
        await eventually(lambda: settled(scene))
        everything = await scene.check_whole()
        assert set(scene.said) <= set(everything)
        await follower.until(lambda: len(follower.events) == len(everything))
        assert [event["comment"]["body"] for event in follower.events] == everything
    scene.check_quiet()


async def settled(scene: Scene) -> bool:
    """Has the log stood still for a moment?"""
    before = len(await scene.world.events(f"community:{scene.community.id}"))
    await asyncio.sleep(0.3)
    return before == len(await scene.world.events(f"community:{scene.community.id}"))
