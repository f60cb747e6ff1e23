"""Uploads over HTTP: typed refusals, limits while the body comes, and what an address leads to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route

from models.identity import AccountRow, CommunityRow
from models.media import MediaRow
from models.messages import Message
from resolvers.context import Context
from resolvers.errors import Unauthenticated
from resolvers.media import attaching, uploads
from schema.media import endpoint as serving
from schema.media.endpoint import MediaEndpoint
from schema.node import global_id, type_and_key
from tests.test_media import PDF, files, jpeg
from tests.world import World

PREFLIGHTED = {"apollo-require-preflight": "1"}


class Site:
    """The two routes, and a client that speaks for one account."""

    def __init__(self, world: World, community: CommunityRow, account: AccountRow) -> None:
        self.world = world
        self.community = community
        self.account = account
        self.endpoint = MediaEndpoint(world.services, self.context_for, self.masked)
        app = Starlette(
            routes=[
                Route("/media", self.endpoint.upload, methods=["POST"]),
                Route("/media/{id}", self.endpoint.show, methods=["GET"]),
            ]
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def context_for(self, connection: HTTPConnection) -> Context:
        if connection.headers.get("authorization") == "Bearer stale":
            raise Unauthenticated(Message("The access token has expired; refresh the session"))
        named = connection.headers.get("authorization") == "Bearer good"
        return await self.world.context(self.account if named else None)

    def masked(self, error: Exception) -> GraphQLError:
        return GraphQLError(
            "Internal error", extensions={"code": "INTERNAL", "id": "x"}, original_error=error
        )

    async def upload(self, content: Any, content_type: str = "image/jpeg", **more: Any) -> httpx.Response:
        headers: dict[str, str | None] = {
            "content-type": content_type,
            "authorization": "Bearer good",
            **PREFLIGHTED,
        }
        headers |= more.pop("headers", {})
        params = {"community": global_id("Community", self.community.id), **more}
        # A header that is None is not sent.
        sent = {name: value for name, value in headers.items() if value is not None}
        return await self.http.post("/media", params=params, content=content, headers=sent)


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    community = await world.community()
    made = Site(world, community, await world.neighbour(community))
    async with made.http:
        yield made


async def test_a_picture_is_taken_and_shown(site: Site) -> None:
    answer = await site.upload(jpeg())
    assert answer.status_code == 201
    told = answer.json()
    assert (told["width"], told["height"]) == (60, 40)
    found = type_and_key(told["id"])
    assert found is not None
    assert (found[0], told["reference"]) == ("Picture", f"media:{found[1].hex}")
    for name in ("url", "thumbnailUrl"):
        shown = await site.http.get(told[name])
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in shown.headers["content-security-policy"]
        assert shown.headers["content-disposition"] == "inline"
        assert shown.headers["cache-control"].startswith("private, max-age=")
        assert shown.content.startswith(b"\xff\xd8")
    # Attached meanwhile, the address of the upload is good for nothing.
    ctx = await site.world.context(site.account)
    await attaching.attach(
        ctx, community_id=site.community.id, subject_id=site.community.id, wanted=[("coverId", found[1])]
    )
    assert (await site.http.get(told["url"])).status_code == 404


async def test_a_document_is_saved_and_never_shown(site: Site) -> None:
    answer = await site.upload(PDF, "application/pdf", name="会议 纪要.pdf")
    told = answer.json()
    assert (told["name"], told["size"]) == ("会议 纪要.pdf", len(PDF))
    shown = await site.http.get(told["url"])
    assert shown.content == PDF
    assert shown.headers["content-disposition"] == (
        "attachment; filename=\"document.pdf\"; filename*=UTF-8''%E4%BC%9A%E8%AE%AE%20%E7%BA%AA%E8%A6%81.pdf"
    )
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("content_type", "headers", "more", "content", "status", "code"),
    [
        ("image/jpeg", {"apollo-require-preflight": None}, {}, jpeg(), 403, "PREFLIGHT_REQUIRED"),
        ("image/jpeg", {"authorization": None}, {}, jpeg(), 401, "UNAUTHENTICATED"),
        ("image/jpeg", {"authorization": "Bearer stale"}, {}, jpeg(), 401, "UNAUTHENTICATED"),
        ("image/svg+xml", {}, {}, b"<svg/>", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("text/html", {}, {}, b"<html>", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("multipart/form-data; boundary=x", {}, {}, b"--x--", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("image/jpeg", {"content-type": None}, {}, jpeg(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("image/jpeg", {}, {"community": "nonsense"}, jpeg(), 422, "INVALID_INPUT"),
        ("image/jpeg", {}, {}, b"no picture", 422, "INVALID_INPUT"),
        ("application/pdf", {}, {}, jpeg(), 422, "INVALID_INPUT"),
        ("image/png", {}, {}, b"", 422, "INVALID_INPUT"),
    ],
)
async def test_refusals_are_typed(
    site: Site,
    content_type: str,
    headers: dict[str, str | None],
    more: dict[str, str],
    content: bytes,
    status: int,
    code: str,
) -> None:
    answer = await site.upload(content, content_type, headers=headers, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.headers["cache-control"] == "no-store"
    assert not await MediaRow.exists()
    assert not files(site.world)


async def test_another_community_is_not_found(site: Site) -> None:
    other = await site.world.community()
    answer = await site.upload(jpeg(), community=global_id("Community", other.id))
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_messages_are_in_the_language_asked_for(site: Site) -> None:
    chinese = await site.upload(b"x")
    english = await site.upload(b"x", headers={"accept-language": "en"})
    assert chinese.json()["message"] == "图片无法读取"
    assert english.json()["message"] == "Is not a picture that can be read"


async def test_a_body_that_is_too_long_is_cut_off(site: Site) -> None:
    """By what it announces, and by what comes, of which no more is read than it takes."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65536
            yield bytes(65536)

    for content in (bytes(uploads.PICTURE_BYTES + 1), endless()):
        answer = await site.upload(content)
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert sent < uploads.PICTURE_BYTES + 1_000_000
    assert site.endpoint.under_way == 0


