"""`python -m bench.mutations`: comments and likes a second, durable before they are acknowledged."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from bench.comparison import Contender, Rates, prepared, ratio, running, table, verdicts
from bench.load import Load, request
from bench.mutations import storm
from bench.served import environment, linli
from bench.town import Town, build
from schema.node import global_id
from tests.servers import throwaway_secrets
from tests.services import PostgresServer

HERE = Path(__file__).parent
LINLI, UNGROUPED = "Linli", "Linli, a commit for each"
TORTOISE, RAW = "Tortoise, one transaction each", "raw aiosqlite, one transaction each"
# More than any of them answers in a round; each is asked once.
MOST_A_SECOND = 2_500
RESIDENTS = 2_000

COMMENT = """mutation Add($input: AddCommentInput!) { addComment(input: $input) {
  ... on AddCommentPayload { commentEdge { node { id body } } } ... on Problem { code message } } }"""
RIVAL_COMMENT = """mutation Add($subject: ID!, $body: String!, $key: String!) {
  addComment(subject: $subject, body: $body, key: $key) { id body } }"""
LIKE = """mutation Like($input: SetLikeInput!) { setLike(input: $input) {
  ... on SetLikePayload { subject { id } } ... on Problem { code message } } }"""

numbers = count()
Make = Callable[[Town, int], tuple[str, dict[str, object]]]


def comment(town: Town, number: int) -> tuple[str, dict[str, object]]:
    post = town.posts[number * 7919 % len(town.posts)]
    return COMMENT, {
        "input": {"subjectId": global_id("Post", post), "body": "好的，谢谢！", "idempotencyKey": f"{number}"}
    }


def rival_comment(town: Town, number: int) -> tuple[str, dict[str, object]]:
    post = town.posts[number * 7919 % len(town.posts)]
    return RIVAL_COMMENT, {"subject": str(post), "body": "好的，谢谢！", "key": f"{number}"}


def like(town: Town, number: int) -> tuple[str, dict[str, object]]:
    post = town.posts[number // len(town.tokens) * 31 % len(town.posts)]
    return LIKE, {"input": {"subjectId": global_id("Post", post), "on": True}}


def fresh(town: Town, make: Make, amount: int) -> list[str]:
    """So many requests that nobody has made before, each by the next resident."""
    found = []
    for number, _ in zip(numbers, range(amount), strict=False):
        query, variables = make(town, number)
        body = json.dumps({"query": query, "variables": variables}).encode()
        token = town.tokens[number % len(town.tokens)]
        found.append(request("/graphql", body, authorization=f"Bearer {token}"))
    return found


def rates_of(
    contenders: Mapping[str, tuple[Contender, Make]], town: Town, clients: int, rounds: int, seconds: float
) -> Rates:
    rates: Rates = {name: [] for name in contenders}
    with Load() as load:
        for number in range(-1, rounds):
            for name, (contender, make) in contenders.items():
                requests = fresh(town, make, int(MOST_A_SECOND * seconds))
                measured = load.run(
                    contender.ports,
                    requests,
                    clients=clients,
                    seconds=seconds,
                    once=True,
                    expect='"id"',
                )
                if measured.wrong:
                    raise RuntimeError(f"{name}: {measured.wrong} of {measured.answered} answers are wrong")
                if number >= 0:
                    rates[name].append(measured.rate)
    return rates


def compare(url: str, where: str, rounds: int, seconds: float) -> list[tuple[str, float, float]]:
    secrets = throwaway_secrets()
    directory = Path(tempfile.mkdtemp(prefix="linli-bench-"))
    try:
        if url == "sqlite":
            url = f"sqlite://{directory}/linli.db"
        print(f"Filling {where}", flush=True)
        town = asyncio.run(build(url, secrets, residents=RESIDENTS, posts=2_000, comments=2_000))
        python, _ = prepared(HERE / "peers", "mutations", node=False)
        env, rival = environment(secrets, url, directory), {"DATABASE_URL": url, **secrets}
        file = HERE / "peers" / "commenting.py"
        found: dict[str, tuple[Contender, Make]] = {
            LINLI: (linli([], env), comment),
            TORTOISE: (Contender(TORTOISE, [python, file, "tortoise"], [], rival), rival_comment),
        }
        if url.startswith("sqlite"):
            found[RAW] = (Contender(RAW, [python, file, "aiosqlite"], [], rival), rival_comment)
            found[UNGROUPED] = (
                linli([], env, name=UNGROUPED, module="bench.mutations.ungrouped"),
                comment,
            )
        demands = []
        with running([contender for contender, _ in found.values()], directory):
            for clients in (1, 32):
                rates = rates_of(found, town, clients, rounds, seconds)
                print(table(f"Comments, {where}, {clients} at once", rates, LINLI), flush=True)
                if clients == 32 and url.startswith("sqlite"):
                    what = f"comments on {where}, {clients} at once: to {TORTOISE}"
                    demands.append((what, ratio(rates, LINLI, TORTOISE), 2.5))
            liking = {name: (one, like) for name, (one, _) in found.items() if name in (LINLI, UNGROUPED)}
            for clients in (1, 32):
                rates = rates_of(liking, town, clients, rounds, seconds)
                print(table(f"Likes, {where}, {clients} at once", rates, LINLI), flush=True)
        return demands
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.mutations", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each contender in each round")
    parser.add_argument("--only", choices=["sqlite", "postgres", "storm"], nargs="*")
    parser.add_argument("--households", type=int, default=5_000, help="who acknowledge in the storm")
    options = parser.parse_args()
    parts = options.only or ["sqlite", "postgres", "storm"]
    demands: list[tuple[str, float, float]] = []
    if "sqlite" in parts:
        demands += compare("sqlite", "SQLite, synchronous=FULL", options.rounds, options.seconds)
    if {"postgres", "storm"} & set(parts):
        # As durable as it is run in production.
        with PostgresServer({"fsync": "on", "full_page_writes": "on"}) as server:
            for part in parts:
                if part != "sqlite":
                    url = server.create_database(f"bench_{part}").replace("asyncpg", "postgres", 1)
                    if part == "postgres":
                        compare(url, "PostgreSQL", options.rounds, options.seconds)
                    else:
                        demands += storm.measure(url, options.households)
    return 0 if verdicts(demands) else 1


if __name__ == "__main__":
    sys.exit(main())
