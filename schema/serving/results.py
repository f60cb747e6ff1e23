"""What comes of operations: results, refusals, their JSON, and errors as clients may see them.

Whatever goes wrong comes out as a GraphQL error with `extensions.code`:

    GRAPHQL_PARSE_FAILED           the text is no GraphQL document
    GRAPHQL_VALIDATION_FAILED      the document does not fit the schema
    TOO_COMPLEX                    it asks for more than `Limits` allow
    OPERATION_RESOLUTION_FAILED    it is not clear which of its operations is meant
    BAD_USER_INPUT                 the variables or arguments do not fit
    (the code of a domain error)   the resolver refused, and the client may know
    INTERNAL                       a fault of ours, masked; `extensions.id` is in the log
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError

from models.messages import ENGLISH, Message, in_language
from schema.serving import observability

PARSE_FAILED: Final = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED: Final = "GRAPHQL_VALIDATION_FAILED"
UNRESOLVED: Final = "OPERATION_RESOLUTION_FAILED"
BAD_USER_INPUT: Final = "BAD_USER_INPUT"
INTERNAL: Final = "INTERNAL"

log = structlog.get_logger("linli.operations")


class Refusal(ExecutionResult):
    """The result of a request that was refused before anything was executed: errors, and no `data` entry."""

    __slots__ = ()

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        super().__init__(None, list(errors))


class Rejected(Exception):
    """No operation could be made of the request. `status` and `headers` are what fits over HTTP."""

    def __init__(
        self,
        errors: Iterable[GraphQLError],
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.errors = list(errors)
        self.status = status
        self.headers = headers
        super().__init__("; ".join(error.message for error in self.errors))

    @property
    def result(self) -> Refusal:
        return Refusal(self.errors)


def encode(result: ExecutionResult, language: str = ENGLISH) -> str:
    """The JSON text of a result. A refused request has no `data` entry. Never raises."""
    return encode_bytes(result, language).decode()


def encode_bytes(result: ExecutionResult, language: str) -> bytes:
    """The same, in UTF-8."""
    body: dict[str, Any] = {}
    if not isinstance(result, Refusal):
        body["data"] = result.data
    if result.errors:
        body["errors"] = formatted(result.errors, language)
    if result.extensions:
        body["extensions"] = result.extensions
    try:
        return orjson.dumps(body)
    except TypeError:
        # A lone surrogate, or a scalar that is serialized to something JSON does not have.
        id_ = observability.REQUEST_ID.get() or observability.new_request_id()
        log.exception("internal_error", id=id_, path="")
        masked = {
            "message": Message("Internal error").in_language(language),
            "extensions": {"code": INTERNAL, "id": id_},
        }
        return orjson.dumps({"errors": [masked]} | ({} if isinstance(result, Refusal) else {"data": None}))


def formatted(errors: Iterable[GraphQLError], language: str) -> list[dict[str, Any]]:
    """The errors as clients get them, with the messages that are ours in `language`."""
    return [in_language(error.formatted, language) for error in errors]


# Errors


def counted(rejected: Rejected) -> Rejected:
    observability.observe("unknown", "refused")
    return rejected


def error_of(message: Message, code: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """The error with a code, unless it has one, and without the exceptions and frames it came from."""
    return GraphQLError(
        error.message,
        error.nodes,
        error.source,
        error.positions,
        error.path,
        extensions={"code": code, **(error.extensions or {})},
    )


def located(at: GraphQLError | None, message: str, extensions: dict[str, Any]) -> GraphQLError:
    if at is None:
        return GraphQLError(message, extensions=extensions)
    return GraphQLError(message, at.nodes, at.source, at.positions, at.path, extensions=extensions)


def origin_of(error: GraphQLError) -> Exception:
    """What was raised in the first place."""
    origin: Exception = error
    while isinstance(origin, GraphQLError) and origin.original_error is not None:
        origin = origin.original_error
    return origin


def is_meant_for_clients(origin: GraphQLError) -> bool:
    # Errors about arguments know their place in the document, and resolvers give theirs a code. What has
    # neither comes from serializing a value, whose message would show the value.
    return bool(origin.nodes) or "code" in (origin.extensions or {})


_INVALID: Final = re.compile(r"Variable '\$(\w+)' has invalid value(.*?): (.*)", re.DOTALL)
_REASON: Final = re.compile(
    r"Expected (?:a )?value of (?:non-null )?type '[^']+'"
    r"(?: to be provided| not to be None| to be an object| to include required field '\w+'"
    r"| not to include unknown field '[A-Za-z_]\w{0,63}'(?=,))?"
    r"|(?:Int|Float|String|Boolean|ID) cannot represent [a-z0-9 -]+(?=[:.]|$)",
    re.ASCII,
)
_ENUM: Final = re.compile(r"in '(\w+)' enum\.?$")


def without_value(error: GraphQLError) -> GraphQLError:
    """An error about the variables, rid of the values that they were given: they may be personal."""
    match = _INVALID.fullmatch(error.message)
    message = error.message
    if match is not None:
        name, path, said = match.groups()
        known = _REASON.match(said)
        enum = _ENUM.search(said)
        if known is not None:
            reason = known.group().replace("not to be None", "not to be null")
        elif enum is not None:
            reason = f"Expected a value of the enum '{enum.group(1)}'"
        else:
            reason = "The value is not valid for its type"
        message = f"Variable '${name}' has invalid value{path}: {reason}."
    return GraphQLError(message, error.nodes, extensions={"code": BAD_USER_INPUT})
