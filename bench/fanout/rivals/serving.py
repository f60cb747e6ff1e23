"""uvicorn as it is run in production for many WebSockets, with a way to publish and to count."""

import resource
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route


def serve(publish: Callable[[str], Any], subscribers: Callable[[], int], *routes: BaseRoute) -> None:
    """Serve on the port that the command line names."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def published(request: Request) -> PlainTextResponse:
        answer = publish((await request.body()).decode())
        if answer is not None:
            await answer
        return PlainTextResponse("")

    async def counted(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(subscribers()))

    app = Starlette(
        routes=[*routes, Route("/publish", published, methods=["POST"]), Route("/subscribers", counted)]
    )
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
        backlog=4096,
    )
