"""Keyset pages: a page costs the same wherever in the list it starts."""

import base64
import json
import types
import typing
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload
from uuid import UUID

import orjson

from models.messages import BadValue, Message
from models.storage.rows import EVERYTHING, IDS, MOST_IDS, TEXTS_BY_ID, Where, columns, dialect, select
from models.storage.tables import Row

R = TypeVar("R")

LARGEST_PAGE = 100
INT64 = 1 << 63


class BadPage(BadValue):
    """The arguments ask for no page: sizes out of range, or a cursor of another list."""

    def __init__(self, field: str, message: Message) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PageArgs:
    """Relay's arguments. Exactly one of `first` and `last`, from 1 to 100.

    Unless it is to `look_ahead`, a page does not know whether more follows (or, backwards, precedes), and
    says no. Raises BadPage for bad arguments.
    """

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    look_ahead: bool = True

    def __post_init__(self) -> None:
        if (self.first is None) == (self.last is None):
            raise BadPage("first", Message("Give exactly one of first and last"))
        name = "first" if self.first is not None else "last"
        if not 1 <= self.size <= LARGEST_PAGE:
            raise BadPage(name, Message("{name} must be from 1 to {most}", name=name, most=LARGEST_PAGE))

    @property
    def size(self) -> int:
        return (self.first if self.first is not None else self.last) or 0

    @property
    def backward(self) -> bool:
        return self.last is not None


@dataclass(frozen=True, slots=True)
class Order:
    """An order with a total key: columns of the row, all one way, the last one unique.

    `name` is part of each cursor, so that a cursor of one list is refused by another.
    """

    name: str
    keys: tuple[str, ...]
    descending: bool = True


NEWEST = Order("newest", ("id",))
OLDEST = Order("oldest", ("id",), descending=False)


@dataclass(slots=True)
class Page(Generic[R]):
    """One page, its items in the list's order."""

    items: list[R]
    cursors: Sequence[str]
    has_next_page: bool
    has_previous_page: bool


@dataclass(slots=True, eq=False)
class Cursors(Sequence[str]):
    """The cursors of rows, each made when it is asked for: most pages are read without them."""

    order: Order
    rows: Sequence[Any]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [cursor_of(self.order, row) for row in self.rows[place]]
        return cursor_of(self.order, self.rows[place])


def cursor_of(order: Order, row: Any) -> str:
    """The opaque cursor of `row` in a list ordered by `order`."""
    return coded(order.name, *[getattr(row, name) for name in order.keys])


# What is new or hot is shown to everyone.
@lru_cache(maxsize=MOST_IDS)
def coded(name: str, *key: Any) -> str:
    text = orjson.dumps([name, *map(plain, key)])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def plain(value: Any) -> Any:
    kind = type(value)
    if kind in IDS:
        return {"u": str(value)}
    if kind is datetime:
        return {"t": value.isoformat()}
    return value


