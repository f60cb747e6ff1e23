"""Story 13, the retry: what an app sends again happens once."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.identity import AccountRow, CommunityRow
from models.roles import Role
from resolvers.identity.sessions import open_session
from schema.node import global_id, type_and_key
from subscriptions.events import Event, Kind, community_topic
from tests.client import App
from tests.neighbourhood import Neighbourhood
from tests.wire import COMMENT, POST, asked, http_client

pytestmark = pytest.mark.anyio

PUBLISH = """mutation Publish($input: PublishNoticeInput!) { publishNotice(input: $input) { __typename
  ... on PublishNoticePayload { notice { id } } ... on Problem { code message } } }"""
THREAD = """query Thread($id: ID!) { node(id: $id) { ... on Post { commentCount
  comments(first: 50) { edges { node { id body } } } } } }"""
FEED = """query Feed($id: ID!) { node(id: $id) { ... on Community {
  posts(first: 50) { edges { node { id body } } }
  notices(first: 50) { edges { node { id title } } } } } }"""
INBOX = """query Inbox { viewer { unreadCount notifications(first: 50) { edges { node { kind subject {
  ... on Node { id } } } } } } }"""
PARALLEL = 20


class Street:
    """Two neighbours, an officer, and a way to say something many times at once."""

    def __init__(
        self, neighbourhood: Neighbourhood, http: httpx.AsyncClient, community: CommunityRow
    ) -> None:
        self.neighbourhood = neighbourhood
        self.http = http
        self.community = community
        self.community_id = global_id("Community", community.id)

    async def token(self, account: AccountRow) -> str:
        return (await open_session(self.neighbourhood.world.services, account.id, "retry")).access_token

    async def storm(self, token: str, mutation: str, **input: Any) -> list[dict[str, Any]]:
        """The results of the same call: once, PARALLEL times at once over all servers, and once more."""
        servers = self.neighbourhood.deployment.servers

        async def call(n: int) -> dict[str, Any]:
            data = await asked(self.http, servers[n % len(servers)], token, mutation, input=input)
            (result,) = data.values()
            found: dict[str, Any] = result
            return found

        parallel = await asyncio.gather(*(call(n) for n in range(PARALLEL)))
        return [*parallel, await call(0), await call(1)]

    async def logged(self, kind: Kind) -> list[Event]:
        events = await self.neighbourhood.world.events(community_topic(self.community.id))
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return [each.event for each in events if each.event.kind is kind]


async def test_a_comment_a_post_and_a_notice_sent_again(neighbourhood: Neighbourhood) -> None:
    """Twenty times at once and twice more: one effect, one event, one notification, one answer."""
    async with asyncio.timeout(60), http_client() as http:
        street = Street(neighbourhood, http, await neighbourhood.world.community())
        await check_post_and_comment(street)
        await check_notice(street)


async def check_post_and_comment(street: Street) -> None:
    world = street.neighbourhood.world
    author = await world.neighbour(street.community)
    neighbour = await world.neighbour(street.community)
    reader = await street.neighbourhood.app(author)
    assert reader.token is not None

    key = str(uuid4())
    post = {"communityId": street.community_id, "kind": "TALK", "body": "电梯又坏了"}
    results = await street.storm(reader.token, POST, **post, idempotencyKey=key)
    (subject,) = {result["postEdge"]["node"]["id"] for result in results}
    assert len(await street.logged(Kind.POST_CREATED)) == 1
    await expect_conflict(reader, POST, key, **{**post, "body": "门禁也坏了"})
    posts = (await reader.run(FEED, id=street.community_id))["node"]["posts"]["edges"]
    assert [edge["node"] for edge in posts] == [{"id": subject, "body": "电梯又坏了"}]

    token = await street.token(neighbour)
    key = str(uuid4())
    comment = {"subjectId": subject, "body": "我也看见了"}
    results = await street.storm(token, COMMENT, **comment, idempotencyKey=key)
    (comment_id,) = {result["commentEdge"]["node"]["id"] for result in results}
    await expect_conflict(App(reader.server, token), COMMENT, key, **{**comment, "body": "看错了"})
    thread = (await reader.run(THREAD, id=subject))["node"]
    assert thread["commentCount"] == 1
    assert [edge["node"] for edge in thread["comments"]["edges"]] == [
        {"id": comment_id, "body": "我也看见了"}
    ]
    (added,) = await street.logged(Kind.COMMENT_ADDED)
    assert type_and_key(comment_id) == ("Comment", added.subject)
    assert len(await street.logged(Kind.COUNTERS_CHANGED)) == 1
    assert len(await street.logged(Kind.NOTIFICATION_ADDED)) == 1
    inbox = (await reader.run(INBOX))["viewer"]
    assert inbox["unreadCount"] == 1
    assert [edge["node"]["subject"]["id"] for edge in inbox["notifications"]["edges"]] == [comment_id]


async def check_notice(street: Street) -> None:
    world = street.neighbourhood.world
    committee = await world.organisation(street.community)
    officer = await street.neighbourhood.app(await world.officer(committee, Role.ADMIN))
    assert officer.token is not None
    key = str(uuid4())
    notice = {
        "organisationId": global_id("Organisation", committee.id),
        "category": "OUTAGE",
        "severity": "IMPORTANT",
        "title": "停水",
        "body": "明天上午",
        "audience": [{"placeId": street.community_id}],
    }
    results = await street.storm(officer.token, PUBLISH, **notice, idempotencyKey=key)
    (notice_id,) = {result["notice"]["id"] for result in results}
    told = len(await street.logged(Kind.NOTIFICATION_ADDED))
    await expect_conflict(officer, PUBLISH, key, **{**notice, "body": "后天上午"})
    assert len(await street.logged(Kind.NOTICE_PUBLISHED)) == 1
    assert len(await street.logged(Kind.NOTIFICATION_ADDED)) == told
    notices = (await officer.run(FEED, id=street.community_id))["node"]["notices"]["edges"]
    assert [edge["node"] for edge in notices] == [{"id": notice_id, "title": "停水"}]


async def expect_conflict(app: App, mutation: str, key: str, **input: Any) -> None:
    result = await app.act(mutation, input={**input, "idempotencyKey": key})
    assert result["__typename"] == "Conflict", result
