"""uvicorn's WebSocket protocol, with the things that a server of strangers needs and ASGI lacks.

ASGI's `send` makes an event, a coroutine, a websockets.Frame and a header of every message, and tells
nobody whether the client takes it. The protocol offers itself to the application instead, as a `Wire`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

WIRE = "linli.wire"


class Wire(Protocol):
    """A client's socket, below ASGI. It is found in the scope's extensions, under WIRE."""

    # True while the kernel does not take all that was written.
    blocked: bool
    # Called each time when that is over.
    drained: Callable[[], None] | None

    def write(self, data: bytes) -> bool:
        """Write whole frames now. False if the kernel has not taken all of it (yet)."""
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


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Puts itself into the scope's extensions, as a `Wire`.

    A client that no longer reads never lets a close frame out, and its socket would stay open with
    all that is buffered for it; aborting frees both at once. The same happens to whoever has not
    finished the closing handshake after `close_timeout`.
    """

    blocked = False
    drained: Callable[[], None] | None = None

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

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
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
