"""Whatever a client can send over HTTP and WebSocket: how much of it is read, for how long, and what then."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import repeat

import psutil
import pytest

from tests.faults.scene import Scene, set_up
from tests.neighbourhood import prepared, running
from tests.servers import Deployment
from tests.wire import bodies

pytestmark = pytest.mark.anyio

MEGABYTE = 1 << 20
# What is sent, and by how much the process may grow by it: a segment as the event loop reads it, many times.
SENT = 60 * MEGABYTE
GROWTH = 16 * MEGABYTE
# So that no test need wait as long as a client may take.
PRELUDE = """
import subscriptions.transport as t, schema.serving.endpoint as e
t.HEAD_SECONDS = t.STALLED_SECONDS = e.BODY_SECONDS = 1.0; t.LINES_OF_ONE = 20
"""
# Until a connection has ended that the server has had enough of.
SECONDS = 8
POST = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
OPENING = (
    "GET /graphql HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)


@pytest.fixture
async def hurried(one_process: Deployment) -> AsyncIterator[Scene]:
    """A scene on a process with little patience."""
    one_process.servers[0].prelude = PRELUDE
    async with running(one_process), prepared(one_process) as made, set_up(made) as scene:
        yield scene


class Line:
    """A client's TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: str | bytes) -> None:
        for piece in pieces:
            self.writer.write(piece.encode("latin-1") if isinstance(piece, str) else piece)
            await self.writer.drain()

    async def pour(self, pieces: Iterable[bytes], most: int = SENT) -> int:
        """Send until the server ends it or does not take any more; how much it has taken."""
        sent = 0
        with suppress(ConnectionError, TimeoutError):
            for piece in pieces:
                async with asyncio.timeout(SECONDS):
                    await self.send(piece)
                sent += len(piece)
                if sent >= most:
                    break
        return sent

    async def rest(self) -> bytes:
        """What comes until the server ends it; it has SECONDS for that."""
        said = b""
        async with asyncio.timeout(SECONDS):
            with suppress(ConnectionError):
                while piece := await self.reader.read(65_536):
                    said += piece
        return said

    async def head(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await self.reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def line(scene: Scene) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.servers[0].port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def memory(scene: Scene) -> int:
    process = scene.servers[0].process
    assert process is not None
    held: int = psutil.Process(process.pid).memory_info().rss
    return held


CHUNKED = POST + "transfer-encoding: chunked\r\n\r\n"
ENDLESS = [
    ("a head", "GET / HTTP/1.1\r\n", b"x-more: 1\r\n" * 1_000),
    ("a request line", "GET /", b"x" * 10_000),
    ("a chunk's extension", CHUNKED + "1;", b"a=b;" * 1_000),
    ("trailers", CHUNKED + "2\r\n{}\r\n0\r\n", b"x-more: 1\r\n" * 1_000),
    ("a trailer", CHUNKED + "2\r\n{}\r\n0\r\nx:", b"x" * 10_000),
    ("chunks of a byte", CHUNKED, b"1;ab=cd\r\n{\r\n" * 1_000),
    ("a body", CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"),
    ("requests before an answer", "", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 1_000),
    (
        "a body that nobody reads",
        "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n",
        b"x" * 9_999,
    ),
]


async def test_nothing_without_end_is_read_to_its_end(hurried: Scene) -> None:
    """Of whatever has no end a bounded part is read, nothing of it is kept, and the connection ends."""
    for name, begin, more in ENDLESS:
        before = memory(hurried)
        async with line(hurried) as stranger:
            pieces = (begin.encode(), *repeat(more, SENT // len(more)))
            sending = asyncio.create_task(stranger.pour(pieces))
            await stranger.rest()
            assert await sending < SENT, name
        assert memory(hurried) - before < GROWTH, name
    await hurried.comment()
    hurried.check_quiet()


DRIPS = [
    ("nothing", "", ""),
    ("empty lines", "", "\r\n"),
    ("a head", "GET / HTTP/1.1\r\n", "x: y\r\n"),
    ("a body", POST + "content-length: 1000\r\n\r\n", " "),
    ("a body nobody reads", "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n", " "),
    ("a body too large", POST + "content-length: 100000000\r\n\r\n", " "),
    ("a chunk's size", CHUNKED, "0"),
    ("trailers", CHUNKED + "2\r\n{}\r\n0\r\n", "x: y\r\n"),
    ("empty lines after an answer", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "\r\n"),
    (
        "another head after an answer",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n",
        "x: y\r\n",
    ),
]


async def test_nothing_that_drips_is_waited_for(hurried: Scene) -> None:
    """Whatever comes byte by byte has its time, after which the connection ends, whatever was answered."""

    async def drip(begin: str, drop: str) -> bytes:
        async with line(hurried) as stranger:
            await stranger.send(begin)
            ended = asyncio.create_task(stranger.rest())
            with suppress(ConnectionError):
                while not ended.done():
                    await stranger.send(drop)
                    await asyncio.sleep(0.2)
            return await ended

    said = await asyncio.gather(*(drip(begin, drop) for _, begin, drop in DRIPS))
    statuses = {name: answer[9:12] for (name, _, _), answer in zip(DRIPS, said, strict=True)}
    assert statuses == {
        "nothing": b"",
        "empty lines": b"",
        "a head": b"",
        "a body": b"408",
        "a body nobody reads": b"200",
        "a body too large": b"413",
        "a chunk's size": b"408",
        "trailers": b"408",
        "empty lines after an answer": b"200",
        "another head after an answer": b"200",
    }
    for name, answer in zip(statuses, said, strict=True):
        if statuses[name] in (b"408", b"413"):
            assert b"connection: close" in answer, name
    hurried.check_quiet()


async def test_trailers_are_no_headers(hurried: Scene) -> None:
    body = b'{"query": "{ viewer { displayName } }"}'
    async with line(hurried) as client:
        await client.send(CHUNKED + f"{len(body):x}\r\n", body)
        await client.send(f"\r\n0\r\nauthorization: Bearer {hurried.reader}\r\n\r\n")
        assert b" 200 " in await client.head()
        assert b'"viewer":null' in await client.reader.read(1_000)


async def test_lines_are_counted(hurried: Scene) -> None:
    """One address has twenty here; when one of them ends, another takes its place."""
    async with asyncio.timeout(30):
        begun = [await asyncio.open_connection("127.0.0.1", hurried.servers[0].port) for _ in range(20)]
        await asyncio.sleep(0.1)
        async with line(hurried) as stranger:
            assert (await stranger.rest()).startswith(b"HTTP/1.1 503 ")
        for _, writer in begun:
            writer.close()
        await asyncio.sleep(0.2)
        await hurried.comment()


async def test_an_answer_that_is_not_taken(hurried: Scene) -> None:
    """Who reads nothing of an answer loses it, and the connection."""
    server = hurried.servers[0]
    fields = "fields { name description args { name description } }"
    body = json.dumps({"query": f"{{ __schema {{ types {{ name description {fields} }} }} }}"}).encode()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stranger.connect(("127.0.0.1", server.port))
        stranger.setblocking(False)
        request = (POST + f"content-length: {len(body)}\r\n\r\n").encode() + body
        await asyncio.get_running_loop().sock_sendall(stranger, request)
        process = psutil.Process(server.process.pid if server.process else 0)

        def is_open() -> bool:
            return stranger.getsockname() in {tuple(each.raddr) for each in process.net_connections("tcp")}

        async with asyncio.timeout(SECONDS):
            await asyncio.sleep(0.5)
            assert is_open()
            while is_open():  # noqa: ASYNC110 -- nobody tells it
                await asyncio.sleep(0.2)


# WebSockets


def frame(opcode: int, data: bytes = b"", *, final: bool = True) -> bytes:
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    return bytes([opcode | (0x80 if final else 0)]) + size + b"\0\0\0\0" + data


@asynccontextmanager
async def opened(scene: Scene) -> AsyncIterator[Line]:
    async with line(scene) as stranger:
        await stranger.send(OPENING)
        assert (await stranger.head()).startswith(b"HTTP/1.1 101 ")
        yield stranger


async def test_pings_of_who_does_not_read(hurried: Scene) -> None:
    """Pongs are not piled up: who does not take them is not heard, and so cannot ask for more."""
    before = memory(hurried)
    async with opened(hurried) as stranger:
        sent = await stranger.pour(repeat(frame(9, b"x" * 125) * 100), most=SENT)
        assert sent < SENT
        assert memory(hurried) - before < GROWTH


async def test_a_message_of_many_pieces(hurried: Scene) -> None:
    async with opened(hurried) as stranger:
        await stranger.pour((frame(1, b"{", final=False), *repeat(frame(0, final=False) * 100, 20)))
        async with asyncio.timeout(SECONDS):
            said = await stranger.reader.readexactly(4)
    assert said[:1] == b"\x88"
    assert int.from_bytes(said[2:], "big") == 1009


FLOODS = [
    ("pings", frame(9) * 40_000),
    ("pongs of the protocol", frame(1, b'{"type":"pong"}') * 10_000),
    ("completes", frame(1, b'{"type":"complete","id":"x"}') * 8_000),
    ("pieces", (frame(1, final=False) + frame(0) + frame(10)) * 10_000),
]


@pytest.mark.parametrize(("name", "flood"), FLOODS, ids=[name for name, _ in FLOODS])
async def test_frames_by_the_thousand_delay_nobody(alone: Scene, name: str, flood: bytes) -> None:
    """Of ten strangers who send small frames as fast as they are taken, a neighbour's comment notices
    nothing."""

    async def attack() -> None:
        while True:
            async with opened(alone) as stranger:
                reading = asyncio.create_task(stranger.reader.read(-1))
                await stranger.pour(repeat(flood))
                reading.cancel()
                await asyncio.wait({reading})

    async with asyncio.timeout(60), alone.follower() as follower:
        attacks = [asyncio.create_task(attack()) for _ in range(10)]
        try:
            await asyncio.sleep(0.5)
            for _ in range(5):
                started = time.monotonic()
                said = await alone.comment()
                await follower.until(lambda said=said: bodies(follower)[-1:] == [said])  # type: ignore[misc]
                assert time.monotonic() - started < 3
        finally:
            for task in attacks:
                task.cancel()
            await asyncio.wait(attacks)
        assert follower.connections == 1
