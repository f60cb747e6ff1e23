"""Thousands of households acknowledge one notice at once, over two processes, while its reach is followed."""

import asyncio
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import websockets
from websockets import Subprotocol

from bench.comparison import Contender, running
from bench.load import Load, Measured, request
from bench.served import environment, linli
from bench.town import Town, account, build, session
from models import database
from models.base import now
from models.identity import CommunityRow
from models.notices import AudienceKind, NoticeCategory, Severity
from models.organisations import AppointmentRow
from models.privacy import Keys
from models.roles import OrganisationKind, Role
from models.storage.rows import execute
from models.visibility import viewers
from resolvers.context import Context
from resolvers.notices import publishing
from resolvers.notices.audiences import Place
from resolvers.tokens import Tokens
from schema.node import global_id
from tests.servers import throwaway_secrets
from tests.services import RedisServer
from tests.world import World

SECONDS = 60.0
CLIENTS = 64
SILENCE = 15.0

ACKNOWLEDGE = """mutation Acknowledge($input: AcknowledgeNoticeInput!) { acknowledgeNotice(input: $input) {
  ... on AcknowledgeNoticePayload { notice { id } } ... on Problem { code message } } }"""
REACH = """subscription Reach($id: ID!) { reachEvents(noticeId: $id) { cursor event {
  ... on ReachChanged { reach { targeted acknowledged } } } } }"""


@dataclass
class Followed:
    """What an office sees of the reach meanwhile."""

    acknowledged: list[int] = field(default_factory=list)
    longest_silence: float = 0.0

    async def follow(self, port: int, token: str, notice: str, households: int) -> None:
        async with websockets.connect(
            f"ws://127.0.0.1:{port}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
        ) as socket:
            init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
            await socket.send(json.dumps(init))
            subscribe = {
                "id": "1",
                "type": "subscribe",
                "payload": {"query": REACH, "variables": {"id": notice}},
            }
            await socket.send(json.dumps(subscribe))
            last = time.monotonic()
            while not self.acknowledged or self.acknowledged[-1] < households:
                async with asyncio.timeout(SILENCE):
                    message = json.loads(await socket.recv())
                reach = (
                    ((message.get("payload") or {}).get("data") or {}).get("reachEvents", {}).get("event", {})
                )
                if "reach" in reach:
                    if self.acknowledged:
                        self.longest_silence = max(self.longest_silence, time.monotonic() - last)
                    last = time.monotonic()
                    self.acknowledged.append(reach["reach"]["acknowledged"])


async def publish(url: str, secrets: dict[str, str], town: Town) -> tuple[UUID, str]:
    """A notice to every household, and the token of an officer who may see its reach."""
    keys = Keys.from_text(secrets["LINLI_KEYS"], secrets["LINLI_INDEX_KEY"])
    tokens = Tokens(secrets["LINLI_TOKEN_KEY"], timedelta(hours=6))
    async with database.database(url):
        world = World()
        officer = account(keys, 90_000_000)
        held = session(officer)
        await officer.save()
        await held.save()
        committee = await world.organisation(
            await CommunityRow.get(id=town.community_id), OrganisationKind.RESIDENTS_COMMITTEE
        )
        await AppointmentRow.create(
            community_id=committee.community_id,
            organisation_id=committee.id,
            account_id=officer.id,
            role=Role.ADMIN,
        )
        found = await viewers({officer.id: held.id})
        notice = await publishing.publish(
            Context(world.services, found[officer.id]),
            organisation_id=committee.id,
            draft=publishing.NoticeDraft(
                category=NoticeCategory.GENERAL,
                severity=Severity.IMPORTANT,
                title="停水通知",
                body="明日上午停水。",
                ends_at=now() + timedelta(days=1),
            ),
            audience=[Place(AudienceKind.COMMUNITY, committee.community_id)],
            key="storm",
        )
        return notice.id, tokens.access_token(officer.id, held.id)


async def counted(url: str) -> int:
    async with database.database(url):
        (row,) = await execute("SELECT count(*) AS n FROM receipt WHERE acknowledged_at IS NOT NULL")
        return int(row["n"])


async def storm(
    contender: Contender, load: Load, requests: list[str], token: str, notice: str
) -> tuple[Measured, float, Followed]:
    followed = Followed()
    following = asyncio.create_task(followed.follow(contender.ports[0], token, notice, len(requests)))
    await asyncio.sleep(1)
    began = time.monotonic()
    measured = await asyncio.to_thread(
        load.run,
        contender.ports,
        requests,
        clients=CLIENTS,
        seconds=2 * SECONDS,
        once=True,
        expect='"notice"',
    )
    took = time.monotonic() - began
    await following
    return measured, took, followed


def measure(url: str, households: int) -> list[tuple[str, float, float]]:
    secrets = throwaway_secrets()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        print(f"Filling PostgreSQL with {households} households", flush=True)
        town = asyncio.run(build(url, secrets, residents=households, posts=10, comments=10))
        notice_id, officer = asyncio.run(publish(url, secrets, town))
        notice = global_id("Notice", notice_id)
        body = json.dumps({"query": ACKNOWLEDGE, "variables": {"input": {"noticeId": notice}}}).encode()
        requests = [request("/graphql", body, authorization=f"Bearer {token}") for token in town.tokens]
        with RedisServer() as redis:
            env = environment(secrets, url, directory, LINLI_BROADCAST_URL=redis.url, LINLI_PROCESSES="2")
            contender = linli([], env, processes=2)
            with running([contender], directory), Load() as load:
                measured, took, followed = asyncio.run(storm(contender, load, requests, officer, notice))
        kept = asyncio.run(counted(url))
        print(
            f"\nStorm: {households} households over two processes on PostgreSQL and Redis in {took:.1f} s"
            f" ({measured.rate:.0f}/s, median {measured.median_ms:.0f} ms, worst {measured.worst_ms:.0f} ms);"
            f" reach told {len(followed.acknowledged)} times, never silent for longer than"
            f" {followed.longest_silence:.1f} s, at the end {followed.acknowledged[-1]}; kept {kept},"
            f" wrong answers {measured.wrong}",
            flush=True,
        )
        return [
            ("storm: households kept", kept / households, 1.0),
            (
                "storm: households that the reach showed at the end",
                followed.acknowledged[-1] / households,
                1.0,
            ),
            ("storm: times as fast as 60 s", SECONDS / took, 1.0),
        ]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
