"""A post, neighbours who comment on it, and the questions that every fault ends with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from models.identity import AccountRow, CommunityRow
from models.storage.rows import execute
from resolvers.identity.sessions import open_session
from schema.node import global_id, type_and_key
from subscriptions.events import Kind, community_topic
from tests.neighbourhood import Neighbourhood
from tests.servers import ServerProcess
from tests.wire import COMMENT, COMMENTS, POST, Follower, asked, http_client
from tests.world import World

COUNT = "query Count($id: ID!) { node(id: $id) { ... on Post { commentCount } } }"


@dataclass
class Scene:
    """`people` may comment; nobody may more than sixty times a minute, so they take turns."""

    neighbourhood: Neighbourhood
    community: CommunityRow
    people: list[AccountRow]
    tokens: list[str]
    http: httpx.AsyncClient
    subject: str = ""

    def __post_init__(self) -> None:
        self.numbers = count()
        self.said: list[str] = []

    @property
    def world(self) -> World:
        return self.neighbourhood.world

    @property
    def servers(self) -> list[ServerProcess]:
        return self.neighbourhood.deployment.servers

    @property
    def reader(self) -> str:
        return self.tokens[0]

    @property
    def community_id(self) -> str:
        return global_id("Community", self.community.id)

    @property
    def subject_key(self) -> UUID:
        return key_in(self.subject)

    async def token(self, account: AccountRow) -> str:
        return (await open_session(self.world.services, account.id, "fault")).access_token

    async def post(self) -> str:
        input = {"communityId": self.community_id, "kind": "TALK", "body": "有人吗", "idempotencyKey": "post"}
        data = await asked(self.http, self.servers[0], self.reader, POST, input=input)
        found: str = data["createPost"]["postEdge"]["node"]["id"]
        return found

    async def comment(self, body: str = "") -> str:
        """Comment once, as the next neighbour and on the next server; what was said. Raises Refused."""
        n = next(self.numbers)
        body = body or f"第 {n} 句"
        input = {"subjectId": self.subject, "body": body, "idempotencyKey": f"key {n}"}
        token = self.tokens[n % len(self.tokens)]
        data = await asked(self.http, self.servers[n % len(self.servers)], token, COMMENT, input=input)
        assert data["addComment"]["__typename"] == "AddCommentPayload", data
        self.said.append(body)
        return body

    def follower(self, *servers: ServerProcess) -> Follower:
        """Someone who reads the comments on these servers, or on any."""
        return Follower(servers or self.servers, self.reader, COMMENTS, subject=self.subject)

    async def check_whole(self) -> list[str]:
        """Comments, counter and events tell the same, without holes; what was said, in order."""
        rows = {row["id"]: row["body"] for row in await execute("SELECT id, body FROM comment")}
        by_id = {UUID(str(id)): body for id, body in rows.items()}
        events = await self.world.events(community_topic(self.community.id))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        added = [event.event.subject for event in events if event.event.kind is Kind.COMMENT_ADDED]
        assert len(added) == len(set(added)) == len(by_id)
        (post,) = await execute("SELECT comment_count FROM post WHERE id = ?", self.subject_key)
        assert post["comment_count"] == len(by_id)
        (calls,) = await execute("SELECT count(*) AS n FROM idempotent_call WHERE action = 'addComment'")
        assert calls["n"] == len(by_id)
        return [by_id[id] for id in added]

    def check_quiet(self) -> None:
        """No server has printed a traceback."""
        for server in self.servers:
            assert "Traceback" not in server.output(), server.output()[-6000:]

    async def metric(self, server: ServerProcess, name: str) -> float:
        """A metric's value, 0 if it has none yet."""
        text = (await self.http.get(f"{server.http}/metrics")).text
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def key_in(id: str) -> UUID:
    found = type_and_key(id)
    assert found is not None
    return found[1]


@asynccontextmanager
async def set_up(neighbourhood: Neighbourhood, people: int = 10) -> AsyncIterator[Scene]:
    world = neighbourhood.world
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_client())
        scene = Scene(neighbourhood, community, [], [], http)
        for _ in range(people):
            scene.people.append(await world.resident(home))
            scene.tokens.append(await scene.token(scene.people[-1]))
        scene.subject = await scene.post()
        yield scene


async def eventually(condition: Any, seconds: float = 20) -> None:
    """Wait for what no event tells of: ask `condition`, an async function, until it says yes."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
