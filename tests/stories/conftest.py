"""Deployments for the stories: one process on SQLite, and two on PostgreSQL with Redis between them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import compared
from tests.neighbourhood import Neighbourhood as Neighbourhood
from tests.neighbourhood import deployment_of, prepared, running
from tests.servers import Deployment


# Not async: such a fixture cannot ask for async ones by name, and only one of the databases is wanted.
@pytest.fixture(params=["sqlite", "postgres"])
def undeployed(request: pytest.FixtureRequest, tmp_path: Path, differences: Path) -> Deployment:
    """A deployment of each kind that does not serve yet."""
    prelude = compared.prelude(differences) if request.param == "sqlite" else ""
    return deployment_of(request.param, request, tmp_path, prelude=prelude)


@pytest.fixture
def differences(tmp_path: Path) -> Iterator[Path]:
    """Where servers leave what a plan and graphql-core made differently of the same; none may."""
    path = tmp_path / "differences.txt"
    yield path
    assert not path.exists(), path.read_text()[:20_000]


@pytest.fixture
async def deployment(undeployed: Deployment) -> AsyncIterator[Deployment]:
    """A deployment that serves, of each kind."""
    async with running(undeployed) as made:
        yield made


@pytest.fixture
async def neighbourhood(deployment: Deployment) -> AsyncIterator[Neighbourhood]:
    async with prepared(deployment) as made:
        yield made
