"""Servers measured in turn, round after round, so that what else the machine does strikes them all."""

import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Load, Measured
from bench.process import cpu_seconds
from tests.servers import ROOT
from tests.services import free_port

BENCH = ROOT / ".bench"
START_SECONDS = 60


@dataclass
class Contender:
    """A server process and the requests that it is asked."""

    name: str
    command: Sequence[str | Path]
    requests: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    expect: str = ""
    # Where several processes serve, each has a port.
    processes: int = 1
    ports: list[int] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, log: Path) -> None:
        self.ports = [free_port() for _ in range(self.processes)]
        for port in self.ports:
            env = {"PATH": os.environ["PATH"], "PORT": str(port), "LINLI_PORT": str(port), **self.env}
            with log.open("ab") as output:
                process = subprocess.Popen(self.command, cwd=self.cwd, env=env, stdout=output, stderr=output)
            self.running.append(process)
        for port, process in zip(self.ports, self.running, strict=True):
            wait_for(port, process, log)

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            opener.open(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} does not serve:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return


@contextmanager
def running(contenders: Sequence[Contender], directory: Path) -> Iterator[None]:
    try:
        for number, contender in enumerate(contenders):
            contender.start(directory / f"contender-{number}.log")
        yield
    finally:
        for contender in contenders:
            contender.stop()


Rates = dict[str, list[float]]


def computed(contender: Contender) -> float:
    return sum(cpu_seconds(process.pid) for process in contender.running)


def interleaved(
    title: str, contenders: Sequence[Contender], *, clients: int, rounds: int, seconds: float
) -> Rates:
    """Print and give answers a second of each contender in each round, after one round that warms them up."""
    rates: Rates = {contender.name: [] for contender in contenders}
    spent: Rates = {contender.name: [] for contender in contenders}
    faults: list[str] = []
    with Load() as load:
        for number in range(-1, rounds):
            for contender in contenders:
                before = computed(contender)
                measured = ask(load, contender, clients, seconds if number >= 0 else seconds / 2)
                if measured.wrong:
                    faults.append(f"{contender.name}: {measured.wrong} of {measured.answered} answers wrong")
                if number >= 0:
                    rates[contender.name].append(measured.rate)
                    spent[contender.name].append((computed(contender) - before) / measured.answered)
    print(table(title, rates, contenders[0].name))
    print(
        "of computing an answer: "
        + ", ".join(f"{name} {statistics.median(found) * 1e3:.2f} ms" for name, found in spent.items())
    )
    print("\n".join(faults), flush=True)
    return rates


def ask(load: Load, contender: Contender, clients: int, seconds: float) -> Measured:
    return load.run(
        contender.ports, contender.requests, clients=clients, seconds=seconds, expect=contender.expect
    )


def answer(contender: Contender) -> bytes:
    """What it says to its first request. Raises ValueError for another status than 200."""
    with socket.create_connection(("127.0.0.1", contender.ports[0])) as connection:
        connection.sendall(contender.requests[0].encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    if response.status != 200:
        raise ValueError(f"{contender.name} says {response.status}: {body[:500]!r}")
    return body


def table(title: str, rates: Rates, first: str) -> str:
    """Each contender's median, least and most, and how many times as fast `first` is, round by round."""
    lines = [
        f"\n{title}",
        f"{'':44}{'req/s':>8}{'min':>8}{'max':>8}   {first} is … times as fast (min–max)",
    ]
    for name, found in rates.items():
        ratios = sorted(mine / other for mine, other in zip(rates[first], found, strict=True))
        lines.append(
            f"{name:44}{statistics.median(found):8.0f}{min(found):8.0f}{max(found):8.0f}"
            f"   {statistics.median(ratios):6.2f}  ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        )
    return "\n".join(lines)


def ratio(rates: Rates, first: str, other: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(rates[first], rates[other], strict=True))


def verdicts(demands: Sequence[tuple[str, float, float]]) -> bool:
    """Print what was demanded and what was found; whether all of it holds."""
    print("\nDemanded")
    for what, found, least in demands:
        print(f"  {'met   ' if found >= least else 'MISSED'} {what}: {found:.2f}, at least {least}")
    return all(found >= least for _, found, least in demands)


def prepared(here: Path, name: str, *, node: bool = True) -> tuple[Path, Path | None]:
    """The Python of the rivals' own environment, and the directory of those in Node, installed once."""
    built = BENCH / name
    built.mkdir(parents=True, exist_ok=True)
    install(
        built / "requirements.txt",
        here / "requirements.txt",
        lambda: python_packages(built, here / "requirements.txt"),
    )
    if not node:
        return built / "venv/bin/python", None
    if shutil.which("npm") is None:
        print("No npm: without the rivals in Node")
        return built / "venv/bin/python", None
    install(built / "package.json", here / "package.json", lambda: node_packages(built, here))
    # Node looks for packages beside the file that imports them.
    for source in (*here.glob("*.mjs"), *here.glob("*.graphql")):
        shutil.copy(source, built)
    return built / "venv/bin/python", built


def install(stamp: Path, wanted: Path, run: Callable[[], None]) -> None:
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print(f"Installing {wanted.relative_to(ROOT)}", flush=True)
        run()
        shutil.copy(wanted, stamp)


def python_packages(built: Path, requirements: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", built / "venv"], check=True)
    pip: list[str | Path] = [
        built / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "-r", requirements], check=True)


def node_packages(built: Path, here: Path) -> None:
    shutil.copy(here / "package.json", built)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=built, check=True)
