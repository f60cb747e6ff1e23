"""The comparison of executors is at work in servers too."""

from pathlib import Path

import pytest

from tests import compared
from tests.neighbourhood import deployment_of, prepared, running
from tests.servers import Deployment

pytestmark = pytest.mark.anyio


@pytest.fixture
def differences(tmp_path: Path) -> Path:
    return tmp_path / "differences.txt"


# Not async: such a fixture cannot ask for async ones by name.
@pytest.fixture(params=["the same", "different"])
def undeployed(request: pytest.FixtureRequest, tmp_path: Path, differences: Path) -> tuple[Deployment, bool]:
    """A server that compares, and whether to it no outcome is like another."""
    prelude = compared.prelude(differences)
    if request.param == "different":
        prelude += "; compared._outcome = lambda result: object()"
    return deployment_of("sqlite", request, tmp_path, prelude=prelude), request.param == "different"


async def test_a_server_leaves_what_differs(undeployed: tuple[Deployment, bool], differences: Path) -> None:
    deployment, different = undeployed
    async with running(deployment), prepared(deployment) as neighbourhood:
        app = await neighbourhood.app(await neighbourhood.world.account("甲"))
        assert await app.run("query Type { __typename }") == {"__typename": "Query"}
    assert differences.exists() == different
    assert not different or "replayed" in differences.read_text()
