"""Linli's server and its commands: `python main.py` serves, `python main.py COMMAND` does one thing."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from graphql import GraphQLError
from graphql.execution.values import VariableValues
from tortoise.exceptions import OperationalError

from demo import accounts as demo_accounts
from demo import community as demo_community
from demo import scenario
from models import database
from models.messages import BadValue
from models.privacy import rotate
from resolvers.errors import DomainError
from resolvers.organisations import create_admin
from resolvers.verification import report
from schema.application import Application
from schema.build import graphql_schema, sdl
from schema.execution import printed
from schema.serving.observability import configure_logging
from schema.serving.operations import Operations
from schema.serving.results import Rejected
from schema.serving.server import listen, serve
from schema.settings import BadSettings, Settings
from subscriptions.bus import Hint


def run_server(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises BadSettings if it cannot listen there."""
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        raise BadSettings(f"{error.strerror or error}; choose another port with LINLI_PORT") from None
    configure_logging(production=settings.production)
    if not settings.production:
        print(demo_accounts.welcome(f"http://{settings.host}:{settings.port}"), flush=True)
    made = Application(settings)
    serve(
        made.asgi,
        made.websocket,
        listening,
        trusted_proxies=settings.trusted_proxies,
    )


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="main.py", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve (the default)")
    commands.add_parser("migrate", help="bring the database to the newest schema")
    commands.add_parser("seed", help="fill an empty database with the demo community")
    commands.add_parser("schema", help="print the GraphQL schema")
    plan = commands.add_parser("plan", help="print how the operation in a file is executed")
    plan.add_argument("file", type=Path)
    plan.add_argument(
        "--variables", type=json.loads, default={}, metavar="JSON", help="those that skip or include"
    )
    commands.add_parser("check-migrations", help="fail if the models need a migration that is missing")
    commands.add_parser("make-migrations", help="write the missing migrations")
    commands.add_parser("rotate-keys", help="re-encrypt personal data with the first key of LINLI_KEYS")
    token = commands.add_parser("token", help="print an access token of a demo account")
    token.add_argument("phone")
    admin = commands.add_parser("create-admin", help="make an account admin of a residents' committee")
    admin.add_argument("--phone", required=True)
    admin.add_argument("--community", required=True, help="its name; made if there is none")
    admin.add_argument("--organisation", required=True, help="the committee's name; made if there is none")
    verify = commands.add_parser(
        "verify-audit", help="walk the audit log; fail if it is not what was written"
    )
    verify.add_argument("--community", help="only this one's chain, by its name")
    verify.add_argument("--noted", metavar="HASH", help="a head noted earlier, of that community")
    scenario = commands.add_parser("scenario", help="play the two scenes against a running server")
    scenario.add_argument("--url", help="the server's address")
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except BadSettings as error:
        print(f"Linli cannot start: {error}", file=sys.stderr)
        return 2
    except (DomainError, BadValue) as error:
        print(error, file=sys.stderr)
    except OperationalError as error:
        print(f"The database: {error}. Has `main.py migrate` been run?", file=sys.stderr)
    return 1


def run(options: argparse.Namespace) -> int:
    # These need no settings, and so no secrets.
    if options.command == "schema":
        print(sdl, end="")
        return 0
    if options.command == "plan":
        return show_plan(options.file.read_text(), options.variables)
    if options.command == "check-migrations":
        missing = asyncio.run(database.missing_migrations())
        print("\n".join(f"Missing migration: {name}" for name in missing) or "No migration is missing")
        return 1 if missing else 0
    if options.command == "make-migrations":
        print("\n".join(asyncio.run(database.make_migrations())) or "No migration is missing")
        return 0
    # What a deployment writes (the database, a demo's secrets) is nobody else's on the machine.
    os.umask(0o077)
    settings = Settings.from_environment(os.environ)
    if options.command in (None, "serve"):
        run_server(settings)
        return 0
    if options.command == "migrate":
        asyncio.run(database.migrate(settings.database))
        return 0
    if options.command in DEMO_COMMANDS and settings.production:
        raise BadSettings(f"{options.command} is for LINLI_MODE=demo only")
    return asyncio.run(act(settings, options))


def show_plan(query: str, variables: dict[str, object]) -> int:
    """Print the plan of the only operation in `query`; 1 if there is none."""
    try:
        plans = Operations(graphql_schema, introspection=True).prepare(query).plans
        if isinstance(plans, str):
            print(f"graphql-core executes it: {plans}")
        else:
            print(printed(plans.plan(VariableValues({}, variables))))
    except Rejected as rejected:
        print("\n".join(error.message for error in rejected.errors), file=sys.stderr)
        return 1
    except GraphQLError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


DEMO_COMMANDS = ("seed", "token", "scenario")


async def act(settings: Settings, options: argparse.Namespace) -> int:
    """Run a command that works on the database."""
    async with database.database(settings.database):
        services = settings.services(Unheard())
        match options.command:
            case "seed":
                made = await demo_community.seed(services)
                print(
                    "The demo community is ready" if made else "There are communities already; nothing added"
                )
            case "token":
                print(await demo_accounts.token(services, options.phone))
            case "scenario":
                url = options.url or f"http://{settings.host}:{settings.port}"
                return await scenario.play(services, url)
            case "rotate-keys":
                print(f"{await rotate(settings.sealing)} values re-encrypted")
            case "create-admin":
                await create_admin(
                    services,
                    phone=options.phone,
                    community=options.community,
                    organisation=options.organisation,
                )
                print("The account can sign in with its phone and administers the committee")
            case "verify-audit":
                return await report(options.community, options.noted)
    return 0


class Unheard:
    """For commands: what they write is in the log, and servers find it there within seconds."""

    def committed(self, hints: Sequence[Hint]) -> None:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
