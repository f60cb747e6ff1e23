"""One client's WebSocket: a bounded buffer, and the deadlines that keep it honest.

It knows frames and close codes, not GraphQL. What is offered in one turn of the event loop goes out in one
write, which makes ten messages at once nearly five times cheaper, straight to the socket where the server
lets us (subscriptions.transport), through ASGI elsewhere. A client that does not read delays nobody and
costs no more memory than its buffer: `offer` answers False when that is full, and the connection is aborted
when nothing moves for STALLED_SECONDS.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.base import now
from models.visibility import NOBODY, Viewer
from subscriptions.followers import Subscriber
from subscriptions.transport import WIRE, Listener, Wire, text_head

# What one client may have waiting: enough for a burst, far less than what hurts.
BUFFER_FRAMES = 256
BUFFER_BYTES = 1 << 20
# Answers to the client's own messages are not dropped; a client that piles them up is closed.
REPLY_FRAMES = 1024
REPLY_BYTES = 1 << 22
# Of what waits for a client, written at once when it reads again: the rest keeps its place in the buffer.
WRITE_BYTES = 1 << 16
# What a close frame has room for.
REASON_BYTES = 123

INIT_SECONDS = 10.0
PING_SECONDS = 22.0
PONG_SECONDS = 22.0
STALLED_SECONDS = 30.0
CHECK_SECONDS = 1.0

CONNECTIONS = Gauge("linli_connections", "Open WebSocket connections.")
BUFFERED = Gauge("linli_buffered_frames", "Frames waiting for clients that do not read at the moment.")
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


Written = Callable[[], None]


class Owner(Protocol):
    """What the protocol's handler answers for its connection."""

    def subscriptions(self) -> Iterable[Subscriber]: ...

    def refuse(self, subscriber: Subscriber) -> None: ...


