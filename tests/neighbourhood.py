"""A running deployment with people in it, for the stories and the faults."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from models import database
from models.identity import AccountRow
from models.privacy import Keys
from resolvers.context import Services
from resolvers.identity.sessions import open_session
from resolvers.media.storage import Directory
from resolvers.tokens import Tokens
from tests.client import App
from tests.servers import Deployment
from tests.services import PostgresServer, RedisServer
from tests.world import FakeSms, Recorder, World


class Neighbourhood:
    """A running deployment, a world to prepare in its database, and apps for the people in it."""

    def __init__(self, deployment: Deployment, world: World) -> None:
        self.deployment = deployment
        self.world = world
        self._servers = cycle(deployment.servers)

    async def app(self, account: AccountRow | None = None) -> App:
        """A client of `account`, on the next of the servers, so that two people are rarely on one."""
        token = None
        if account is not None:
            token = (await open_session(self.world.services, account.id, "story")).access_token
        return App(next(self._servers), token)


def deployment_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path, **settings: Any) -> Deployment:
    """A deployment, not yet started, on a database of its own: `sqlite` is one process, `postgres` two."""
    if kind == "sqlite":
        path = tmp_path / "linli.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return Deployment(f"sqlite://{path}", "memory://", tmp_path, **settings)
    server: PostgresServer = request.getfixturevalue("postgres")
    redis: RedisServer = request.getfixturevalue("redis")
    name = f"story_{tmp_path.name}".lower().replace("-", "_")
    url = server.create_database(name, template=request.getfixturevalue("postgres_template"))
    return Deployment(url, redis.url, tmp_path, processes=2, **settings)


@asynccontextmanager
async def running(made: Deployment) -> AsyncIterator[Deployment]:
    """The deployment, serving."""
    try:
        await made.start()
        yield made
    finally:
        made.close()


@asynccontextmanager
async def prepared(deployment: Deployment) -> AsyncIterator[Neighbourhood]:
    """The deployment's database, open in this process too, with the deployment's own secrets."""
    async with database.database(deployment.database_url):
        world = World(
            Services(
                keys=Keys.from_text(deployment.env["LINLI_KEYS"], deployment.env["LINLI_INDEX_KEY"]),
                tokens=Tokens(deployment.env["LINLI_TOKEN_KEY"]),
                sms=FakeSms(),
                live=Recorder(),
                media=Directory(deployment.data_dir / "media"),
            )
        )
        yield Neighbourhood(deployment, world)
