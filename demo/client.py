"""A small GraphQL client for the scenario: HTTP for what is done, a WebSocket for what is followed."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

WAIT_SECONDS = 15.0


class Failed(Exception):
    """The server answered with errors, or with a problem instead of a payload."""


class Stream:
    """The events of one subscription, each with the moment of its arrival (time.perf_counter)."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()

    async def next(
        self, kind: str, wanted: Callable[[dict[str, Any]], bool] = lambda _event: True
    ) -> tuple[float, dict[str, Any]]:
        """The next event of a type that is `wanted`; others are passed over. Raises TimeoutError."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                at, event = await self.arrived.get()
                if event["__typename"] == kind and wanted(event):
                    return at, event


class Person:
    """Somebody's app: signed in, connected, following."""

    def __init__(self, name: str, token: str, http: httpx.AsyncClient, socket: ClientConnection) -> None:
        self.name = name
        self._headers = {"authorization": f"Bearer {token}", "accept-language": "zh-Hans"}
        self._http = http
        self._socket = socket
        self._streams: dict[str, tuple[str, Stream]] = {}
        self._ids = itertools.count(1)

    async def run(self, query: str, **variables: Any) -> dict[str, Any]:
        """A query's or mutation's data. Raises Failed."""
        body = {"query": query, "variables": variables}
        answer = (await self._http.post("/graphql", json=body, headers=self._headers)).json()
        if answer.get("errors"):
            raise Failed(answer["errors"][0]["message"])
        data: dict[str, Any] = answer["data"]
        for result in data.values():
            if isinstance(result, dict) and "message" in result:
                raise Failed(result["message"])
        return data

    async def follow(self, field: str, query: str, **variables: Any) -> Stream:
        """Subscribe, and return once the server has opened the stream."""
        id = str(next(self._ids))
        stream = Stream()
        self._streams[id] = (field, stream)
        payload = {"query": query, "variables": variables}
        await self._socket.send(json.dumps({"id": id, "type": "subscribe", "payload": payload}))
        await stream.next("StreamOpened")
        return stream

    async def listen(self) -> None:
        """Sort what arrives to its streams, until the socket closes."""
        async for frame in self._socket:
            at = time.perf_counter()
            message = json.loads(frame)
            if message["type"] == "ping":
                await self._socket.send('{"type":"pong"}')
            elif message["type"] == "next":
                field, stream = self._streams[message["id"]]
                stream.arrived.put_nowait((at, message["payload"]["data"][field]["event"]))
            elif message["type"] == "error":
                raise Failed(f"{self.name}: {message['payload'][0]['message']}")


@asynccontextmanager
async def signed_in(name: str, token: str, url: str) -> AsyncIterator[Person]:
    """A person whose WebSocket is open. Raises OSError if there is no server at `url`."""
    websocket = url.replace("http", "ws", 1) + "/graphql"
    async with (
        httpx.AsyncClient(base_url=url, timeout=WAIT_SECONDS, trust_env=False) as http,
        connect(websocket, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket,
    ):
        payload = {"authorization": f"Bearer {token}", "accept-language": "zh-Hans"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        await socket.recv()
        person = Person(name, token, http, socket)
        listening = asyncio.create_task(person.listen())
        try:
            yield person
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
