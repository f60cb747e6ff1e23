"""The ASGI application: GraphQL over HTTP and WebSocket, what operators ask, and the routes it is given."""

import asyncio
import hmac
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from models.storage import rows
from schema.serving.endpoint import GraphQLEndpoint
from schema.serving.observability import metrics_response
from schema.serving.websocket import WebSocketEndpoint
from subscriptions.bus import Bus
from subscriptions.headers import headers_of

HEADERS = ("authorization", "content-type", "accept-language", "apollo-require-preflight", "x-request-id")
READY_SECONDS = 2.0


def asgi(
    endpoint: GraphQLEndpoint,
    websocket: WebSocketEndpoint,
    bus: Bus,
    routes: Sequence[BaseRoute],
    *,
    origins: Collection[str],
    metrics_token: str | None,
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
) -> Starlette:
    """Serve GraphQL at ``/graphql`` to clients and to web pages of `origins`, and `routes` beside it.

    Metrics are for whoever sends `metrics_token` as bearer token: for nobody if it is empty, for all if None.
    `lifespan` opens what the process needs and closes it at the end.
    """

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        """Ready while the database answers. Without the bus delivery is slower, and still complete."""
        checks = {"database": "ok", "bus": "ok" if bus.healthy else "unreachable"}
        try:
            async with asyncio.timeout(READY_SECONDS):
                await rows.execute("SELECT 1")
        except Exception:
            checks["database"] = "unreachable"
        ready = checks["database"] == "ok" and not websocket.draining
        return JSONResponse({"ready": ready, **checks}, status_code=200 if ready else 503)

    async def metrics(request: Request) -> Response:
        if metrics_token is not None:
            given = headers_of(request.scope).get("authorization", "").encode()
            if not metrics_token or not hmac.compare_digest(given, f"Bearer {metrics_token}".encode()):
                return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        return metrics_response()

    cors = Middleware(
        CORSMiddleware,
        allow_origins=sorted(origins),
        allow_methods=["POST", "GET"],
        allow_headers=HEADERS,
        max_age=86_400,
    )
    served = [
        # First: nearly all that is asked goes there.
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", websocket),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *routes,
    ]
    return Starlette(routes=served, middleware=[cors], lifespan=lifespan)


class Pages(StaticFiles):
    """A web page that is shipped with the server and loads nothing from elsewhere."""

    POLICY = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", self.POLICY.encode()))
            await send(message)

        await super().__call__(scope, receive, with_policy)
