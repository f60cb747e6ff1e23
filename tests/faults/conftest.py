"""Deployments to break: their processes start at once, and a small scene is set in each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene, set_up
from tests.neighbourhood import deployment_of, prepared, running
from tests.servers import Deployment


# Not async: such fixtures cannot ask for async ones by name.
@pytest.fixture
def one_process(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """SQLite and memory://; not started."""
    return deployment_of("sqlite", request, tmp_path)


@pytest.fixture
def two_processes(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """PostgreSQL and Redis; not started."""
    return deployment_of("postgres", request, tmp_path)


@pytest.fixture
async def alone(one_process: Deployment) -> AsyncIterator[Scene]:
    """A scene on one process."""
    async with running(one_process), prepared(one_process) as made, set_up(made) as scene:
        yield scene


@pytest.fixture
async def pair(two_processes: Deployment) -> AsyncIterator[Scene]:
    """A scene on two processes."""
    async with running(two_processes), prepared(two_processes) as made, set_up(made) as scene:
        yield scene


@pytest.fixture(params=["one_process", "two_processes"])
def undeployed(request: pytest.FixtureRequest) -> Deployment:
    made: Deployment = request.getfixturevalue(request.param)
    return made


@pytest.fixture
async def scene(undeployed: Deployment) -> AsyncIterator[Scene]:
    """A scene on each kind of deployment."""
    async with running(undeployed), prepared(undeployed) as made, set_up(made) as scene:
        yield scene
