"""`python -m bench.soak`: what strangers can make a process remember, and what it keeps of that.

Ever new documents and variables, from ever new addresses, over HTTP and over connections that come and go,
with malformed frames between them. After the first thousand the process is to grow no more.
"""

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from websockets.exceptions import ConnectionClosed

from bench.comparison import verdicts
from models import database
from tests.neighbourhood import running
from tests.servers import Deployment, ServerProcess
from tests.wire import Lost, wired

MEGABYTES = 20
FIRST = 1_000
AT_ONCE = 4


def address(n: int) -> str:
    return f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1"


def document(n: int) -> str:
    return f"query Q{n}($id: ID!) {{ node(id: $id) {{ id }} viewer {{ a{n}: displayName }} __typename }}"


async def ask(http: httpx.AsyncClient, server: ServerProcess, n: int) -> None:
    body = {"query": document(n), "variables": {"id": f"no id {n}"}}
    answer = await http.post(server.graphql, json=body, headers={"x-forwarded-for": address(n)})
    if answer.status_code != 200 or "INTERNAL" in answer.text or "RATE_LIMITED" in answer.text:
        raise RuntimeError(answer.text)


async def come_and_go(server: ServerProcess, n: int) -> None:
    with suppress(*Lost):
        async with wired(server, None, additional_headers={"x-forwarded-for": address(n)}) as wire:
            await wire.subscribe(document(n).replace("Q", "W"), id=f"no id {n}")
            await wire.receive()
            await wire.send([b"\xff", "[", '{"type":"start"}', "[" * 30_000][n % 4])
            with suppress(ConnectionClosed):
                while True:
                    await wire.receive()


async def settled(server: ServerProcess) -> tuple[int, int]:
    """Bytes of memory, and descriptors, once nothing is under way."""
    await asyncio.sleep(3)
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    return process.memory_info().rss, process.num_fds()


async def measure(directory: Path, documents: int) -> tuple[float, int]:
    """By how many megabytes, and descriptors, the process grew after the first thousand documents."""
    url = f"sqlite://{directory / 'linli.db'}"
    await database.migrate(url)
    extra = {"LINLI_TRUSTED_PROXIES": "127.0.0.1"}
    deployment = Deployment(url, "memory://", directory, extra=extra)
    async with running(deployment), httpx.AsyncClient(trust_env=False, timeout=60) as http:
        (server,) = deployment.servers
        before = 0, 0
        for start in range(0, documents, 100):
            if start == FIRST:
                before = await settled(server)
                print(f"{start} documents: {before[0] >> 20} MB, {before[1]} descriptors", flush=True)
            for n in range(start, start + 100, AT_ONCE):
                await asyncio.gather(*(ask(http, server, m) for m in range(n, n + AT_ONCE)))
            await asyncio.gather(*(come_and_go(server, n) for n in range(start, start + 8)))
            if start % 1_000 == 0 and start > FIRST:
                assert server.process is not None
                print(f"{start}: {psutil.Process(server.process.pid).memory_info().rss >> 20} MB", flush=True)
        after = await settled(server)
        print(f"{documents} documents: {after[0] >> 20} MB, {after[1]} descriptors", flush=True)
        if "Traceback" in server.output():
            raise RuntimeError("The server has complained")
    return (after[0] - before[0]) / (1 << 20), after[1] - before[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    gc.freeze()
    try:
        grown, descriptors = asyncio.run(measure(directory, options.documents))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\nGrown by {grown:.1f} MB and {descriptors} descriptors.")
    left = [
        (f"soak: megabytes left of {MEGABYTES}", MEGABYTES - grown, 0.0),
        ("soak: descriptors given back", -float(descriptors), 0.0),
    ]
    return 0 if verdicts(left) else 1


if __name__ == "__main__":
    sys.exit(main())
