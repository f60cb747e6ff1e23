"""WebSockets below ASGI, with the things that a server of strangers needs and ASGI lacks.

ASGI's `send` makes an event, a coroutine, a websockets.Frame and a header of every message, and tells
nobody whether the client takes it; its `receive` keeps a task, a queue and the frames of all middleware
for as long as a client stays. The protocol offers itself to the application instead, as a `Wire`; through
ASGI a client is only let in or turned away.

It buys a fan-out in nine tenths of the time of uvicorn's raw send, and 8 KB a connection instead of 22
(docs/performance.md).

uvicorn writes a WebSocket's request out again for another parser to read, which is most of what it costs
to connect. Here the request is taken as httptools has read it. Of what follows, texts that come whole, as
nearly all do, are read here; from the first frame that is anything else, websockets reads. Until then a
connection has no parser, which would be a quarter of its memory.
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, ClassVar, Protocol
from urllib.parse import unquote

from starlette.types import Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as Framing
from websockets.protocol import Side

from subscriptions.addresses import origin
from subscriptions.handshake import Headers, Unfit, accept_of, head, subprotocols_of
from subscriptions.headers import headers_of

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

WIRE = "linli.wire"
# A request's head is to come within this time of the connection or of its own beginning.
HEAD_SECONDS = 10.0
# Of a request's head, or of what else is not its body (sizes and extensions of chunks, trailers), so much is
# read; of the latter as much again as the body has.
HEAD_BYTES = 64 * 1024
# Requests that may come before the one before them has been answered.
PIPELINED = 8
# Who does not take so much of an answer in this time takes none of the rest.
STALLED_SECONDS = 30.0
STALLED_BYTES = 16 * 1024
# When an answer comes before the whole request, what is still on its way is read for so long, lest the client
# find its connection broken before it has read the answer.
LINGER_SECONDS = 2.0
# Connections that speak HTTP at a time, in all and of one address (that is no proxy's).
LINES = 10_000
LINES_OF_ONE = 1_000
# For so long a client's frames are read in one turn of the event loop, in pieces of so many bytes; the rest
# waits for the next.
TURN_SECONDS = 0.0005
PIECE_BYTES = 512
# Frames that one message may come in.
PARTS = 1_000
# Whoever has not finished the closing handshake by then is dropped.
CLOSING_SECONDS = 10.0

logger = logging.getLogger("uvicorn.error")


class Listener(Protocol):
    """Who is told what a client sends."""

    def message(self, text: str | None) -> None:
        """A whole message; None for one that is not text."""
        ...

    def gone(self) -> None:
        """There will be no more messages. Called once."""
        ...


class Wire(Protocol):
    """A client's socket, below ASGI. It is found in the scope's extensions, under WIRE."""

    # True while the kernel does not take all that was written.
    blocked: bool
    # Called each time when that is over.
    drained: Callable[[], None] | None

    def write(self, data: bytes) -> bool:
        """Write whole frames now. False if the kernel has not taken all of it (yet)."""
        ...

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of all messages. The ASGI application returns, and the socket stays.

        To be called in the turn of the event loop in which the client is let in: a client that speaks
        while nobody listens is dropped.
        """
        ...

    def pause(self) -> None:
        """Let the client wait with what it sends."""
        ...

    def resume(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, behind all that was written."""
        ...

    def abort(self) -> None:
        """Drop the socket, and what waits for a client that reads nothing."""
        ...


@lru_cache(maxsize=4096)
def text_head(length: int) -> bytes:
    """What stands before a text of so many bytes: a server's frames are whole and not masked."""
    if length < 126:
        return bytes((0x81, length))
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


def whole_text(data: bytes, start: int, most: int) -> tuple[bytes, int] | None:
    """What a text says whose only frame begins at `start`, and where it ends (RFC 6455, section 5.2).

    None if there is no such frame, or not all of it, or if it says more than `most` bytes.
    """
    if len(data) < start + 6 or data[start] != 0x81 or data[start + 1] < 0x80:
        return None
    size, mask = data[start + 1] & 0x7F, start + 2
    if size == 127:
        return None
    if size == 126:
        size, mask = int.from_bytes(data[mask : mask + 2], "big"), mask + 2
    begin = mask + 4
    if size > most or len(data) < begin + size:
        return None
    return apply_mask(data[begin : begin + size], data[mask:begin]), begin + size


def text_of(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with a bound and a time for everything that a client may send, until it is answered.

    A WebSocket's request is handed over as it has been read.
    """

    # How many there are of each address.
    lines: ClassVar[Counter[str]] = Counter()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Whose line this is, as long as it counts.
        self._origin: str | None = None
        # In a head that has begun and not ended.
        self._in_head = False
        # Of this request, what is not its body nor as much again.
        self._besides = 0
        # Nothing more is answered.
        self._lingering = False
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, transport.abort)
        address = self.client[0] if self.client else ""
        self._origin = origin(address) or address
        self.lines[self._origin] += 1
        too_many = self.lines[self._origin] > LINES_OF_ONE and not is_proxy(address, self._proxies())
        if too_many or self.lines.total() > LINES:
            later = [(b"connection", b"close"), (b"retry-after", b"1"), (b"content-length", b"0")]
            transport.write(head(HTTPStatus.SERVICE_UNAVAILABLE, later))
            self._hang_up()

    def _proxies(self) -> tuple[str, ...]:
        return tuple(self.config.forwarded_allow_ips) if self.config.proxy_headers else ()

    # What the parser tells

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._besides = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("Too many requests at once")
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            # Trailers are no headers.
            self.headers = []

    def on_body(self, body: bytes) -> None:
        self._besides -= 2 * len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        if self.cycle.response_complete and self.cycle.more_body:
            self._hang_up()
        else:
            super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            # The task begins once all that came with the head has been read.
            try:
                await app(scope, receive, closing_after(cycle, send) if cycle.more_body else send)
            except asyncio.CancelledError:
                # The process ends, and nobody is answered any more.
                cycle.disconnected = True
                self.transport.abort()

        super()._start_asgi_task(cycle, answer)

    def send_400_response(self, msg: str) -> None:
        if self._lingering or self._is_answering():
            # It would be taken for the answer to another request.
            self.transport.abort()
        else:
            super().send_400_response(msg)

    # What the event loop tells

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        before = self._in_head or self._is_answering()
        super().data_received(data)
        if self._origin is None or self.transport.is_closing():
            return
        # What came before the head's beginning is not the head's.
        self._besides = self._besides + len(data) if before else min(self._besides, 0)
        if self._besides > HEAD_BYTES:
            if self._in_head and not self._is_answering():
                large = [(b"connection", b"close"), (b"content-length", b"0")]
                self.transport.write(head(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, large))
                self._hang_up()
            else:
                self.transport.abort()
        elif self._is_answering() and not self._in_head:
            self._wait_no_longer()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _is_answering(self) -> bool:
        # There is none before the first request.
        return not getattr(self.cycle, "response_complete", True)

    def eof_received(self) -> None:
        super().eof_received()
        if self._lingering:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stalling()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_stalling_no_longer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        self._watch_stalling_no_longer()
        self._count_no_longer()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._wait_no_longer()
        self._count_no_longer()
        protocol = WebSocketProtocol(self.config, self.server_state)
        self.connections.discard(self)
        self.transport.set_protocol(protocol)
        # The parser knows us as we know it, and neither is needed any more.
        self.parser = None  # type: ignore[assignment]
        protocol.open(self.transport, self.scope, self.url)

    # The end

    def shutdown(self) -> None:
        """uvicorn ends: whoever has not sent a whole request yet is not waited for."""
        if self._is_answering() and self.cycle.more_body:
            self.transport.close()
        else:
            super().shutdown()

    def _hang_up(self) -> None:
        """Say no more, and hear for a while what is on its way, which is of no interest to anybody."""
        self._lingering = True
        self._wait_no_longer()
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()
            self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _watch_stalling(self) -> None:
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > waiting - STALLED_BYTES:
                self.transport.abort()
            else:
                self._watch_stalling()

        self._stalled = self.loop.call_later(STALLED_SECONDS, look)

    def _watch_stalling_no_longer(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _count_no_longer(self) -> None:
        if self._origin is not None:
            self.lines[self._origin] -= 1
            if not self.lines[self._origin]:
                del self.lines[self._origin]
            self._origin = None


def closing_after(cycle: RequestResponseCycle, send: Send) -> Send:
    """As `send`; but if the request has not come whole when its answer begins, that says it is the last."""

    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start" and cycle.more_body:
            last = [*message.get("headers", ()), (b"connection", b"close")]
            await send({**message, "headers": last})
            # uvicorn would close at once, and the client find its connection broken.
            cycle.keep_alive = True
        else:
            await send(message)

    return answer


@lru_cache(maxsize=1024)
def is_proxy(address: str, proxies: tuple[str, ...]) -> bool:
    """Whether clients of many addresses come through this one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)


class WebSocketProtocol(asyncio.Protocol):
    """A client's socket from its handshake on. Puts itself into the scope's extensions, as a `Wire`.

    A client that no longer reads never lets a close frame out, and its socket would stay open with
    all that is buffered for it; aborting frees both at once. The same happens to whoever has not
    finished the closing handshake after CLOSING_SECONDS.
    """

    __slots__ = (
        "_admitted",
        "_binary",
        "_closing",
        "_config",
        "_dropping",
        "_framing",
        "_listener",
        "_lost",
        "_parts",
        "_paused",
        "_server_state",
        "_transport",
        "_unread",
        "blocked",
        "drained",
    )

    _transport: asyncio.Transport

    def __init__(self, config: Config, server_state: ServerState) -> None:
        self._config = config
        self._server_state = server_state
        # The client has been let in.
        self._admitted = False
        # None as long as nothing but whole texts has come.
        self._framing: Framing | None = None
        self._listener: Listener | None = None
        # Of a message that comes in several frames.
        self._parts: list[bytes] = []
        self._binary = False
        self._paused = False
        # What has come, and is not to be read yet; the client's socket is not read meanwhile.
        self._unread = b""
        # We have said that we close.
        self._closing = False
        self._lost = False
        self._dropping: asyncio.TimerHandle | None = None
        self.blocked = False
        self.drained: Callable[[], None] | None = None

    # The handshake

    def open(self, transport: asyncio.Transport, request: Any, url: bytes) -> None:
        """Answer an HTTP `request` (its ASGI scope) for `url`, or have the application answer it."""
        self._transport = transport
        # uvicorn declares a set of its own protocols, and calls what we have of them.
        self._server_state.connections.add(self)  # type: ignore[arg-type]
        # Write at once, and say at once what the kernel does not take: who offers frames joins them, and
        # what waits is bounded there.
        transport.set_write_buffer_limits(high=0)
        headers = headers_of(request)
        try:
            accept = accept_of(request["method"], request["http_version"], headers)
            path, _, query = url.partition(b"?")
            scope = {
                **request,
                "type": "websocket",
                "scheme": "wss" if request["scheme"] == "https" else "ws",
                "path": request["root_path"] + unquote(path.decode("ascii")),
                "raw_path": request["root_path"].encode() + path,
                "query_string": query,
                "subprotocols": subprotocols_of(headers),
                "extensions": {WIRE: self},
            }
        except Unfit as unfit:
            self._turn_away(unfit.status, str(unfit), unfit.headers)
        except UnicodeDecodeError:
            self._turn_away(HTTPStatus.BAD_REQUEST, "A path is ASCII")
        else:
            task = asyncio.get_running_loop().create_task(self._run(scope, accept))
            self._server_state.tasks.add(task)
            task.add_done_callback(self._server_state.tasks.discard)

    async def _run(self, scope: dict[str, Any], accept: bytes) -> None:
        async def receive() -> dict[str, Any]:
            if self._admitted:
                raise RuntimeError("Messages are told to who listens to the wire")
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            kind = message["type"]
            if kind == "websocket.accept":
                self._let_in(accept, message.get("subprotocol"), message.get("headers", ()))
            elif kind != "websocket.close":
                raise RuntimeError(f"{kind} is written to the wire")
            elif not self._admitted:
                self._turn_away(HTTPStatus.FORBIDDEN)
            else:
                self.close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")

        try:
            await self._config.loaded_app(scope, receive, send)
        except Exception:
            logger.exception("Exception in ASGI application")
        if not self._admitted:
            self._turn_away(HTTPStatus.INTERNAL_SERVER_ERROR)
        elif self._listener is None and not self._closing:
            self._transport.close()

    def _let_in(self, accept: bytes, subprotocol: str | None, headers: Headers) -> None:
        spoken = [(b"sec-websocket-protocol", subprotocol.encode())] if subprotocol else []
        upgrade = (b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", accept)
        answer = head(
            HTTPStatus.SWITCHING_PROTOCOLS, upgrade, spoken, self._server_state.default_headers, headers
        )
        self._admitted = True
        self._transport.write(answer)

    def _turn_away(self, status: HTTPStatus, why: str = "", headers: Headers = ()) -> None:
        if self._transport.is_closing():
            return
        body = why.encode()
        entity = (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))
        answer = head(
            status, headers, entity, [(b"connection", b"close")], self._server_state.default_headers
        )
        self._transport.write(answer + body)
        self._transport.close()
        self._drop_later()

    # The wire

    def write(self, data: bytes) -> bool:
        if self._closing or self._transport.is_closing():
            return False
        self._transport.write(data)
        return not self.blocked

    def listen(self, listener: Listener) -> None:
        if self._lost:
            listener.gone()
        else:
            self._listener = listener

    def pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            if not self._unread:
                self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            if self._unread:
                asyncio.get_running_loop().call_soon(self._read_on)
            else:
                self._transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        if not self._admitted or self._closing or self._transport.is_closing():
            return
        framing = self._framed()
        framing.send_close(code, reason)
        self._transport.write(b"".join(framing.data_to_send()))
        self._closing = True
        # The client's answer is to be read.
        self.resume()
        self._drop_later()
        self._end()

    def abort(self) -> None:
        self._transport.abort()

    # What the event loop tells

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        if self.drained is not None:
            self.drained()
        self._read_on()

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            # A client waits until it is answered (RFC 6455, section 4.1).
            self._transport.abort()
            return
        if self._unread:
            self._unread += data
        else:
            self._read_some(data)

    def _read_some(self, data: bytes) -> bool:
        """Read as much as one turn allows, and as the listener wants; the rest waits, and the client.

        True if there is no rest.
        """
        position, end = 0, 0.0
        while position < len(data) and not self._paused:
            found = whole_text(data, position, self._config.ws_max_size) if self._framing is None else None
            if found is not None:
                text, position = found
                self._tell(text_of(text))
            elif self.blocked:
                # Who does not take what is answered to its pings is not heard until it does.
                break
            else:
                self._read_piece(data[position : position + PIECE_BYTES])
                position += PIECE_BYTES
            present = time.perf_counter()
            end = end or present + TURN_SECONDS
            if present > end:
                break
        if position >= len(data) or self._transport.is_closing():
            return True
        if not self._paused:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)
        self._unread = data[position:]
        return False

    def _read_on(self) -> None:
        if self._paused or self.blocked or self._lost or not self._unread:
            return
        data, self._unread = self._unread, b""
        if self._read_some(data):
            self._read_anew()

    def _read_anew(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def _read_piece(self, piece: bytes) -> None:
        framing = self._framed()
        framing.receive_data(piece)
        if answers := framing.data_to_send():
            self._transport.write(b"".join(answers))
        for frame in framing.events_received():
            if isinstance(frame, Frame):
                self._read(frame)
        if framing.eof_sent:
            # The closing handshake is done, or the client has broken the rules and has been told so.
            self._transport.close()
            self._drop_later()
            self._end()

    def _read(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if len(self._parts) > PARTS:
                self.close(CloseCode.MESSAGE_TOO_BIG, "Too many fragments")
                return
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._binary = frame.opcode is Opcode.BINARY
            self._parts = [bytes(frame.data)]
        else:
            return
        if frame.fin:
            message, self._parts = b"".join(self._parts), []
            self._tell(None if self._binary else text_of(message))

    def _tell(self, message: str | None) -> None:
        if self._listener is not None:
            self._listener.message(message)
        elif not self._closing:
            self._transport.abort()

    def _framed(self) -> Framing:
        if self._framing is None:
            self._framing = Framing(Side.SERVER, max_size=self._config.ws_max_size, logger=logger)
        return self._framing

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._server_state.connections.discard(self)
        if self._dropping is not None:
            self._dropping.cancel()
        self._end()
        self.drained = None

    def shutdown(self) -> None:
        """uvicorn ends: whoever is still here is told to come back."""
        if not self._admitted:
            self._turn_away(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.close(CloseCode.SERVICE_RESTART, "")
            self._transport.close()

    def _end(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.gone()

    def _drop_later(self) -> None:
        # Closing waits for the client to read what is buffered.
        if self._dropping is None:
            loop = asyncio.get_running_loop()
            self._dropping = loop.call_later(CLOSING_SECONDS, self._transport.abort)
