"""Hints are lost: what is in the log arrives all the same."""

import asyncio

import pytest

from models.posts import SubjectKind
from resolvers import comments
from subscriptions.hub import POLL_SECONDS
from tests.faults.scene import Scene
from tests.wire import bodies, hears

pytestmark = pytest.mark.anyio


async def test_a_writer_that_dies_between_commit_and_hint(scene: Scene) -> None:
    """A process commits and is gone before it has told anybody: every server finds the events in the log
    within its polling interval, while the bus is as healthy as ever."""
    async with asyncio.timeout(60):
        followers = [scene.follower(server) for server in scene.servers]
        async with followers[0], followers[-1] if len(followers) > 1 else asyncio.Lock():
            # This process's services tell nobody.
            ctx = await scene.world.context(scene.people[1])
            for n in range(3):
                await comments.add_comment(
                    ctx, kind=SubjectKind.POST, subject_id=scene.subject_key, body=f"{n}", key=f"{n}"
                )
            for follower in followers:
                await follower.has(3, POLL_SECONDS + 2)
                assert bodies(follower) == ["0", "1", "2"]
                assert follower.connections == 1
            await scene.comment("还在")
            for follower in followers:
                await hears(follower, "还在", 2)
    scene.check_quiet()
