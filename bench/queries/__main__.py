"""`python -m bench.queries`: how many pages a second, with one client and with 32."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.comparison import Contender, interleaved, prepared, ratio, running, verdicts
from bench.load import request
from bench.served import environment, linli
from bench.town import Town, build
from tests.servers import throwaway_secrets
from tests.services import PostgresServer

HERE = Path(__file__).parent
LINLI, WRITTEN, JIT = "Linli", "written by hand, same SQL and hops", "mercurius, JIT, same SQL"
STOCK, CACHED = "Strawberry + Tortoise, stock", "the same + caches, orjson"

AUTHOR = "author { id displayName building }"
POSTS = f"""posts(first: 20) {{ edges {{ cursor node {{
  id kind body createdAt commentCount likeCount viewerHasLiked {AUTHOR}
  comments(first: 3%s) {{ edges {{ node {{ id body createdAt {AUTHOR} }} }} }}
}} }} pageInfo {{ hasNextPage endCursor }} }}"""
# What Linli asks its clients to write, and the same for the rivals' smaller schema.
FEED = "query Feed($id: ID!) { node(id: $id) { ... on Community { " + POSTS % ", order: NEWEST" + " } } }"
RIVAL_FEED = "query Feed($id: ID!) { community(id: $id) { " + POSTS % "" + " } }"


def requests(town: Town, query: str, id: str) -> list[str]:
    """The page as each of the residents asks for it."""
    body = json.dumps({"query": query, "variables": {"id": id}}).encode()
    return [request("/graphql", body, authorization=f"Bearer {token}") for token in town.tokens]


def contenders(town: Town, url: str, secrets: dict[str, str], directory: Path) -> list[Contender]:
    python, node = prepared(HERE / "peers", "queries")
    env = {"DATABASE_URL": url, **secrets}
    serving = environment(secrets, url, directory)
    own = requests(town, FEED, town.community)
    theirs = requests(town, RIVAL_FEED, str(town.community_id))

    def rival(name: str, *command: str | Path) -> Contender:
        return Contender(name, command, theirs, env, HERE / "peers", expect='"endCursor"')

    found = [
        linli(own, serving, expect='"endCursor"'),
        linli(own, serving, name=WRITTEN, module="bench.queries.written", expect='"endCursor"'),
        rival(STOCK, python, "strawberry_tortoise.py"),
        rival(CACHED, python, "strawberry_tortoise.py", "cached"),
        rival("Ariadne, same resolvers", python, "ariadne_tortoise.py"),
    ]
    if node is not None and url.startswith("sqlite"):
        program = shutil.which("node") or "node"
        found += [
            rival("graphql-yoga + better-sqlite3", program, node / "yoga.mjs"),
            rival("mercurius, same SQL", program, node / "mercurius.mjs"),
            rival(JIT, program, node / "mercurius.mjs", "jit"),
        ]
    return found


def compare(
    url: str, where: str, rounds: int, seconds: float, only: Sequence[str]
) -> list[tuple[str, float, float]]:
    secrets = throwaway_secrets()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        if url == "sqlite":
            url = f"sqlite://{directory}/linli.db"
        print(f"Filling {where}: 10,000 posts, 100,000 comments", flush=True)
        town = asyncio.run(build(url, secrets))
        found = contenders(town, url, secrets, directory)
        if only:
            found = [one for one in found if any(word in one.name for word in only)]
        demands: list[tuple[str, float, float]] = []
        with running(found, directory):
            for clients in (1, 32):
                title = f"{where}, {clients} client{'s' * (clients > 1)}"
                rates = interleaved(title, found, clients=clients, rounds=rounds, seconds=seconds)
                least = {STOCK: 10.0, CACHED: 9.0, JIT: 1.2, WRITTEN: 0.7}
                demands += [
                    (f"{where}, {clients} at once: to {name}", ratio(rates, LINLI, name), least[name])
                    for name in least
                    if {name, LINLI} <= rates.keys()
                ]
        return demands
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.queries", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each contender in each round")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--only", nargs="*", default=[], help="contenders whose name has one of these words")
    options = parser.parse_args()
    demands: list[tuple[str, float, float]] = []
    more = (options.rounds, options.seconds, options.only)
    if options.database in ("sqlite", "both"):
        demands += compare("sqlite", "SQLite", *more)
    if options.database in ("postgres", "both"):
        with ExitStack() as stack:
            server = stack.enter_context(PostgresServer())
            compare(server.create_database("bench").replace("asyncpg", "postgres", 1), "PostgreSQL", *more)
    return 0 if verdicts(demands) else 1


if __name__ == "__main__":
    sys.exit(main())
