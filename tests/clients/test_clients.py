"""The clients that apps are built with, each against one really running, seeded server.

Each JavaScript client is a script that Node runs; it says what it has checked, and fails by its exit
status. Without Node, or without the packages of package-lock.json, these tests are skipped, except in
continuous integration (`CI` is set), where they fail.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from demo.people import OFFICERS, RESIDENTS
from resolvers.tokens import Tokens
from tests.client import App
from tests.servers import Deployment

HERE = Path(__file__).parent
SCRIPT_SECONDS = 300
# Who acts in the clients' tests, by the phone of a demo account.
PEOPLE = {
    "resident": RESIDENTS[1].phone,
    "neighbour": RESIDENTS[3].phone,
    "officer": OFFICERS[1].phone,
}


class Served:
    """The server of this module, and tokens of the people who use it."""

    def __init__(self, deployment: Deployment, tokens: dict[str, str]) -> None:
        self.deployment = deployment
        self.tokens = tokens
        (self.server,) = deployment.servers

    async def kill(self) -> str:
        """End the server as a power cut does."""
        await asyncio.to_thread(self.server.kill)
        return "killed"

    async def stop(self) -> str:
        """End the server as an operator does."""
        # Uvicorn ends by the signal that it has handled.
        assert await asyncio.to_thread(self.server.stop) in (0, -signal.SIGTERM)
        return "stopped"

    async def start(self) -> str:
        """Start the server again, at the same address."""
        self.server.start()
        await self.server.ready()
        return "started"

    async def new_session(self) -> str:
        """A token of the resident in a session of its own."""
        return (await asyncio.to_thread(self.deployment.command, "token", PEOPLE["resident"])).strip()

    async def expiring(self) -> str:
        """A token of the resident that is good for some seconds."""
        key = self.deployment.env["LINLI_TOKEN_KEY"]
        said = Tokens(key).read(self.tokens["resident"])
        return Tokens(key, timedelta(seconds=8)).access_token(said.account_id, said.session_id)

    def app(self, who: str) -> App:
        return App(self.server, self.tokens[who])


@pytest.fixture(scope="module")
async def served(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Served]:
    directory = tmp_path_factory.mktemp("clients")
    path = directory / "linli.db"
    deployment = Deployment(f"sqlite://{path}", "memory://", directory)
    deployment.command("migrate")
    deployment.command("seed")
    tokens = {who: deployment.command("token", phone).strip() for who, phone in PEOPLE.items()}
    try:
        await deployment.start()
        yield Served(deployment, tokens)
    finally:
        deployment.close()


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with exactly the packages of package-lock.json."""
    node = shutil.which("node")
    if node is None:
        unavailable("Node.js is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < 20:
        unavailable(f"Node.js 20 or newer is needed, this is {version.strip()}")
    installed = HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or locked(installed) != locked(HERE / "package-lock.json"):
        unavailable("The JavaScript clients are not installed: npm ci in tests/clients")
    return node


def locked(lock: Path) -> dict[str, str]:
    """The version of each package that a lock file lists, but for what only some systems install."""
    packages = json.loads(lock.read_text())["packages"]
    return {path: it["version"] for path, it in packages.items() if path and not it.get("optional")}


class Scripts:
    """Runs the clients' scripts."""

    def __init__(self, node: str, served: Served, directory: Path) -> None:
        self.node = node
        self.served = served
        self.directory = directory
        # What scripts may ask for.
        self.answers: dict[str, Callable[[], Awaitable[str]]] = {
            "kill": served.kill,
            "stop": served.stop,
            "start": served.start,
            "a token of a new session": served.new_session,
            "a token that expires in seconds": served.expiring,
        }

    async def run(self, script: str, *arguments: str) -> None:
        """Run one to its end, doing to the server what it asks for; fails the test if it fails."""
        process = await asyncio.create_subprocess_exec(
            self.node,
            str(HERE / script),
            *arguments,
            cwd=self.directory,
            env=self.environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said: list[str] = []
        try:
            async with asyncio.timeout(SCRIPT_SECONDS):
                await self.converse(process, said)
                status = await process.wait()
        except TimeoutError:
            said.append(f"It did not end within {SCRIPT_SECONDS} s")
            status = -1
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert status == 0, "\n".join(said) + f"\n\nThe server:\n{self.served.server.output()[-3000:]}"
        assert said[-1].endswith("checks passed"), "\n".join(said)

    async def converse(self, process: asyncio.subprocess.Process, said: list[str]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        async for line in process.stdout:
            text = line.decode().rstrip("\n")
            if text.startswith("? "):
                answer = await self.answers[text.removeprefix("? ")]()
                process.stdin.write(f"{answer}\n".encode())
                # One that has failed meanwhile listens no more; what it said tells why.
                with suppress(ConnectionError):
                    await process.stdin.drain()
            else:
                said.append(text)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.directory),
            "LINLI_HTTP": self.served.server.graphql,
            "LINLI_WEBSOCKET": self.served.server.websocket,
            "LINLI_TOKENS": json.dumps(self.served.tokens),
        }


@pytest.fixture
async def serving(served: Served) -> Served:
    """The server, whatever became of it in the test before."""
    process = served.server.process
    if process is None or process.poll() is not None:
        await served.start()
    return served


@pytest.fixture
def scripts(node: str, serving: Served, tmp_path: Path) -> Scripts:
    return Scripts(node, serving, tmp_path)


@pytest.fixture
def printed_schema(served: Served, tmp_path: Path) -> Path:
    """What `python main.py schema` prints."""
    path = tmp_path / "schema.graphql"
    path.write_text(served.deployment.command("schema"), encoding="utf-8")
    return path


async def test_every_audit_of_graphql_http_passes_without_a_warning(scripts: Scripts) -> None:
    await scripts.run("audits.mjs")


async def test_graphql_ws_runs_all_operations_and_resumes_after_the_server_died(scripts: Scripts) -> None:
    await scripts.run("graphql-ws.mjs")


async def test_apollo_client_pages_and_keeps_its_cache_live(scripts: Scripts) -> None:
    await scripts.run("apollo.mjs")


async def test_urql_keeps_a_normalised_cache_with_the_schema(scripts: Scripts) -> None:
    await scripts.run("urql.mjs")


async def test_relay_compiles_and_appends_edges(scripts: Scripts, printed_schema: Path) -> None:
    await scripts.run("relay.mjs", str(printed_schema))


async def test_graphql_code_generator_makes_types_that_compile(
    scripts: Scripts, printed_schema: Path
) -> None:
    await scripts.run("codegen.mjs", str(printed_schema))


async def test_gql_validates_by_introspection_and_follows(serving: Served) -> None:
    app = serving.app("resident")
    http = HTTPXAsyncTransport(url=serving.server.graphql, headers=app.headers, trust_env=False)
    async with Client(transport=http, fetch_schema_from_transport=True) as session:
        assert session.client.schema is not None
        assert session.client.schema.subscription_type is not None
        viewer = (await session.execute(gql("{ viewer { displayName communities { id name } } }")))["viewer"]
        assert viewer["displayName"] == RESIDENTS[1].name
        with pytest.raises(Exception, match="Cannot query field 'phone' on type 'Viewer'"):
            await session.execute(gql("{ viewer { phone } }"))
    community = viewer["communities"][0]["id"]

    websocket = WebsocketsTransport(
        url=serving.server.websocket,
        init_payload=app.headers,
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        connect_args={"proxy": None},
    )
    async with Client(transport=websocket, fetch_schema_from_transport=True) as session:
        request = gql(
            """
            subscription ($community: ID!) {
              postEvents(communityId: $community, kinds: [LOST]) {
                cursor
                event { __typename ... on PostCreated { post { body kind author { displayName } } } }
              }
            }
            """
        )
        request.variable_values = {"community": community}
        async with asyncio.timeout(30):
            events = session.subscribe(request)
            assert (await anext(events))["postEvents"]["event"]["__typename"] == "StreamOpened"
            done = await serving.app("neighbour").act(
                """
                mutation ($input: CreatePostInput!) {
                  createPost(input: $input) { __typename ... on Problem { message } }
                }
                """,
                input={
                    "communityId": community,
                    "kind": "LOST",
                    "body": "丢了一串钥匙",
                    "idempotencyKey": "gql-lost-keys",
                },
            )
            assert done == {"__typename": "CreatePostPayload"}
            assert (await anext(events))["postEvents"]["event"] == {
                "__typename": "PostCreated",
                "post": {
                    "body": "丢了一串钥匙",
                    "kind": "LOST",
                    "author": {"displayName": RESIDENTS[3].name},
                },
            }
            await events.aclose()
