"""Linli's server and its commands: `python main.py` serves, `python main.py COMMAND` does one thing."""

import argparse
import asyncio
import base64
import gc
import ipaddress
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from demo import accounts as demo_accounts
from demo import community as demo_community
from demo import scenario
from models import database
from models.privacy import Keys, rotate
from models.visibility import NOBODY, Viewer, viewers_in
from resolvers import limits, retries, verification
from resolvers.activities import calendar
from resolvers.context import Context, Services
from resolvers.errors import DomainError, NotFound, RateLimited
from resolvers.identity import sign_in
from resolvers.identity.sessions import viewer_of
from resolvers.jobs import Worker
from resolvers.media import uploads
from resolvers.media.storage import Directory
from resolvers.notices import Deliveries
from resolvers.organisations import create_admin
from resolvers.sms import ConsoleSms, HttpSms, SmsGateway
from resolvers.tokens import Tokens
from resolvers.verification import Noted
from schema.build import graphql_schema, sdl
from schema.media.endpoint import MediaEndpoint
from schema.messages import language_of, worded
from schema.serving.documents import Documents, manifest
from schema.serving.endpoint import GraphQLEndpoint
from schema.serving.observability import configure_logging, metrics_response
from schema.serving.operations import Operations, Rejected
from schema.serving.websocket import Admission, WebSocketEndpoint
from subscriptions import log
from subscriptions.bus import Bus, Hint
from subscriptions.headers import headers_of
from subscriptions.hub import Hub
from subscriptions.together import Together
from subscriptions.transport import HttpProtocol, WebSocketProtocol

HERE = Path(__file__).parent

logger = structlog.get_logger("linli.main")

T = TypeVar("T")
DRAIN_SECONDS = 5.0
# Of what a client says it is.
LONGEST_DEVICE = 120
# What the kernel keeps for a client that does not read; by itself it would let that grow to megabytes.
SEND_BYTES = 128 * 1024
# Containers more than before, until the collector looks at the young ones.
GC_THRESHOLD = 20_000
# Of those who connect, found by one statement: few enough for the event loop (models.storage.sqlite).
MOST_VIEWERS = 32
TIDY_EVERY = timedelta(minutes=10)


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
            env = {**demo_secrets(data_dir), **env}
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

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

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


def demo_secrets(data_dir: Path) -> dict[str, str]:
    """Secrets of a demo, made at its first start and kept beside its database."""
    path = data_dir / "demo-secrets.env"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        lines = [
            f"LINLI_KEYS=demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_INDEX_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_TOKEN_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
        ]
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(path)
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


