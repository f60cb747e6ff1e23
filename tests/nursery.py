"""Processes that are `python main.py` and start at once: servers and commands.

By itself each would spend two seconds on imports. Here one process has imported everything, and forks for
each start. What is forked opens its database, its bus and its sockets itself, as every server does.
"""

import functools
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# What a server imports only when it knows its settings.
LATE = (
    "models.storage.postgres",
    "models.storage.sqlite",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
)


class Nursery:
    """The process that forks. It ends with the one that made it, and all that it has forked with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=ROOT,
            # A process with threads cannot be forked safely.
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONWARNINGS": "error",
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(
        self, env: dict[str, str], log: Path, *arguments: str, errors: Path | None = None, prelude: str = ""
    ) -> "Forked":
        """`python main.py ARGUMENTS`, with this environment and no other.

        What it prints is added to `log`, and to `errors` if that is another; `prelude` is Python that runs
        before.
        """
        outputs = [str(log), str(errors or log)]
        start = {"env": env, "outputs": outputs, "prelude": prelude, "arguments": arguments}
        return Forked(self, self._asked(start=start))

    def run(self, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python main.py ARGUMENTS`, after its end."""
        with tempfile.TemporaryDirectory() as directory:
            out, errors = Path(directory, "out"), Path(directory, "errors")
            status = self.start(env, out, *arguments, errors=errors).wait(120)
            return subprocess.CompletedProcess(arguments, status, out.read_text(), errors.read_text())

    def status(self, pid: int) -> int | None:
        """The exit status of a child; None while it runs."""
        status: int | None = self._asked(poll=pid)
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


@functools.cache
def nursery() -> Nursery:
    """This process's."""
    return Nursery()


class Forked:
    """A forked process, as far as it is like a subprocess.Popen."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._nursery.status(self.pid)
        return self._status

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.005)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def become(env: dict[str, str], outputs: list[str], prelude: str, arguments: list[str]) -> int:
    """In the child: be `python main.py`."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for target, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), target)
    os.environ.clear()
    os.environ.update(env)
    import main

    exec(prelude, {})
    return main.main(arguments)


def tend() -> None:
    """Fork, and tell of the children, as long as there is somebody who asks."""
    # The children inherit what is imported here.
    for module in ("main", *LATE):
        importlib.import_module(module)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A child's collector need not look at what is here.
    gc.collect()
    gc.freeze()
    statuses: dict[int, int | None] = {}
    for line in sys.stdin.buffer:
        command = json.loads(line)
        answer: int | None
        if "start" in command:
            answer = os.fork()
            if answer == 0:
                status = 1
                try:
                    status = become(**command["start"])
                except SystemExit as exit:
                    status = exit.code if isinstance(exit.code, int) else 1
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(status)
            statuses[answer] = None
        else:
            pid = command["poll"]
            if statuses[pid] is None:
                ended, status = os.waitpid(pid, os.WNOHANG)
                statuses[pid] = os.waitstatus_to_exitcode(status) if ended else None
            answer = statuses[pid]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid, known in statuses.items():
        if known is None:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    tend()
