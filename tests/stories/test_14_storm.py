"""Story 14, the storm: an emergency reaches three thousand residents, whatever happens in the meantime."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tortoise.transactions import in_transaction

from models.roles import Role
from schema.node import global_id
from tests.client import App
from tests.crowd import move_in
from tests.neighbourhood import deployment_of, prepared, running
from tests.servers import Deployment, ServerProcess
from tests.services import RedisServer
from tests.stories.test_03_power_cut import PUBLISH
from tests.wire import Wire, wired

pytestmark = pytest.mark.anyio

RESIDENTS = 3_000
AT_ONCE = 50
SECONDS = 150
NOTICES = """subscription Notices($community: ID!) { noticeEvents(communityId: $community) { cursor event {
  __typename ... on NoticePublished { notice { title severity body } } } } }"""
Heard = asyncio.Queue[tuple[str, str] | Exception]
TITLES = ["燃气泄漏，请立即撤离", "集合点：南门广场", "警报解除", "可以回家了"]


# Not async: such a fixture cannot ask for async ones by name.
@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """Two processes, not started."""
    return deployment_of("postgres", request, tmp_path)


async def test_an_emergency_reaches_everybody(deployment: Deployment, redis: RedisServer) -> None:
    """Over two servers each of 3,000 gets each word once and in order, though Redis is gone for one of them
    and somebody reads nothing."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with (
        asyncio.timeout(SECONDS),
        running(deployment),
        prepared(deployment) as made,
        AsyncExitStack() as stack,
    ):
        world = made.world
        community = await world.community("屯乐苑")
        committee = await world.organisation(community)
        office = await made.app(await world.officer(committee, Role.OFFICER))
        buildings = [await world.building(await world.estate(community)) for _ in range(10)]
        async with in_transaction():
            tokens = await move_in(world.services.keys, world.services.tokens, buildings, RESIDENTS + 1)
        place = global_id("Community", community.id)
        # It follows first, so that whoever came behind it would wait for it.
        await stack.enter_async_context(following(deployment.servers[0], tokens.pop(), place, deaf=True))
        room = asyncio.Semaphore(AT_ONCE)

        async def come(number: int) -> Heard:
            async with room:
                server = deployment.servers[number % 2]
                wire = await stack.enter_async_context(following(server, tokens[number], place))
            heard: Heard = asyncio.Queue()
            stack.callback(asyncio.create_task(listen(wire, heard)).cancel)
            return heard

        residents = await asyncio.gather(*map(come, range(RESIDENTS)))

        async def told(title: str) -> None:
            await publish(office, global_id("Organisation", committee.id), place, title)
            for heard in residents:
                assert await heard.get() == (title, "EMERGENCY")

        await told(TITLES[0])
        redis.stop()
        try:
            await told(TITLES[1])
        finally:
            redis.start()
        # Each next word is the very next thing that everybody hears: nothing came twice.
        await told(TITLES[2])
        await told(TITLES[3])
        for server in deployment.servers:
            assert "Traceback" not in server.output(), server.output()[-6000:]


async def listen(wire: Wire, heard: Heard) -> None:
    """Read, and so answer the server's pings, until the end."""
    try:
        while True:
            notice = (await wire.event())["event"]["notice"]
            heard.put_nowait((notice["title"], notice["severity"]))
    except Exception as error:
        heard.put_nowait(error)


@asynccontextmanager
async def following(
    server: ServerProcess, token: str, community: str, *, deaf: bool = False
) -> AsyncIterator[Wire]:
    """A resident who follows the notices, or would, if he read anything."""
    options = {}
    if deaf:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", server.port))
        options = {"sock": small, "max_queue": 1}
    async with wired(server, token, ping_interval=None, open_timeout=SECONDS, **options) as wire:
        await wire.subscribe(NOTICES, community=community)
        if not deaf:
            assert (await wire.event())["event"]["__typename"] == "StreamOpened"
        yield wire


async def publish(office: App, organisation: str, community: str, title: str) -> None:
    input = {
        "organisationId": organisation,
        "category": "SAFETY",
        "severity": "EMERGENCY",
        "title": title,
        "body": "请保持冷静，听从工作人员安排。" * 100,
        "audience": [{"placeId": community}],
        "idempotencyKey": title,
    }
    assert (await office.act(PUBLISH, input=input))["__typename"] == "PublishNoticePayload"
