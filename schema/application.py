"""Linli put together: the schema and its services behind the serving package, and what runs beside them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.websockets import WebSocket

from models import database
from models.messages import Message
from models.visibility import NOBODY, Viewer, viewers_in
from resolvers import limits, retries
from resolvers.activities import calendar
from resolvers.context import Context, RefreshCookie
from resolvers.errors import DomainError, NotFound, RateLimited, Unauthenticated
from resolvers.identity import codes, erasing
from resolvers.identity.sessions import LIFETIME, viewer_of
from resolvers.jobs import Worker
from resolvers.media import uploads
from resolvers.notices import Deliveries
from schema.build import graphql_schema
from schema.media.endpoint import MediaEndpoint
from schema.serving.allowance import Preparation
from schema.serving.application import Pages, asgi
from schema.serving.cookies import SecretCookie, is_of_own_page
from schema.serving.endpoint import GraphQLEndpoint
from schema.serving.languages import language_of
from schema.serving.operations import Operations
from schema.serving.results import Rejected
from schema.serving.websocket import Admission, WebSocketEndpoint
from schema.settings import Settings
from subscriptions import log
from subscriptions.bus import Bus
from subscriptions.headers import headers_of
from subscriptions.hub import Hub
from subscriptions.together import Together

logger = structlog.get_logger("linli.application")

ROOT = Path(__file__).parent.parent
# Of what a client says it is.
LONGEST_DEVICE = 120
# Of those who connect, found by one statement: few enough for the event loop (models.storage.sqlite).
MOST_VIEWERS = 32
TIDY_EVERY = timedelta(minutes=10)


class Application:
    """One process's server, as the settings want it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        documents = settings.known_documents()
        self.hub = hub = Hub(Bus(settings.broadcast_url))
        self.services = services = settings.services(hub)
        self.operations = Operations(
            graphql_schema,
            introspection=not settings.production,
            expected=(DomainError,),
            compiled=settings.execution == "compiled",
            # There most reads are done on the spot; elsewhere they travel side by side.
            in_turn=settings.database.startswith("sqlite"),
        )
        # Thousands connect anew at once when a server has gone.
        self._viewers = Together(viewers_in, hub.spawn, MOST_VIEWERS)
        self._cookie = SecretCookie("linli-refresh", LIFETIME, encrypted=settings.production)
        self._deliveries = Deliveries(hub)
        hub.deliveries = self._deliveries
        self._jobs = Worker(services)
        for name, text in documents.trusted.items():
            try:
                self.operations.keep(text)
            except Rejected as rejected:
                # An app of long ago; it is told so when it asks.
                logger.warning("document_outdated", document=name, error=str(rejected))
        preparation = Preparation(self.operations)
        self.websocket = WebSocketEndpoint(
            preparation,
            hub,
            self._admit,
            self._event_context,
            origins=settings.origins,
            most=settings.connections,
            documents=documents,
        )
        media = MediaEndpoint(services, self._http_context, self.operations.masked)
        routes: list[BaseRoute] = [
            Route("/media", media.upload, methods=["POST"]),
            Route("/media/{id}", media.show, methods=["GET"]),
            Route("/calendar/{token}.ics", self._calendar),
        ]
        if not settings.production:
            routes += [
                Route("/", lambda _request: RedirectResponse("/graphiql/")),
                Mount("/graphiql", Pages(ROOT / "web" / "graphiql" / "dist")),
            ]
        self.asgi = asgi(
            GraphQLEndpoint(
                preparation,
                self._http_context,
                documents,
                account_of=lambda context: context.viewer.account_id,
                cookies_of=self._cookies_of,
            ),
            self.websocket,
            hub.bus,
            routes,
            origins=settings.origins,
            metrics_token=None if not settings.production else settings.metrics_token,
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(database.database(self._settings.database))
            await self._deliveries.start()
            stack.push_async_callback(self._deliveries.stop)
            await self.hub.start()
            stack.push_async_callback(self.hub.stop)
            await self._jobs.start()
            stack.push_async_callback(self._jobs.stop)
            stack.push_async_callback(self.operations.drain)
            for work in (self.websocket.watch(), self._keep_tidy()):
                task = asyncio.create_task(work)
                stack.callback(task.cancel)
            yield

    async def _keep_tidy(self) -> None:
        """Forget, now and then, what is of no more use to anyone."""
        while True:
            try:
                await log.trim(timedelta(days=self._settings.log_days), self._settings.log_events)
                await log.measure()
                await limits.sweep()
                await codes.sweep()
                await retries.sweep()
                await uploads.sweep(self.services)
                await erasing.sweep(self.services)
            except Exception as error:
                # The database is away; what is stale can wait.
                logger.warning("tidying_failed", error=type(error).__name__)
            await asyncio.sleep(TIDY_EVERY.total_seconds())

    def _cookies_of(self, context: Context) -> list[str]:
        given = context.cookie.given if context.cookie else None
        return [] if given is None else [self._cookie.given(given)]

    async def _http_context(self, connection: HTTPConnection) -> Context:
        headers = headers_of(connection.scope)
        token = bearer(headers.get("authorization"))
        viewer = NOBODY
        if token is not None:
            viewer, _ = await viewer_of(self.services, token)
        context = self._context(
            viewer,
            language_of(headers.get("accept-language")),
            connection.client.host if connection.client else "",
            headers.get("user-agent", ""),
        )
        if is_of_own_page(headers):
            context.cookie = RefreshCookie(self._cookie.sent(headers))
        return context

    async def _admit(self, websocket: WebSocket, payload: dict[str, Any]) -> Admission:
        headers = headers_of(websocket.scope)
        given = {str(name).lower(): value for name, value in payload.items()}
        token = bearer(given.get("authorization") or headers.get("authorization"))
        language = language_of(given.get("accept-language") or headers.get("accept-language"))
        address = websocket.client.host if websocket.client else ""
        # One text for all who use the same app.
        device = sys.intern(headers.get("user-agent", "")[:LONGEST_DEVICE])
        if token is None:
            return Admission(NOBODY, language, None, address, device)
        viewer, expires_at = await viewer_of(self.services, token, self._viewers.of)
        return Admission(viewer, language, expires_at.timestamp(), address, device)

    def _event_context(self, admission: Admission, holder: Viewer | None) -> Context:
        return self._context(holder, admission.language, admission.address, admission.device)

    def _context(self, holder: Viewer | None, language: str, address: str, device: str) -> Context:
        return Context(self.services, holder, language, address, device[:LONGEST_DEVICE])

    async def _calendar(self, request: Request) -> Response:
        """An account's activities, for whoever has the secret address."""
        address = request.client.host if request.client else ""
        try:
            found = await calendar.read(self._context(NOBODY, "", address, ""), request.path_params["token"])
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


def bearer(credential: object) -> str | None:
    """The access token in what a client gives as its authorization; None for who gives nothing.

    Raises Unauthenticated for anything else: nobody who means to be somebody is taken for nobody.
    """
    if credential is None or credential == "":
        return None
    scheme, _, token = credential.partition(" ") if isinstance(credential, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(Message("The authorization must be 'Bearer' and an access token"))
    return token.strip()
