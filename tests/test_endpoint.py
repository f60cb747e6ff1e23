from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route
from structlog.testing import capture_logs

from schema.serving.allowance import Preparation
from schema.serving.endpoint import BODY_BYTES, GraphQLEndpoint
from schema.serving.observability import REQUEST_ID, with_request_id
from schema.serving.operations import Operations

pytestmark = pytest.mark.anyio

MODERN = "application/graphql-response+json"
LEGACY = "application/json"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class DomainError(Exception):
    code = "DOMAIN"

    def extensions(self) -> dict[str, Any]:
        return {"reason": "expired"}


Info = strawberry.Info[str, None]

written: list[str] = []


@strawberry.type
class Query:
    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def who(self, info: Info) -> str:
        return info.context

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret")

    @strawberry.field
    def required(self) -> str:
        raise DomainError("No")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def write(self, text: str) -> str:
        written.append(text)
        return text


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


async def context_for(connection: HTTPConnection) -> str:
    token = connection.headers.get("authorization")
    if token == "Bearer bad":
        raise DomainError("The token has expired")
    if token == "Bearer broken":
        raise RuntimeError("secret")
    return f"{token} {connection.state.request_id}"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    schema = strawberry.Schema(Query, Mutation, Subscription)._schema
    operations = Operations(schema, introspection=True, expected=(DomainError,))
    app = Starlette(routes=[Route("/graphql", GraphQLEndpoint(Preparation(operations), context_for))])
    written.clear()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"accept": "*/*"}
    ) as client:
        yield client


async def post(client: httpx.AsyncClient, query: str, accept: str = LEGACY, **more: Any) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, **more}, headers={"accept": accept})


async def get(client: httpx.AsyncClient, query: str, **headers: str) -> httpx.Response:
    return await client.get("/graphql", params={"query": query}, headers=headers)


def code(response: httpx.Response) -> str:
    """The code of the only error of a response that has nothing else."""
    body = response.json()
    assert body.keys() == {"errors"}
    (error,) = body["errors"]
    assert error["message"]
    return str(error["extensions"]["code"])


class TestPost:
    async def test_a_query(self, client: httpx.AsyncClient) -> None:
        response = await post(
            client,
            "query A { who } query B($t: String!) { echo(text: $t) }",
            operationName="B",
            variables={"t": "你好"},
        )
        assert response.status_code == 200
        assert response.json() == {"data": {"echo": "你好"}}
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "accept"

    async def test_a_mutation(self, client: httpx.AsyncClient) -> None:
        assert (await post(client, 'mutation { write(text: "a") }')).json() == {"data": {"write": "a"}}
        assert written == ["a"]

    @pytest.mark.parametrize(
        "query",
        ["{", "{ nowhere }", "query($t: String!) { echo(text: $t) }", "query A { who } query B { who }"],
    )
    async def test_refused_requests_are_400_for_who_asks_for_it(
        self, client: httpx.AsyncClient, query: str
    ) -> None:
        for accept, status in ((MODERN, 400), (LEGACY, 200)):
            response = await post(client, query, accept)
            assert response.status_code == status
            assert response.headers["content-type"] == f"{accept}; charset=utf-8"
            assert code(response)

    async def test_errors_of_execution_are_200(self, client: httpx.AsyncClient) -> None:
        with capture_logs():
            for query in ("{ broken }", "{ required }"):
                response = await post(client, query, MODERN)
                assert response.status_code == 200
                assert "data" in response.json()
                assert "secret" not in response.text

    async def test_subscriptions_are_sent_to_the_websocket(self, client: httpx.AsyncClient) -> None:
        response = await post(client, "subscription { ticks }")
        assert (response.status_code, code(response)) == (400, "SUBSCRIPTION_NEEDS_WEBSOCKET")
        assert "WebSocket" in response.text

    @pytest.mark.parametrize(
        ("accept", "chosen"),
        [
            ("", LEGACY),
            ("*/*", LEGACY),
            ("application/*", LEGACY),
            (f"{MODERN}, {LEGACY};q=0.9", MODERN),
            (f"{LEGACY};q=0.9, {MODERN}", MODERN),
            (f"{LEGACY}, {MODERN}", MODERN),
            (f"{LEGACY}, {MODERN};q=0.5", LEGACY),
            (f"{MODERN};q=0, */*", LEGACY),
            (f"{MODERN};q=nonsense, */*;q=0.1", LEGACY),
            ("text/html,application/xhtml+xml,*/*;q=0.8", LEGACY),
            ("APPLICATION/GRAPHQL-RESPONSE+JSON ; charset=utf-8", MODERN),
        ],
    )
    async def test_negotiation(self, client: httpx.AsyncClient, accept: str, chosen: str) -> None:
        response = await post(client, "{ __typename }", accept)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(chosen + ";")

    @pytest.mark.parametrize("accept", ["text/html", f"{MODERN};q=0", "text/event-stream"])
    async def test_nothing_acceptable(self, client: httpx.AsyncClient, accept: str) -> None:
        response = await post(client, "{ __typename }", accept)
        assert (response.status_code, code(response)) == (406, "NOT_ACCEPTABLE")


