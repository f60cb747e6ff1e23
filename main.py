"""Linli's server and its commands: `python main.py` serves, `python main.py COMMAND` does one thing."""

import argparse
import asyncio
import ipaddress
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeVar

from demo import accounts as demo_accounts
from demo import community as demo_community
from demo import scenario
from demo.secrets import secrets_in
from models import database
from models.privacy import Keys, rotate
from resolvers.context import Services
from resolvers.media.storage import Directory
from resolvers.organisations import create_admin
from resolvers.sms import ConsoleSms, HttpSms, SmsGateway
from resolvers.tokens import Tokens
from resolvers.verification import report
from schema.application import Application
from schema.build import sdl
from schema.serving.documents import Documents, manifest
from schema.serving.observability import configure_logging
from schema.serving.server import listen, serve
from subscriptions.bus import Bus, Hint
from subscriptions.hub import Hub
from subscriptions.work import Committed

HERE = Path(__file__).parent

T = TypeVar("T")


class BadSettings(Exception):
    """The environment does not say what it must."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a deployment decides, read once from ``LINLI_*`` variables."""

    mode: Literal["demo", "production"]
    host: str
    port: int
    data_dir: Path
    database_url: str
    broadcast_url: str
    keys: Keys
    tokens: Tokens
    sms: SmsGateway
    origins: frozenset[str]
    # Whose X-Forwarded-For is believed: addresses and networks. Anybody else could choose an address.
    trusted_proxies: tuple[str, ...]
    connections: int
    log_days: int
    log_events: int
    documents: Documents
    execution: Literal["compiled", "reference"]

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Raises BadSettings, which names the variable and never its value."""
        mode = env.get("LINLI_MODE", "demo")
        if mode not in ("demo", "production"):
            raise BadSettings("LINLI_MODE must be demo or production")
        execution = env.get("LINLI_EXECUTION", "compiled")
        if execution not in ("compiled", "reference"):
            raise BadSettings("LINLI_EXECUTION must be compiled or reference")
        data_dir = Path(env.get("LINLI_DATA_DIR", "data")).resolve()
        if mode == "demo":
            env = {**secrets_in(data_dir), **env}
        database_url = env.get("LINLI_DATABASE_URL") or f"sqlite://{data_dir / 'linli.db'}"
        broadcast_url = env.get("LINLI_BROADCAST_URL", "memory://")
        processes = integer(env, "LINLI_PROCESSES", 1)
        if processes > 1 and broadcast_url.startswith("memory:"):
            raise BadSettings(
                "LINLI_BROADCAST_URL: memory:// reaches one process only; several need redis://"
            )
        sms: SmsGateway = ConsoleSms()
        if mode == "production" or env.get("LINLI_SMS_URL"):
            sms_url, sms_token = needed(env, "LINLI_SMS_URL"), env.get("LINLI_SMS_TOKEN", "")
            sms = checked("LINLI_SMS_URL", lambda: HttpSms(sms_url, sms_token))
        checked("LINLI_DATABASE_URL", lambda: database.config(database_url))
        checked("LINLI_BROADCAST_URL", lambda: Bus(broadcast_url))
        keys, index_key = needed(env, "LINLI_KEYS"), needed(env, "LINLI_INDEX_KEY")
        token_key = needed(env, "LINLI_TOKEN_KEY")
        return cls(
            mode="production" if mode == "production" else "demo",
            host=env.get("LINLI_HOST", "127.0.0.1"),
            port=integer(env, "LINLI_PORT", 8000),
            data_dir=data_dir,
            database_url=database_url,
            broadcast_url=broadcast_url,
            keys=checked("LINLI_KEYS, LINLI_INDEX_KEY", lambda: Keys.from_text(keys, index_key)),
            tokens=checked("LINLI_TOKEN_KEY", lambda: Tokens(token_key)),
            sms=sms,
            origins=frozenset(listed(env, "LINLI_ORIGINS")),
            trusted_proxies=checked(
                "LINLI_TRUSTED_PROXIES", lambda: networks(listed(env, "LINLI_TRUSTED_PROXIES"))
            ),
            connections=integer(env, "LINLI_CONNECTIONS", 20_000),
            log_days=integer(env, "LINLI_LOG_DAYS", 7),
            log_events=integer(env, "LINLI_LOG_EVENTS", 200_000),
            documents=app_documents(env),
            execution="reference" if execution == "reference" else "compiled",
        )

    def services(self, live: Committed) -> Services:
        """What use cases work with; `live` is told of what they have committed."""
        return Services(self.keys, self.tokens, self.sms, live, Directory(self.data_dir / "media"))

    @property
    def production(self) -> bool:
        return self.mode == "production"


def app_documents(env: Mapping[str, str]) -> Documents:
    path, only = env.get("LINLI_DOCUMENTS"), env.get("LINLI_DOCUMENTS_ONLY") == "yes"
    if path is None:
        if only:
            raise BadSettings("LINLI_DOCUMENTS_ONLY: name the documents in LINLI_DOCUMENTS")
        return Documents()
    try:
        return Documents(manifest(Path(path).read_bytes()), trusted_only=only)
    except (OSError, ValueError) as error:
        raise BadSettings(f"LINLI_DOCUMENTS: {error}") from None


def needed(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise BadSettings(f"{name} is needed; there is no default for a secret")
    return value


def checked(name: str, make: Callable[[], T]) -> T:
    """What `make` makes of the variable `name`."""
    try:
        return make()
    except ValueError as error:
        raise BadSettings(f"{name}: {error}") from None


def integer(env: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(env.get(name) or default)
    except ValueError:
        raise BadSettings(f"{name} must be a number") from None


def listed(env: Mapping[str, str], name: str) -> list[str]:
    return [item.strip() for item in env.get(name, "").split(",") if item.strip()]


def networks(texts: Sequence[str]) -> tuple[str, ...]:
    """Raises ValueError for what is no address and no network, and for a network of everybody."""
    try:
        found = [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError:
        raise ValueError("Addresses and networks are written as 10.0.0.7,192.168.0.0/16") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("Whoever may claim any address is limited by none; name the proxies")
    return tuple(map(str, found))


def application(settings: Settings) -> Application:
    """One process's server, as the settings want it."""
    hub = Hub(Bus(settings.broadcast_url))
    return Application(
        settings.services(hub),
        hub,
        database_url=settings.database_url,
        documents=settings.documents,
        origins=settings.origins,
        connections=settings.connections,
        log_age=timedelta(days=settings.log_days),
        log_events=settings.log_events,
        compiled=settings.execution == "compiled",
        introspection=not settings.production,
        graphiql=None if settings.production else HERE / "web" / "graphiql" / "dist",
    )


