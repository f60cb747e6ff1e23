"""A resident's app, as the stories use it: the `gql` client over HTTP and over WebSockets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import FieldNode, OperationDefinitionNode

from tests.servers import ServerProcess

WAIT_SECONDS = 20


class Refused(Exception):
    """The server answered with GraphQL errors; `codes` are their extensions' codes."""

    def __init__(self, errors: list[Any]) -> None:
        super().__init__(str(errors))
        self.errors: list[dict[str, Any]] = [
            error if isinstance(error, dict) else {"message": str(error)} for error in errors
        ]
        self.codes = [(error.get("extensions") or {}).get("code") for error in self.errors]


class Stream:
    """An open subscription: envelopes, awaited one by one."""

    def __init__(self, results: AsyncGenerator[dict[str, Any], None], field: str) -> None:
        self._results = results
        self._field = field
        self.cursor: str | None = None
        # The first envelope: StreamOpened, or StreamReset.
        self.opening: dict[str, Any] = {}

    async def envelope(self) -> dict[str, Any]:
        """The next envelope. Raises Refused if the server ends the stream with errors instead."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                result = await anext(self._results)
        except TransportQueryError as error:
            raise Refused(list(error.errors or [])) from error
        envelope: dict[str, Any] = result[self._field]
        self.cursor = envelope["cursor"]
        return envelope

    async def close(self) -> None:
        """Tell the server that no more events are wanted."""
        await self._results.aclose()

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next event; with `kind`, the next of that type, others are passed over."""
        while True:
            event: dict[str, Any] = (await self.envelope())["event"]
            if kind is None or event["__typename"] == kind:
                return event


class App:
    """One signed-in client of a server."""

    def __init__(self, server: ServerProcess, token: str | None = None, language: str = "en") -> None:
        self.server = server
        self.token = token
        self.headers = {"accept-language": language}
        if token is not None:
            self.headers["authorization"] = f"Bearer {token}"

    async def run(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """Execute a query or a mutation over HTTP; its data. Raises Refused."""
        # Certificates take 20 ms to load, and there is nothing to verify.
        transport = HTTPXAsyncTransport(
            url=self.server.graphql, headers=self.headers, timeout=WAIT_SECONDS, trust_env=False, verify=False
        )
        async with Client(transport=transport, execute_timeout=None) as session:
            try:
                data: dict[str, Any] = await session.execute(GraphQLRequest(query, variable_values=variables))
            except TransportQueryError as error:
                raise Refused(list(error.errors or [])) from error
        return data

    async def act(self, mutation: str, /, **variables: Any) -> dict[str, Any]:
        """Execute a mutation with one root field; that field's result, which has `__typename`."""
        (result,) = (await self.run(mutation, **variables)).values()
        done: dict[str, Any] = result
        return done

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Connected"]:
        """A WebSocket for any number of subscriptions."""
        transport = WebsocketsTransport(
            url=self.server.websocket,
            init_payload=self.headers,
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            connect_args={"proxy": None},
        )
        async with Client(transport=transport, execute_timeout=None) as session:
            connected = Connected(session)
            try:
                yield connected
            finally:
                # The transport would wait for streams that nobody has ended until its time-out.
                for stream in connected.streams:
                    await stream.close()

    @asynccontextmanager
    async def following(self, subscription: str, /, **variables: Any) -> AsyncIterator[Stream]:
        """One subscription on a WebSocket of its own, already open."""
        async with self.connected() as connected:
            yield await connected.follow(subscription, **variables)


class Connected:
    def __init__(self, session: Any) -> None:
        self._session = session
        self.streams: list[Stream] = []

    async def run(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """Execute a query or a mutation over this WebSocket."""
        try:
            result: dict[str, Any] = await self._session.execute(
                GraphQLRequest(query, variable_values=variables)
            )
        except TransportQueryError as error:
            raise Refused(list(error.errors or [])) from error
        return result

    async def follow(self, subscription: str, /, **variables: Any) -> Stream:
        """A subscription that the server has opened. Raises Refused, StreamReset is an event."""
        request = GraphQLRequest(subscription, variable_values=variables)
        field = root_field(request)
        stream = Stream(self._session.subscribe(request), field)
        self.streams.append(stream)
        stream.opening = await stream.envelope()
        return stream


def root_field(request: GraphQLRequest) -> str:
    """The response name of a document's only root field."""
    (operation,) = (
        node for node in request.document.definitions if isinstance(node, OperationDefinitionNode)
    )
    (selected,) = operation.selection_set.selections
    assert isinstance(selected, FieldNode)
    return (selected.alias or selected.name).value
