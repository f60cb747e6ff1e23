"""Light rows read by explicit SQL, the same on SQLite and PostgreSQL.

The rows of a page are filled by generated code from one statement, and not by the ORM: that is several
times cheaper. This module is the one place that knows how the two databases differ when read.
"""

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from itertools import pairwise
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

import orjson
from asyncpg.pgproto import pgproto
from tortoise.backends.base.client import Capabilities
from tortoise.context import require_context

from models.remembered import Remembered

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


class Database(Protocol):
    """What both clients, and their transactions, offer."""

    capabilities: Capabilities

    async def fetch(
        self, text: str, values: Sequence[Any]
    ) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """The names of the columns, and the rows in their order."""

    async def execute_many(self, query: str, values: list[list[Any]]) -> None: ...


def containing(column: str, text: str) -> Where:
    """The rows whose `column` holds `text`."""
    pattern = re.sub(r"([%_\\])", r"\\\1", text[:80])
    return Where(f"{column} LIKE ? ESCAPE '\\'", (f"%{pattern}%",))


def connection() -> Database:
    """The open transaction's connection, or the process's."""
    return cast(Database, require_context().connections.get("default"))


def dialect() -> str:
    """``sqlite`` or ``postgres``."""
    return connection().capabilities.dialect


async def select(row: type[R], statement: str, *params: Any) -> list[R]:
    """Run `statement` and build one `row` from each result, by column name."""
    db = connection()
    template = template_of(db.capabilities.dialect, statement)
    names, records = await db.fetch(*template.bind(params))
    if not records:
        return []
    build: Callable[[Iterable[Any]], list[R]] | None = template.builders.get(row)
    if build is None:
        # A class can be hashed, as `builder` needs it; of a class of R the type checker does not know that.
        build = template.builders[row] = builder(row, template.dialect, names)  # type: ignore[arg-type]
    return build(records)


async def select_one(row: type[R], statement: str, *params: Any) -> R | None:
    """The first of `select`, or None."""
    found = await select(row, statement, *params)
    return found[0] if found else None


async def select_ids(statement: str, *params: Any) -> list[UUID]:
    """The ids in the one column that `statement` selects, or that it returns of the rows that it changes."""
    db = connection()
    _, records = await db.fetch(*bind(db.capabilities.dialect, statement, params))
    return [id if isinstance(id, UUID) else IDS_BY_TEXT[id] for (id,) in records]


async def execute(statement: str, *params: Any) -> list[dict[str, Any]]:
    """Run a statement that writes; the rows of its RETURNING clause, as the driver gives them."""
    db = connection()
    names, records = await db.fetch(*bind(db.capabilities.dialect, statement, params))
    return [dict(zip(names, record, strict=True)) for record in records]


def columns(row: type, alias: str = "t") -> str:
    """The select list for a row type whose fields are columns of `alias`."""
    return _columns(cast(Hashable, row), alias)


@functools.cache
def _columns(row: Any, alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in names_of(row))


def names_of(row: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(row))