class Outbox:
    """The connections to which something is to be written at the end of this turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: list[Connection] = []

    def add(self, connection: "Connection") -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._empty)
        self._waiting.append(connection)

    def _empty(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()


class Connection:
    """A client's socket, and the sink that the hub feeds."""

    __slots__ = (
        "_aborted",
        "_bytes",
        "_farewell",
        "_frames",
        "_heard",
        "_held",
        "_moved",
        "_opened",
        "_outbox",
        "_pinged",
        "_queued",
        "_receipts",
        "_room",
        "_task",
        "_websocket",
        "_wire",
        "acknowledged",
        "closing",
        "expires_at",
        "greeted",
        "owner",
        "viewer",
    )

    def __init__(self, websocket: WebSocket, owner: Owner, outbox: Outbox) -> None:
        self._wire: Wire | None = (websocket.scope.get("extensions") or {}).get(WIRE)
        # Written to where there is no wire.
        self._websocket = None if self._wire else websocket
        self.owner = owner
        self.viewer: Viewer = NOBODY
        # The client has asked to be admitted; how long the answer takes is not its fault.
        self.greeted = False
        self.acknowledged = False
        self.closing = False
        # A moment of the wall clock, since that is what the token says.
        self.expires_at: float | None = None
        self._frames: list[tuple[bytes, Written | None]] = []
        self._bytes = 0
        # Frames that BUFFERED counts: those behind a socket that takes no more.
        self._held = 0
        # Of what was written and is not yet the kernel's.
        self._receipts: list[Written] = []
        self._outbox = outbox
        self._queued = False
        self._room: asyncio.Event | None = None
        self._opened = self._heard = self._moved = time.monotonic()
        self._pinged: float | None = None
        self._aborted = False
        # Writes through ASGI; there is none while nothing waits.
        self._task: asyncio.Task[None] | None = None
        self._farewell: tuple[Close, str] = (Close.TERMINATED, "")

    # The sink

    def offer(self, frame: bytes, written: Written | None = None) -> bool:
        """Take `frame` if the buffer has room; call `written` once the kernel has it."""
        if self.closing:
            return True
        if len(self._frames) >= BUFFER_FRAMES or self._bytes >= BUFFER_BYTES:
            return False
        self._put(frame, written)
        return True

    async def room(self) -> None:
        """Return once the buffer is half empty."""
        while not self._has_room():
            self._room = self._room or asyncio.Event()
            await self._room.wait()

    def _has_room(self) -> bool:
        return self.closing or (len(self._frames) <= BUFFER_FRAMES // 2 and self._bytes <= BUFFER_BYTES // 2)

    def subscriptions(self) -> Iterable[Subscriber]:
        return self.owner.subscriptions()

    def refuse(self, subscriber: Subscriber) -> None:
        self.owner.refuse(subscriber)

    def session_ended(self) -> None:
        self.close(Close.UNAUTHORIZED, "The session has ended")

    def lost(self) -> None:
        self.close(Close.TERMINATED, "Come back with your cursors")

    # For the handler

    def reply(self, frame: bytes) -> None:
        """Send an answer to the client's own message."""
        if self.closing:
            return
        if len(self._frames) >= REPLY_FRAMES or self._bytes >= REPLY_BYTES:
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
        self._make_room()
        if self._wire is None:
            self._work()
        elif not self._frames:
            self._wire.close(*self._farewell)

    def abort(self) -> None:
        """Drop the socket, with all that waits for a client that reads nothing."""
        if self._aborted:
            return
        self._aborted = self.closing = True
        self._make_room()
        CLOSED.labels("aborted").inc()
        if self._wire is not None:
            self._wire.abort()
        if self._task is not None:
            self._task.cancel()

    def start(self) -> None:
        CONNECTIONS.inc()
        if self._wire is not None:
            self._wire.drained = self._drained

    def listen(self, listener: Listener) -> bool:
        """Have `listener` told what the client sends, if there is a wire."""
        if self._wire is None:
            return False
        self._wire.listen(listener)
        return True

    def set_reading(self, *, on: bool) -> None:
        """Whether the client may go on sending."""
        if self._wire is not None:
            (self._wire.resume if on else self._wire.pause)()

    async def stop(self) -> None:
        """The client has gone, or the handler is done with it."""
        self.closing = True
        CONNECTIONS.dec()
        self._frames.clear()
        self._receipts.clear()
        self._bytes = 0
        self._count_held()
        self._make_room()
        if self._wire is not None:
            self._wire.drained = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def check_deadlines(self, ping: bytes) -> None:
        """Called every CHECK_SECONDS: act on whatever is overdue. `ping` is the heartbeat's frame."""
        present = time.monotonic()
        # What has gathered in this turn of the loop has not been refused yet; a close frame too may find no
        # way out.
        if (self._held or self.closing) and present - self._moved > STALLED_SECONDS:
            self.abort()
        elif self.closing:
            return
        elif not self.acknowledged:
            if not self.greeted and present - self._opened > INIT_SECONDS:
                self.close(Close.INIT_TIMEOUT, "Connection initialisation timeout")
        elif self.expires_at is not None and now().timestamp() >= self.expires_at:
            self.close(Close.FORBIDDEN, "The access token has expired")
        elif self._pinged is not None:
            if present - self._pinged > PONG_SECONDS:
                # Before uvicorn would say 1011, which clients do not retry.
                self.close(Close.TERMINATED, "Nothing heard")
        elif present - self._heard > PING_SECONDS:
            self._pinged = present
            self.reply(ping)

    # Writing

    def _put(self, frame: bytes, written: Written | None) -> None:
        self._frames.append((frame, written))
        self._bytes += len(frame)
        if self._queued:
            return
        if self._wire is not None and not self._wire.blocked:
            self._queued = True
            self._outbox.add(self)
            return
        if len(self._frames) == 1:
            self._moved = time.monotonic()
        self._count_held()
        if self._wire is None:
            self._work()

    def flush(self) -> None:
        """Write what has gathered, as much as the kernel takes."""
        self._queued = False
        frames, wire = self._frames, self._wire
        if not frames or wire is None:
            return
        if len(frames) == 1:
            frame, written = frames.pop()
            self._bytes = 0
            data = text_head(len(frame)) + frame
            if wire.write(data):
                if written is not None:
                    written()
            elif written is not None:
                self._receipts.append(written)
        else:
            self._flush_many(wire)
        if frames:
            self._moved = time.monotonic()
            self._count_held()
        elif self.closing:
            wire.close(*self._farewell)

    def _flush_many(self, wire: Wire) -> None:
        frames = self._frames
        while frames and not wire.blocked:
            parts: list[bytes] = []
            receipts: list[Written] = []
            size = taken = 0
            for frame, written in frames:
                parts += (text_head(len(frame)), frame)
                size += len(frame)
                taken += 1
                if written is not None:
                    receipts.append(written)
                if size >= WRITE_BYTES:
                    break
            del frames[:taken]
            self._bytes -= size
            if wire.write(b"".join(parts)):
                for written in receipts:
                    written()
            else:
                self._receipts += receipts
                if not wire.blocked:
                    # The socket is closing: nothing gets out any more.
                    frames.clear()
                    self._bytes = 0

    def _drained(self) -> None:
        self._moved = time.monotonic()
        receipts, self._receipts = self._receipts, []
        for written in receipts:
            written()
        self.flush()
        self._count_held()
        self._make_room()

    def _make_room(self) -> None:
        if self._room is not None and self._has_room():
            self._room.set()
            self._room = None

    def _count_held(self) -> None:
        held = len(self._frames)
        if held != self._held:
            BUFFERED.inc(held - self._held)
            self._held = held

    # Through ASGI

    def _work(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        websocket = self._websocket
        if websocket is None:
            return
        try:
            while self._frames:
                frame, written = self._frames[0]
                await websocket.send_text(frame.decode())
                if not self._frames:
                    return
                del self._frames[0]
                self._bytes -= len(frame)
                self._count_held()
                self._moved = time.monotonic()
                if written is not None:
                    written()
                self._make_room()
            if self.closing:
                await websocket.close(*self._farewell)
        except (WebSocketDisconnect, RuntimeError, OSError):
            # The client has gone; the handler's receive tells it so.
            self.closing = True
            self._make_room()
        except Exception:
            log.exception("writer_failed")
            self.abort()