class Application:
    """One process's server: the services, the pipeline, and the routes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.operations = Operations(
            graphql_schema,
            introspection=not settings.production,
            expected=(DomainError,),
            worded=worded,
            compiled=settings.execution == "compiled",
            # There most reads are done on the spot; elsewhere they travel side by side.
            in_turn=settings.database_url.startswith("sqlite"),
        )
        self.hub = Hub(Bus(settings.broadcast_url))
        self.services = Services(
            keys=settings.keys,
            tokens=settings.tokens,
            sms=settings.sms,
            live=self.hub,
            media=Directory(settings.media_dir),
        )
        # Thousands connect anew at once when a server has gone.
        self.viewers = Together(viewers_in, self.hub.spawn, MOST_VIEWERS)
        self.deliveries = Deliveries(self.hub)
        self.hub.deliveries = self.deliveries
        self.jobs = Worker(self.services)
        for name, text in settings.documents.trusted.items():
            try:
                self.operations.keep(text)
            except Rejected as rejected:
                # An app of long ago; it is told so when it asks.
                logger.warning("document_outdated", document=name, error=str(rejected))
        self.endpoint = GraphQLEndpoint(self.operations, self.http_context, settings.documents)
        self.media = MediaEndpoint(self.services, self.http_context, self.operations.masked)
        self.websocket = WebSocketEndpoint(
            self.operations,
            self.hub,
            self.admit,
            self.event_context,
            origins=settings.origins,
            most=settings.connections,
            documents=settings.documents,
        )

    def asgi(self) -> ASGIApp:
        """The ASGI application.

        Nearly all that is asked goes to one path, and there straight past the router and the handling of
        exceptions, of which the endpoint lets none out.
        """
        straight: dict[str, ASGIApp] = {"http": self.shared(self.endpoint), "websocket": self.websocket}
        routed = self.routed()

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            known = straight.get(scope["type"]) if scope.get("path") == "/graphql" else None
            await (known or routed)(scope, receive, send)

        return application

    def shared(self, app: ASGIApp) -> ASGIApp:
        """`app`, for web pages of the origins that are allowed, and for whoever is none."""
        for_pages = CORSMiddleware(
            app,
            allow_origins=sorted(self.settings.origins),
            allow_methods=["POST", "GET"],
            allow_headers=[
                "authorization",
                "content-type",
                "accept-language",
                "apollo-require-preflight",
                "x-request-id",
            ],
            max_age=86_400,
        )

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            # Nothing that is answered is kept by a cache that could give it to another origin.
            by_page = scope["type"] == "http" and "origin" in headers_of(scope)
            await (for_pages if by_page else app)(scope, receive, send)

        return application

    def routed(self) -> Starlette:
        """All that is served, and what begins and ends with the process."""
        routes: list[BaseRoute] = [
            Route("/graphql", self.endpoint),
            WebSocketRoute("/graphql", self.websocket),
            Route("/media", self.media.upload, methods=["POST"]),
            Route("/media/{id}", self.media.show, methods=["GET"]),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/calendar/{token}.ics", self.calendar),
        ]
        if not self.settings.production:
            routes += [
                Route("/", lambda _request: RedirectResponse("/graphiql/")),
                Mount("/graphiql", GraphiQL(directory=HERE / "web" / "graphiql" / "dist", html=True)),
            ]
        return Starlette(routes=routes, middleware=[Middleware(self.shared)], lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.database(self.settings.database_url))
            await self.deliveries.start()
            stack.push_async_callback(self.deliveries.stop)
            await self.hub.start()
            stack.push_async_callback(self.hub.stop)
            await self.jobs.start()
            stack.push_async_callback(self.jobs.stop)
            stack.push_async_callback(self.operations.drain)
            for work in (self.websocket.watch(), self.keep_tidy()):
                task = asyncio.create_task(work)
                stack.callback(task.cancel)
            yield

    async def keep_tidy(self) -> None:
        """Forget, now and then, what is of no more use to anyone."""
        while True:
            try:
                await log.trim(timedelta(days=self.settings.log_days), self.settings.log_events)
                await log.measure()
                await limits.sweep()
                await sign_in.sweep()
                await retries.sweep()
                await uploads.sweep(self.services)
            except Exception as error:
                # The database is away; what is stale can wait.
                logger.warning("tidying_failed", error=type(error).__name__)
            await asyncio.sleep(TIDY_EVERY.total_seconds())

    # Contexts

    async def http_context(self, connection: HTTPConnection) -> Context:
        headers = headers_of(connection.scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        viewer = NOBODY
        if scheme.lower() == "bearer" and token:
            viewer, _ = await viewer_of(self.services, token.strip())
        return self.context(
            viewer,
            language_of(headers.get("accept-language")),
            connection.client.host if connection.client else "",
            headers.get("user-agent", ""),
        )

    async def admit(self, websocket: WebSocket, payload: dict[str, Any]) -> Admission:
        headers = headers_of(websocket.scope)
        given = {str(name).lower(): value for name, value in payload.items()}
        header = given.get("authorization") or headers.get("authorization") or ""
        scheme, _, token = str(header).partition(" ")
        language = language_of(given.get("accept-language") or headers.get("accept-language"))
        address = websocket.client.host if websocket.client else ""
        # One text for all who use the same app.
        device = sys.intern(headers.get("user-agent", "")[:LONGEST_DEVICE])
        if scheme.lower() != "bearer" or not token:
            return Admission(NOBODY, language, None, address, device)
        viewer, expires_at = await viewer_of(self.services, token.strip(), self.viewers.of)
        return Admission(viewer, language, expires_at.timestamp(), address, device)

    def event_context(self, admission: Admission, holder: Viewer | None) -> Context:
        return self.context(holder, admission.language, admission.address, admission.device)

    def context(self, holder: Viewer | None, language: str, address: str, device: str) -> Context:
        return Context(self.services, holder, language, address, device[:LONGEST_DEVICE])

    # Plain routes

    async def healthz(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Ready while the database answers. Without the bus delivery is slower, and still complete."""
        checks = {"database": "ok", "bus": "ok" if self.hub.bus.healthy else "unreachable"}
        try:
            async with asyncio.timeout(2):
                await log.positions([])
        except Exception:
            checks["database"] = "unreachable"
        ready = checks["database"] == "ok" and not self.websocket.draining
        return JSONResponse({"ready": ready, **checks}, status_code=200 if ready else 503)

    async def calendar(self, request: Request) -> Response:
        """An account's activities, for whoever has the secret address."""
        address = request.client.host if request.client else ""
        try:
            found = await calendar.read(self.context(NOBODY, "", address, ""), request.path_params["token"])
        except NotFound:
            return Response(status_code=404)
        except RateLimited as error:
            return Response(status_code=429, headers={"retry-after": str(error.retry_after)})
        headers = {
            "etag": found.tag,
            "cache-control": "private, no-cache",
            "referrer-policy": "no-referrer",
            "x-robots-tag": "noindex",
        }
        if found.tag in headers_of(request.scope).get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.text, media_type="text/calendar", headers=headers)

    async def metrics(self, _request: Request) -> Response:
        return metrics_response()


