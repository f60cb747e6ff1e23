"""`python -m bench.queries`: how many of each page a second, with one client and with 32."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.comparison import Contender, answer, interleaved, prepared, ratio, running, verdicts
from bench.offices import Offices, settle
from bench.queries.pages import MARK, PAGES, Page, content
from bench.served import environment, linli
from bench.town import Town, build
from tests.servers import throwaway_secrets
from tests.services import PostgresServer

HERE = Path(__file__).parent
LINLI, WRITTEN, JIT = "Linli", "written by hand, same SQL and hops", "mercurius, JIT, same SQL"
STOCK, CACHED = "Strawberry + Tortoise, stock", "the same + caches, orjson"
LEAST = {STOCK: 10.0, CACHED: 9.0, JIT: 1.2, WRITTEN: 0.7}


def contenders(url: str, secrets: dict[str, str], directory: Path) -> list[Contender]:
    python, node = prepared(HERE / "peers", "queries")
    env = {"DATABASE_URL": url, **secrets}
    serving = environment(secrets, url, directory)

    def rival(name: str, *command: str | Path) -> Contender:
        return Contender(name, command, [], env, HERE / "peers")

    found = [
        linli([], serving),
        linli([], serving, name=WRITTEN, module="bench.queries.written"),
        linli([], {**serving, "LINLI_EXECUTION": "reference"}, name="Linli, executed by graphql-core"),
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


def turn_to(page: Page, found: Sequence[Contender], town: Town, offices: Offices) -> None:
    """Have all be asked for this page. Raises if one of them answers something else than the others."""
    for contender in found:
        rival = contender.cwd == HERE / "peers"
        contender.requests = page.requests(town, offices, rival=rival)
        contender.expect = MARK
    first, *others = found
    told = content(answer(first))
    for contender in others:
        if content(answer(contender)) != told:
            raise ValueError(f"{contender.name} answers something else for the {page.name} page")


def compare(
    url: str, where: str, pages: Sequence[Page], rounds: int, seconds: float, only: Sequence[str]
) -> list[tuple[str, float, float]]:
    secrets = throwaway_secrets()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        if url == "sqlite":
            url = f"sqlite://{directory}/linli.db"
        print(
            f"Filling {where}: 10,000 posts, 110,000 comments, 5 notices to 4,500 homes, 4,000 cases",
            flush=True,
        )
        town = asyncio.run(build(url, secrets, threads=100))
        offices = asyncio.run(settle(url, secrets, town))
        found = contenders(url, secrets, directory)
        if only:
            found = [one for one in found if any(word in one.name for word in only)]
        demands: list[tuple[str, float, float]] = []
        with running(found, directory):
            for page in pages:
                turn_to(page, found, town, offices)
                for clients in (1, 32):
                    title = f"{page.name}: {page.what}; {where}, {clients} client{'s' * (clients > 1)}"
                    rates = interleaved(title, found, clients=clients, rounds=rounds, seconds=seconds)
                    demands += [
                        (
                            f"{page.name}, {where}, {clients} at once: to {name}",
                            ratio(rates, LINLI, name),
                            least,
                        )
                        for name, least in LEAST.items()
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
    parser.add_argument("--page", nargs="*", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--only", nargs="*", default=[], help="contenders whose name has one of these words")
    options = parser.parse_args()
    demands: list[tuple[str, float, float]] = []
    more = ([PAGES[name] for name in options.page], options.rounds, options.seconds, options.only)
    if options.database in ("sqlite", "both"):
        demands += compare("sqlite", "SQLite", *more)
    if options.database in ("postgres", "both"):
        with PostgresServer() as server:
            compare(server.create_database("bench").replace("asyncpg", "postgres", 1), "PostgreSQL", *more)
    return 0 if verdicts(demands) else 1


if __name__ == "__main__":
    sys.exit(main())
