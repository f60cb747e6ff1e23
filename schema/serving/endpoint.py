"""GraphQL over HTTP: one operation a request.

POST takes `application/json` and nothing else, which a page of another site cannot send without a CORS
preflight. GET runs queries only, and only where a browser lends the request no authority of its own: without
cookies and not from another site, or with a header that forces a preflight.

Responses come as `application/graphql-response+json` to who asks for it: there a request that was refused
before execution has status 400. As `application/json`, where older clients take anything but 200 for a
failure of the network, only what is no well-formed GraphQL request has another status.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from graphql import ExecutionResult, GraphQLError
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.messages import Message
from schema.serving.allowance import Preparation, purses_of
from schema.serving.documents import BadName, Documents, UnknownDocument, named
from schema.serving.languages import language_of
from schema.serving.observability import REQUEST_ID, new_request_id
from schema.serving.operations import Operation
from schema.serving.results import Refusal, Rejected, encode_bytes
from subscriptions.headers import headers_of

BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 30.0

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"

# What every answer says of itself, as ASGI has it.
_FIELDS: Final = {
    media_type: [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        # What is answered depends on who asks, and a shared cache must not keep it.
        (b"cache-control", b"no-store"),
        (b"vary", b"accept"),
        (b"x-content-type-options", b"nosniff"),
    ]
    for media_type in (GRAPHQL_RESPONSE, JSON)
}

# Browsers send these to another site only after a preflight, which the CORS policy answers.
PREFLIGHTED: Final = ("apollo-require-preflight", "x-requested-with")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class BadRequest(Exception):
    """A request that is no well-formed GraphQL request, with the status and the code to answer."""

    def __init__(
        self,
        message: Message,
        *,
        status: int = 400,
        code: str = "BAD_REQUEST",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.headers = headers or {}


class TooLarge(Exception):
    """A body has more bytes than it may."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a GraphQL request consists of, with each part of its proper type.

    The document comes as its text, `query`, or by its name (schema.serving.documents), or as both.
    """

    query: str | None
    document: str | None
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None

    @classmethod
    def of(cls, body: object) -> Parameters:
        """The parameters in a decoded body. Raises BadRequest."""
        if isinstance(body, list):
            raise BadRequest(
                Message("Send one operation a request; batches are not supported."), code="NO_BATCHES"
            )
        if not isinstance(body, dict):
            raise BadRequest(Message("The body must be a JSON object."))
        try:
            document = named(body)
        except BadName as error:
            raise BadRequest(error.message) from None
        query = body.get("query")
        if not isinstance(query, str) and (query is not None or document is None):
            raise BadRequest(Message("The parameter 'query' must be a string."))
        operation_name = body.get("operationName")
        if operation_name is not None and not isinstance(operation_name, str):
            raise BadRequest(Message("The parameter 'operationName' must be a string."))
        for name in ("variables", "extensions"):
            if body.get(name) is not None and not isinstance(body[name], dict):
                raise BadRequest(Message("The parameter '{name}' must be an object.", name=name))
        return cls(query, document, operation_name, body.get("variables"), body.get("extensions"))


class GraphQLEndpoint:
    """An ASGI application that answers GraphQL requests, for a Starlette Route.

    `context_for` makes the context of one operation; it may raise one of the operations' expected errors, to
    be answered with 401. `account_of` says of a context which account pays for what is prepared, besides the
    client's address (schema.serving.allowance), `cookies_of` which cookies the answer sets. The request's id
    is in `connection.state.request_id`, in every log line, in the response's X-Request-Id, and is the id of
    masked errors.
    """

    def __init__(
        self,
        preparation: Preparation,
        context_for: Callable[[HTTPConnection], Awaitable[Any]],
        documents: Documents | None = None,
        account_of: Callable[[Any], Hashable | None] = lambda _context: None,
        cookies_of: Callable[[Any], Iterable[str]] = lambda _context: (),
    ) -> None:
        self.preparation = preparation
        self.operations = preparation.operations
        self.context_for = context_for
        self.account_of = account_of
        self.cookies_of = cookies_of
        self.documents = documents or Documents()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        given = headers_of(request.scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        request.state.request_id = request_id
        given_before = REQUEST_ID.set(request_id)
        try:
            response = await self.respond(request)
        except ClientDisconnect:
            return
        finally:
            REQUEST_ID.reset(given_before)
        response.raw_headers.append((b"x-request-id", request_id.encode()))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The response to a request. Never raises but for disconnection and cancellation."""
        headers = headers_of(request.scope)
        media_type, language = accepted(headers), language_of(headers.get("accept-language"))
        if media_type is None:
            message = Message("Responses are {this} or {that}.", this=GRAPHQL_RESPONSE, that=JSON)
            return _malformed(BadRequest(message, status=406, code="NOT_ACCEPTABLE"), JSON, language)
        try:
            return await self._answer(request, media_type, language)
        except BadRequest as error:
            return _malformed(error, media_type, language)
        except Rejected as rejected:
            status = _status(rejected.status, media_type)
            return _response(rejected.result, media_type, language, status, rejected.headers)
        except UnknownDocument as unknown:
            return _response(Refusal([unknown.error]), media_type, language, _status(400, media_type))
        except ClientDisconnect:
            raise
        except Exception as error:
            return _response(Refusal([self.operations.masked(error)]), media_type, language, 500)

    async def _answer(self, request: Request, media_type: str, language: str) -> Response:
        if request.method == "POST":
            parameters = await posted(request)
        elif request.method == "GET":
            parameters = queried(request)
        else:
            raise _not_allowed(Message("Use POST, or GET for queries."), "GET, POST")
        try:
            context = await self.context_for(request)
        except self.operations.expected as error:
            shown = self.operations.domain_error(error)
            extensions = {**((shown and shown.extensions) or {}), "code": "UNAUTHENTICATED"}
            message = shown.message if shown else "Unauthenticated"
            refusal = Refusal([GraphQLError(message, extensions=extensions)])
            return _response(refusal, media_type, language, 401, {"www-authenticate": "Bearer"})
        text = self.documents.text(parameters.query, parameters.document)
        purses = purses_of(request.client.host if request.client else "", self.account_of(context))
        operation = await self.preparation.operation(text, parameters.operation_name, purses)
        _check_kind(operation, request.method)
        result = await self.operations.execute(operation, parameters.variables, context)
        status = _status(400, media_type) if isinstance(result, Refusal) else 200
        response = _response(result, media_type, language, status)
        for cookie in self.cookies_of(context):
            response.headers.append("set-cookie", cookie)
        return response


