"""Servers whose clocks differ."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from resolvers.identity.sessions import open_session
from subscriptions import log
from tests.faults.scene import set_up
from tests.neighbourhood import prepared, running
from tests.servers import Deployment
from tests.wire import asked, bodies

pytestmark = pytest.mark.anyio

AHEAD = timedelta(minutes=4)
REFRESH = """mutation Refresh($input: RefreshSessionInput!) { refreshSession(input: $input) {
  credentials { accessToken refreshToken } } }"""
VIEWER = "{ viewer { displayName } }"

# Runs in the server's process before it serves: whatever asks for the time gets another.
PRELUDE = f"""
import datetime, uuid
import jwt.api_jwt, models.base, uuid_utils

class AnyMoment(type):
    def __instancecheck__(cls, moment):
        return isinstance(moment, datetime.datetime)

class Clock(datetime.datetime, metaclass=AnyMoment):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds={AHEAD.total_seconds()})

def uuid7():
    return uuid.UUID(int=original().int + ({int(AHEAD.total_seconds() * 1000)} << 80))

original, uuid_utils.uuid7 = uuid_utils.uuid7, uuid7
models.base.clock = lambda: Clock.now(datetime.UTC)
jwt.api_jwt.datetime = Clock
"""


@pytest.fixture
def skewed(two_processes: Deployment, tmp_path: Path) -> Deployment:
    """Two processes, of which one is minutes ahead."""
    two_processes.servers[1].prelude = PRELUDE
    return two_processes


async def test_a_server_that_is_minutes_ahead(skewed: Deployment) -> None:
    """People write on both servers in turn: every reader, on either, live or later, gets the order in which
    it happened, since the sequence decides and never a clock; and what is trimmed by age is a beginning of
    the sequence, although ages are not in order."""
    async with running(skewed), prepared(skewed) as made, set_up(made) as scene, asyncio.timeout(60):
        followers = [scene.follower(server) for server in scene.servers]
        async with followers[0], followers[1]:
            for _ in range(40):
                await scene.comment()
            for follower in followers:
                await follower.has(40)
                assert bodies(follower) == scene.said
        ages = [event.at for event in await scene.world.events(f"community:{scene.community.id}")]
        assert ages != sorted(ages)
        assert await scene.check_whole() == scene.said

        # Half of them are older than this, here and there: only those before the first that is not may go.
        assert await log.trim(-AHEAD / 2, 1_000_000) > 0
        kept = [event.seq for event in await scene.world.events(f"community:{scene.community.id}")]
        assert kept == list(range(kept[0], len(ages) + 1))
        assert len(kept) > len(ages) / 2

        # A token that the one has issued is good at the other: to it, it comes from the future.
        session = await open_session(scene.world.services, scene.people[0].id, "clock")
        input = {"refreshToken": session.refresh_token}
        for issuer, other in (scene.servers, scene.servers[::-1]):
            pair = (await asked(scene.http, issuer, None, REFRESH, input=input))["refreshSession"][
                "credentials"
            ]
            input = {"refreshToken": pair["refreshToken"]}
            viewer = (await asked(scene.http, other, pair["accessToken"], VIEWER))["viewer"]
            assert viewer["displayName"] == scene.people[0].display_name
        scene.check_quiet()