def run_server(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises BadSettings if it cannot listen there."""
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        raise BadSettings(f"{error.strerror or error}; choose another port with LINLI_PORT") from None
    configure_logging(production=settings.production)
    if not settings.production:
        print(demo_accounts.welcome(f"http://{settings.host}:{settings.port}"), flush=True)
    made = application(settings)
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
    verify.add_argument("--noted", metavar="NUMBER:HASH", help="a head noted earlier, of that community")
    scenario = commands.add_parser("scenario", help="play the two scenes against a running server")
    scenario.add_argument("--url", help="the server's address")
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except BadSettings as error:
        print(f"Linli cannot start: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    # These need no settings, and so no secrets.
    if options.command == "schema":
        print(sdl, end="")
        return 0
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
        asyncio.run(database.migrate(settings.database_url))
        return 0
    if options.command in DEMO_COMMANDS and settings.production:
        raise BadSettings(f"{options.command} is for LINLI_MODE=demo only")
    return asyncio.run(act(settings, options))


DEMO_COMMANDS = ("seed", "token", "scenario")


async def act(settings: Settings, options: argparse.Namespace) -> int:
    """Run a command that works on the database."""
    async with database.database(settings.database_url):
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
                print(f"{await rotate(settings.keys)} values re-encrypted")
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
