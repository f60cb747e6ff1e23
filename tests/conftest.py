"""What the tests stand on: real databases, a real Redis, and a small world to act in."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tortoise.apps import Apps

from models import database
from models.identity import AccountRow, CommunityRow
from models.organisations import OrganisationRow
from models.roles import Role
from tests import compared
from tests.clock import clock as clock
from tests.services import PostgresServer, RedisServer
from tests.world import World

WORKED_OUT = ("filters", "basetable", "basequery", "basequery_all_fields")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: stories wait for clocks and for each other."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: begun at the end, they would be waited for on one core."""
    items.sort(key=lambda item: ("test_15_isolation" not in item.nodeid, "/stories/" not in item.nodeid))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def worked_out_once() -> Iterator[None]:
    """What Tortoise works out of the models whenever a database is opened is the same for each of a kind."""
    kept: dict[type, list[list[Any]]] = {}
    original = Apps._build_initial_querysets

    def build(apps: Apps) -> None:
        metas = [model._meta for models in apps.apps.values() for model in models.values()]
        kind = type(metas[0].db)
        if kind not in kept:
            for meta in metas:
                meta.filters = {}
            original(apps)
            kept[kind] = [[getattr(meta, name) for name in WORKED_OUT] for meta in metas]
        for meta, values in zip(metas, kept[kind], strict=True):
            for name, value in zip(WORKED_OUT, values, strict=True):
                setattr(meta, name, value)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Apps, "_build_initial_querysets", build)
        yield


@pytest.fixture(scope="session", autouse=True)
def comparing() -> Iterator[None]:
    """Whatever a plan executes is executed by graphql-core as well."""
    with compared.comparing():
        yield


@pytest.fixture(autouse=True)
def executed_the_same(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test fails if a plan and graphql-core come to different results in it."""
    callspec = getattr(request.node, "callspec", None)
    compared.wanted = callspec is None or "postgres" not in callspec.params.values()
    compared.differences.clear()
    yield
    assert not compared.differences, "\n\n".join(compared.differences)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Path:
    """A migrated SQLite database, to be copied."""
    path = tmp_path_factory.mktemp("template") / "linli.db"
    await database.migrate(f"sqlite://{path}")
    return path


@pytest.fixture(scope="session")
async def postgres_template(postgres: PostgresServer, anyio_backend: str) -> str:
    """The name of a migrated PostgreSQL database, to be copied."""
    await database.migrate(postgres.create_database("template_linli"))
    return "template_linli"


@pytest.fixture(scope="session")
def postgres_database(postgres: PostgresServer, postgres_template: str) -> str:
    """The URL of a migrated PostgreSQL database, which each test finds empty."""
    return postgres.create_database("test_linli", template=postgres_template)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database: each test runs on both kinds. Its tables are the same for every test;
    whoever changes them puts them back."""
    if request.param == "sqlite":
        path = tmp_path / "linli.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite://{path}"
        return
    yield request.getfixturevalue("postgres_database")
    server: PostgresServer = request.getfixturevalue("postgres")
    server.empty_database("test_linli")


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A world on an open database, in this process."""
    async with opened(database_url) as made:
        yield made


@pytest.fixture
async def community(world: World) -> CommunityRow:
    return await world.community()


@pytest.fixture
async def committee(world: World, community: CommunityRow) -> OrganisationRow:
    return await world.organisation(community)


@pytest.fixture
async def admin(world: World, committee: OrganisationRow) -> AccountRow:
    return await world.officer(committee, Role.ADMIN)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[World]:
    async with database.database(url):
        yield World()
