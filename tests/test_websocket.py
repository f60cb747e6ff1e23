"""graphql-transport-ws over a real uvicorn server: the protocol, the deadlines, and what bad clients try."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import strawberry
import structlog
import uvicorn
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from models.base import new_id
from models.messages import Message
from models.visibility import Viewer
from resolvers.errors import DomainError, NotFound, Unauthenticated
from schema.fields import VIEWER
from schema.serving import websocket as websocket_module
from schema.serving.allowance import Preparation
from schema.serving.documents import sha256
from schema.serving.operations import Operations
from schema.serving.websocket import SUBPROTOCOL, Admission, WebSocketEndpoint
from schema.streams import follow
from subscriptions import connection as connection_module
from subscriptions import feeds
from subscriptions import transport as transport_module
from subscriptions.bus import Bus
from subscriptions.events import STANDING, Event, Kind, Logged
from subscriptions.hub import Hub
from subscriptions.streams import Opened, Request, Stream, cursor_of
from subscriptions.transport import HttpProtocol, WebSocketProtocol
from subscriptions.work import unit_of_work
from tests.world import World

# What the protocol does is the same on every database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TOPIC = "community:test"
SCOPE = new_id()
NEVER = 3600.0


# A toy schema


@dataclass
class ToyContext:
    """What the toy's resolvers share with the tests."""

    server: "ToyServer"
    holder: Viewer | None
    memo: dict[Any, Any] = field(default_factory=dict)


Info = strawberry.Info[ToyContext, None]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "hello"

    @strawberry.field
    async def slow(self, info: Info) -> str:
        server = info.context.server
        server.waiting += 1
        try:
            await server.gate.wait()
        finally:
            server.waiting -= 1
        return "at last"

    @strawberry.field
    def big(self, size: int) -> str:
        return "x" * size

    @strawberry.field
    def fails(self) -> str:
        raise ZeroDivisionError("secret")

    @strawberry.field
    def absent(self) -> str:
        raise NotFound


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: Info) -> int:
        server = info.context.server
        server.began += 1
        await server.gate.wait()
        server.added += 1
        return server.added


@strawberry.type
class Tick:
    @strawberry.field
    def cursor(self, root: strawberry.Parent[Any]) -> str:
        return cursor_of(root)

    @strawberry.field
    def seq(self, root: strawberry.Parent[Any]) -> int:
        return int(root.seq)

    @strawberry.field
    def opened(self, root: strawberry.Parent[Any]) -> bool:
        return isinstance(root, Opened)

    @strawberry.field
    def pad(self, info: Info, size: int) -> str:
        info.context.server.executed += 1
        return "x" * size

    @strawberry.field(metadata=VIEWER)
    def account(self, info: Info) -> str:
        assert info.context.holder is not None
        return str(info.context.holder.account_id)

    @strawberry.field
    def flaky(self, info: Info, root: strawberry.Parent[Any]) -> int:
        if isinstance(root, Logged) and info.context.server.faults:
            info.context.server.faults -= 1
            raise ConnectionError
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription(graphql_type=Tick)
    async def ticks(self, after: str | None = None) -> Request:
        stream = Stream(TOPIC, frozenset({Kind.POST_CREATED, Kind.NOTICE_PUBLISHED}), frozenset({SCOPE}))
        return follow(stream, after)

    @strawberry.subscription
    async def secret(self) -> AsyncGenerator[Tick, None]:
        raise NotFound


schema = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)._schema