MALFORMED: list[bytes] = [
    b"",
    b" ",
    b"{",
    b'{ "not a JSON',
    b"null",
    b"true",
    b"0",
    b"1e999",
    b"NaN",
    b'"text"',
    b"[]",
    b'[{"query": "{ __typename }"}]',
    b"{}",
    b'{"query": null}',
    b'{"query": 1}',
    b'{"query": {}}',
    b'{"query": ["{ __typename }"]}',
    b'{"qeury": "{ __typename }"}',
    b'{"query": "{ __typename }", "operationName": 1}',
    b'{"query": "{ __typename }", "operationName": {}}',
    b'{"query": "{ __typename }", "operationName": false}',
    b'{"query": "{ __typename }", "variables": "text"}',
    b'{"query": "{ __typename }", "variables": []}',
    b'{"query": "{ __typename }", "variables": 0}',
    b'{"query": "{ __typename }", "variables": false}',
    b'{"query": "{ __typename }", "extensions": "text"}',
    b'{"query": "{ __typename }", "extensions": []}',
    b'{"query": "{ __typename }"} trailing',
    b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    b'{"query": "\xff"}',
    b'{"query": "\xc3"}',
    b'{"query": "\xed\xa0\x80"}',
    b'{"query": "\\ud800"}',
    b'{"query": "{ __typename }", "operationName": "\\udfff"}',
    b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    b'{"query": "a\nb"}',
    b"\xef\xbb\xbf{}",
    '{"query": "{ __typename }"}'.encode("utf-16"),
    b"[" * 200_000,
    b"[" * 200_000 + b"]" * 200_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}",
    b"\x00" * 100,
    b"query=%7B__typename%7D",
]