def bind(dialect: str, statement: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
    """The text of `statement` for a database, and the values of its placeholders.

    Raises ValueError when placeholders and parameters do not match in number.
    """
    return template_of(dialect, statement).bind(params)


def template_of(dialect: str, statement: str) -> "Template":
    return TEMPLATES[dialect, statement]


class Template:
    """A statement taken apart at its placeholders.

    Collections of different sizes should not make different texts, each of which the database would
    have to prepare: PostgreSQL takes a whole collection as one array, SQLite a long list of ids as one
    JSON text, and any other filled up to a power of two.
    """

    __slots__ = ("builders", "dialect", "lists", "pieces", "simple", "single", "texts")

    def __init__(self, dialect: str, statement: str) -> None:
        self.dialect = dialect
        self.pieces = statement.split("?")
        # Where a placeholder is all of an IN's list, or a whole array.
        self.lists = [
            (before.endswith(" IN (") and not before.endswith(" NOT IN (") and after.startswith(")"))
            or (before.endswith("CAST(") and after.startswith(" AS uuid[])"))
            for before, after in pairwise(self.pieces)
        ]
        # What the driver takes as it is.
        self.simple = SIMPLE if dialect == "sqlite" else SIMPLE | IDS | {datetime}
        self.single = (-1,) * len(self.lists)
        self.texts: Remembered[tuple[int, ...], str] = Remembered(self.text, MOST_TEXTS)
        # What makes rows of a type of the statement's results.
        self.builders: dict[type, Callable[[Iterable[Any]], list[Any]]] = {}

    def bind(self, params: Sequence[Any]) -> tuple[str, list[Any]]:
        if len(params) != len(self.lists):
            raise ValueError(f"{len(self.lists)} placeholders for {len(params)} parameters")
        if not COLLECTIONS.isdisjoint(map(type, params)):
            return self._bind_collections(params)
        simple, plain = self.simple, self.plain
        values = [value if type(value) in simple else plain(value) for value in params]
        return self.texts[self.single], values

    def _bind_collections(self, params: Sequence[Any]) -> tuple[str, list[Any]]:
        values: list[Any] = []
        # Of each placeholder the number of values, or -1 for a single one, or that they are one text.
        shape: list[int] = []
        # What the same collection comes to in another place.
        known: dict[tuple[int, bool], tuple[int, list[Any]]] = {}
        for param, listed in zip(params, self.lists, strict=True):
            if type(param) not in COLLECTIONS:
                values.append(self.plain(param))
                shape.append(-1)
                continue
            key = id(param), listed
            bound = known.get(key)
            if bound is None:
                bound = known[key] = self._bind_collection(param, listed=listed)
            shape.append(bound[0])
            values += bound[1]
        return self.texts[tuple(shape)], values

    def _bind_collection(self, param: Collection[Any], *, listed: bool) -> tuple[int, list[Any]]:
        """How many values there are for the database, or that they are one text; and the values."""
        simple, plain = self.simple, self.plain
        kinds = set(map(type, param))
        if kinds <= simple:
            items = list(param)
        elif kinds <= IDS:
            items = list(map(TEXTS_BY_ID.__getitem__, param))
            if listed and len(items) > MOST_MARKED:
                return AS_JSON, [orjson.dumps(items).decode()]
        else:
            items = [value if type(value) in simple else plain(value) for value in param]
        if listed and self.dialect == "postgres":
            return 1, [items]
        if listed and 0 < len(items) <= MOST_FILLED:
            items += items[-1:] * ((1 << (len(items) - 1).bit_length()) - len(items))
        return len(items), items

    def plain(self, value: Any) -> Any:
        """The value as the database's driver takes it."""
        kind = type(value)
        if self.dialect == "sqlite":
            if kind in IDS:
                return str(value)
            if kind is datetime:
                return text_of(value)
        return value.value if isinstance(value, Enum) else value

    def text(self, shape: Sequence[int]) -> str:
        text = self.pieces[0]
        number = 0
        for size, listed, piece in zip(shape, self.lists, self.pieces[1:], strict=True):
            if size >= 0 and listed and self.dialect == "postgres":
                number += 1
                # A collection stands after IN, where = ANY takes it, or where an array is asked for.
                text = f"{text[:-4]}= ANY(" if text.endswith("IN (") else text
                text += f"${number}{piece}"
                continue
            if size == AS_JSON:
                text += f"SELECT value FROM json_each(?){piece}"
                continue
            marks = []
            for _ in range(abs(size)):
                number += 1
                marks.append(f"${number}" if self.dialect == "postgres" else "?")
            # An empty list matches nothing, as NULL does.
            text += (", ".join(marks) or "NULL") + piece
        return text


MOST_TEMPLATES = 2_000
TEMPLATES: Remembered[tuple[str, str], Template] = Remembered(lambda key: Template(*key), MOST_TEMPLATES)
# Of one statement, for collections of different sizes.
MOST_TEXTS = 1_000
MOST_FILLED = 1_024
# Of ids with a placeholder each. Binding more of them takes longer than having SQLite read them.
MOST_MARKED = 16
AS_JSON = -2
MOST_IDS = 50_000
SIMPLE: frozenset[type] = frozenset({str, int, bool, float, bytes, types.NoneType})
IDS: frozenset[type] = frozenset({UUID, pgproto.UUID})
COLLECTIONS: frozenset[type] = frozenset({list, tuple, set, frozenset})


@functools.cache
def builder(row: Any, dialect: str, names: tuple[str, ...]) -> Callable[[Iterable[Any]], list[Any]]:
    """Makes rows of records with these columns, by a function written for the type: without a loop over its
    fields, and where it can be without calling the constructor, which takes longer than what it does.
    """
    scope: dict[str, Any] = {"row": row, "new": object.__new__}
    values = {}
    hints = typing.get_type_hints(row)
    for name in names_of(row):
        value = f"c{names.index(name)}"
        convert = converter(hints[name], dialect)
        if convert is not None:
            scope[f"to_{name}"] = convert
            made = f"to_{name}({value})"
            value = f"None if {value} is None else {made}" if optional(hints[name]) else made
        values[name] = value
    values |= getattr(row, "as_read", {})
    fixed = getattr(row, "__dataclass_params__", None)
    if (fixed and fixed.frozen) or hasattr(row, "__post_init__"):
        lines = [f"made = row({', '.join(values.values())})"]
    else:
        lines = ["made = new(row)", *(f"made.{name} = {value}" for name, value in values.items())]
    taken = "".join(f"c{number}, " for number in range(len(names)))
    source = "\n".join(
        [
            "def build(records):",
            " rows = []",
            f" for {taken} in records:",
            *(f"  {line}" for line in lines),
            "  rows.append(made)",
            " return rows",
        ]
    )
    # Of the names of fields only.
    exec(source, scope)  # noqa: S102
    build: Callable[[Iterable[Any]], list[Any]] = scope["build"]
    return build


def optional(hint: Any) -> bool:
    return isinstance(hint, types.UnionType)


def is_document(hint: Any) -> bool:
    """Whether values of this type are kept as JSON."""
    return origin_of(hint) in (dict, list)


def origin_of(hint: Any) -> Any:
    if optional(hint):
        (hint,) = [option for option in typing.get_args(hint) if option is not types.NoneType]
    return typing.get_origin(hint) or hint


def converter(hint: Any, dialect: str) -> Callable[[Any], Any] | None:
    origin = origin_of(hint)
    if isinstance(origin, type) and issubclass(origin, Enum):
        # What calling the type does, without its detours.
        return origin._value2member_map_.__getitem__
    if is_document(origin):
        return orjson.loads
    if dialect == "sqlite":
        return SQLITE_CONVERTERS.get(origin)
    return None


def text_of(moment: datetime) -> str:
    """As SQLite keeps it. Moments are compared as text, which is right only if all are in one zone."""
    if moment.tzinfo is UTC:
        # What isoformat(" ") makes, in a third of the time.
        return orjson.dumps(moment)[1:-1].decode().replace("T", " ", 1)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat(" ")


def utc_from_text(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# Looking an id up by its text costs a tenth of making it, as PostgreSQL's driver does; Python's own UUID
# takes ten times as long again.
IDS_BY_TEXT: Remembered[str, UUID] = Remembered(pgproto.UUID, MOST_IDS)
TEXTS_BY_ID: Remembered[UUID, str] = Remembered(str, MOST_IDS)


SQLITE_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    UUID: IDS_BY_TEXT.__getitem__,
    datetime: utc_from_text,
    date: date.fromisoformat,
    bool: bool,
}
