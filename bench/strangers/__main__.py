"""`python -m bench.strangers`: a neighbour comments while strangers send what is costly to validate.

Two processes run side by side, one of which the strangers leave alone; in turn, a comment on each. A time is
from before the comment is sent until it has arrived on another neighbour's screen.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from statistics import median

from websockets.exceptions import ConnectionClosed

from bench.comparison import verdicts
from models import database
from tests.faults.scene import Scene, set_up
from tests.neighbourhood import prepared, running
from tests.servers import Deployment, ServerProcess
from tests.wire import Follower, bodies, wired

# What a comment is to arrive within, whoever is connected.
SECONDS = 1.0
# Neighbours take turns: each may comment sixty times a minute.
NEIGHBOURS = 20


def costly(name: object) -> str:
    same = "estates(first: 1) { edges { node { id name buildings(first: 1) { edges { node { id } } } } } } "
    return f'query Q{name} {{ node(id: "x") {{ ... on Community {{ {same * 90} }} }} }}'


async def attack(server: ServerProcess, stranger: int) -> None:
    """Send documents as fast as they are taken, and come back when sent away, until cancelled."""
    numbers = count()
    while True:
        with suppress(ConnectionClosed, OSError):
            async with wired(server, None) as wire:

                async def listen() -> None:
                    while True:
                        await wire.receive()

                listening = asyncio.create_task(listen())
                try:
                    while not listening.done():
                        n = next(numbers)
                        payload = {"query": costly(f"{stranger}_{n}")}
                        await wire.send({"id": f"{n}", "type": "subscribe", "payload": payload})
                finally:
                    listening.cancel()
                    await asyncio.wait({listening})


async def comment(scene: Scene, follower: Follower) -> float:
    """Seconds until a comment has arrived."""
    started = time.perf_counter()
    said = await scene.comment()
    await follower.until(lambda: bodies(follower)[-1:] == [said])
    return time.perf_counter() - started


async def measure(directory: Path, strangers: int, rounds: int) -> tuple[list[float], list[float]]:
    """What comments took beside strangers, and without any."""
    async with AsyncExitStack() as stack:
        scenes: list[tuple[Scene, Follower]] = []
        for name in ("attacked", "quiet"):
            url = f"sqlite://{directory / name}.db"
            (directory / name).mkdir()
            await database.migrate(url)
            deployment = Deployment(url, "memory://", directory / name)
            await stack.enter_async_context(running(deployment))
            # Its database is open in this process only while the scene is set.
            async with prepared(deployment) as made, AsyncExitStack() as setting:
                scene = await setting.enter_async_context(set_up(made, NEIGHBOURS))
                stack.push_async_exit(setting.pop_all())
            scenes.append((scene, await stack.enter_async_context(scene.follower())))
        for scene, follower in scenes:
            await comment(scene, follower)
        attacked = scenes[0][0].servers[0]
        attacks = [asyncio.create_task(attack(attacked, stranger)) for stranger in range(strangers)]
        try:
            await asyncio.sleep(1)
            times: Sequence[list[float]] = ([], [])
            for _ in range(rounds):
                for taken, (scene, follower) in zip(times, scenes, strict=True):
                    taken.append(await comment(scene, follower))
        finally:
            for task in attacks:
                task.cancel()
            if attacks:
                await asyncio.wait(attacks)
        refused = sum(
            [
                await scenes[0][0].metric(attacked, f'linli_overdrawn_total{{payer="{payer}"}}')
                for payer in ("connection", "address")
            ]
        )
        print(f"{refused:.0f} documents were refused", flush=True)
    return times[0], times[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.strangers", description=__doc__)
    parser.add_argument("--strangers", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        beside, quiet = asyncio.run(measure(directory, options.strangers, options.rounds))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("\n| a comment arrives after | median ms | worst ms |\n|---|---|---|")
    for name, taken in ((f"beside {options.strangers} strangers", beside), ("without any", quiet)):
        print(f"| {name} | {median(taken) * 1e3:.1f} | {max(taken) * 1e3:.1f} |")
    print(f"\nThe median is {median(beside) / median(quiet):.1f} times that of the quiet server.")
    return (
        0 if verdicts([("strangers: times as fast as 1 s, the slowest", SECONDS / max(beside), 1.0)]) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
