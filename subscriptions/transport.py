"""uvicorn's WebSocket protocol, with the things that a server of strangers needs and ASGI lacks."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

ABORT = "linli.abort"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Puts ``linli.abort`` into the scope's extensions.

    A client that no longer reads never lets a close frame out, and its socket would stay open with
    all that is buffered for it; aborting frees both at once. The same happens to whoever has not
    finished the closing handshake after `close_timeout`.
    """

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # The application's task starts with the loop's next turn, so it sees this.
        if (scope := getattr(self, "scope", None)) is not None:
            scope["extensions"][ABORT] = self.transport.abort

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