async def posted(request: Request) -> Parameters:
    """The parameters of a POST request. Raises BadRequest."""
    _check_content(headers_of(request.scope))
    try:
        body = await body_of(request, BODY_BYTES, BODY_SECONDS)
    except TooLarge:
        message = Message("The body is larger than {most} bytes.", most=BODY_BYTES)
        raise BadRequest(message, status=413, code="BODY_TOO_LARGE") from None
    except TimeoutError:
        raise BadRequest(Message("The body took too long to arrive."), status=408, code="TIMEOUT") from None
    return Parameters.of(_json(body, Message("The body must be well-formed JSON in UTF-8.")))


async def body_of(request: Request, most: int, seconds: float) -> bytes:
    """The body. As soon as it has more than `most` bytes raises TooLarge, after `seconds` TimeoutError."""
    announced = headers_of(request.scope).get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise TooLarge
    body = bytearray()
    async with asyncio.timeout(seconds):
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise TooLarge
    return bytes(body)


def queried(request: Request) -> Parameters:
    """The parameters of a GET request that no other site can have forged. Raises BadRequest."""
    headers = headers_of(request.scope)
    if not any(headers.get(name) for name in PREFLIGHTED) and _may_be_forged(headers):
        raise BadRequest(
            Message(
                "Send GET requests from a browser with the header 'apollo-require-preflight', or use POST."
            ),
            status=403,
            code="PREFLIGHT_REQUIRED",
        )
    body: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in body:
            message = Message("The parameter '{name}' must be well-formed JSON in UTF-8.", name=name)
            body[name] = _json(body[name].encode(errors="replace"), message)
    return Parameters.of(body)


def accepted(headers: Mapping[str, str]) -> str | None:
    """The media type to answer in, by the Accept header; None if it takes neither."""
    header = headers.get("accept", "").strip()
    return _chosen(header) if header else JSON


# What clients send hardly differs.


@lru_cache(maxsize=100)
def _chosen(header: str) -> str | None:
    best: tuple[float, int] = (0.0, 0)
    chosen: str | None = None
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _quality(parameters)
        if name == GRAPHQL_RESPONSE:
            media_type, exactness = GRAPHQL_RESPONSE, 2
        elif name in (JSON, "application/*", "*/*"):
            media_type, exactness = JSON, 1
        else:
            continue
        if quality > 0 and (quality, exactness) > best:
            best, chosen = (quality, exactness), media_type
    return chosen


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _check_content(headers: Mapping[str, str]) -> None:
    if not _is_json(headers.get("content-type", "")):
        raise BadRequest(
            Message("The body must be application/json in UTF-8."), status=415, code="UNSUPPORTED_MEDIA_TYPE"
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(
            Message("The body must not be compressed."), status=415, code="UNSUPPORTED_MEDIA_TYPE"
        )


@lru_cache(maxsize=100)
def _is_json(content_type: str) -> bool:
    media_type, *parameters = (piece.strip() for piece in content_type.lower().split(";"))
    charsets = [parameter[8:].strip('"') for parameter in parameters if parameter.startswith("charset=")]
    return media_type == JSON and all(charset in ("utf-8", "utf8") for charset in charsets)


def _may_be_forged(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site could have made a browser send this, with the browser's authority."""
    # No browser adds a bearer token by itself, and a page of another site may add one only after a preflight.
    bearer = headers.get("authorization", "").lower().startswith("bearer ")
    if headers.get("sec-fetch-site") == "same-origin" or (bearer and "cookie" not in headers):
        return False
    return (
        "cookie" in headers
        or "origin" in headers
        or "authorization" in headers
        or headers.get("sec-fetch-site", "none") != "none"
    )


def _check_kind(operation: Operation, method: str) -> None:
    if operation.kind == "subscription":
        raise BadRequest(
            Message("Subscriptions are served over WebSocket (graphql-transport-ws), not over this path."),
            code="SUBSCRIPTION_NEEDS_WEBSOCKET",
        )
    if operation.kind == "mutation" and method == "GET":
        raise _not_allowed(Message("Mutations need POST."), "POST")


def _json(text: bytes, message: Message) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(message) from None
    return value


def _not_allowed(message: Message, allow: str) -> BadRequest:
    return BadRequest(message, status=405, code="METHOD_NOT_ALLOWED", headers={"allow": allow})


def _malformed(error: BadRequest, media_type: str, language: str) -> Response:
    refusal = Refusal([GraphQLError(error.message, extensions={"code": error.code})])
    return _response(refusal, media_type, language, error.status, error.headers)


def _status(refused: int, media_type: str) -> int:
    """The status of a well-formed request that was refused before execution."""
    return refused if media_type == GRAPHQL_RESPONSE else 200


def _response(
    result: ExecutionResult,
    media_type: str,
    language: str,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> Response:
    response = Response(encode_bytes(result, language), status, headers)
    response.raw_headers += _FIELDS[media_type]
    return response
