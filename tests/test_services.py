"""The servers behind the other tests: they come up, keep their promises on restart, and never outlive us."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from tests.services import HOST, PostgresServer, RedisServer, ServiceError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def fetch(server: PostgresServer, database: str, sql: str) -> object:
    connection = await asyncpg.connect(server.url(database, "postgresql"))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_postgres_is_a_recent_server_with_utf8(postgres: PostgresServer) -> None:
    assert int(str(await fetch(postgres, "postgres", "SHOW server_version_num"))) >= 180000
    assert await fetch(postgres, "postgres", "SELECT length('停水通知')") == 4


async def test_a_database_is_a_copy_of_its_template(postgres: PostgresServer) -> None:
    postgres.create_database("migrated")
    postgres.execute("CREATE TABLE houses (name text); INSERT INTO houses VALUES ('三号楼')", "migrated")
    postgres.create_database("copy", template="migrated")
    postgres.execute("DELETE FROM houses", "migrated")
    assert await fetch(postgres, "copy", "SELECT name FROM houses") == "三号楼"
    postgres.drop_database("copy")
    with pytest.raises(ServiceError, match="does not exist"):
        postgres.execute("SELECT 1", "copy")


async def test_an_emptied_database_has_its_tables_and_no_rows(postgres: PostgresServer) -> None:
    url = postgres.create_database("filled")
    postgres.execute(
        "CREATE TABLE streets (id int PRIMARY KEY); CREATE TABLE houses (street int REFERENCES streets);"
        " CREATE TABLE tortoise_migrations (name text); INSERT INTO streets VALUES (1);"
        " INSERT INTO houses VALUES (1); INSERT INTO tortoise_migrations VALUES ('first');"
        " CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER keep BEFORE DELETE ON houses EXECUTE FUNCTION keep()",
        "filled",
    )
    guest = await asyncpg.connect(url.replace("asyncpg", "postgresql"))
    await guest.execute("BEGIN; INSERT INTO streets VALUES (2)")
    postgres.empty_database("filled")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await guest.execute("SELECT 1")
    counts = "SELECT (SELECT count(*) FROM streets), (SELECT count(*) FROM houses), count(*)"
    assert postgres.execute(f"{counts} FROM tortoise_migrations", "filled") == "0|0|1"
    with pytest.raises(ServiceError, match="no"):
        postgres.execute("DELETE FROM houses", "filled")


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_postgres_keeps_data_and_port_across_a_restart(postgres: PostgresServer, end: str) -> None:
    postgres.create_database(end)
    postgres.execute("CREATE TABLE houses (name text); INSERT INTO houses VALUES ('三号楼')", end)
    url = postgres.url(end)
    connection = await asyncpg.connect(postgres.url(end, "postgresql"))
    getattr(postgres, end)()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()
    with pytest.raises(OSError, match=r"\d"):
        socket.create_connection((HOST, postgres.port), timeout=1)
    postgres.start()
    assert postgres.url(end) == url
    assert await fetch(postgres, end, "SELECT name FROM houses") == "三号楼"


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_redis_answers_on_the_same_port_after_a_restart(redis: RedisServer, end: str) -> None:
    url = redis.url
    async with Redis.from_url(url) as client:
        await client.set("house", "三号楼")
    getattr(redis, end)()
    with pytest.raises(OSError, match=r"\d"):
        socket.create_connection((HOST, redis.port), timeout=1)
    redis.start()
    assert redis.url == url
    async with Redis.from_url(url) as client:
        assert await client.ping()
        assert await client.get("house") is None


def test_a_server_that_cannot_start_shows_its_log() -> None:
    server = PostgresServer({"shared_buffers": "nonsense"})
    with pytest.raises(ServiceError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    server.close()
    assert not server.directory.exists()


def test_nothing_is_left_when_the_test_process_is_killed() -> None:
    script = (
        "import sys, time; from tests.services import *\n"
        "servers = PostgresServer().start(), RedisServer().start()\n"
        "print(*(f'{s.pid} {s.directory}' for s in servers), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        fields = owner.stdout.readline().split()
        os.kill(owner.pid, signal.SIGKILL)
    pids, directories = [int(pid) for pid in fields[::2]], [Path(name) for name in fields[1::2]]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)) or any(map(Path.exists, directories)):
        assert time.monotonic() < deadline, "left behind"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
