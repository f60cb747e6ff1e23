"""uvicorn's WebSocket protocol, with the things that a server of strangers needs and ASGI lacks.

ASGI's `send` makes an event, a coroutine, a websockets.Frame and a header of every message, and tells
nobody whether the client takes it; its `receive` keeps a task, a queue and the frames of all middleware
for as long as a client stays. The protocol offers itself to the application instead, as a `Wire`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

WIRE = "linli.wire"


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
        """Tell `listener` of all messages from now on. The ASGI application returns, and the socket stays."""
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


def text_of(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


class Inbox:
    """Stands where ASGI's events wait to be received, and tells the listener of them at once."""

    __slots__ = ("ended", "listener")

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.ended = False

    def put_nowait(self, event: Any) -> None:
        if self.ended:
            return
        if event["type"] == "websocket.receive":
            self.listener.message(event.get("text"))
        else:
            self.ended = True
            self.listener.gone()


class Writable:
    """Stands where ASGI's `send` waits for the kernel: nobody waits for it any more."""

    __slots__ = ()

    def set(self) -> None: ...

    def clear(self) -> None: ...


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Puts itself into the scope's extensions, as a `Wire`.

    A client that no longer reads never lets a close frame out, and its socket would stay open with
    all that is buffered for it; aborting frees both at once. The same happens to whoever has not
    finished the closing handshake after `close_timeout`.
    """

    blocked = False
    drained: Callable[[], None] | None = None
    inbox: Inbox | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Write at once, and say at once what the kernel does not take: who offers frames joins them, and
        # what waits is bounded there.
        transport.set_write_buffer_limits(high=0)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # The application's task starts with the loop's next turn, so it sees this.
        if (scope := getattr(self, "scope", None)) is not None:
            scope["extensions"][WIRE] = self

    # The wire

    def write(self, data: bytes) -> bool:
        if self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(data)
        return not self.blocked

    def listen(self, listener: Listener) -> None:
        waiting: Any = self.queue
        inbox: Any = Inbox(listener)
        # From here on nothing is received or sent by ASGI, and what it needed can go.
        self.inbox = self.queue = inbox
        self.writable = Writable()  # type: ignore[assignment]
        del self.scope, self.request, self.response
        self.resume()
        while not waiting.empty():
            inbox.put_nowait(waiting.get_nowait())

    def pause(self) -> None:
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # The client's answer is to be read.
        self.resume()
        self._abort_later()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def abort(self) -> None:
        self.transport.abort()

    def pause_writing(self) -> None:
        self.blocked = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked = False
        super().resume_writing()
        if self.drained is not None:
            self.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.drained = None

    # What uvicorn does otherwise

    async def run_asgi(self) -> None:
        """Close the socket when the application has ended, but not under a listener."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if self.inbox is None and self.close_timer is None:
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.inbox is not None:
            data, self.frames = b"".join(self.frames), []
            if not self.close_sent and not self.inbox.ended:
                self.inbox.listener.message(text_of(data) if self.curr_msg_data_type == "text" else None)
            return
        if self.curr_msg_data_type == "text":
            self.frames = [b"".join(self.frames)]
            if text_of(self.frames[0]) is None:
                # Not worth a traceback: the application refuses it as it refuses other binary data.
                self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self._abort_later()

    def handle_close(self, event: Frame) -> None:
        by_client = not self.close_sent
        super().handle_close(event)
        if by_client and not self.disconnected:
            self._abort_later()

    def _abort_later(self) -> None:
        # uvicorn's own timer closes, and closing waits for the client to read what is buffered.
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)
