"""Clients that ask over HTTP as fast as they are answered, in a process of their own.

`python -m bench.load` reads one JSON command a line, and answers with a line.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import uvloop

from tests.servers import ROOT


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of clients saw: answers a second, and how many were not as they should be."""

    rate: float
    answered: int
    wrong: int
    median_ms: float
    worst_ms: float


def request(path: str, body: bytes, **headers: str) -> str:
    """A POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "host: bench", "content-type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines) + body.decode()


class Load:
    """The load process, from outside."""

    def __enter__(self) -> "Load":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def run(
        self,
        ports: Sequence[int],
        requests: Sequence[str],
        *,
        clients: int,
        seconds: float,
        once: bool = False,
        expect: str = "",
    ) -> Measured:
        """Have `clients` send `requests`, in turn over all or, with `once`, each a single time.

        An answer is right if its status is 200 and it holds `expect`.
        """
        command = {
            "ports": list(ports),
            "requests": list(requests),
            "clients": clients,
            "seconds": seconds,
            "once": once,
            "expect": expect,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The clients have ended; why is above")
        return Measured(**json.loads(line))


class Client(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.length = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("The server hung up"))

    def ask(self) -> None:
        given = self.run.next()
        if given is None:
            if not self.done.done():
                self.done.set_result(None)
            self.transport.close()
            return
        self.buffer.clear()
        self.length = -1
        self.asked = time.perf_counter()
        self.transport.write(given)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.length < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            if b"transfer-encoding: chunked" in head:
                self.length = 0
            else:
                at = head.index(b"content-length:") + 15
                self.length = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
        if len(self.buffer) >= self.length if self.length else self.buffer.endswith(b"0\r\n\r\n"):
            self.run.count(self.buffer, time.perf_counter() - self.asked)
            self.ask()


class Run:
    def __init__(self, command: dict[str, Any]) -> None:
        self.command = command
        requests = [text.encode() for text in command["requests"]]
        self.requests = iter(requests) if command["once"] else cycle(requests)
        self.expect = command["expect"].encode()
        self.times: list[float] = []
        self.wrong = 0

    def next(self) -> bytes | None:
        return None if time.perf_counter() > self.until else next(self.requests, None)

    def count(self, answer: bytearray, seconds: float) -> None:
        self.times.append(seconds)
        if not answer.startswith(b"HTTP/1.1 200") or self.expect not in answer:
            self.wrong += 1
            if self.wrong == 1:
                print(bytes(answer[:2000]), file=sys.stderr)

    async def measure(self) -> Measured:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        self.until = began + self.command["seconds"]
        ports = cycle(self.command["ports"])
        clients = [
            (await loop.create_connection(lambda: Client(self), "127.0.0.1", next(ports)))[1]
            for _ in range(self.command["clients"])
        ]
        await asyncio.gather(*(client.done for client in clients))
        seconds = time.perf_counter() - began
        times = sorted(self.times) or [0.0]
        return Measured(
            len(self.times) / seconds,
            len(self.times),
            self.wrong,
            times[len(times) // 2] * 1000,
            times[-1] * 1000,
        )


async def serve() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        measured = await Run(json.loads(line)).measure()
        print(json.dumps({name: getattr(measured, name) for name in Measured.__slots__}), flush=True)


if __name__ == "__main__":
    uvloop.run(serve())
