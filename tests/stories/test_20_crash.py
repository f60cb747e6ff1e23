"""Story 20, the crash: the server is killed time and again while people write and read."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.storage.rows import execute
from resolvers.identity.sessions import open_session
from schema.node import global_id, type_and_key
from subscriptions.events import Kind, community_topic
from tests.neighbourhood import Neighbourhood, deployment_of, prepared, running
from tests.servers import Deployment, ServerProcess
from tests.soak import sized, soak
from tests.wire import COMMENT, COMMENTS, POST, Follower, asked, bodies, http_client

pytestmark = [pytest.mark.anyio, soak]

CRASHES = sized(25, 100)
WRITERS = 4
# Each may write sixty comments a minute.
ACCOUNTS = 60


@pytest.fixture(params=["sqlite", "postgres"])
def undeployed(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """A deployment of each kind whose processes start at once."""
    return deployment_of(request.param, request, tmp_path)


@pytest.fixture
async def neighbourhood(undeployed: Deployment) -> AsyncIterator[Neighbourhood]:
    async with running(undeployed) as deployment, prepared(deployment) as made:
        yield made


class Writer:
    """Writes comment after comment, each until a server has acknowledged it."""

    def __init__(
        self,
        name: str,
        servers: Sequence[ServerProcess],
        tokens: Sequence[str],
        subject: str,
        progress: asyncio.Event,
    ) -> None:
        self.name = name
        self.servers = servers
        self.tokens = tokens
        self.subject = subject
        self.acknowledged: dict[str, str] = {}
        self.attempts = 0
        self.finish = False
        self.progress = progress

    async def write(self) -> None:
        async with http_client() as http:
            for n in count():
                if self.finish:
                    return
                body = f"{self.name} {n}"
                token = self.tokens[n % len(self.tokens)]
                self.acknowledged[body] = await self.until_acknowledged(http, body, token)
                self.progress.set()
                await asyncio.sleep(random.uniform(0, 0.1))

    async def until_acknowledged(self, http: httpx.AsyncClient, body: str, token: str) -> str:
        """The id of the comment."""
        input = {"subjectId": self.subject, "body": body, "idempotencyKey": body}
        while True:
            self.attempts += 1
            server = self.servers[self.attempts % len(self.servers)]
            try:
                data = await asked(http, server, token, COMMENT, input=input)
            except httpx.TransportError:
                await asyncio.sleep(0.01)
                continue
            result = data["addComment"]
            assert result["__typename"] == "AddCommentPayload", result
            id: str = result["commentEdge"]["node"]["id"]
            return id


async def test_what_was_acknowledged_is_there_and_delivered_once(neighbourhood: Neighbourhood) -> None:
    """SIGKILL in the middle of writes, time and again; of two processes now the one, now the other."""
    world, servers = neighbourhood.world, neighbourhood.deployment.servers
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    tokens = [
        (await open_session(world.services, (await world.resident(home)).id, "crash")).access_token
        for _ in range(ACCOUNTS)
    ]
    reader = tokens[0]
    async with http_client() as http:
        post = {
            "communityId": global_id("Community", community.id),
            "kind": "TALK",
            "body": "停电了",
            "idempotencyKey": "p",
        }
        posted = await asked(http, servers[0], reader, POST, input=post)
        subject = posted["createPost"]["postEdge"]["node"]["id"]
    progress = asyncio.Event()
    writers = [Writer(f"作者 {n}", servers, tokens[n::WRITERS], subject, progress) for n in range(WRITERS)]
    async with asyncio.timeout(280), Follower(servers, reader, COMMENTS, subject=subject) as follower:
        async with asyncio.TaskGroup() as tasks:
            for writer in writers:
                tasks.create_task(writer.write())
            for crash in range(CRASHES):
                # A server is killed in the midst of writing, not while it starts.
                progress.clear()
                await progress.wait()
                await asyncio.sleep(random.uniform(0, 0.03))
                server = servers[crash % len(servers)]
                server.kill()
                server.start()
                await server.ready()
            for writer in writers:
                writer.finish = True
        acknowledged = {body: id for writer in writers for body, id in writer.acknowledged.items()}
        assert len(acknowledged) >= CRASHES
        await follower.until(lambda: len(follower.events) >= len(acknowledged))
        # Whatever would come twice has come by then.
        last = await asked_for_last(servers[0], reader, subject)
        await follower.until(lambda: bodies(follower)[-1] == last)
    acknowledged[last] = follower.events[-1]["comment"]["id"]

    assert follower.resets == 0
    assert Counter(bodies(follower)).keys() == acknowledged.keys()
    assert len(bodies(follower)) == len(acknowledged)
    await check_tables(neighbourhood, community_topic(community.id), acknowledged, follower, subject)
    for server in servers:
        assert "Traceback" not in server.output(), server.output()[-6000:]


async def asked_for_last(server: ServerProcess, token: str, subject: str) -> str:
    async with http_client() as http:
        await asked(
            http,
            server,
            token,
            COMMENT,
            input={"subjectId": subject, "body": "来电了", "idempotencyKey": "last"},
        )
    return "来电了"


async def check_tables(
    neighbourhood: Neighbourhood, topic: str, acknowledged: dict[str, str], follower: Follower, subject: str
) -> None:
    """The tables, the counters and the log say the same, and it is what the clients were told."""
    rows = await execute("SELECT id, body FROM comment")
    assert {row["body"]: key_of_row(row) for row in rows} == {
        body: str(key_in(id)) for body, id in acknowledged.items()
    }
    assert len(rows) == len(acknowledged)
    (post,) = await execute("SELECT comment_count FROM post WHERE id = ?", key_in(subject))
    assert post["comment_count"] == len(rows)
    events = await neighbourhood.world.events(topic)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    (position,) = await execute("SELECT seq FROM topic WHERE name = ?", topic)
    assert position["seq"] == len(events)
    added = [event.event.subject for event in events if event.event.kind is Kind.COMMENT_ADDED]
    assert added == [key_in(event["comment"]["id"]) for event in follower.events]


def key_in(id: str) -> Any:
    found = type_and_key(id)
    assert found is not None
    return found[1]


def key_of_row(row: Any) -> str:
    return str(row["id"])
