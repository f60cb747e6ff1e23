"""Clients closer to the wire than an app: they outlive servers, break rules, and come back."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from tests.client import Refused
from tests.servers import ServerProcess

SUBPROTOCOL = Subprotocol("graphql-transport-ws")
GUARD_SECONDS = 30
# The server hangs up on who says nothing for five seconds.
IDLE_SECONDS = 2

# What a client sees of a server that is dying, gone, or coming.
Lost = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError)

COMMENT = """mutation Comment($input: AddCommentInput!) { addComment(input: $input) { __typename
  ... on AddCommentPayload { commentEdge { node { id body } } }
  ... on Problem { code message } ... on InvalidInput { fields { name message } } } }"""
COMMENTS = """subscription Comments($subject: ID!, $after: String) {
  commentEvents(subjectId: $subject, after: $after) { cursor event { __typename
    ... on CommentAdded { comment { id body } } ... on StreamReset { reason } } } }"""
POST = """mutation Post($input: CreatePostInput!) { createPost(input: $input) { __typename
  ... on CreatePostPayload { postEdge { node { id body } } } ... on Problem { code message } } }"""
POSTS = """subscription Posts($community: ID!, $after: String) {
  postEvents(communityId: $community, after: $after) { cursor event { __typename
    ... on PostCreated { post { id body } } } } }"""


class Wire:
    """A WebSocket, message by message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._ids = count(1)

    async def send(self, message: Any) -> None:
        """Send an object as JSON, or text and bytes as they are."""
        if not isinstance(message, str | bytes):
            message = json.dumps(message)
        await self.socket.send(message)

    async def receive(self) -> dict[str, Any]:
        """The next message; the server's pings are answered and passed over."""
        while True:
            message: dict[str, Any] = json.loads(await self.socket.recv())
            if message["type"] != "ping":
                return message
            await self.send({"type": "pong"})

    async def subscribe(self, query: str, /, **variables: Any) -> str:
        """Begin an operation; its id."""
        id = str(next(self._ids))
        payload = {"query": query, "variables": variables}
        await self.send({"id": id, "type": "subscribe", "payload": payload})
        return id

    async def event(self) -> dict[str, Any]:
        """The next event's envelope, when all operations are subscriptions. Raises Refused."""
        message = await self.receive()
        if message["type"] == "error":
            raise Refused(message["payload"])
        assert message["type"] == "next", message
        if message["payload"].get("errors"):
            raise Refused(message["payload"]["errors"])
        (envelope,) = message["payload"]["data"].values()
        found: dict[str, Any] = envelope
        return found

    async def closed(self) -> int:
        """Wait until the server closes; its code. What comes before is passed over."""
        async with asyncio.timeout(GUARD_SECONDS):
            while True:
                try:
                    await self.receive()
                except ConnectionClosed as closed:
                    return closed.rcvd.code if closed.rcvd else 1006


@asynccontextmanager
async def connected(server: ServerProcess, **options: Any) -> AsyncIterator[Wire]:
    """A connection that has said nothing yet; `options` are those of websockets.connect."""
    async with connect(
        server.websocket, subprotocols=[SUBPROTOCOL], proxy=None, compression=None, close_timeout=1, **options
    ) as socket:
        yield Wire(socket)


@asynccontextmanager
async def wired(server: ServerProcess, token: str | None, **options: Any) -> AsyncIterator[Wire]:
    """A connection that the server has acknowledged."""
    async with connected(server, **options) as wire:
        payload = {"authorization": f"Bearer {token}"} if token else {}
        await wire.send({"type": "connection_init", "payload": {"accept-language": "en", **payload}})
        async with asyncio.timeout(2 * GUARD_SECONDS):
            message = await wire.receive()
        assert message == {"type": "connection_ack"}, message
        yield wire


class Follower:
    """A client as graphql-ws is: it remembers its cursor, and when the server is gone it comes back."""

    def __init__(self, servers: Sequence[ServerProcess], token: str, query: str, **variables: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.opened = False
        self.resets = 0
        self.connections = 0
        self.cursor: str | None = None
        self._servers = servers
        self._token = token
        self._query = query
        self._variables = variables
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Follower":
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: self.cursor is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def has(self, number: int, seconds: float = GUARD_SECONDS) -> None:
        """Wait until there are so many events."""
        await self.until(lambda: len(self.events) == number, seconds)

    async def until(self, condition: Callable[[], bool], seconds: float = GUARD_SECONDS) -> None:
        """Wait for something to come that makes `condition` true."""
        assert self._task is not None
        async with asyncio.timeout(seconds):
            while not condition():
                if self._task.done():
                    self._task.result()
                self._changed.clear()
                await self._changed.wait()

    async def _run(self) -> None:
        try:
            for attempt in count():
                try:
                    await self._follow(self._servers[attempt % len(self._servers)])
                except Lost:
                    await asyncio.sleep(random.uniform(0.02, 0.1))
        finally:
            self._changed.set()

    async def _follow(self, server: ServerProcess) -> None:
        async with wired(server, self._token, open_timeout=2 * GUARD_SECONDS, ping_interval=None) as wire:
            self.connections += 1
            await wire.subscribe(self._query, after=self.cursor, **self._variables)
            while True:
                envelope = await wire.event()
                self.opened = True
                self.cursor = envelope["cursor"]
                event = envelope["event"]
                if event["__typename"] == "StreamReset":
                    self.resets += 1
                elif event["__typename"] != "StreamOpened":
                    self.events.append(event)
                self._changed.set()


async def asked(
    http: httpx.AsyncClient, server: ServerProcess, token: str | None, query: str, /, **variables: Any
) -> dict[str, Any]:
    """The data of a query or mutation over HTTP. Raises Refused."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = await http.post(
        server.graphql, json={"query": query, "variables": variables}, headers=headers, timeout=GUARD_SECONDS
    )
    body = answer.json()
    if body.get("errors"):
        raise Refused(body["errors"])
    data: dict[str, Any] = body["data"]
    return data


@asynccontextmanager
async def http_client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


class Lines:
    """Kept HTTP connections, for calls by the ten thousand: no more of HTTP than our server speaks."""

    def __init__(self) -> None:
        self._idle: dict[int, list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]]] = {}

    async def post(self, server: ServerProcess, headers: Mapping[str, str], body: Any) -> str:
        """What the server answers to `body` as JSON."""
        reader, writer = await self._line(server.port)
        content = json.dumps(body).encode()
        lines = ["POST /graphql HTTP/1.1", f"host: 127.0.0.1:{server.port}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"content-length: {len(content)}", "", ""]
        writer.write("\r\n".join(lines).encode() + content)
        async with asyncio.timeout(GUARD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None, head
            answer = await reader.readexactly(int(length[1]))
        self._idle[server.port].append((time.monotonic(), reader, writer))
        return answer.decode()

    async def _line(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        idle = self._idle.setdefault(port, [])
        while idle:
            used, reader, writer = idle.pop()
            if time.monotonic() - used < IDLE_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)

    def close(self) -> None:
        for lines in self._idle.values():
            for _, _, writer in lines:
                writer.close()


async def hears(follower: Follower, body: str, seconds: float = GUARD_SECONDS) -> None:
    """Wait until the last comment that a follower of COMMENTS got says this."""
    await follower.until(lambda: bodies(follower)[-1:] == [body], seconds)


def bodies(follower: Follower) -> list[str]:
    """What the comments said that a follower of COMMENTS got."""
    return [event["comment"]["body"] for event in follower.events if event["__typename"] == "CommentAdded"]
