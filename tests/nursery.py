"""Server processes that start at once, for tests that kill them by the hundred.

`python main.py` spends more than a second on imports. Here one process has imported everything, and forks
for each start. What is forked opens its database, its bus and its sockets itself, as every server does.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent
# What a server imports only when it knows its settings.
LATE = (
    "models.storage.postgres",
    "models.storage.sqlite",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
)


class Nursery:
    """The process that forks; `with` it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, env: dict[str, str], log: Path, prelude: str = "") -> "Forked":
        """Serve with this environment, with the output in `log`; `prelude` is Python that runs before."""
        return Forked(self, self._asked(start={"env": env, "log": str(log), "prelude": prelude}))

    def status(self, pid: int, *, wait: bool) -> int | None:
        """The exit status of a child; None while it runs."""
        status: int | None = self._asked(wait=pid) if wait else self._asked(poll=pid)
        return status

    def _asked(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The nursery has ended; why is above")
        return json.loads(answer)


class Forked:
    """A forked server, as far as it is like a subprocess.Popen."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._nursery.status(self.pid, wait=False)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._status = self._nursery.status(self.pid, wait=True)
        assert self._status is not None
        return self._status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def serve(env: dict[str, str], log: str, prelude: str) -> int:
    """In the child: be `python main.py`."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(env)
    import main

    exec(prelude, {})
    return main.main([])


def tend() -> None:
    """Fork, and tell of the children, as long as there is somebody who asks."""
    # The children inherit what is imported here.
    for module in ("main", *LATE):
        importlib.import_module(module)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    statuses: dict[int, int | None] = {}
    for line in sys.stdin.buffer:
        command = json.loads(line)
        answer: int | None
        if "start" in command:
            answer = os.fork()
            if answer == 0:
                status = 1
                try:
                    status = serve(**command["start"])
                finally:
                    sys.stdout.flush()
                    os._exit(status)
            statuses[answer] = None
        else:
            pid = command.get("wait") or command["poll"]
            if statuses[pid] is None:
                ended, status = os.waitpid(pid, 0 if "wait" in command else os.WNOHANG)
                statuses[pid] = os.waitstatus_to_exitcode(status) if ended else None
            answer = statuses[pid]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid, known in statuses.items():
        if known is None:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    tend()
