"""The first ten minutes: the scenario, and the commands of docs/start.md, as a newcomer types them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers import ROOT, Deployment, ServerProcess

SECONDS = 120


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    directory = tmp_path_factory.mktemp("demo")
    deployment = Deployment(f"sqlite://{directory / 'demo.db'}", "memory://", directory)
    deployment.command("migrate")
    deployment.command("seed")
    deployment.servers[0].start()
    yield deployment
    deployment.close()


def blocks() -> list[str]:
    """The commands of docs/start.md, with the Python that runs the tests."""
    page = (ROOT / "docs/start.md").read_text().replace(".venv/bin/python", sys.executable)
    return re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def typed(server: ServerProcess, directory: Path, script: str) -> str:
    """What is printed when `script` is run by bash at the root of the repository, and may not fail."""
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={**server.env, "LINLI_PORT": str(server.port), "LOG": str(server.log), "HERE": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, printed
    return printed


async def test_the_scenario_is_played_to_its_end(demo: Deployment) -> None:
    server = demo.servers[0]
    await server.ready()
    printed = demo.command("scenario", "--url", server.http)
    assert "老马's feed  PostCreated" in printed
    assert "2 of 64 households acknowledged" in printed
    assert "in other buildings, got nothing." in printed


def with_values(sign_in: str) -> str:
    return sign_in.replace("123456", "'$CODE'").replace("CHALLENGE", "'$CHALLENGE'")


async def test_each_command_of_the_page_does_what_the_page_says(demo: Deployment, tmp_path: Path) -> None:
    (_make, _port, _scenario, setup, ask, community, show, post, follow, code, sign_in, refresh) = blocks()
    server = demo.servers[0]
    await server.ready()
    printed = typed(
        server,
        tmp_path,
        f"""
{setup}
{ask}
{community}
{show}
(
{follow}
) > "$HERE/events" 2>&1 &
until grep -q connected "$HERE/events"; do sleep 0.1; done
{post}
{post}
until grep -q PostCreated "$HERE/events"; do sleep 0.1; done
{code.replace("linli '", "ASKED=$(linli '").rstrip()})
echo "$ASKED"
CHALLENGE=$(echo "$ASKED" | sed -n 's/.*"challenge": "\\(.*\\)".*/\\1/p')
CODE=$(sed -n 's/^SMS to .*验证码 *\\([0-9]*\\).*/\\1/p' "$LOG")
{with_values(sign_in).replace("linli '", "SIGNED=$(linli '").rstrip()})
REFRESH=$(echo "$SIGNED" | sed -n 's/.*"refreshToken": "\\(.*\\)".*/\\1/p')
echo "refreshing $REFRESH"
{refresh.replace("REFRESH", "'$REFRESH'")}
""",
    )
    assert '"name": "丰盛社区"' in printed
    assert f"{server.http}/graphiql/" in printed
    assert '{"Authorization": "Bearer ey' in printed
    # Sent twice, it is one post and one event.
    ids = re.findall(r'"createPost": \{\s*"postEdge": \{\s*"node": \{\s*"id": "(\w+)"', printed)
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert (tmp_path / "events").read_text().count("PostCreated") == 1
    assert '"expiresAt"' in printed
    refreshed = printed.partition("refreshing ")[2]
    assert '"accessToken": "ey' in refreshed
    assert re.search(r'"refreshToken": "[\w=-]{20,}"', refreshed)
