"""The process's server: uvicorn, with our transport."""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from schema.serving.websocket import WebSocketEndpoint
from subscriptions.transport import HttpProtocol, WebSocketProtocol

# After an operator's SIGTERM, whoever is connected: WebSockets have so long to close, then answers over HTTP
# to be given, and by then everything has its end.
DRAIN_SECONDS = 4.0
ANSWER_SECONDS = 1
END_SECONDS = 6.0
# What the kernel keeps for a client that does not read; by itself it would let that grow to megabytes.
SEND_BYTES = 128 * 1024
# Clients that have connected and wait to be accepted.
BACKLOG = 4096
# Containers more than before, until the collector looks at the young ones.
GC_THRESHOLD = 20_000


class Server(uvicorn.Server):
    """uvicorn, which closes every WebSocket in the same moment; here they go a few at a time.

    Asked to end, it ends with status 0, in time: what still waits then, for a lock or for a client, has not
    been answered, and whoever sent it knows that.
    """

    def __init__(self, config: uvicorn.Config, websocket: WebSocketEndpoint) -> None:
        super().__init__(config)
        self._websocket = websocket

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        # What stands now stands until the end: the collector need not look at it, and what connections
        # and requests leave behind is rarely cyclic. The slowest fan-out takes half the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's would have the signal end the process once more, and so with its status.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: Any = None) -> None:
        # A thread of its own: the threads of a database that waits for a lock would be waited for.
        latest = threading.Timer(END_SECONDS, end)
        latest.daemon = True
        latest.start()
        # Mutations that take longer go on beside the rest.
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS + 0.5):
                await self._websocket.drain(DRAIN_SECONDS)
        await super().shutdown(sockets)


def end() -> None:
    """End the process now."""
    sys.stdout.flush()
    os._exit(0)


def listen(host: str, port: int) -> socket.socket:
    """The one socket that serves all: what is accepted from it inherits its settings. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    return listening


def serve(
    app: ASGIApp, websocket: WebSocketEndpoint, listening: socket.socket, *, trusted_proxies: tuple[str, ...]
) -> None:
    """Serve `app` until SIGTERM or SIGINT. `X-Forwarded-For` is believed of `trusted_proxies` only."""
    config = uvicorn.Config(
        app,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024,
        # The protocol's own heartbeat closes with a code that clients retry.
        ws_ping_interval=None,
        loop="uvloop",
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        # Given always: uvicorn's own default believes whoever connects from this machine.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=ANSWER_SECONDS,
        limit_concurrency=None,
        backlog=BACKLOG,
    )
    Server(config, websocket).run([listening])
