"""The load: thousands of WebSocket clients of one server, in one process, each hardly more than a counter.

Commands are JSON lines on standard input, answers JSON lines on standard output:

    connect   open clients, a few at a time, and answer once all follow
    expect    answer when so many frames have come, with the moments of the first and the last, and how many
              seconds it took until half of the clients had one, 99 of 100, and all
    counts    how many frames each client has had
    wait      answer how many clients are still connected
"""

import asyncio
import base64
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import uvloop

AT_ONCE = 100
# What a slow client lets the kernel keep for it, and how often it reads that.
DEAF_BYTES = 4096
DAWDLE_SECONDS = 10.0
MASK = b"\0\0\0\0"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(data: bytes, opcode: int = TEXT) -> bytes:
    """A client's frame; its mask changes nothing."""
    head = bytes([0x80 | opcode])
    if len(data) < 126:
        return head + bytes([0x80 | len(data)]) + MASK + data
    return head + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + MASK + data


class Load:
    """All clients of one server, and what they have had together."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.slow: list[Client] = []
        self.frames = self.expected = 0
        self.began = self.first = 0.0
        self.times: list[float] = []
        self.sample = b""
        self.tell: Callable[[dict[str, Any]], None] = print

    def expect(self, number: int) -> None:
        self.frames, self.expected = 0, number
        self.times.clear()
        self.began = time.monotonic()

    def arrived(self, data: bytes) -> None:
        at = time.monotonic()
        if not self.frames:
            self.first = at
            self.sample = data
        self.frames += 1
        self.times.append(at - self.began)
        if self.frames == self.expected:
            self.expected = 0
            self.tell(
                {
                    "first": self.first,
                    "last": at,
                    "p50": self.times[len(self.times) // 2],
                    "p99": self.times[len(self.times) * 99 // 100],
                    "all": self.times[-1],
                    "bytes": len(self.sample),
                    "sample": self.sample.decode(),
                }
            )


class Client(asyncio.Protocol):
    """Shakes hands, says its messages, and counts what follows."""

    def __init__(
        self, load: Load, path: str, subprotocol: str, messages: list[str], *, opened: bool, deaf: bool
    ) -> None:
        self.load = load
        # Nobody waits for what it reads, if ever.
        self.deaf = deaf
        self.path = path
        self.subprotocol = subprotocol
        self.messages = messages
        self.opened = opened  # the server says when the subscription stands
        self.count = 0
        self.rest = b""
        self.closed: int | None = None
        self.shaken = self.ready = False
        self.standing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport by name.
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n" if self.subprotocol else ""
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
        position, size = 0, len(data)
        if not self.shaken:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(data.decode(errors="replace"))
            self.shaken = True
            position = end + 4
            self.advance()
        while size - position >= 2:
            length, start = data[position + 1], position + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif length == 127:
                length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            if start + length > size or start > size:
                break
            self.received(data[position] & 15, data[start : start + length])
            position = start + length
        self.rest = data[position:]

    def received(self, opcode: int, data: bytes) -> None:
        if opcode == TEXT and self.ready and len(data) > 100:
            self.count += 1
            if not self.deaf:
                self.load.arrived(data)
        elif opcode == PING:
            self.transport.write(frame(data, PONG))
        elif opcode == CLOSE:
            self.closed = int.from_bytes(data[:2], "big")
        elif opcode == TEXT:
            self.told(json.loads(data))

    def told(self, message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            self.transport.write(frame(b'{"type":"pong"}'))
        elif message["type"] == "connection_ack":
            self.advance()
        elif message["type"] == "next":
            self.stand()
        elif message["type"] != "pong":
            raise RuntimeError(str(message))

    def advance(self) -> None:
        if self.messages:
            self.transport.write(frame(self.messages.pop(0).encode()))
        if not self.messages and not self.opened:
            self.stand()

    def stand(self) -> None:
        self.ready = True
        if not self.standing.done():
            self.standing.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closed or 1006
        if not self.standing.done():
            self.standing.set_exception(ConnectionError(f"closed with {self.closed}"))


async def dawdle(load: Load) -> None:
    """Now and then the slow ones say that they are alive, and read what little the kernel has for them."""
    while True:
        await asyncio.sleep(DAWDLE_SECONDS)
        for client in load.slow:
            if client.closed is None:
                client.transport.write(frame(b'{"type":"pong"}'))
                client.transport.resume_reading()
        await asyncio.sleep(0)
        for client in load.slow:
            client.transport.pause_reading()


async def connect(load: Load, command: dict[str, Any]) -> None:
    """Open clients as the command says; `deaf` ones hardly read once they follow."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(command.get("at_once", AT_ONCE))

    async def open_one(messages: list[str], deaf: bool) -> None:
        async with room:
            client = Client(
                load,
                command["path"],
                command["subprotocol"],
                messages,
                opened=command["opened"],
                deaf=deaf,
            )
            load.clients.append(client)
            sock = socket.socket()
            if deaf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DEAF_BYTES)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", command["port"]))
            transport, _ = await loop.create_connection(lambda: client, sock=sock)
            await client.standing
            if deaf:
                transport.pause_reading()
                load.slow.append(client)

    await asyncio.gather(*(open_one(one["messages"], one.get("deaf", False)) for one in command["clients"]))


async def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load()

    def tell(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    load.tell = tell
    dawdling = asyncio.create_task(dawdle(load))
    reader = asyncio.StreamReader(limit=1 << 30)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        command = json.loads(line)
        match command["do"]:
            case "connect":
                await connect(load, command)
                tell({"connected": len(load.clients)})
            case "expect":
                load.expect(command["frames"])
                tell({"expecting": command["frames"]})
            case "counts":
                tell({"counts": [client.count for client in load.clients]})
            case "wait":
                tell({"connected": sum(client.closed is None for client in load.clients)})
    dawdling.cancel()


if __name__ == "__main__":
    uvloop.run(main())
