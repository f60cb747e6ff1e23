"""A browser's refresh token in a cookie: kept from scripts, useless to pages of other sites."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import database
from schema.application import Application
from schema.serving.cookies import SecretCookie, is_of_own_page
from schema.settings import Settings
from tests.servers import throwaway_secrets

PAGE = {"origin": "http://linli", "sec-fetch-site": "same-origin", "user-agent": "browser"}
CODE = """mutation ($phone: String!) { requestSignInCode(input: {phone: $phone}) {
  ... on RequestSignInCodePayload { challenge } } }"""
SIGN_IN = """mutation ($input: SignInWithCodeInput!) { signInWithCode(input: $input) { __typename
  ... on SignInPayload { credentials { accessToken refreshToken } }
  ... on InvalidInput { fields { name } } } }"""
REFRESH = "mutation { refreshSession(input: {}) { credentials { accessToken refreshToken } } }"
END = "mutation { endSession(input: {}) { ... on EndSessionPayload { session { endedAt } } } }"
PHONE = "13900001111"


class Sent:
    """A gateway that keeps the last text."""

    text = ""

    async def send(self, _phone: str, text: str) -> None:
        self.text = text


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Sent]]:
    settings = Settings.from_environment({"LINLI_DATA_DIR": str(tmp_path), **throwaway_secrets()})
    await database.migrate(settings.database)
    made, sent = Application(settings), Sent()
    object.__setattr__(made.services, "sms", sent)
    transport = httpx.ASGITransport(made.asgi)
    async with (
        made.asgi.router.lifespan_context(made.asgi),
        httpx.AsyncClient(transport=transport, base_url="http://linli") as http,
    ):
        yield http, sent


async def run(http: httpx.AsyncClient, query: str, headers: dict[str, str], **variables: Any) -> Any:
    answer = await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    return answer.json()


async def sign_in(http: httpx.AsyncClient, sent: Sent, headers: dict[str, str]) -> Any:
    challenge = (await run(http, CODE, headers, phone=PHONE))["data"]["requestSignInCode"]["challenge"]
    code = re.findall("[0-9]{6}", sent.text)[0]
    input = {"challenge": challenge, "phone": PHONE, "code": code, "inCookie": True}
    return (await run(http, SIGN_IN, headers, input=input))["data"]["signInWithCode"]


async def test_a_page_signs_in_refreshes_and_signs_out_with_a_cookie(
    served: tuple[httpx.AsyncClient, Sent],
) -> None:
    http, sent = served
    made = await sign_in(http, sent, PAGE)
    assert made["credentials"]["refreshToken"] is None
    (cookie,) = http.cookies.jar
    assert cookie.name == "linli-refresh"
    assert cookie.value
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Strict"
    first = cookie.value
    data = (await run(http, REFRESH, PAGE))["data"]["refreshSession"]["credentials"]
    assert data["refreshToken"] is None
    (cookie,) = http.cookies.jar
    assert cookie.value != first
    bearer = {**PAGE, "authorization": f"Bearer {data['accessToken']}"}
    ended = await run(http, END, bearer)
    assert ended["data"]["endSession"]["session"]["endedAt"]
    assert not list(http.cookies.jar)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://linli", "sec-fetch-site": "same-site"},
        {"origin": "http://linli:8001"},
        {"origin": "http://["},
        {"origin": "null"},
        {},
    ],
)
async def test_a_page_of_another_site_cannot_use_it(
    served: tuple[httpx.AsyncClient, Sent], headers: dict[str, str]
) -> None:
    http, sent = served
    await sign_in(http, sent, PAGE)
    (cookie,) = http.cookies.jar
    before = cookie.value
    refused = await run(http, REFRESH, headers)
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHENTICATED"]
    (cookie,) = http.cookies.jar
    assert cookie.value == before
    assert "data" in await run(http, REFRESH, PAGE)


async def test_where_no_cookie_is_kept_nobody_is_signed_in(served: tuple[httpx.AsyncClient, Sent]) -> None:
    http, sent = served
    made = await sign_in(http, sent, {"origin": "https://evil.example"})
    assert made == {"__typename": "InvalidInput", "fields": [{"name": "inCookie"}]}
    assert not list(http.cookies.jar)


def test_where_connections_are_encrypted_the_cookie_is_this_host_s_alone() -> None:

    cookie = SecretCookie("linli-refresh", timedelta(days=60), encrypted=True)
    assert cookie.given("abc") == (
        "__Host-linli-refresh=abc; Max-Age=5184000; Path=/; HttpOnly; SameSite=Strict; Secure"
    )
    assert cookie.given("").startswith("__Host-linli-refresh=; Max-Age=0;")
    assert cookie.sent({"cookie": "linli-refresh=x; __Host-linli-refresh=abc"}) == "abc"
    for odd in ("", "linli-refresh=x", "__Host-linli-refresh=", "=;;=\x00"):
        assert cookie.sent({"cookie": odd}) is None
    assert cookie.sent({}) is None


def test_one_header_is_enough_where_a_browser_sends_one() -> None:
    assert is_of_own_page({"sec-fetch-site": "same-origin", "host": "linli"})
    assert is_of_own_page({"origin": "http://linli", "host": "linli"})
    assert not is_of_own_page({"origin": "http://linli", "host": "other"})
    assert not is_of_own_page({"host": "linli"})
