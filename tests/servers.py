"""Really running servers for tests, in processes of their own."""

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.nursery import Forked, nursery
from tests.services import free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 60


def throwaway_secrets() -> dict[str, str]:
    """Secrets that all processes of one deployment share."""

    def secret() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    return {
        "LINLI_KEYS": f"test:{secret()}",
        "LINLI_INDEX_KEY": secret(),
        "LINLI_TOKEN_KEY": secret(),
    }


@dataclass
class ServerProcess:
    """One process of a deployment; `prelude` is Python that runs in it before it serves."""

    env: dict[str, str]
    port: int
    process: Forked | None = None
    prelude: str = ""

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def graphql(self) -> str:
        return f"{self.http}/graphql"

    @property
    def websocket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    def start(self) -> None:
        """Start it; `ready` says when it serves."""
        env = {**self.env, "LINLI_PORT": str(self.port)}
        self.process = nursery().start(env, self.log, prelude=self.prelude)

    async def ready(self) -> None:
        """Return once it serves. Raises RuntimeError with the end of its log if it does not."""
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    while self.process is not None and self.process.poll() is None:
                        with contextlib.suppress(httpx.TransportError):
                            if (await client.get(f"{self.http}/readyz")).status_code == 200:
                                return
                        await asyncio.sleep(0.02)
        raise RuntimeError(f"The server does not serve:\n{self.output()[-4000:]}")

    @property
    def log(self) -> Path:
        return Path(self.env["LINLI_DATA_DIR"]) / f"server-{self.port}.log"

    def output(self) -> str:
        """All that it has printed."""
        return self.log.read_text()

    def stop(self) -> int:
        """End it as an operator does, with SIGTERM; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
            raise

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)


@dataclass
class Deployment:
    """Processes that share a database, a bus and secrets."""

    database_url: str
    broadcast_url: str
    data_dir: Path
    processes: int = 1
    extra: dict[str, str] = field(default_factory=dict)
    servers: list[ServerProcess] = field(default_factory=list)
    prelude: str = ""

    def __post_init__(self) -> None:
        self.env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.data_dir),
            "PYTHONWARNINGS": "error",
            "LINLI_MODE": "demo",
            "LINLI_DATA_DIR": str(self.data_dir),
            "LINLI_DATABASE_URL": self.database_url,
            "LINLI_BROADCAST_URL": self.broadcast_url,
            "LINLI_PROCESSES": str(self.processes),
            **throwaway_secrets(),
            **self.extra,
        }
        self.servers = [
            ServerProcess(self.env, free_port(), prelude=self.prelude) for _ in range(self.processes)
        ]

    def command(self, *arguments: str) -> str:
        """Run `python main.py ARGUMENTS` in this deployment; what it printed."""
        done = nursery().run(self.env, *arguments)
        if done.returncode:
            raise RuntimeError(f"main.py {arguments[0]} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    async def start(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            await server.ready()

    def close(self) -> None:
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.kill()
