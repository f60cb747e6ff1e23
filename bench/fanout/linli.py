"""Linli as it is shipped: `python main.py` on SQLite, real accounts, tokens, posts and rights."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from tortoise.transactions import in_transaction

from bench.fanout.contenders import SUBSCRIPTION, Contender, conversation
from models.privacy import Keys
from resolvers.tokens import Tokens
from schema.node import global_id
from tests.crowd import move_in
from tests.servers import ROOT, throwaway_secrets
from tests.world import World

# Of every twenty clients that receive, so many more look on (they may not see what neighbours write), and
# so many more never read.
BYSTANDERS, DEAF, OF = 2, 1, 20
FAT = "长" * 4900
MOST_FAT = 600
SCRAPER = "scraper"

CREATE = """mutation Create($input: CreatePostInput!) { createPost(input: $input) {
  __typename ... on CreatePostPayload { postEdge { node { id } } } } }"""


class Linli(Contender):
    name = "Linli"
    opened = True
    subscription = SUBSCRIPTION

    def __init__(self, most: int, **env: str) -> None:
        super().__init__()
        self.most = most
        self.directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
        self.keys = throwaway_secrets()
        self.community = ""
        self.residents: list[str] = []
        self.applicants: list[str] = []
        self.authors = count()
        self.env = {
            "PATH": "/usr/bin:/bin",
            "LINLI_MODE": "production",
            "LINLI_SMS_URL": "http://127.0.0.1:9/",
            "LINLI_SMS_TOKEN": "none",
            "LINLI_METRICS_TOKEN": SCRAPER,
            "LINLI_DATA_DIR": str(self.directory),
            "LINLI_DATABASE_URL": f"sqlite://{self.directory}/linli.db",
            "LINLI_PORT": str(self.port),
            **self.keys,
            **env,
        }

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, ROOT / "main.py"]

    def start(self) -> None:
        subprocess.run([*self.command(), "migrate"], env=self.env, check=True)
        asyncio.run(self.people())
        with (self.directory / "log").open("wb") as log:
            self.server = subprocess.Popen(self.command(), env=self.env, stdout=log, stderr=log)
        self.wait_ready()

    def get(self, path: str) -> str:
        return super().get("/healthz" if path == "/subscribers" else path)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def people(self) -> None:
        """One community, a home for each resident, and applicants who are not verified yet."""
        from models import database

        keys = Keys.from_text(self.keys["LINLI_KEYS"], self.keys["LINLI_INDEX_KEY"])
        tokens = Tokens(self.keys["LINLI_TOKEN_KEY"], timedelta(hours=3))
        async with database.database(self.env["LINLI_DATABASE_URL"]), in_transaction():
            world = World()
            community = await world.community("屯乐苑")
            buildings = [await world.building(await world.estate(community)) for _ in range(10)]
            self.community = global_id("Community", community.id)
            residents = self.most + self.most * DEAF // OF
            applicants = self.most * BYSTANDERS // OF
            self.residents = await move_in(keys, tokens, buildings, residents)
            self.applicants = await move_in(
                keys, tokens, buildings, applicants, first=residents, verified=False
            )

    def clients(self, number: int) -> list[dict[str, Any]]:
        deaf, bystanders = number * DEAF // OF, number * BYSTANDERS // OF
        found = []
        variables = {"communityId": self.community}
        for n, token in enumerate(self.residents[: number + deaf] + self.applicants[:bystanders]):
            found.append(
                {
                    "messages": conversation(n, self.subscription, variables, token),
                    "deaf": number <= n < number + deaf,
                }
            )
        return found

    def connect(self, number: int) -> None:
        super().connect(number)
        self.jam()

    def jam(self) -> None:
        """Publish long posts until those who never read hold up what is meant for them."""
        for n in range(MOST_FAT):
            self.round(f"{n} {FAT}")
            if self.metric("linli_subscribers_catching_up") >= self.receivers * DEAF // OF:
                return
        raise RuntimeError("Those who never read are not held up")

    def check(self) -> None:
        super().check()
        counts = self.ask(do="counts")["counts"]
        if any(counts[self.receivers + self.receivers * DEAF // OF :]):
            raise RuntimeError("Somebody was told what he may not see")

    def metric(self, name: str) -> float:
        lines = self.post("/metrics", None, {"authorization": f"Bearer {SCRAPER}"}).splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def publish(self, body: str) -> None:
        # Nobody may post more than thirty times an hour, so they take turns.
        author = next(self.authors)
        token = self.residents[author % len(self.residents)]
        input = {
            "communityId": self.community,
            "kind": "TALK",
            "body": body,
            "idempotencyKey": f"{author}",
            "estateId": None,
        }
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        body_ = json.dumps({"query": CREATE, "variables": {"input": input}}).encode()
        answer = json.loads(self.post("/graphql", body_, headers))
        if answer["data"]["createPost"]["__typename"] != "CreatePostPayload":
            raise RuntimeError(str(answer))


class Viewers(Linli):
    """Each account is told whether it has liked the post: nobody's frame need be another's."""

    name = "viewerHasLiked"
    subscription = SUBSCRIPTION.replace("likeCount", "likeCount viewerHasLiked")

    def jam(self) -> None:
        """Those who never read take what little there is."""


class WholeForEach(Viewers):
    name = "the same, by graphql-core for each account"

    def __init__(self, most: int) -> None:
        super().__init__(most, LINLI_EXECUTION="reference")