class TestMalformed:
    @pytest.mark.parametrize("accept", [LEGACY, MODERN])
    @pytest.mark.parametrize("body", MALFORMED, ids=lambda body: body[:24].decode("latin-1") + str(len(body)))
    async def test_bodies(self, client: httpx.AsyncClient, body: bytes, accept: str) -> None:
        headers = {"content-type": "application/json", "accept": accept}
        response = await client.post("/graphql", content=body, headers=headers)
        assert response.status_code == 400
        assert response.headers["content-type"] == f"{accept}; charset=utf-8"
        assert code(response) in ("BAD_REQUEST", "NO_BATCHES")

    @pytest.mark.parametrize("accept", [LEGACY, MODERN])
    @pytest.mark.parametrize(
        "query",
        [
            "{ a" * 7_000,
            "{ __typename } #" + "x" * 900_000,
            "{ ...F } fragment F on Query { ...F ...F }",
            "\x00",
        ],
    )
    async def test_queries(self, client: httpx.AsyncClient, query: str, accept: str) -> None:
        response = await post(client, query, accept)
        assert response.status_code == (400 if accept == MODERN else 200)
        assert {error["extensions"]["code"] for error in response.json()["errors"]} <= {
            "TOO_COMPLEX",
            "GRAPHQL_PARSE_FAILED",
            "GRAPHQL_VALIDATION_FAILED",
        }

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/plain",
            "text/plain;application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json-seq",
            "application/graphql",
            "application/json; charset=utf-16",
            "application/json; charset=gbk",
        ],
    )
    async def test_content_types(self, client: httpx.AsyncClient, content_type: str | None) -> None:
        headers = {} if content_type is None else {"content-type": content_type}
        body = b'{"query": "mutation { write(text: \\"a\\") }"}'
        response = await client.post("/graphql", content=body, headers=headers)
        assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert written == []

    async def test_compressed_bodies(self, client: httpx.AsyncClient) -> None:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        response = await client.post("/graphql", content=b"\x1f\x8b", headers=headers)
        assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")

    @pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
    async def test_utf8_is_understood(self, client: httpx.AsyncClient, content_type: str) -> None:
        body = '{"query": "{ echo(text: \\"🏃\\") }"}'.encode()
        response = await client.post("/graphql", content=body, headers={"content-type": content_type})
        assert response.json() == {"data": {"echo": "🏃"}}

    async def test_bodies_that_are_too_large(self, client: httpx.AsyncClient) -> None:
        read = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal read
            for _ in range(64):
                read += 65_536
                yield b" " * 65_536

        headers = {"content-type": "application/json"}
        announced = await client.post("/graphql", content=b" " * (BODY_BYTES + 1), headers=headers)
        streamed = await client.post("/graphql", content=chunks(), headers=headers)
        for response in (announced, streamed):
            assert (response.status_code, code(response)) == (413, "BODY_TOO_LARGE")
        assert read <= BODY_BYTES + 2 * 65_536

    async def test_bodies_that_come_in_parts(self, client: httpx.AsyncClient) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b'{"query": "{ ec', b'ho(text: \\"a\\") }', b'"}'):
                await asyncio.sleep(0)
                yield part

        headers = {"content-type": "application/json"}
        response = await client.post("/graphql", content=parts(), headers=headers)
        assert response.json() == {"data": {"echo": "a"}}

    async def test_bodies_that_do_not_come(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("schema.serving.endpoint.BODY_SECONDS", 0.01)
        ended = False

        async def parts() -> AsyncIterator[bytes]:
            nonlocal ended
            yield b'{"query": "mutation { write(text: \\"a\\") }'
            try:
                await asyncio.Event().wait()
            finally:
                ended = True

        headers = {"content-type": "application/json"}
        response = await client.post("/graphql", content=parts(), headers=headers)
        assert (response.status_code, code(response)) == (408, "TIMEOUT")
        assert (ended, written) == (True, [])

    @pytest.mark.parametrize("length", ["-1", "x", "", "9" * 5_000, "²"])
    async def test_absurd_content_lengths(self, client: httpx.AsyncClient, length: str) -> None:
        headers: Any = {"content-type": "application/json", "content-length": length.encode("latin-1")}
        response = await client.post("/graphql", content=b"{}", headers=headers)
        assert response.status_code in (400, 413)
        assert code(response)

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
    async def test_methods(self, client: httpx.AsyncClient, method: str) -> None:
        response = await client.request(method, "/graphql", json={"query": "{ __typename }"})
        assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "GET, POST"


class TestGet:
    async def test_a_query(self, client: httpx.AsyncClient) -> None:
        params = {
            "query": "query Q($t: String!) { echo(text: $t) }",
            "variables": '{"t": "你好"}',
            "operationName": "Q",
        }
        response = await client.get("/graphql", params=params)
        assert (response.status_code, response.json()) == (200, {"data": {"echo": "你好"}})

    async def test_no_mutation_whatever_the_headers(self, client: httpx.AsyncClient) -> None:
        mutation = 'mutation { write(text: "a") }'
        for headers in ({}, {"apollo-require-preflight": "1"}, {"accept": MODERN}):
            response = await get(client, mutation, **headers)
            assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
            assert response.headers["allow"] == "POST"
        both = {"query": "query A { __typename } mutation B { write(text: 1) }", "operationName": "B"}
        assert (await client.get("/graphql", params=both)).status_code != 500
        assert written == []

    async def test_no_subscription(self, client: httpx.AsyncClient) -> None:
        assert code(await get(client, "subscription { ticks }")) == "SUBSCRIPTION_NEEDS_WEBSOCKET"

    @pytest.mark.parametrize(
        "headers",
        [
            {"cookie": "session=1"},
            {"origin": "https://elsewhere.example"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none", "cookie": "session=1"},
            {"authorization": "Basic YTpi"},
            {"cookie": "session=1", "apollo-require-preflight": ""},
        ],
    )
    async def test_what_another_site_could_have_sent(
        self, client: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        response = await get(client, "{ who }", **headers)
        assert (response.status_code, code(response)) == (403, "PREFLIGHT_REQUIRED")
        headers = headers | {"apollo-require-preflight": "1"}
        assert (await get(client, "{ who }", **headers)).status_code == 200

    async def test_the_same_site_may(self, client: httpx.AsyncClient) -> None:
        headers = {"cookie": "session=1", "sec-fetch-site": "same-origin"}
        assert (await get(client, "{ who }", **headers)).status_code == 200
        assert (await get(client, "{ who }", authorization="Bearer good")).status_code == 200

    async def test_whoever_holds_a_token_may_from_another_site(self, client: httpx.AsyncClient) -> None:
        elsewhere = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
        assert (await get(client, "{ who }", authorization="Bearer good", **elsewhere)).status_code == 200
        lent = elsewhere | {"cookie": "session=1"}
        refused = await get(client, "{ who }", authorization="Bearer good", **lent)
        assert (refused.status_code, code(refused)) == (403, "PREFLIGHT_REQUIRED")

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "query=",
            "variables={}",
            "query={__typename}&variables=",
            "query={__typename}&variables=[]",
            "query={__typename}&variables=%FF",
            "query={__typename}&extensions=1",
            "query={__typename}&variables=" + "[" * 2_000,
        ],
    )
    async def test_malformed(self, client: httpx.AsyncClient, query: str) -> None:
        response = await client.get(f"/graphql?{query}", headers={"accept": MODERN})
        assert response.status_code == 400
        assert code(response) in ("BAD_REQUEST", "GRAPHQL_PARSE_FAILED")


class TestContext:
    async def test_a_bad_token(self, client: httpx.AsyncClient) -> None:
        headers = {"authorization": "Bearer bad"}
        response = await client.post(
            "/graphql", json={"query": 'mutation { write(text: "a") }'}, headers=headers
        )
        assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
        assert response.json()["errors"][0]["extensions"]["reason"] == "expired"
        assert response.headers["www-authenticate"] == "Bearer"
        assert written == []

    async def test_a_fault_of_ours(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            response = await client.post(
                "/graphql",
                json={"query": "{ who }"},
                headers={"authorization": "Bearer broken", "x-request-id": "req-1"},
            )
        assert (response.status_code, code(response)) == (500, "INTERNAL")
        assert response.json()["errors"][0]["extensions"]["id"] == "req-1"
        assert "secret" not in response.text
        assert [entry["event"] for entry in logs] == ["internal_error"]

    async def test_the_requests_id(self, client: httpx.AsyncClient) -> None:
        async def ask(given: str) -> tuple[str, str]:
            headers: Any = {"x-request-id": given.encode("latin-1")}
            response = await client.post("/graphql", json={"query": "{ who }"}, headers=headers)
            return response.headers["x-request-id"], response.json()["data"]["who"].split()[-1]

        assert await ask("trace-1.A_b") == ("trace-1.A_b", "trace-1.A_b")
        for given in ("", "a b", "x" * 65, "é", "a\tb", "<script>"):
            answered, seen = await ask(given)
            assert answered == seen != given
            assert len(answered) == 32

    async def test_the_id_is_in_the_log_and_leaves_it_again(self, client: httpx.AsyncClient) -> None:
        with capture_logs(processors=[with_request_id]) as logs:
            await client.post("/graphql", json={"query": "{ who }"}, headers={"x-request-id": "req-1"})
        assert [entry["request_id"] for entry in logs] == ["req-1"]
        assert REQUEST_ID.get() is None

    async def test_a_client_that_leaves_while_sending(self, client: httpx.AsyncClient) -> None:
        schema = strawberry.Schema(Query)._schema
        endpoint = GraphQLEndpoint(Preparation(Operations(schema, introspection=False)), context_for)
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError(json.dumps(message, default=str))

        await endpoint(scope, receive, send)
