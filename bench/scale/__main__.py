"""`python -m bench.scale`: the feed page over 1,000 to 100,000 posts, and from one process and two."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench.comparison import interleaved, ratio, running, verdicts
from bench.queries.pages import MARK, PAGES
from bench.served import environment, linli
from bench.town import build
from tests.servers import throwaway_secrets
from tests.services import PostgresServer, RedisServer

SIZES = (1_000, 10_000, 100_000)
COMMENTS_A_POST = 5


def sizes(directory: Path, rounds: int, seconds: float) -> list[tuple[str, float, float]]:
    secrets = throwaway_secrets()
    contenders = []
    for size in SIZES:
        print(f"Filling SQLite with {size:,} posts", flush=True)
        url = f"sqlite://{directory}/{size}.db"
        town = asyncio.run(build(url, secrets, posts=size, comments=size * COMMENTS_A_POST))
        asked = PAGES["feed"].requests(town)
        contenders.append(
            linli(asked, environment(secrets, url, directory), name=f"{size:,} posts", expect=MARK)
        )
    with running(contenders, directory):
        title = "A page of 20 on SQLite, 1 client"
        rates = interleaved(title, contenders, clients=1, rounds=rounds, seconds=seconds)
    return [
        ("the largest community to the smallest", ratio(rates, contenders[-1].name, contenders[0].name), 0.85)
    ]


def processes(directory: Path, rounds: int, seconds: float) -> None:
    secrets = throwaway_secrets()
    with PostgresServer() as server, RedisServer() as redis:
        url = server.create_database("scale").replace("asyncpg", "postgres", 1)
        print("Filling PostgreSQL", flush=True)
        town = asyncio.run(build(url, secrets, posts=10_000, comments=50_000))
        asked = PAGES["feed"].requests(town)
        env = environment(secrets, url, directory, LINLI_BROADCAST_URL=redis.url, LINLI_PROCESSES="2")
        contenders = [
            linli(asked, env, name="one process", expect=MARK),
            linli(asked, env, name="two processes", expect=MARK, processes=2),
        ]
        with running(contenders, directory):
            title = "A page of 20 on PostgreSQL and Redis, 32 clients"
            interleaved(title, contenders, clients=32, rounds=rounds, seconds=seconds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each contender in each round")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        demands = sizes(directory, options.rounds, options.seconds)
        processes(directory, options.rounds, options.seconds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if verdicts(demands) else 1


if __name__ == "__main__":
    sys.exit(main())
