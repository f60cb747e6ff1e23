"""Clients that break the protocols."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.faults.scene import Scene
from tests.wire import COMMENTS, Wire, bodies, wired

pytestmark = pytest.mark.anyio

SUBSCRIBE = {"id": "a", "type": "subscribe", "payload": {"query": "{ viewer { displayName } }"}}
DEEP = 200_000
# A frame is 64 KiB at most.
DEEP_FRAME = 30_000

# What is sent, and the code that the server closes with.
FRAMES: Sequence[tuple[str, Any, int]] = [
    ("array", [SUBSCRIBE], 4400),
    ("empty array", "[]", 4400),
    ("number", "7", 4400),
    ("huge number", "9" * 5_000, 4400),
    ("null", "null", 4400),
    ("string", '"subscribe"', 4400),
    ("empty", "", 4400),
    ("cut off", '{"type": "subscr', 4400),
    ("no type", "{}", 4400),
    ("type of a list", {"type": ["subscribe"]}, 4400),
    ("unknown type", {"type": "start", "id": "a"}, 4400),
    ("list id", {**SUBSCRIBE, "id": ["a"]}, 4400),
    ("object id", {**SUBSCRIBE, "id": {"a": 1}}, 4400),
    ("number id", {**SUBSCRIBE, "id": 1}, 4400),
    ("no id", {"type": "subscribe", "payload": SUBSCRIBE["payload"]}, 4400),
    ("empty id", {**SUBSCRIBE, "id": ""}, 4400),
    ("complete with a list", {"type": "complete", "id": ["a"]}, 4400),
    ("payload null", {**SUBSCRIBE, "payload": None}, 4400),
    ("payload list", {**SUBSCRIBE, "payload": []}, 4400),
    ("query number", {**SUBSCRIBE, "payload": {"query": 1}}, 4400),
    ("variables list", {**SUBSCRIBE, "payload": {"query": "{ viewer }", "variables": []}}, 4400),
    ("lone surrogate id", '{"id": "\\ud800", "type": "subscribe", "payload": {"query": "{a}"}}', 4400),
    ("lone surrogate query", '{"id": "a", "type": "subscribe", "payload": {"query": "{a\\udfff}"}}', 4400),
    ("deep array", "[" * DEEP_FRAME + "]" * DEEP_FRAME, 4400),
    ("deep ping", '{"type":"ping","payload":' + "[" * DEEP_FRAME + "]" * DEEP_FRAME + "}", 4400),
    ("deeper than a frame is long", "[" * DEEP, 1009),
    ("binary", b"\x00\xff", 4400),
    ("binary JSON", json.dumps(SUBSCRIBE).encode(), 4400),
    ("a second connection_init", {"type": "connection_init"}, 4429),
]


async def test_malformed_frames(alone: Scene) -> None:
    """Every malformed frame closes its own connection, with the code that says so; others notice nothing,
    and the server has nothing to complain of."""
    async with asyncio.timeout(60), alone.follower() as bystander:
        codes = {}
        for name, frame, _ in FRAMES:
            async with wired(alone.servers[0], alone.reader) as wire:
                await wire.send(frame)
                codes[name] = await wire.closed()
        async with wired(alone.servers[0], alone.reader) as wire:
            await send_invalid_text(wire)
            assert await wire.closed() in (1007, 4400)
        assert codes == {name: code for name, _, code in FRAMES}
        said = await alone.comment()
        await bystander.until(lambda: bodies(bystander) == [said])
        assert bystander.connections == 1
    alone.check_quiet()


async def send_invalid_text(wire: Wire) -> None:
    """A text frame that is not UTF-8, which the client's library would not send by itself."""
    async with wire.socket.send_context():
        wire.socket.protocol.send_text(b'{"type": "ping", "payload": "\xed\xa0\x80"}')


