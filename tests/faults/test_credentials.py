"""Whoever means to be somebody is that one or is refused, and never taken for nobody."""

import asyncio
from itertools import product
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.faults.scene import Scene
from tests.faults.test_what_is_sent import line
from tests.wire import connected

pytestmark = pytest.mark.anyio

WHO = "{ viewer { displayName } }"
# As they come over HTTP, and in connection_init, which is JSON.
MALFORMED: list[Any] = [
    "{token}",
    "Bearer",
    "Basic dXNlcjpwYXNz",
    "Token {token}",
    "Bearer {token}, Bearer {token}",
    "Bearer {token} more",
    "Bearer undefined",
    "Bearer null",
    "Bearer {token}x",
    'bearer="{token}"',
]
# Which no header can hold, or at least no client sends.
UNSENDABLE: list[Any] = ["Bearer ", " ", 1, 0.5, True, ["Bearer {token}"], {"bearer": "{token}"}]


async def test_malformed_credentials_are_refused(alone: Scene) -> None:
    server, token = alone.servers[0], alone.reader
    for given in MALFORMED:
        headers = {"authorization": given.format(token=token)}
        for accept in ("application/json", "application/graphql-response+json"):
            answer = await alone.http.post(
                server.graphql, json={"query": WHO}, headers={**headers, "accept": accept}
            )
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["extensions"]["code"]) == (401, "UNAUTHENTICATED"), given
            assert answer.headers["www-authenticate"] == "Bearer"
        answer = await alone.http.post(
            f"{server.http}/media?community={alone.community_id}",
            content=b"x",
            headers={**headers, "content-type": "image/png", "x-requested-with": "x"},
        )
        assert answer.status_code == 401, given
    for given in [*MALFORMED, *UNSENDABLE]:
        text = given.format(token=token) if isinstance(given, str) else given
        async with connected(server) as wire:
            await wire.send({"type": "connection_init", "payload": {"authorization": text}})
            assert await wire.closed() == 4403, given
    # Of the header that opens a WebSocket the same is true.
    async with connected(server, additional_headers={"authorization": token}) as wire:
        await wire.send({"type": "connection_init"})
        assert await wire.closed() == 4403
    alone.check_quiet()


async def test_who_gives_nothing_is_nobody(alone: Scene) -> None:
    server = alone.servers[0]
    given: list[tuple[dict[str, str], str | None]] = [
        ({}, None),
        ({"authorization": f"Bearer {alone.reader}"}, alone.people[0].display_name),
        ({"authorization": f"bearer  {alone.reader}"}, alone.people[0].display_name),
    ]
    for headers, name in given:
        answer = await alone.http.post(server.graphql, json={"query": WHO}, headers=headers)
        assert answer.json()["data"]["viewer"] == (name and {"displayName": name})
        async with connected(server) as wire:
            await wire.send({"type": "connection_init", "payload": headers})
            assert (await wire.receive())["type"] == "connection_ack"
            await wire.subscribe(WHO)
            assert (await wire.receive())["payload"]["data"]["viewer"] == (name and {"displayName": name})
    async with connected(server) as wire:
        await wire.send({"type": "connection_init", "payload": {"authorization": None}})
        assert (await wire.receive())["type"] == "connection_ack"


@pytest.mark.parametrize(
    "origin", ["http://[", "http://[::1", "http://]", "[", "//", "null", "", "http://\xe9"]
)
async def test_an_origin_that_is_none_is_refused(alone: Scene, origin: str) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(InvalidStatus) as refused:
            async with connected(alone.servers[0], additional_headers={"origin": origin}):
                pass
    assert refused.value.response.status_code == 403
    alone.check_quiet()


ODD = [
    "[",
    "http://[",
    "\x80\xff",
    "a" * 5_000,
    ";;;",
    "=",
    "%",
    "{",
    "*",
    "-1",
    "x:y:z",
    "127.0.0.1:99999999",
]
NAMES = [
    "host", "origin", "accept", "accept-language", "content-type", "if-none-match", "if-modified-since",
    "range", "if-range", "cookie", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "user-agent",
    "access-control-request-method", "access-control-request-headers", "sec-fetch-site", "expect",
]  # fmt: skip
PATHS = [
    "/graphql",
    "/media/x",
    "/calendar/x.ics",
    "/healthz",
    "/graphiql",
    "/graphiql/",
    "/nothing/",
    "/",
    "/graphql/",
]


async def test_no_header_is_a_fault_of_the_server(alone: Scene) -> None:
    """Whatever stands in a header, no request for any path is answered with a status of 500."""
    async with asyncio.timeout(120):
        for method, path in [*(("GET", path) for path in PATHS), ("OPTIONS", "/graphql")]:
            for name, value in product(NAMES, ODD):
                host = "" if name == "host" else "host: x\r\n"
                async with line(alone) as client:
                    await client.send(f"{method} {path} HTTP/1.1\r\n{host}{name}: {value}\r\n\r\n")
                    assert (await client.head())[9:12] < b"500", (method, path, name, value)
    alone.check_quiet()
