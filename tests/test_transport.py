"""A WebSocket's handshake, frames and end, byte by byte, with an application of a few lines."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from subscriptions import transport
from subscriptions.transport import WIRE, HttpProtocol, WebSocketProtocol, Wire

OPENING = [
    "GET /live%20wire?a=1 HTTP/1.1",
    "Host: linli.example",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    # The example of RFC 6455, section 1.3.
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: chat, superchat",
]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

App = Callable[[Any, Any, Any], Awaitable[None]]


class Talk:
    """An application that lets everyone in, and notes what it is told."""

    def __init__(self, subprotocol: str | None = None) -> None:
        self.subprotocol = subprotocol
        self.scope: dict[str, Any] = {}
        self.wire: Wire
        self.told: list[str | None] = []
        self.ends = 0
        self.news = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.wire = scope, scope["extensions"][WIRE]
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept", "subprotocol": self.subprotocol, "headers": [(b"x", b"y")]})
        self.wire.listen(self)

    def message(self, text: str | None) -> None:
        self.told.append(text)
        self.news.set()

    def gone(self) -> None:
        self.ends += 1
        self.news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.news.clear()
                await self.news.wait()


class Peer:
    """A client that says what it likes."""

    def __init__(self, state: ServerState, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.state = state
        self.reader = reader
        self.writer = writer

    async def ask(self, lines: list[str]) -> tuple[int, dict[str, str]]:
        """The status and the headers of the answer."""
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *rest = head.strip().split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in rest)

    def say(self, opcode: int, data: bytes, *, final: bool = True, masked: bool = True) -> None:
        mask = b"abcd"
        hidden = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        head = bytes([opcode | (0x80 if final else 0), len(data) | (0x80 if masked else 0)])
        self.writer.write(head + (mask + hidden if masked else data))

    async def hear(self) -> tuple[int, bytes]:
        """The opcode and the data of the next frame."""
        async with asyncio.timeout(20):
            first, length = await self.reader.readexactly(2)
            assert first & 0x80
            return first & 0x0F, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Whatever comes until the server hangs up."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def peer(app: App) -> AsyncIterator[Peer]:
    """A client of a server of its own, that leaves nothing behind."""
    config = uvicorn.Config(app, ws=WebSocketProtocol, ws_max_size=100, log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: HttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield Peer(state, reader, writer)
        writer.close()
        async with asyncio.timeout(20):
            while state.connections or state.tasks:  # noqa: ASYNC110 -- nobody signals it
                await asyncio.sleep(0.001)


OK_REQUEST = b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n"
asked: list[bytes] = []


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


async def answer(scope: Any, _receive: Any, send: Any) -> None:
    asked.append(scope["raw_path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def changed(name: str, *lines: str) -> list[str]:
    """The opening with other lines in the place of those that begin so."""
    return [line for line in OPENING if not line.startswith(name)] + list(lines)


# The handshake


async def test_a_client_is_let_in() -> None:
    talk = Talk("superchat")
    async with peer(talk) as client:
        status, headers = await client.ask(OPENING)
        assert status == 101
        assert headers == {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": ACCEPT,
            "sec-websocket-protocol": "superchat",
            "date": "today",
            "x": "y",
        }
    scope = talk.scope
    assert (scope["type"], scope["scheme"]) == ("websocket", "ws")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (
        "/live wire",
        b"/live%20wire",
        b"a=1",
    )
    assert scope["subprotocols"] == ["chat", "superchat"]
    assert (b"host", b"linli.example") in scope["headers"]
    assert scope["client"][0] == "127.0.0.1"
    assert talk.ends == 1


@pytest.mark.parametrize(
    ("lines", "status", "header"),
    [
        (["POST / HTTP/1.1", *OPENING[1:]], 405, ("allow", "GET")),
        (["GET / HTTP/1.0", *OPENING[1:]], 505, None),
        (changed("Sec-WebSocket-Version"), 426, ("sec-websocket-version", "13")),
        (changed("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426, ("sec-websocket-version", "13")),
        ([*OPENING, "Sec-WebSocket-Version: 13"], 426, ("sec-websocket-version", "13")),
        (changed("Sec-WebSocket-Key"), 400, None),
        (changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: c2hvcnQ="), 400, None),
        (changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), 400, None),
        (changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZ*Bub25jZQ=="), 400, None),
        (changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\xe9Q=="), 400, None),
        ([*OPENING, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400, None),
        (["GET /\xe9 HTTP/1.1", *OPENING[1:]], 400, None),
    ],
)
async def test_a_request_that_opens_no_websocket(
    lines: list[str], status: int, header: tuple[str, str] | None
) -> None:
    talk = Talk()
    async with peer(talk) as client:
        given, headers = await client.ask(lines)
        assert given == status
        assert "sec-websocket-accept" not in headers
        assert header is None or headers[header[0]] == header[1]
        # All of it, and then the server hangs up.
        assert len(await client.rest()) == int(headers["content-length"])
    assert not talk.scope


async def test_an_application_turns_a_client_away() -> None:
    async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})

    async with peer(refuse) as client:
        assert (await client.ask(OPENING))[0] == 403
        assert await client.rest() == b""


async def test_an_application_that_fails_or_answers_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    async def forget(_scope: Any, _receive: Any, _send: Any) -> None: ...

    for app, logged in ((fail, 1), (forget, 0)):
        caplog.clear()
        async with peer(app) as client:
            assert (await client.ask(OPENING))[0] == 500
            assert await client.rest() == b""
        assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == logged


@pytest.mark.parametrize("message", [{"type": "websocket.send", "text": "x"}, None])
async def test_asgi_is_for_the_handshake_only(message: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await (receive() if message is None else send(message))

    async with peer(talk) as client:
        assert (await client.ask(OPENING))[0] == 101
        assert await client.rest() == b""
    assert "RuntimeError" in caplog.text


async def test_a_client_that_leaves_before_it_is_let_in() -> None:
    talk, go = Talk(), asyncio.Event()

    async def later(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await talk(scope, receive, send)

    async with peer(later) as client:
        client.writer.write("\r\n".join([*OPENING, "", ""]).encode())
        async with asyncio.timeout(20):
            while not client.state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            client.writer.close()
            while client.state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        go.set()
        await talk.until(lambda: talk.ends == 1)


async def test_a_client_that_does_not_wait_for_the_answer_is_dropped() -> None:
    async def never(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    async with peer(never) as client:
        client.writer.write("\r\n".join([*OPENING, "", ""]).encode())
        async with asyncio.timeout(20):
            while not client.state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        client.say(TEXT, b"early")
        assert await client.rest() == b""
        for task in client.state.tasks:
            task.cancel()


# Heads


@pytest.mark.parametrize("piece", [b"x-more: 1\r\n", b"x" * 100])
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", OK_REQUEST + b"GET / HTTP/1.1\r\nx: "])
async def test_a_head_without_end_is_refused(piece: bytes, first: bytes) -> None:
    async with peer(answer) as client:
        client.writer.write(first)
        if first.startswith(OK_REQUEST):
            assert (await client.ask([]))[0] == 200
        with suppress(ConnectionError):
            for _ in range(100):
                client.writer.write(piece * 1000)
                await client.writer.drain()
        # Behind the end of the first answer's body.
        assert (await client.rest()).removeprefix(b"0\r\n\r\n")[:12] in (b"HTTP/1.1 431", b"")
        assert asked == [b"/ok"] * first.count(OK_REQUEST)


async def test_the_head_of_a_request_may_be_long() -> None:
    async with peer(answer) as client:
        lines = ["GET /ok HTTP/1.1", "Host: x", *[f"x-{n}: {'y' * 1000}" for n in range(60)]]
        for line in lines:
            client.writer.write(f"{line}\r\n".encode())
            await client.writer.drain()
        assert (await client.ask([]))[0] == 200


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.05)
    async with peer(answer) as client:
        client.writer.write(said)
        assert await client.rest() == b""
    assert asked == []


async def test_once_the_head_has_come_its_answer_is_waited_for() -> None:
    go = asyncio.Event()

    async def later(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await answer(scope, receive, send)

    async with peer(later) as client:
        for half in (OK_REQUEST[:20], OK_REQUEST[20:]):
            client.writer.write(half)
            await client.writer.drain()
        async with asyncio.timeout(20):
            while not client.state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        (connection,) = client.state.connections
        assert isinstance(connection, HttpProtocol)
        assert connection._deadline is None
        go.set()
        assert (await client.ask([]))[0] == 200


# Frames


async def test_messages_come_whole_and_pings_are_answered_between_their_pieces() -> None:
    talk = Talk()
    async with peer(talk) as client:
        await client.ask(OPENING)
        client.say(TEXT, "邻".encode()[:2], final=False)
        client.say(PING, b"there?")
        client.say(0, "邻".encode()[2:] + b"!")
        client.say(BINARY, b"{}")
        client.say(TEXT, b"\xff")
        client.say(PONG, b"nobody asked")
        client.say(TEXT, b"")
        assert await client.hear() == (PONG, b"there?")
        await talk.until(lambda: len(talk.told) == 4)
        assert talk.told == ["邻!", None, None, ""]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda client: client.say(TEXT, b"x", masked=False), 1002),
        (lambda client: client.say(3, b"x"), 1002),
        (lambda client: client.say(0, b"x"), 1002),
        (lambda client: client.say(TEXT, b"x" * 101), 1009),
        (lambda client: client.say(CLOSE, b"\x03\xe8\xff"), 1007),
    ],
)
async def test_who_breaks_the_rules_is_told_so(wrong: Callable[[Peer], None], code: int) -> None:
    talk = Talk()
    async with peer(talk) as client:
        await client.ask(OPENING)
        client.say(TEXT, b"before")
        wrong(client)
        client.say(TEXT, b"after")
        opcode, data = await client.hear()
        assert (opcode, int.from_bytes(data[:2], "big")) == (CLOSE, code)
        assert await client.rest() == b""
        await talk.until(lambda: talk.ends)
        assert not talk.wire.write(b"more")
    assert talk.told == ["before"]
    assert talk.ends == 1


async def test_a_client_that_speaks_to_nobody_is_dropped() -> None:
    async def deaf(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async with peer(deaf) as client:
        await client.ask(OPENING)
        client.say(TEXT, b"anybody?")
        assert await client.rest() == b""
        for task in client.state.tasks:
            task.cancel()


async def test_reading_can_be_put_off() -> None:
    talk = Talk()
    async with peer(talk) as client:
        await client.ask(OPENING)
        talk.wire.pause()
        talk.wire.pause()
        client.say(PING, b"1")
        talk.wire.write(b"\x81\x01x")
        # The answer to the ping would have been the first thing to be written.
        assert await client.hear() == (TEXT, b"x")
        talk.wire.resume()
        talk.wire.resume()
        assert await client.hear() == (PONG, b"1")


# The end


async def test_a_client_ends() -> None:
    talk = Talk()
    async with peer(talk) as client:
        await client.ask(OPENING)
        client.say(CLOSE, b"\x03\xe8bye")
        assert await client.hear() == (CLOSE, b"\x03\xe8bye")
        assert await client.rest() == b""
    assert talk.ends == 1


async def test_the_server_ends_behind_what_was_written() -> None:
    talk = Talk()
    async with peer(talk) as client:
        await client.ask(OPENING)
        talk.wire.pause()
        assert talk.wire.write(b"\x81\x01x")
        talk.wire.close(4403, "later")
        assert talk.ends == 1
        assert not talk.wire.write(b"\x81\x01y")
        talk.wire.close(4400, "again")
        assert await client.hear() == (TEXT, b"x")
        assert await client.hear() == (CLOSE, (4403).to_bytes(2, "big") + b"later")
        # What is on its way is not told any more; the client's answer ends it, though reading was put off.
        client.say(TEXT, b"late")
        client.say(CLOSE, (4403).to_bytes(2, "big"))
        assert await client.rest() == b""
    assert talk.told == []
    assert talk.ends == 1


async def test_when_the_process_ends_everybody_is_told_to_come_back() -> None:
    talk, waiting = Talk(), asyncio.Event()

    async def never(_scope: Any, _receive: Any, _send: Any) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async with peer(talk) as client:
        await client.ask(OPENING)
        for connection in list(client.state.connections):
            connection.shutdown()
        assert await client.hear() == (CLOSE, (1012).to_bytes(2, "big"))
        assert await client.rest() == b""
    async with peer(never) as client:
        client.writer.write("\r\n".join([*OPENING, "", ""]).encode())
        await waiting.wait()
        for connection in list(client.state.connections):
            connection.shutdown()
        assert (await client.ask([]))[0] == 503
        for task in client.state.tasks:
            task.cancel()


# Frames


def a_frame(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    """A client's frame, in the shortest form there is for its size."""
    mask = b"\x01\x80\xff\x33"
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    elif len(data) < 1 << 16:
        size = b"\xfe" + len(data).to_bytes(2, "big")
    else:
        size = b"\xff" + len(data).to_bytes(8, "big")
    hidden = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
    return bytes([opcode | (0x80 if final else 0)]) + size + mask + hidden


