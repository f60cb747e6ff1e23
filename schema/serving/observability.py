"""What the server tells its operators: structured logs and Prometheus metrics.

Neither holds personal data. A log line carries names, counts, codes and ids; tracebacks are printed without
the messages of their exceptions in production, since a database puts the offending row into its message. The
name of an operation is chosen by the client, therefore it is a field of a log line but never a label of a
metric.
"""

from __future__ import annotations

import contextlib
import logging
import random
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.responses import Response

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

OPERATIONS: Final = Counter(
    "linli_operations_total",
    "Operations by kind (query, mutation, subscription, event, unknown) and outcome"
    " (ok, failed: with a domain error, refused: before execution, internal: with an unexpected error).",
    ("kind", "outcome"),
)
SECONDS: Final = Histogram(
    "linli_operation_seconds",
    "Time to execute an operation, or to execute a subscription's operation for one event.",
    ("kind",),
    buckets=_BUCKETS,
)

REFERENCE: Final = Counter(
    "linli_reference_executions_total",
    "Operations and events that graphql-core executed instead of a compiled plan, by reason.",
    ("reason",),
)


def observe(kind: str, outcome: str, seconds: float | None = None) -> None:
    """Count one operation and, when it was executed, its time."""
    _counter(kind, outcome).inc()
    if seconds is not None:
        _clock(kind).observe(seconds)


# Finding the one with these labels costs more than counting.


@cache
def _counter(kind: str, outcome: str) -> Counter:
    return OPERATIONS.labels(kind, outcome)


@cache
def _clock(kind: str) -> Histogram:
    return SECONDS.labels(kind)


def metrics_response() -> Response:
    """All metrics of this process, in Prometheus' text format."""
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


# The id of the request that is being served, or of the operation over a WebSocket.
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)


def new_request_id() -> str:
    """An id that no other request has. It is no secret, so the system is not asked for it each time."""
    return f"{random.getrandbits(128):032x}"


def with_request_id(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if (id_ := REQUEST_ID.get()) is not None:
        event["request_id"] = id_
    return event


def with_moment(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """When it happened, which `_json` writes in a tenth of the time that making a text of it here takes."""
    event["timestamp"] = datetime.now(UTC)
    return event


def configure_logging(*, production: bool) -> None:
    """Send all logs, also those of libraries, to standard output: as JSON lines in production."""
    shared: list[structlog.typing.Processor] = [
        with_request_id,
        structlog.processors.add_log_level,
        with_moment if production else structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = (
        [print_traceback, _json]
        if production
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            _encoded,
        ]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.add_logger_name,
                *([first_line] if production else []),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering, _decoded],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # Both would tell every client's address; operations have their own line.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # Would tell the SMS gateway's address with every message.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def first_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what a library says, and not what it shows.

    asyncio shows the failed task with its exception, uvicorn a whole traceback, each with the messages that
    `print_traceback` leaves out.
    """
    said = event.get("event")
    if isinstance(said, str):
        event["event"] = "Traceback" if said.startswith("Traceback ") else said.partition("\n")[0]
    return event


def print_traceback(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace `exc_info` by frames and exception types, without messages and without local variables."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else None
    if info is True or isinstance(info, tuple):
        error = sys.exc_info()[1] if info is True else info[1]
    if error is not None:
        event["exception"] = "".join(_frames(error))
    return event


def _frames(error: BaseException) -> Iterator[str]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and all(link is not known for known in chain):
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for number, link in enumerate(reversed(chain)):
        if number:
            yield "then:\n"
        with contextlib.suppress(RecursionError):
            yield from traceback.format_tb(link.__traceback__)
        yield f"{type(link).__module__}.{type(link).__qualname__}\n"
        if isinstance(link, BaseExceptionGroup):
            for inner in link.exceptions:
                yield from _frames(inner)


def _json(_logger: Any, _method: str, event: Any) -> bytes:
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z)


def _encoded(_logger: Any, _method: str, line: Any) -> bytes:
    text: str = line
    return text.encode(errors="backslashreplace")


def _decoded(_logger: Any, _method: str, line: Any) -> str:
    data: bytes = line
    return data.decode()
