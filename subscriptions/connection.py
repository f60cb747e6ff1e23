"""One client's WebSocket: a bounded buffer, a writer, and the deadlines that keep it honest.

It knows frames and close codes, not GraphQL. A client that does not read delays nobody and costs no
more memory than its buffer: `offer` answers False when that is full, and the writer gives up on the
client when nothing moves for STALLED_SECONDS.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.visibility import NOBODY, Viewer
from subscriptions.hub import Subscriber
from subscriptions.transport import ABORT

# What one client may have waiting: enough for a burst, far less than what hurts.
BUFFER_FRAMES = 256
BUFFER_CHARS = 1 << 20
# Answers to the client's own messages are not dropped; a client that piles them up is closed.
REPLY_FRAMES = 1024
REPLY_CHARS = 1 << 22
# What a close frame has room for.
REASON_BYTES = 123

INIT_SECONDS = 10.0
PING_SECONDS = 22.0
PONG_SECONDS = 22.0
STALLED_SECONDS = 30.0
LOOK_SECONDS = 1.0

CONNECTIONS = Gauge("linli_connections", "Open WebSocket connections.")
BUFFERED = Gauge("linli_buffered_frames", "Frames waiting in the buffers of all connections.")
CLOSED = Counter("linli_closed_total", "Connections that the server closed, by code.", ("code",))


log = structlog.get_logger("linli.connection")


class Close(IntEnum):
    """Close codes of graphql-transport-ws. Clients retry 4403, 4408 and 4499, and not the others."""

    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    BAD_PROTOCOL = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_SUBSCRIBER = 4409
    TOO_MANY_INITS = 4429
    TERMINATED = 4499


class Owner(Protocol):
    """What the protocol's handler answers for its connection."""

    def subscriptions(self) -> Iterable[Subscriber]: ...

    def refuse(self, subscriber: Subscriber) -> None: ...


class Connection:
    """A client's socket, and the sink that the hub feeds."""

    def __init__(self, websocket: WebSocket, owner: Owner) -> None:
        self.websocket = websocket
        self.owner = owner
        self.viewer: Viewer = NOBODY
        # The client has asked to be admitted; how long the answer takes is not its fault.
        self.greeted = False
        self.acknowledged = False
        self.closing = False
        # A moment of the wall clock, since that is what the token says.
        self.expires_at: float | None = None
        self._frames: deque[tuple[str, Callable[[], None] | None]] = deque()
        self._chars = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._opened = self._heard = self._moved = time.monotonic()
        self._pinged: float | None = None
        self._aborted = False
        self._writer: asyncio.Task[None] | None = None
        self._farewell: tuple[Close, str] = (Close.TERMINATED, "")

    # The sink

    def offer(self, frame: str, written: Callable[[], None] | None = None) -> bool:
        """Take `frame` if the buffer has room; call `written` once it is on the wire."""
        if self.closing:
            return True
        if len(self._frames) >= BUFFER_FRAMES or self._chars >= BUFFER_CHARS:
            self._room.clear()
            return False
        self._put(frame, written)
        return True

    async def room(self) -> None:
        """Return once the buffer is half empty."""
        await self._room.wait()

    def subscriptions(self) -> Iterable[Subscriber]:
        return self.owner.subscriptions()

    def refuse(self, subscriber: Subscriber) -> None:
        self.owner.refuse(subscriber)

    def session_ended(self) -> None:
        self.close(Close.UNAUTHORIZED, "The session has ended")

    def lost(self) -> None:
        self.close(Close.TERMINATED, "Come back with your cursors")

    # For the handler

    def reply(self, frame: str) -> None:
        """Send an answer to the client's own message."""
        if self.closing:
            return
        if len(self._frames) >= REPLY_FRAMES or self._chars >= REPLY_CHARS:
            self.close(Close.TERMINATED, "Read what is sent to you")
        else:
            self._put(frame, None)

    def heard(self) -> None:
        """The client has sent something."""
        self._heard = time.monotonic()
        self._pinged = None

    def close(self, code: Close, reason: str) -> None:
        """Close after what is buffered already has been sent; what comes later is dropped."""
        if self.closing:
            return
        self.closing = True
        CLOSED.labels(str(int(code))).inc()
        self._farewell = (code, reason.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore"))
        self._moved = time.monotonic()
        self._filled.set()
        self._room.set()

    def abort(self) -> None:
        """Drop the socket, with all that waits for a client that reads nothing."""
        if self._aborted:
            return
        self._aborted = self.closing = True
        self._room.set()
        CLOSED.labels("aborted").inc()
        abort = (self.websocket.scope.get("extensions") or {}).get(ABORT)
        if abort is not None:
            abort()
        if self._writer:
            self._writer.cancel()

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write())
        CONNECTIONS.inc()

    async def stop(self) -> None:
        """The client has gone, or the handler is done with it."""
        self.closing = True
        self._room.set()
        CONNECTIONS.dec()
        BUFFERED.dec(len(self._frames))
        self._frames.clear()
        self._chars = 0
        if self._writer:
            self._writer.cancel()
            await asyncio.wait({self._writer})

    def look(self, ping: str) -> None:
        """Called every LOOK_SECONDS: act on whatever is overdue. `ping` is the heartbeat's frame."""
        present = time.monotonic()
        # A close frame too may find no way out.
        if (self._frames or self.closing) and present - self._moved > STALLED_SECONDS:
            self.abort()
        elif self.closing:
            return
        elif not self.acknowledged:
            if not self.greeted and present - self._opened > INIT_SECONDS:
                self.close(Close.INIT_TIMEOUT, "Connection initialisation timeout")
        elif self.expires_at is not None and time.time() >= self.expires_at:
            self.close(Close.FORBIDDEN, "The access token has expired")
        elif self._pinged is not None:
            if present - self._pinged > PONG_SECONDS:
                # Before uvicorn would say 1011, which clients do not retry.
                self.close(Close.TERMINATED, "Nothing heard")
        elif present - self._heard > PING_SECONDS:
            self._pinged = present
            self.reply(ping)

    # The writer

    def _put(self, frame: str, written: Callable[[], None] | None) -> None:
        if not self._frames:
            self._moved = time.monotonic()
        self._frames.append((frame, written))
        self._chars += len(frame)
        BUFFERED.inc()
        self._filled.set()

    async def _write(self) -> None:
        try:
            while True:
                while self._frames:
                    frame, written = self._frames[0]
                    await self.websocket.send_text(frame)
                    if not self._frames:
                        return
                    self._frames.popleft()
                    self._chars -= len(frame)
                    BUFFERED.dec()
                    self._moved = time.monotonic()
                    if written is not None:
                        written()
                    if len(self._frames) <= BUFFER_FRAMES // 2 and self._chars <= BUFFER_CHARS // 2:
                        self._room.set()
                if self.closing:
                    await self.websocket.close(*self._farewell)
                    return
                self._filled.clear()
                await self._filled.wait()
        except (WebSocketDisconnect, RuntimeError, OSError):
            # The client has gone; the handler's receive tells it so.
            self.closing = True
            self._room.set()
        except Exception:
            log.exception("writer_failed")
            self.abort()