async def test_a_body_that_takes_too_long_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield jpeg()
        await asyncio.Event().wait()

    monkeypatch.setattr(serving, "UPLOAD_SECONDS", 0.05)
    answer = await site.upload(stuck())
    assert (answer.status_code, answer.json()["code"]) == (408, "TIMEOUT")


async def test_too_many_at_once_are_told_to_come_back(site: Site) -> None:
    site.endpoint.under_way = serving.AT_ONCE
    answer = await site.upload(jpeg())
    assert (answer.status_code, answer.json()["code"]) == (503, "BUSY")
    assert answer.headers["retry-after"] == "5"


async def test_too_often_is_told_when_to_come_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOADS_AN_HOUR", 1)
    assert (await site.upload(jpeg())).status_code == 201
    answer = await site.upload(jpeg())
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) == answer.json()["retryAfter"] > 0


async def test_a_fault_is_masked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(site.world.services.media, "put", broken)
    answer = await site.upload(jpeg())
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal error", "code": "INTERNAL", "id": "x"}


@pytest.mark.parametrize(
    "path",
    [
        "/media/nonsense",
        "/media/..%2f..%2fetc%2fpasswd?v=full&e=1&s=x",
        f"/media/{'0' * 32}?v=full&e=9999999999&s=x",
        f"/media/{'0' * 32}?v=else&e=9999999999&s=x",
        f"/media/{'0' * 32}?v=full&e=never&s=x",
        f"/media/{'0' * 32}",
    ],
)
async def test_other_addresses_lead_nowhere(site: Site, path: str) -> None:
    answer = await site.http.get(path)
    assert answer.status_code == 404
