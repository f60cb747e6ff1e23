"""The servers that are compared, each with a load process of its own."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import cpu_seconds, resident_bytes
from tests.servers import ROOT
from tests.services import free_port

HERE = Path(__file__).parent
BUILT = ROOT / ".bench" / "fanout"
START_SECONDS = 30
SETTLE_SECONDS = 1.0

SUBSCRIPTION = """subscription Posts($communityId: ID!) { postEvents(communityId: $communityId) {
  cursor event { ... on PostCreated { post { id body createdAt commentCount likeCount
  author { id displayName } } } } } }"""


def prepare() -> None:
    """Install the rivals below .bench, once."""
    BUILT.mkdir(parents=True, exist_ok=True)
    requirements = HERE / "rivals" / "requirements.txt"
    stamp = BUILT / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print("Installing the Python rivals", flush=True)
        subprocess.run([sys.executable, "-m", "venv", BUILT / "venv"], check=True)
        pip: list[str | Path] = [
            BUILT / "venv/bin/python",
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "-r", requirements], check=True)
        shutil.copy(requirements, stamp)
    lock = HERE / "rivals" / "package-lock.json"
    if shutil.which("npm") is None:
        print("No npm: without the Node rivals")
    elif (
        not (BUILT / "node_modules").exists()
        or (BUILT / "package-lock.json").read_bytes() != lock.read_bytes()
    ):
        print("Installing the Node rivals", flush=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "rivals" / name, BUILT)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=BUILT, check=True)
    # Node looks for packages beside the file that imports them.
    for source in (HERE / "rivals").glob("*.mjs"):
        shutil.copy(source, BUILT)


@dataclass
class Round:
    """One publish: seconds to the first and to the last client, and the server's computing."""

    first: float
    last: float
    cpu: float
    bytes: int


def conversation(id: int, query: str, variables: dict[str, Any], token: str | None = None) -> list[str]:
    """What a client says that follows a subscription."""
    init: dict[str, Any] = {"type": "connection_init"}
    if token is not None:
        init["payload"] = {"authorization": f"Bearer {token}"}
    subscribe = {"id": str(id), "type": "subscribe", "payload": {"query": query, "variables": variables}}
    return [json.dumps(init), json.dumps(subscribe)]


class Clients:
    """The load process of a contender: commands go in, answers come out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.fanout.clients"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The clients of {self.name} have ended; why is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Contender:
    """A server with its clients. `receivers` of them get what is published."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.receivers = self.published = 0
        self.rounds: list[Round] = []
        self.connect_cpu = 0.0
        self.kilobytes = 0.0
        self.server: subprocess.Popen[bytes] | None = None
        self.load: Clients | None = None

    def command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def start(self) -> None:
        self.server = subprocess.Popen(self.command(), cwd=BUILT)
        self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/subscribers")
            except OSError:
                if time.monotonic() > deadline or (self.server and self.server.poll() is not None):
                    raise
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        if self.load is not None:
            self.load.close()
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.wait()

    @property
    def pid(self) -> int:
        assert self.server is not None
        return self.server.pid

    # Clients

    def clients(self, number: int) -> list[dict[str, Any]]:
        """What each client says, for so many that receive; the receivers come first."""
        variables = {"communityId": "Q29tbXVuaXR5OjE"}
        return [{"messages": conversation(n, SUBSCRIPTION, variables)} for n in range(number)]

    opened = False
    subprotocol = "graphql-transport-ws"

    def connect(self, number: int) -> None:
        """Have `number` receivers follow, and measure what that costs."""
        self.load = Clients(self.name)
        clients = self.clients(number)
        memory, cpu = resident_bytes(self.pid), cpu_seconds(self.pid)
        self.ask(
            do="connect",
            port=self.port,
            path="/graphql",
            subprotocol=self.subprotocol,
            opened=self.opened,
            clients=clients,
        )
        while not self.opened and int(self.get("/subscribers")) < number:
            time.sleep(0.05)
        time.sleep(SETTLE_SECONDS)
        self.receivers = number
        self.connect_cpu = (cpu_seconds(self.pid) - cpu) / len(clients)
        self.kilobytes = (resident_bytes(self.pid) - memory) / len(clients) / 1024

    def round(self, body: str, receivers: int | None = None) -> Round:
        """Publish once; every receiver gets it."""
        self.ask(do="expect", frames=self.receivers if receivers is None else receivers)
        cpu, began = cpu_seconds(self.pid), time.monotonic()
        self.publish(body)
        self.published += 1
        answer = self.answer()
        # The computing may go on for a moment after the last client has its frame.
        time.sleep(0.02)
        return Round(
            answer["first"] - began, answer["last"] - began, cpu_seconds(self.pid) - cpu, answer["bytes"]
        )

    def check(self) -> None:
        """Raises RuntimeError if somebody got too much or too little."""
        counts = self.ask(do="counts")["counts"]
        if set(counts[: self.receivers]) != {self.published}:
            raise RuntimeError(f"{self.name}: not every client got each frame once")

    def publish(self, body: str) -> None:
        self.post("/publish", body.encode(), {"content-type": "text/plain"})

    # Talk

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self.load is not None
        return self.load.ask(**command)

    def answer(self) -> dict[str, Any]:
        assert self.load is not None
        return self.load.answer()

    def get(self, path: str) -> str:
        return self.post(path, None, {})

    def post(self, path: str, body: bytes | None, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=START_SECONDS) as response:
            text: str = response.read().decode()
            return text


class Python(Contender):
    def __init__(self, name: str, script: str) -> None:
        super().__init__()
        self.name = name
        self.script = script

    def command(self) -> Sequence[str | Path]:
        return [BUILT / "venv/bin/python", HERE / "rivals" / self.script, str(self.port)]


class Raw(Python):
    """No GraphQL: the body is the frame."""

    subprotocol = ""

    def clients(self, number: int) -> list[dict[str, Any]]:
        return [{"messages": []} for _ in range(number)]


class Node(Contender):
    def __init__(self, name: str, script: str) -> None:
        super().__init__()
        self.name = name
        self.script = script

    def command(self) -> Sequence[str | Path]:
        node = shutil.which("node")
        assert node is not None
        return [node, BUILT / self.script, str(self.port)]


def rivals() -> list[Contender]:
    found: list[Contender] = [
        Raw("uvicorn raw send", "raw.py"),
        Python("Strawberry, stock", "stock_strawberry.py"),
        Python("Ariadne, stock", "stock_ariadne.py"),
    ]
    if shutil.which("node") and shutil.which("npm"):
        found += [Node("graphql-yoga + graphql-ws", "yoga.mjs"), Node("mercurius", "mercurius.mjs")]
    return found


@contextmanager
def running(contenders: Sequence[Contender]) -> Iterator[None]:
    try:
        for contender in contenders:
            contender.start()
        yield
    finally:
        for contender in contenders:
            contender.close()