class GraphiQL(StaticFiles):
    """The GraphiQL that is shipped with the server, which loads nothing from elsewhere."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (
                    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
                    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
                )
                message["headers"].append((b"content-security-policy", policy.encode()))
            await send(message)

        await super().__call__(scope, receive, with_policy)


class Server(uvicorn.Server):
    """uvicorn, which closes every WebSocket in the same moment; here they go a few at a time."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self.application = application

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        # What stands now stands until the end: the collector need not look at it, and what connections
        # and requests leave behind is rarely cyclic.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)

    async def shutdown(self, sockets: Any = None) -> None:
        await self.application.websocket.drain(DRAIN_SECONDS)
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(production=settings.production)
    if not settings.production:
        print(demo_accounts.welcome(f"http://{settings.host}:{settings.port}"), flush=True)
    application = Application(settings)
    config = uvicorn.Config(
        application.asgi(),
        host=settings.host,
        port=settings.port,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024,
        # The protocol's own heartbeat closes with a code that clients retry.
        ws_ping_interval=None,
        loop="uvloop",
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        # Given always: uvicorn's own default believes whoever connects from this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=30,
        limit_concurrency=None,
        backlog=4096,
    )
    # One socket serves all: what is accepted from it inherits its settings.
    listening = config.bind_socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    Server(config, application).run([listening])


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
        serve(settings)
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
        services = Services(
            settings.keys, settings.tokens, ConsoleSms(), Unheard(), Directory(settings.media_dir)
        )
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
                return await verify_audit(options.community, options.noted)
    return 0


async def verify_audit(community: str | None, noted: str | None) -> int:
    """Print what each chain of the audit log comes to; 1 if one of them is not what was written."""
    number, _, digest = (noted or "").partition(":")
    if noted and not (community and number.isdecimal() and digest):
        print("--noted is NUMBER:HASH and needs --community", file=sys.stderr)
        return 2
    status, found = 0, False
    async for verdict in verification.verify(community, Noted(int(number), digest) if noted else None):
        found = True
        if verdict.fault:
            status = 1
            print(f"{verdict.name}: {verdict.fault} ({verdict.entries} entries before it fit)")
        else:
            print(f"{verdict.name}: {verdict.entries} entries, head {verdict.head}")
    for name in await verification.unguarded():
        status = 1
        print(f"The database lacks the trigger {name}; `python main.py migrate` makes it")
    if not found:
        print(f"There is no community {community}" if community else "The audit log is empty")
        status = 1 if community else status
    return status


class Unheard:
    """For commands: what they write is in the log, and servers find it there within seconds."""

    def committed(self, hints: Sequence[Hint]) -> None:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
