"""uvicorn's raw ASGI send: a ready message, awaited client by client. No GraphQL at all."""

from serving import serve
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

sends: set[Send] = set()


class Endpoint:
    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        sends.add(send)
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            sends.discard(send)


async def publish(body: str) -> None:
    message = {"type": "websocket.send", "text": body}
    for send in sends:
        await send(message)


serve(publish, lambda: len(sends), WebSocketRoute("/graphql", Endpoint()))
