"""Uploads, and the files that signed addresses lead to.

`POST /media?community=…` takes one file as its body, by a member of that community. It takes a bearer token
and a header that no page of another site can send without a CORS preflight. What comes in is measured while
it comes. `GET /media/…` asks for no token: the query that gave the address has asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from models.base import now
from models.media import MediaKind, MediaRow
from models.messages import Message, in_language
from models.storage.settled import settled
from resolvers.context import Context, Services
from resolvers.errors import DomainError, InvalidInput, RateLimited
from resolvers.media import uploads
from resolvers.media.links import Variant, link
from resolvers.media.uploads import DOCUMENT_BYTES, DOCUMENT_TYPE, PICTURE_BYTES, PICTURE_TYPES
from schema.media.files import reference_of, type_name
from schema.node import global_id, key_of
from schema.serving.endpoint import PREFLIGHTED, BadRequest, TooLarge, body_of
from schema.serving.languages import language_of
from subscriptions.headers import headers_of

UPLOAD_SECONDS: Final = 60.0
# Uploads under way in a process; each is in memory.
AT_ONCE: Final = 16

STATUS: Final = {
    "UNAUTHENTICATED": 401,
    "NOT_ALLOWED": 403,
    "NOT_FOUND": 404,
    "INVALID_INPUT": 422,
    "RATE_LIMITED": 429,
}
# A file is never a page, whatever is in it.
GUARDS: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
}


class MediaEndpoint:
    """Two routes. `context_for` makes the context of a request; `masked` words faults of ours."""

    def __init__(
        self,
        services: Services,
        context_for: Callable[[HTTPConnection], Awaitable[Context]],
        masked: Callable[[Exception], GraphQLError],
    ) -> None:
        self.services = services
        self.context_for = context_for
        self.masked = masked
        self.under_way = 0

    async def upload(self, request: Request) -> Response:
        language = language_of(headers_of(request.scope).get("accept-language"))
        try:
            return await self._taken(request)
        except BadRequest as error:
            told = {"code": error.code, "message": error.message.in_language(language)}
            return refusal(error.status, told, **error.headers)
        except DomainError as error:
            return domain_refusal(error, language)
        except ClientDisconnect:
            # Nobody is there to read it.
            return Response(status_code=400)
        except Exception as error:
            hidden = self.masked(error)
            return refusal(500, {"message": hidden.message, **(hidden.extensions or {})})

    async def _taken(self, request: Request) -> Response:
        if not any(headers_of(request.scope).get(name) for name in PREFLIGHTED):
            raise BadRequest(
                Message("Send uploads with the header 'apollo-require-preflight'"),
                status=403,
                code="PREFLIGHT_REQUIRED",
            )
        content_type = headers_of(request.scope).get("content-type", "").partition(";")[0].strip().lower()
        most = {DOCUMENT_TYPE: DOCUMENT_BYTES, **dict.fromkeys(PICTURE_TYPES, PICTURE_BYTES)}.get(
            content_type
        )
        if most is None:
            raise BadRequest(
                Message("The body must be a picture (JPEG, PNG, WebP) or a PDF document"),
                status=415,
                code="UNSUPPORTED_MEDIA_TYPE",
            )
        context = await self.context_for(request)
        community_id = key_of("community", request.query_params.get("community", ""), "Community")
        await uploads.may_upload(context, community_id=community_id)
        if self.under_way >= AT_ONCE:
            raise BadRequest(
                Message("Too many uploads at once; try again"),
                status=503,
                code="BUSY",
                headers={"retry-after": "5"},
            )
        self.under_way += 1
        try:
            data = await _file(request, most)
            row = await settled(
                uploads.keep(
                    context,
                    community_id=community_id,
                    content_type=content_type,
                    data=data,
                    name=request.query_params.get("name", ""),
                )
            )
        finally:
            self.under_way -= 1
        return JSONResponse(self._told(row), 201, {"cache-control": "no-store"})

    def _told(self, row: MediaRow) -> dict[str, Any]:
        """What a client needs to show the upload, and to name it in a mutation."""
        told = {
            "id": global_id(type_name(row), row.id),
            "url": link(self.services.tokens, row.id, row.subject_id),
        }
        if row.kind is MediaKind.DOCUMENT:
            return {**told, "name": row.name, "size": row.size}
        return {
            **told,
            "thumbnailUrl": link(self.services.tokens, row.id, row.subject_id, Variant.THUMBNAIL),
            "reference": reference_of(row),
            "width": row.width,
            "height": row.height,
        }

    async def show(self, request: Request) -> Response:
        """The file, if the address holds; else nothing is said of why not."""
        found = None
        query = request.query_params
        try:
            expires = int(query.get("e", "")[:12])
            found = await uploads.file_of_link(
                self.services,
                media_id=UUID(request.path_params["id"]),
                variant=Variant(query.get("v", "")),
                expires=expires,
                signed=query.get("s", ""),
            )
        except ValueError:
            expires = 0
        if found is None:
            return Response(status_code=404, headers={"cache-control": "no-store", **GUARDS})
        row, data = found
        # A thumbnail is encoded as the picture is.
        return Response(
            data,
            media_type=row.content_type,
            headers={
                "cache-control": f"private, max-age={max(0, expires - int(now().timestamp()))}",
                "content-disposition": disposition(row),
                **GUARDS,
            },
        )


def disposition(row: MediaRow) -> str:
    if row.kind is MediaKind.PICTURE:
        return "inline"
    return f"attachment; filename=\"document.pdf\"; filename*=UTF-8''{quote(row.name, safe='')}"


async def _file(request: Request, most: int) -> bytes:
    """What is uploaded. Raises BadRequest as soon as it is too long, or has taken too long."""
    try:
        return await body_of(request, most, UPLOAD_SECONDS)
    except TooLarge:
        raise BadRequest(
            Message("The file is larger than {most} bytes", most=most), status=413, code="BODY_TOO_LARGE"
        ) from None
    except TimeoutError:
        raise BadRequest(Message("The body took too long to arrive"), status=408, code="TIMEOUT") from None


def domain_refusal(error: DomainError, language: str) -> Response:
    told = in_language({"code": error.code, "message": error.message, **error.extensions()}, language)
    headers = {}
    if isinstance(error, RateLimited):
        headers["retry-after"] = str(error.retry_after)
    elif isinstance(error, InvalidInput):
        told["message"] = next(iter(told["fields"].values()), told["message"])
    elif error.code == "UNAUTHENTICATED":
        headers["www-authenticate"] = "Bearer"
    return refusal(STATUS.get(error.code, 400), told, **headers)


def refusal(status: int, told: dict[str, Any], **headers: str) -> Response:
    return JSONResponse(told, status, {"cache-control": "no-store", **headers})