def key_of(row: type, order: Order, cursor: str, field: str) -> tuple[Any, ...]:
    """The key in a cursor of this order. Cursors come from clients: whatever is in them is checked."""
    try:
        name, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        mine = name == order.name and len(key) == len(order.keys)
        hints = typing.get_type_hints(row)
        values = (
            [unplain(*pair) for pair in zip(key, map(hints.get, order.keys), strict=True)] if mine else []
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BadPage(field, Message("This is not a cursor")) from error
    if not mine:
        raise BadPage(field, Message("This cursor belongs to another list"))
    return tuple(values)


def unplain(value: Any, hint: Any) -> Any:
    """What `plain` was given, if it fits a column of this type; raises one of many errors otherwise."""
    if isinstance(hint, types.UnionType):
        (hint,) = [option for option in typing.get_args(hint) if option is not types.NoneType]
    if hint is UUID:
        return UUID(value["u"])
    if hint is datetime:
        moment = datetime.fromisoformat(value["t"])
        if moment.tzinfo is None:
            raise ValueError("a moment without a zone")
        return moment.astimezone(UTC)
    if hint is int and type(value) is int and -INT64 <= value < INT64:
        return value
    if issubclass(hint, str) and isinstance(value, str) and "\0" not in value:
        value.encode()
        return hint(value)
    raise ValueError("not a key")


async def pages(
    row: type[R],
    parents: Sequence[UUID],
    *,
    by: str,
    args: PageArgs,
    where: Where = EVERYTHING,
    order: Order = NEWEST,
    table: str = "",
) -> list[Page[R]]:
    """One page for each of `parents`, by one statement, of the rows' own table or of `table`.

    `by` is the column that holds the parent's id; `where` may speak of the table as ``t``.
    Raises BadPage for a cursor that is none of this list's.
    """
    if issubclass(row, Row):
        table = table or row._meta.db_table
    keyset = where
    for cursor, field, forward in ((args.after, "after", True), (args.before, "before", False)):
        if cursor is not None:
            keyset &= beyond(order, key_of(row, order, cursor, field), forward=forward)
    unique = list(dict.fromkeys(parents))
    rows = await select(row, *statement(row, table, unique, by, args, keyset, order))
    found: dict[UUID, list[R]] = defaultdict(list)
    for parent, item in zip(map(attrgetter(by), rows), rows, strict=True):
        found[parent].append(item)
    if len(unique) > 1 and dialect() == "sqlite":
        keys = attrgetter(*order.keys)
        for items in found.values():
            items.sort(key=keys, reverse=order.descending != args.backward)
    return pages_of([found.get(parent, []) for parent in parents], args, order)


def statement(
    row: type, table: str, parents: list[UUID], by: str, args: PageArgs, where: Where, order: Order
) -> tuple[Any, ...]:
    """The text and parameters that read one page per parent, and to look ahead one row more.

    SQLite does not say in which order the rows of many parents come: it would carry them all through a
    sorter, whole, which costs as much as finding them.
    """
    limited = f"({where.text}) ORDER BY {sequence(order, args, 't')} LIMIT {args.size + args.look_ahead}"
    if len(parents) == 1:
        text = f"SELECT {columns(row)} FROM {table} t WHERE t.{by} = ? AND {limited}"
        return (text, *parents, *where.params)
    if not parents:
        return (f"SELECT {columns(row)} FROM {table} t WHERE 1 = 0",)
    # One placeholder, so that the text is the same however many parents there are.
    if dialect() == "postgres":
        given: Any = list(parents)
        text = (
            f"SELECT {columns(row, 'c')} FROM unnest(CAST(? AS uuid[])) AS parent(id)"
            f" CROSS JOIN LATERAL"
            f" (SELECT {columns(row)} FROM {table} t WHERE t.{by} = parent.id AND {limited}) c"
            f" ORDER BY {sequence(order, args, 'c')}"
        )
    else:
        # By SQLite's own row numbers where there are some: one look-up less for each row than by its id.
        key = "rowid" if table.isidentifier() else "id"
        given = orjson.dumps(list(map(TEXTS_BY_ID.__getitem__, parents))).decode()
        text = (
            f"SELECT {columns(row, 'c')} FROM json_each(?) AS parent CROSS JOIN {table} c"
            f" ON c.{key} IN (SELECT t.{key} FROM {table} t WHERE t.{by} = parent.value AND {limited})"
        )
    return (text, given, *where.params)


def sequence(order: Order, args: PageArgs, alias: str) -> str:
    direction = "DESC" if order.descending != args.backward else "ASC"
    return ", ".join(f"{alias}.{key} {direction}" for key in order.keys)


def beyond(order: Order, key: tuple[Any, ...], *, forward: bool) -> Where:
    operator = "<" if order.descending == forward else ">"
    names = ", ".join(f"t.{name}" for name in order.keys)
    # A cursor's number may exceed the column's type, which PostgreSQL would give to the parameter.
    marks = ", ".join("CAST(? AS bigint)" if isinstance(value, int) else "?" for value in key)
    return Where(f"({names}) {operator} ({marks})", key)


def pages_of(lists: Iterable[list[R]], args: PageArgs, order: Order) -> list[Page[R]]:
    """The pages whose rows these are, and one more of each that has more."""
    size, backward = args.size, args.backward
    pages = []
    for rows in lists:
        more = len(rows) > size
        items = rows[:size]
        if backward:
            items.reverse()
            page = Page(items, Cursors(order, items), args.before is not None, more)
        else:
            page = Page(items, Cursors(order, items), more, args.after is not None)
        pages.append(page)
    return pages