class Socket(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.dropped = False
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.dropped

    def close(self) -> None:
        self.dropped = True

    def abort(self) -> None:
        self.dropped = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0


async def let_in(talk: Talk, most: int) -> tuple[Socket, WebSocketProtocol]:
    """A client's socket, which `talk` listens to."""
    config = uvicorn.Config(talk, ws=WebSocketProtocol, ws_max_size=most, log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    protocol, socket = WebSocketProtocol(config, state), Socket()
    lines = [line.split(": ") for line in OPENING[1:]]
    request = {
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in lines],
    }
    protocol.open(socket, request, b"/live")
    await asyncio.wait(state.tasks)
    assert socket.written.startswith(b"HTTP/1.1 101 ")
    socket.written = b""
    return socket, protocol


TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["", "a" * 125, "邻" * 42, "b" * 126, "c" * 65_535, "d" * 65_536]),
)
SAID = st.lists(
    st.one_of(
        TEXTS.map(lambda text: ([text], [a_frame(TEXT, text.encode())])),
        TEXTS.map(
            lambda text: (
                [text],
                [
                    a_frame(TEXT, text.encode()[:2], final=False),
                    a_frame(PING, b"between"),
                    a_frame(0, text.encode()[2:]),
                ],
            )
        ),
        st.binary(max_size=5).map(lambda data: ([None], [a_frame(BINARY, data)])),
        st.just(([None], [a_frame(TEXT, b"\xff")])),
        st.just(([], [a_frame(PONG, b"")])),
    ),
    max_size=6,
)