async def test_an_operation_that_is_wrong_ends_alone(alone: Scene) -> None:
    """A frame in order with a document, a variable or an id that is not: an error for that operation, and the
    connection's other subscriptions go on."""
    wrong: list[Any] = [
        {"query": "{"},
        {"query": ""},
        {"query": "\x00"},
        {"query": "{ nothing }"},
        {"query": "query A { viewer { displayName } } query B { viewer { displayName } }"},
        {"query": "{" * 10_000},
        {"query": "{ a" * 5_000 + "}" * 5_000},
        {"query": COMMENTS, "variables": {}},
        {"query": COMMENTS, "variables": {"subject": [alone.subject]}},
        {"query": COMMENTS, "variables": {"subject": "not an id"}},
        {"query": COMMENTS, "variables": {"subject": alone.subject, "after": "no cursor"}},
        {"query": COMMENTS, "variables": {"subject": alone.subject, "after": "Y29tbXVuaXR5IzE"}},
        {"query": COMMENTS, "variables": {"subject": "\x00" * 100}},
    ]
    async with asyncio.timeout(60), wired(alone.servers[0], alone.reader) as wire:
        followed = await wire.subscribe(COMMENTS, subject=alone.subject)
        assert (await wire.event())["event"]["__typename"] == "StreamOpened"
        for n, payload in enumerate(wrong):
            await wire.send({"id": f"wrong {n}", "type": "subscribe", "payload": payload})
            message = await wire.receive()
            assert (message["id"], message["type"]) == (f"wrong {n}", "error"), (payload, message)
            for error in message["payload"]:
                assert error["extensions"]["code"] != "INTERNAL", (payload, message)
        said = await alone.comment()
        message = await wire.receive()
        assert message["id"] == followed
        assert message["payload"]["data"]["commentEvents"]["event"]["comment"]["body"] == said
    alone.check_quiet()


BODIES: Sequence[bytes] = [
    b"",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b"{",
    b"\xff\xfe",
    b'{"query": "\xff"}',
    b'{"query": null}',
    b'{"query": 1}',
    b'{"query": ["{ viewer { displayName } }"]}',
    b'{"query": "{ viewer"}',
    b'{"query": "\\ud800"}',
    b'{"query": "{ viewer { displayName } }", "variables": []}',
    b'{"query": "{ viewer { displayName } }", "variables": {"a": "\\ud800"}}',
    b'{"query": "{ viewer { displayName } }", "operationName": {}}',
    b'{"query": "{ viewer { displayName } }", "extensions": 1}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": {"a": 1}}}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": "\\u0000"}}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": 1e999}}',
    b'{"query": "subscription { x }"}',
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP,
    b'{"query": "' + b"{a" * 50_000 + b'"}',
    b"9" * 100_000,
]
HEADERS: Sequence[dict[str, str]] = [
    {"content-type": "text/plain"},
    {"content-type": "application/json; charset=utf-16"},
    {"content-type": "multipart/form-data"},
    {"content-type": "multipart/form-data; boundary=x"},
    {"content-type": "application/json", "content-encoding": "gzip"},
    {"content-type": "application/json", "accept": "image/png"},
    {"content-type": "application/json", "accept": "application/json;q=x, ;;,"},
    {"content-type": "application/json", "authorization": "Bearer \x7f"},
    {"content-type": "application/json", "authorization": "Bearer a.b.c"},
    {"content-type": "application/json", "x-request-id": "x" * 5_000},
    {"content-type": ""},
]


async def test_malformed_requests(alone: Scene) -> None:
    """Whatever is sent over HTTP, it is never the server's fault: no status 5xx, no traceback."""
    url = alone.servers[0].graphql
    good = json.dumps(SUBSCRIBE["payload"]).encode()
    async with asyncio.timeout(60):
        for body in BODIES:
            answer = await alone.http.post(url, content=body, headers={"content-type": "application/json"})
            assert answer.status_code < 500, (body[:80], answer.text)
            assert answer.json().get("errors") or answer.json() == {"data": {"node": None}}, body[:80]
            assert "INTERNAL" not in answer.text, body[:80]
        for headers in HEADERS:
            answer = await alone.http.post(url, content=good, headers=headers)
            assert answer.status_code < 500, (headers, answer.text)
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"):
            for query in ("", "?query=%7B", "?query=%FF", "?query=%7Bviewer%7D&variables=%5B", "?%00"):
                answer = await alone.http.request(method, url + query)
                assert answer.status_code < 500, (method, query, answer.text)
        await alone.comment()
    alone.check_quiet()
