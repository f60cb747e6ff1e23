"""Light rows read by explicit SQL, the same on SQLite and PostgreSQL.

Pages of a feed are read as slotted dataclasses from one statement, not as ORM instances: that is
several times cheaper. This module is the one place that knows how the two databases differ when
read.
"""

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Where:
    """A condition with its parameters, to be joined to others and never formatted with values.

    A ``?`` takes one parameter; a collection fills it with one placeholder per item.
    """

    text: str
    params: tuple[Any, ...] = ()

    def __and__(self, other: "Where") -> "Where":
        return Where(f"({self.text}) AND ({other.text})", (*self.params, *other.params))

    def __or__(self, other: "Where") -> "Where":
        return Where(f"({self.text}) OR ({other.text})", (*self.params, *other.params))


EVERYTHING = Where("1 = 1")
NOTHING = Where("1 = 0")


def containing(column: str, text: str) -> Where:
    """The rows whose `column` holds `text`."""
    pattern = re.sub(r"([%_\\])", r"\\\1", text[:80])
    return Where(f"{column} LIKE ? ESCAPE '\\'", (f"%{pattern}%",))


def connection() -> BaseDBAsyncClient:
    """The open transaction's connection, or the process's."""
    return get_connection("default")


def dialect() -> str:
    """``sqlite`` or ``postgres``."""
    return connection().capabilities.dialect


async def select(row: type[R], statement: str, *params: Any) -> list[R]:
    """Run `statement` and build one `row` from each result, by column name."""
    db = connection()
    text, values = bind(db.capabilities.dialect, statement, params)
    build: Callable[[dict[str, Any]], R] = builder(row, db.capabilities.dialect)  # type: ignore[arg-type]
    return [build(record) for record in await db.execute_query_dict(text, values)]


async def select_one(row: type[R], statement: str, *params: Any) -> R | None:
    """The first of `select`, or None."""
    found = await select(row, statement, *params)
    return found[0] if found else None


async def execute(statement: str, *params: Any) -> list[dict[str, Any]]:
    """Run a statement that writes; the rows of its RETURNING clause, as the driver gives them."""
    db = connection()
    text, values = bind(db.capabilities.dialect, statement, params)
    return await db.execute_query_dict(text, values)


def columns(row: type, alias: str = "t") -> str:
    """The select list for a row type whose fields are columns of `alias`."""
    return ", ".join(f"{alias}.{field.name}" for field in dataclasses.fields(row))


def bind(dialect: str, statement: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
    """Number and expand the placeholders of `statement`.

    Raises ValueError when placeholders and parameters do not match in number.
    """
    pieces = statement.split("?")
    if len(pieces) != len(params) + 1:
        raise ValueError(f"{len(pieces) - 1} placeholders for {len(params)} parameters")
    text = [pieces[0]]
    values: list[Any] = []
    for param, piece in zip(params, pieces[1:], strict=True):
        items = list(param) if isinstance(param, (list, tuple, set, frozenset)) else [param]
        marks = []
        for item in items:
            values.append(item.value if isinstance(item, Enum) else item)
            marks.append(f"${len(values)}" if dialect == "postgres" else "?")
        # An empty list matches nothing, as NULL does.
        text += [", ".join(marks) or "NULL", piece]
    return "".join(text), values


@functools.cache
def builder(row: type[R], dialect: str) -> Callable[[dict[str, Any]], R]:
    converters = [
        (field.name, converter(hint, dialect))
        for field, hint in zip(
            dataclasses.fields(row),  # type: ignore[arg-type]
            resolved_hints(row),
            strict=True,
        )
    ]

    def build(record: dict[str, Any]) -> R:
        return row(
            *[
                value if (value := record[name]) is None or convert is None else convert(value)
                for name, convert in converters
            ]
        )

    return build


def resolved_hints(row: type) -> Iterable[Any]:
    hints = typing.get_type_hints(row)
    return [hints[field.name] for field in dataclasses.fields(row)]


def converter(hint: Any, dialect: str) -> Callable[[Any], Any] | None:
    if isinstance(hint, types.UnionType):
        (hint,) = [option for option in typing.get_args(hint) if option is not types.NoneType]
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, Enum):
        return origin
    if origin in (dict, list):
        return json.loads
    if dialect == "sqlite":
        return SQLITE_CONVERTERS.get(origin)
    return None


def utc_from_text(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


SQLITE_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    UUID: UUID,
    datetime: utc_from_text,
    date: date.fromisoformat,
    bool: bool,
}