class ToyServer:
    """The endpoint, its hub, and uvicorn in this event loop."""

    def __init__(self, **options: Any) -> None:
        self.gate = asyncio.Event()
        self.waiting = self.began = self.added = self.executed = self.faults = 0
        self.viewer = Viewer(account_id=new_id(), session_id=new_id(), scopes=frozenset({SCOPE}))
        self.expires_at: float | None = None
        self.admitted: list[dict[str, Any]] = []
        self.on_admit: Callable[[], Any] | None = None
        self.port = 0
        self.hub = Hub(Bus("memory://"))
        self.operations = Operations(schema, introspection=False, expected=(DomainError,))
        self.endpoint = WebSocketEndpoint(
            Preparation(self.operations),
            self.hub,
            self.admit,
            cast(Any, lambda _admission, holder: ToyContext(self, holder)),
            **{"origins": None, "most": 100, **options},
        )

    async def admit(self, _websocket: Any, payload: dict[str, Any]) -> Admission:
        self.admitted.append(payload)
        if payload.get("authorization") == "bad":
            raise Unauthenticated(Message("登录已过期" * 20))
        if payload.get("authorization") == "crash":
            raise ZeroDivisionError
        if self.on_admit is not None:
            await self.on_admit()
        return Admission(self.viewer, "en", self.expires_at)

    @asynccontextmanager
    async def running(self, *, wire: bool = True) -> AsyncIterator["ToyServer"]:
        await self.hub.start()
        watch = asyncio.create_task(self.endpoint.watch())
        config = uvicorn.Config(
            Starlette(routes=[WebSocketRoute("/graphql", self.endpoint)]),
            http=HttpProtocol if wire else "httptools",
            ws=WebSocketProtocol if wire else "websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=64 * 1024,
            ws_ping_interval=None,
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
            serving = asyncio.create_task(server._serve([listening]))
            await until(lambda: server.started)
            try:
                yield self
                await until(lambda: not self.endpoint.handlers)
            finally:
                self.gate.set()
                server.should_exit = True
                await serving
                watch.cancel()
                await asyncio.wait({watch})
        await self.operations.drain()
        assert self.hub.sinks == set()
        assert set(self.hub._feeds) == {STANDING}
        await until(lambda: not self.endpoint.mutations)
        await self.hub.stop()
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        assert [name for name in names if name.startswith(("Handler.", "Connection.", "Hub."))] == []

    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    @asynccontextmanager
    async def client(self, *, init: bool = True, **options: Any) -> AsyncIterator["Client"]:
        options.setdefault("subprotocols", [Subprotocol(SUBPROTOCOL)])
        async with connect(
            self.url(), compression=None, ping_interval=None, max_size=None, **options
        ) as socket_:
            client = Client(socket_)
            if init:
                await client.send(type="connection_init")
                assert await client.receive() == {"type": "connection_ack"}
            yield client

    async def silent(self) -> tuple[socket.socket, Callable[..., Any]]:
        """A client that subscribes and then reads nothing, with hardly any buffer of its own."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", self.port))
        await loop.sock_sendall(raw, HANDSHAKE.encode())
        await loop.sock_recv(raw, 4096)

        async def send(**message: Any) -> None:
            await loop.sock_sendall(raw, frame(json.dumps(message).encode()))

        await send(type="connection_init")
        await loop.sock_recv(raw, 4096)
        return raw, send

    async def write(self, number: int = 1, kind: Kind = Kind.POST_CREATED) -> None:
        for _ in range(number):
            async with unit_of_work(self.hub) as work:
                work.record(Event(TOPIC, kind, new_id(), frozenset({SCOPE})))


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
)


def frame(data: bytes, opcode: int = 1, *, final: bool = True) -> bytes:
    """A client's frame, made by hand; its mask is zero."""
    head = bytes([opcode | (0x80 if final else 0)])
    if len(data) < 126:
        return head + bytes([0x80 | len(data)]) + bytes(4) + data
    return head + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data


class Client:
    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def subscribe(self, id: str, query: str, **payload: Any) -> None:
        await self.send(type="subscribe", id=id, payload={"query": query, **payload})

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            received: dict[str, Any] = json.loads(await self.socket.recv())
            return received

    async def code(self) -> int:
        """The close code that comes next, frames before it left aside."""
        async with asyncio.timeout(20):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code or 0

    async def ticks(self, number: int) -> list[int]:
        """So many events, without the greeting."""
        seqs: list[int] = []
        while len(seqs) < number:
            tick = (await self.receive())["payload"]["data"]["ticks"]
            if not tick["opened"]:
                seqs.append(tick["seq"])
        return seqs

    def drop(self) -> None:
        self.socket.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    """For what nobody signals."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
async def server(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[ToyServer]:
    """A server that has not ended in a fault, and has nothing left, when the test is over."""
    monkeypatch.setattr(websocket_module, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(feeds, "RETRY_SECONDS", 0.001)
    with structlog.testing.capture_logs() as logs:
        async with ToyServer().running() as running:
            yield running
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert [entry for entry in logs if entry["log_level"] == "error" and not entry.get("expected")] == []


@pytest.fixture
async def faulty(world: World) -> AsyncIterator[ToyServer]:
    """A server whose resolvers may fail."""
    with structlog.testing.capture_logs():
        async with ToyServer().running() as running:
            yield running


TICKS = "subscription ($after: String) { ticks(after: $after) { cursor seq opened } }"


# Beginning


async def test_operations_of_all_kinds_run_side_by_side(server: ToyServer) -> None:
    server.gate.set()
    async with server.client() as client:
        await client.subscribe("1", "{ hello }")
        assert await client.receive() == {"type": "next", "id": "1", "payload": {"data": {"hello": "hello"}}}
        assert await client.receive() == {"type": "complete", "id": "1"}
        await client.subscribe("1", "mutation { add }")
        assert (await client.receive())["payload"] == {"data": {"add": 1}}
        assert (await client.receive())["type"] == "complete"
        await client.subscribe("t", TICKS)
        opening = await client.receive()
        assert opening["id"] == "t"
        assert opening["payload"]["data"]["ticks"]["opened"]
        await server.write(3)
        assert await client.ticks(3) == [1, 2, 3]
        await client.subscribe("u", TICKS, variables={"after": opening["payload"]["data"]["ticks"]["cursor"]})
        assert await client.ticks(3) == [1, 2, 3]


@pytest.mark.parametrize("message", [{}, {"payload": None}, {"payload": {}}, {"payload": {"a": 1}}])
async def test_initialising_needs_no_payload(server: ToyServer, message: dict[str, Any]) -> None:
    async with server.client(init=False) as client:
        await client.send(type="connection_init", **message)
        assert await client.receive() == {"type": "connection_ack"}
    assert server.admitted == [message.get("payload") or {}]


async def test_who_says_nothing_is_closed(server: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "INIT_SECONDS", 0.02)
    async with server.client(init=False) as client:
        assert await client.code() == 4408


async def test_initialising_twice(server: ToyServer) -> None:
    async with server.client() as client:
        await client.send(type="connection_init")
        assert await client.code() == 4429


async def test_subscribing_before_initialising(server: ToyServer) -> None:
    async with server.client(init=False) as client:
        await client.subscribe("1", "mutation { add }")
        assert await client.code() == 4401
    assert server.began == 0


@pytest.mark.parametrize(("authorization", "code"), [("bad", 4403), ("crash", 4499)])
async def test_who_is_not_admitted_may_come_back(faulty: ToyServer, authorization: str, code: int) -> None:
    """A reason of more bytes than a close frame holds must not keep it from being sent."""
    async with faulty.client(init=False) as client:
        await client.send(type="connection_init", payload={"authorization": authorization})
        assert await client.code() == code
        assert len((client.socket.close_reason or "").encode()) <= 123


async def test_rights_that_change_during_the_admission_count(server: ToyServer) -> None:
    """The hub cannot tell a connection whose account it does not know yet."""

    async def change() -> None:
        if len(server.admitted) == 1:
            before = server.hub.standing
            async with unit_of_work(server.hub) as work:
                work.record(Event(STANDING, Kind.STANDING_CHANGED, new_id()))
            await until(lambda: server.hub.standing > before)

    server.on_admit = change
    async with server.client():
        assert len(server.admitted) == 2


@pytest.mark.parametrize("offered", [None, ["graphql-ws"], ["graphql-sse", "x"]])
async def test_other_subprotocols_are_refused(server: ToyServer, offered: list[str] | None) -> None:
    async with server.client(init=False, subprotocols=offered) as client:
        assert client.socket.subprotocol is None
        assert await client.code() == 4406


async def test_pages_of_other_sites_are_refused(world: World) -> None:
    async with ToyServer(origins=frozenset({"https://linli.example"})).running() as server:
        for origin in ("https://evil.example", "null", "https://linli.example.evil.example"):
            with pytest.raises(InvalidStatus) as caught:
                async with server.client(origin=origin):
                    pass
            assert caught.value.response.status_code == 403
        async with server.client(origin="https://linli.example"), server.client():
            assert len(server.endpoint.handlers) == 2


async def test_no_more_are_admitted_than_there_is_room_for(world: World) -> None:
    def refused() -> float:
        return REGISTRY.get_sample_value("linli_closed_total", {"code": "1013"}) or 0

    before = refused()
    async with ToyServer(most=2).running() as server, server.client():
        async with server.client(), server.client(init=False) as third:
            assert await third.code() == 1013
        assert refused() == before + 1
        await until(lambda: len(server.endpoint.handlers) == 1)
        async with server.client():
            assert len(server.endpoint.handlers) == 2


# Bad frames


BAD: dict[str, str | bytes] = {
    "array": "[]",
    "number": "7",
    "null": "null",
    "string": '"connection_init"',
    "nothing": "",
    "no json": "{",
    "no type": "{}",
    "unknown type": '{"type":"x"}',
    "type is a list": '{"type":["ping"]}',
    "server's message": '{"type":"next","id":"1","payload":{}}',
    "id is a list": '{"type":"subscribe","id":["1"],"payload":{"query":"{ hello }"}}',
    "id is a number": '{"type":"subscribe","id":1,"payload":{"query":"{ hello }"}}',
    "id is empty": '{"type":"subscribe","id":"","payload":{"query":"{ hello }"}}',
    "id is long": json.dumps({"type": "subscribe", "id": "x" * 129, "payload": {"query": "{ hello }"}}),
    "complete of a list": '{"type":"complete","id":[]}',
    "no payload": '{"type":"subscribe","id":"1"}',
    "payload is a list": '{"type":"subscribe","id":"1","payload":[]}',
    "query is a number": '{"type":"subscribe","id":"1","payload":{"query":7}}',
    "variables are a list": '{"type":"subscribe","id":"1","payload":{"query":"{ hello }","variables":[]}}',
    "ping of a list": '{"type":"ping","payload":[]}',
    "pong of a number": '{"type":"pong","payload":7}',
    "ping too deep": '{"type":"ping","payload":' + '{"a":' * 900 + "1" + "}" * 901,
    "deep array": "[" * 60_000,
    "deep object": '{"a":' * 12_000,
    "lone surrogate": '{"type":"subscribe","id":"\\ud800","payload":{"query":"{ hello }"}}',
    "infinite": '{"type":"ping","payload":{"a":1e999999}}x',
    "nan": "NaN",
    "binary": b'{"type":"ping"}',
}


@pytest.mark.parametrize("initialised", [True, False])
async def test_malformed_frames_close_with_4400(server: ToyServer, initialised: bool) -> None:
    for name, data in BAD.items():
        if not initialised and b"subscribe" in (data if isinstance(data, bytes) else data.encode()):
            continue
        async with server.client(init=initialised) as client:
            await client.socket.send(data)
            assert await client.code() == 4400, name


async def test_frames_that_are_no_unicode_are_refused(server: ToyServer) -> None:
    raw, _ = await server.silent()
    with raw:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, frame(b'{"type":"pi\xff"}'))
        answer = await loop.sock_recv(raw, 4096)
        assert answer[:1] == b"\x88"
        assert int.from_bytes(answer[2:4], "big") == 4400


async def test_messages_in_pieces_are_whole(server: ToyServer) -> None:
    raw, _ = await server.silent()
    with raw:
        loop = asyncio.get_running_loop()
        message = json.dumps({"type": "ping", "payload": {"a": "停水"}}, ensure_ascii=False).encode()
        cut = message.index("停".encode()) + 1
        await loop.sock_sendall(raw, frame(message[:cut], final=False) + frame(message[cut:], opcode=0))
        answer = await loop.sock_recv(raw, 4096)
        assert json.loads(answer[2:]) == {"type": "pong", "payload": {"a": "停水"}}


async def test_a_huge_frame_closes_with_1009(server: ToyServer) -> None:
    async with server.client() as client:
        await client.socket.send("x" * 200_000)
        assert await client.code() == 1009


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("query a { hello } query b { hello }", "OPERATION_RESOLUTION_FAILED"),
        ("subscription { ticks(after: 1) { seq } }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { ticks(after: "x") { seq } }', "INVALID_INPUT"),
        ("subscription { secret { seq } }", "NOT_FOUND"),
    ],
)
async def test_a_bad_operation_ends_itself_only(server: ToyServer, query: str, code: str) -> None:
    async with server.client() as client:
        await client.subscribe("t", TICKS)
        await client.receive()
        await client.subscribe("bad", query)
        answer = await client.receive()
        assert (answer["type"], answer["id"]) == ("error", "bad")
        assert answer["payload"][0]["extensions"]["code"] == code
        await server.write()
        assert await client.ticks(1) == [1]
        await client.subscribe("bad", "{ hello }")
        assert (await client.receive())["type"] == "next"


async def test_a_document_may_be_named_by_its_hash(server: ToyServer) -> None:
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256("{ hello }")}}}
    async with server.client() as client:
        await client.send(id="1", type="subscribe", payload=named)
        refused = await client.receive()
        assert (refused["type"], refused["payload"][0]["message"]) == ("error", "PersistedQueryNotFound")
        for payload in (named | {"query": "{ hello }"}, named):
            await client.send(id="1", type="subscribe", payload=payload)
            assert (await client.receive())["payload"] == {"data": {"hello": "hello"}}
            assert (await client.receive())["type"] == "complete"


async def test_errors_of_execution_are_results(server: ToyServer) -> None:
    async with server.client() as client:
        await client.subscribe("1", "{ absent }")
        answer = await client.receive()
        assert answer["type"] == "next"
        assert answer["payload"]["data"] is None
        assert answer["payload"]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert (await client.receive())["type"] == "complete"


async def test_faults_are_masked(faulty: ToyServer) -> None:
    async with faulty.client() as client:
        await client.subscribe("1", "{ fails }")
        answer = json.dumps(await client.receive())
        assert "INTERNAL" in answer
        assert "secret" not in answer


# Operations


@pytest.mark.parametrize("query", ["{ slow }", TICKS])
async def test_an_id_in_use_closes_with_4409(server: ToyServer, query: str) -> None:
    async with server.client() as client:
        id = "停" * 100
        await client.subscribe(id, query)
        if query == TICKS:
            await client.receive()
        await client.subscribe(id, "{ hello }")
        assert await client.code() == 4409


async def test_too_many_operations_at_once(server: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "OPERATIONS", 3)
    async with server.client() as client:
        for id in ("1", "2", "3"):
            await client.subscribe(id, "{ slow }")
        await client.subscribe("4", "{ hello }")
        answer = await client.receive()
        assert (answer["type"], answer["id"]) == ("error", "4")
        assert answer["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await client.send(type="complete", id="2")
        await client.subscribe("4", "{ hello }")
        assert (await client.receive())["type"] == "next"


async def test_complete_cancels_a_query_and_a_subscription(server: ToyServer) -> None:
    async with server.client() as client:
        await client.subscribe("q", "{ slow }")
        await until(lambda: server.waiting == 1)
        await client.send(type="complete", id="q")
        await until(lambda: server.waiting == 0)
        await client.subscribe("t", TICKS)
        await client.receive()
        await client.send(type="complete", id="t")
        await client.send(type="complete", id="unknown")
        await until(lambda: TOPIC not in server.hub._feeds)
        await server.write()
        await client.subscribe("q", "{ hello }")
        assert (await client.receive())["id"] == "q"


@pytest.mark.parametrize("opened", [True, False])
async def test_mutations_that_are_cancelled_at_once_run_to_their_end(server: ToyServer, opened: bool) -> None:
    if opened:
        server.gate.set()
    async with server.client() as client:
        for number in range(300):
            await client.subscribe(str(number), "mutation { add }")
            await client.send(type="complete", id=str(number))
        if not opened:
            await until(lambda: server.began == websocket_module.OPERATIONS)
            server.gate.set()
        await until(lambda: server.added == 300)
        await client.send(type="ping")
        # Nobody wanted the answers.
        assert await client.receive() == {"type": "pong"}


async def test_mutations_outlive_their_connection(server: ToyServer) -> None:
    async with server.client() as client:
        for number in range(20):
            await client.subscribe(str(number), "mutation { add }")
        await until(lambda: server.began == 20)
        client.drop()
    await until(lambda: not server.endpoint.handlers)
    assert server.added == 0
    server.gate.set()
    await until(lambda: server.added == 20)


async def test_identical_subscriptions_share_their_executions(server: ToyServer) -> None:
    query = "subscription { ticks { seq opened pad(size: 1) } }"
    async with server.client() as first, server.client() as second:
        for client in (first, second):
            await client.subscribe("a", query)
            await client.subscribe("b", query)
            assert {(await client.receive())["id"] for _ in range(2)} == {"a", "b"}
        greetings = server.executed
        await server.write(5)
        for client in (first, second):
            assert sorted(await client.ticks(10)) == sorted([1, 2, 3, 4, 5] * 2)
        assert server.executed == greetings + 5


async def test_accounts_share_all_but_what_depends_on_the_viewer(server: ToyServer) -> None:
    query = "subscription { ticks { opened pad(size: 1) account seq } }"
    async with AsyncExitStack() as stack:
        clients = {}
        for _ in range(3):
            server.viewer = Viewer(new_id(), new_id(), frozenset({SCOPE}))
            client = await stack.enter_async_context(server.client())
            await client.subscribe("t", query)
            await client.receive()
            clients[str(server.viewer.account_id)] = client
        greetings = server.executed
        await server.write(5)
        for account, client in clients.items():
            for seq in range(1, 6):
                told = (await client.receive())["payload"]["data"]["ticks"]
                assert told == {"opened": False, "pad": "x", "account": account, "seq": seq}
        assert server.executed == greetings + 5


async def test_what_accounts_share_is_tried_again(faulty: ToyServer) -> None:
    async with faulty.client() as client:
        await client.subscribe("t", "subscription { ticks { account seq flaky } }")
        await client.receive()
        faulty.faults = 2
        await faulty.write(3)
        for seq in (1, 2, 3):
            told = (await client.receive())["payload"]["data"]["ticks"]
            assert told == {"account": str(faulty.viewer.account_id), "seq": seq, "flaky": 1}


async def test_an_event_whose_execution_fails_for_a_moment_is_not_lost(faulty: ToyServer) -> None:
    """As when the database restarts between the log's reading and the event's."""
    async with faulty.client() as client:
        await client.subscribe("t", "subscription { ticks { seq opened flaky } }")
        await client.receive()
        faulty.faults = 2
        await faulty.write(3)
        for seq in (1, 2, 3):
            payload = (await client.receive())["payload"]
            assert payload == {"data": {"ticks": {"seq": seq, "opened": False, "flaky": 1}}}


# Deadlines


async def test_ping_is_answered_with_its_payload_even_before_initialising(server: ToyServer) -> None:
    async with server.client(init=False) as client:
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}
        await client.send(type="ping", payload={"a": [1, "停"]})
        assert await client.receive() == {"type": "pong", "payload": {"a": [1, "停"]}}


async def test_who_answers_the_heartbeat_stays(server: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.01)
    async with server.client() as client:
        for _ in range(5):
            assert await client.receive() == {"type": "ping"}
            await client.send(type="pong")


async def test_who_does_not_answer_is_closed(server: ToyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PING_SECONDS", 0.01)
    monkeypatch.setattr(connection_module, "PONG_SECONDS", 0.01)
    async with server.client() as client:
        assert await client.receive() == {"type": "ping"}
        assert await client.code() == 4499


async def test_a_token_that_expires_closes_so_that_the_client_refreshes_it(server: ToyServer) -> None:
    server.expires_at = time.time() + NEVER
    async with server.client() as client:
        await client.subscribe("t", TICKS)
        await client.receive()
        (handler,) = server.endpoint.handlers
        handler.connection.expires_at = time.time() - 1
        assert await client.code() == 4403


async def test_an_ended_session_closes_for_good(server: ToyServer) -> None:
    async with server.client() as client:
        assert server.viewer.session_id is not None
        async with unit_of_work(server.hub) as work:
            work.record(Event(STANDING, Kind.SESSION_ENDED, server.viewer.session_id))
        assert await client.code() == 4401


async def test_lost_rights_end_the_subscription_with_an_error(server: ToyServer) -> None:
    async with server.client() as client:
        await client.subscribe("t", TICKS)
        await client.receive()
        assert server.viewer.account_id is not None
        # The database knows of no home of this account.
        async with unit_of_work(server.hub) as work:
            work.record(Event(STANDING, Kind.STANDING_CHANGED, server.viewer.account_id))
        answer = await client.receive()
        assert (answer["type"], answer["id"]) == ("error", "t")
        assert answer["payload"][0]["extensions"]["code"] == "NOT_ALLOWED"
        await server.write()
        await client.subscribe("q", "{ hello }")
        assert (await client.receive())["id"] == "q"


# Clients that do not read


FAT = "subscription { ticks { seq opened pad(size: 200000) } }"


async def test_a_client_that_never_reads_costs_a_bounded_buffer_and_is_dropped(
    server: ToyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, send = await server.silent()
    with raw:
        await send(type="subscribe", id="t", payload={"query": FAT})
        await until(lambda: TOPIC in server.hub._feeds)
        (handler,) = server.endpoint.handlers
        async with server.client() as reader:
            await reader.subscribe("t", FAT)
            await reader.receive()
            most = 0
            for _ in range(6):
                await server.write(10)
                assert len(await reader.ticks(10)) == 10
                most = max(most, handler.connection._bytes)
            assert 400_000 < most <= connection_module.BUFFER_BYTES + 200_200
            monkeypatch.setattr(connection_module, "STALLED_SECONDS", 0.05)
            await until(lambda: handler not in server.endpoint.handlers)
            assert handler.connection._bytes == 0
            await until(lambda: len(server.endpoint.handlers) == 1)
            await server.write()
            assert len(await reader.ticks(1)) == 1


async def test_a_close_frame_that_finds_no_way_out_is_not_waited_for(
    server: ToyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "STALLED_SECONDS", NEVER)
    raw, send = await server.silent()
    with raw:
        await send(type="subscribe", id="t", payload={"query": FAT})
        await until(lambda: TOPIC in server.hub._feeds)
        (handler,) = server.endpoint.handlers
        await server.write(60)
        await until(lambda: handler.connection._bytes >= connection_module.BUFFER_BYTES)
        # Only what is in the socket's own buffers is left to be sent, and then the close frame.
        handler.connection._frames.clear()
        wire: Any = handler.connection._wire
        monkeypatch.setattr(transport_module, "CLOSING_SECONDS", 0.05)
        handler.connection.close(connection_module.Close.TERMINATED, "enough")
        await until(lambda: handler not in server.endpoint.handlers)
        await until(lambda: wire._lost)


async def test_answers_that_nobody_reads_are_bounded(server: ToyServer) -> None:
    raw, send = await server.silent()
    with raw:
        (handler,) = server.endpoint.handlers
        for number in range(200):
            if handler.connection.closing:
                break
            await send(type="subscribe", id=str(number), payload={"query": "{ big(size: 300000) }"})
            await asyncio.sleep(0)
        await until(lambda: handler.connection.closing)
        assert handler.connection._bytes <= connection_module.REPLY_BYTES + 300_200
        handler.connection.abort()
        await until(lambda: handler not in server.endpoint.handlers)


async def test_receipts_are_told_when_the_frame_is_on_the_wire(server: ToyServer) -> None:
    handed: list[Any] = []

    class Deliveries:
        def handed_over(self, notice_id: Any, homes: Any) -> None:
            handed.append(homes)

    server.hub.deliveries = Deliveries()
    server.viewer = Viewer(new_id(), new_id(), frozenset({SCOPE}), frozenset({new_id()}))
    raw, send = await server.silent()
    with raw:
        await send(type="subscribe", id="t", payload={"query": FAT})
        await until(lambda: TOPIC in server.hub._feeds)
        (handler,) = server.endpoint.handlers
        await server.write(60)
        await until(lambda: handler.connection._bytes >= connection_module.BUFFER_BYTES)
        # It stands behind all that this client does not read.
        await server.write(1, Kind.NOTICE_PUBLISHED)
        async with server.client() as reader:
            await reader.subscribe("t", FAT)
            await reader.receive()
            await server.write(1, Kind.NOTICE_PUBLISHED)
            await reader.ticks(1)
        assert handed == [server.viewer.homes]
        handler.connection.abort()


# Ending


@pytest.mark.parametrize("stage", ["connected", "initialised", "query", "following", "busy", "closing"])
async def test_a_connection_that_drops_leaves_nothing(server: ToyServer, stage: str) -> None:
    """The server fixture looks for what is left."""
    for _ in range(3):
        async with server.client(init=stage != "connected") as client:
            if stage in ("query", "busy"):
                await client.subscribe("q", "{ slow }")
                await until(lambda: server.waiting == 1)
            if stage in ("following", "busy"):
                await client.subscribe("t", TICKS)
                await client.receive()
                await server.write()
            if stage == "closing":
                await client.socket.send("[]")
            client.drop()
        await until(lambda: not server.endpoint.handlers)
        assert server.waiting == 0


async def test_draining_closes_everybody_and_lets_mutations_finish(world: World) -> None:
    async with ToyServer().running() as server:
        raw, send = await server.silent()
        with raw:
            await send(type="subscribe", id="t", payload={"query": FAT})
            await until(lambda: TOPIC in server.hub._feeds)
            await server.write(60)
            async with server.client() as first, server.client() as second:
                await first.subscribe("m", "mutation { add }")
                await until(lambda: server.began == 1)
                draining = asyncio.create_task(server.endpoint.drain(0.2))
                assert await first.code() == 1012
                assert await second.code() == 1012
                async with server.client(init=False) as late:
                    assert await late.code() == 1013
                # The one who never reads is dropped when the time is over.
                await until(lambda: not server.endpoint.handlers)
                assert not draining.done()
                server.gate.set()
                await draining
                assert server.added == 1


async def test_draining_nobody_ends_at_once(server: ToyServer) -> None:
    async with asyncio.timeout(10):
        await server.endpoint.drain(NEVER)


# Straight to the socket


async def test_what_happens_in_one_turn_goes_out_in_one_write(
    server: ToyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    write = WebSocketProtocol.write

    def noted(self: WebSocketProtocol, data: bytes) -> bool:
        writes.append(data)
        return write(self, data)

    async with server.client() as client:
        await client.subscribe("t", TICKS)
        await client.receive()
        monkeypatch.setattr(WebSocketProtocol, "write", noted)
        async with unit_of_work(server.hub) as work:
            for _ in range(10):
                work.record(Event(TOPIC, Kind.POST_CREATED, new_id(), frozenset({SCOPE})))
        assert await client.ticks(10) == list(range(1, 11))
        assert len(writes) == 1


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536, 200_000])
async def test_frames_of_every_size_are_whole(server: ToyServer, length: int) -> None:
    async with server.client() as client:
        await client.subscribe("q", f"{{ big(size: {length}) }}")
        assert (await client.receive())["payload"] == {"data": {"big": "x" * length}}
        assert await client.receive() == {"type": "complete", "id": "q"}


async def test_another_server_is_served_through_asgi(world: World) -> None:
    """uvicorn's own protocol offers no wire: all of it works all the same, and closes as it should."""
    async with ToyServer().running(wire=False) as server, server.client() as client:
        await client.subscribe("t", TICKS)
        await client.receive()
        await client.subscribe("q", "{ hello }")
        assert (await client.receive())["payload"] == {"data": {"hello": "hello"}}
        assert await client.receive() == {"type": "complete", "id": "q"}
        await server.write(300)
        assert await client.ticks(300) == list(range(1, 301))
        await client.send(type="connection_init")
        assert await client.code() == 4429


async def test_what_is_about_to_be_written_is_not_stalled(
    server: ToyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadlines are looked at between an offer and its write, long after the last one."""
    async with server.client() as client:
        (handler,) = server.endpoint.handlers
        monkeypatch.setattr(connection_module, "STALLED_SECONDS", -NEVER)
        handler.connection.reply(websocket_module.PONG)
        handler.connection.check_deadlines(websocket_module.PING)
        assert await client.receive() == {"type": "pong"}