async def test_however_frames_are_cut_the_same_is_told() -> None:
    cases: list[tuple[Any, list[float]]] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(said=SAID, cuts=st.lists(st.floats(0, 1), max_size=4))
    def draw(said: Any, cuts: list[float]) -> None:
        cases.append((said, cuts))

    draw()
    assert len(cases) > 100
    # And one in which each byte comes by itself.
    cases.append(([(["a"], [a_frame(TEXT, b"a")])] * 3, [n / 21 for n in range(1, 21)]))
    for said, cuts in cases:
        talk = Talk()
        socket, protocol = await let_in(talk, 70_000)
        stream = b"".join(frame for _, frames in said for frame in frames)
        places = [0, *sorted(round(cut * len(stream)) for cut in cuts), len(stream)]
        for start, end in pairwise(places):
            protocol.data_received(stream[start:end])
            # What is too much for one turn is read in the next ones, and no more comes meanwhile.
            while socket.paused:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert talk.told == [text for texts, _ in said for text in texts]
        pings = sum(frame == a_frame(PING, b"between") for _, frames in said for frame in frames)
        assert socket.written == b"\x8a\x07between" * pings
        assert not socket.dropped
        protocol.connection_lost(None)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (a_frame(TEXT, b"a" * 101), 1009),
        (a_frame(TEXT, b"a" * 200), 1009),
        (a_frame(TEXT, b"a" * 65_536), 1009),
        (b"\x81\x01a", 1002),
        (b"\xc1\x81abcd\x00", 1002),
        (b"\x83\x80abcd", 1002),
    ],
)
async def test_what_breaks_the_rules_ends_the_talk_also_after_good_texts(data: bytes, code: int) -> None:
    for before in (b"", a_frame(TEXT, b"good"), a_frame(TEXT, b"good") + a_frame(PONG, b"")):
        talk = Talk()
        socket, protocol = await let_in(talk, 100)
        protocol.data_received(before + data)
        assert talk.told == (["good"] if before else [])
        assert talk.ends == 1
        assert socket.written[0] == 0x88
        assert int.from_bytes(socket.written[2:4], "big") == code
        protocol.connection_lost(None)


async def test_who_only_talks_has_no_parser() -> None:
    talk = Talk()
    _, protocol = await let_in(talk, 100)
    for number in range(3):
        protocol.data_received(a_frame(TEXT, str(number).encode()) * 2)
    assert talk.told == ["0", "0", "1", "1", "2", "2"]
    assert protocol._framing is None
    protocol.connection_lost(None)
