"""Tables: one class is the table, for migrations and Tortoise's API, and the type of its rows.

    class PostRow(CommunityTable):
        author_id: UUID = fields.UUIDField()
        kind: PostKind = fields.CharEnumField(PostKind, max_length=12)
        pinned_at: datetime | None = fields.DatetimeField(null=True, default=None)

The annotation says what a row holds, the field how the database keeps it. A column with a default need
not be given to a new row; the type checker knows the rest. A column without an annotation is not read
with the row: it is large, or nobody's business.

Rows come from explicit SQL (`models.storage.rows.select`) or from the functions below, which know the
statements that every table needs. In a `Where` the table is ``t``.
"""

import functools
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import make_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform
from uuid import UUID

import orjson
from tortoise.models import Model

from models.storage import fields
from models.storage.rows import (
    EVERYTHING,
    MOST_TEMPLATES,
    Where,
    bind,
    columns,
    connection,
    dialect,
    execute,
    is_document,
    names_of,
    optional,
    select,
    select_one,
)

# Tortoise's rows can be awaited, and are what comes of it: GraphQL, which waits for whatever can be awaited,
# would wait for ever.
del Model.__await__


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(
        fields.BigIntField,
        fields.BooleanField,
        fields.CharEnumField,
        fields.CharField,
        fields.DateField,
        fields.DatetimeField,
        fields.FloatField,
        fields.IntField,
        fields.JSONField,
        fields.JSONTextField,
        fields.TextField,
        fields.UUIDField,
    ),
)
class Row(Model):
    """A row of the table that the class is. Rows are equal if all of their columns are.

    Raises TypeError, when a class is made, where an annotation and its field disagree.
    """

    # What Tortoise keeps of each instance. Rows are made by the thousand, most of them by explicit SQL;
    # only those made by the constructor are not in the database yet.
    _partial = False
    _saved_in_db = True
    _custom_generated_pk = False
    # Tortoise's looks for relations, of which there are none here, at each assignment.
    __setattr__ = object.__setattr__  # type: ignore[assignment]

    class Meta:
        abstract = True

    def __init_subclass__(cls) -> None:
        hints = typing.get_type_hints(cls)
        columns = cls._meta.fields_map
        for name in columns.keys() & hints.keys():
            if optional(hints[name]) is not columns[name].null:
                raise TypeError(f"{cls.__name__}.{name}: annotation and field differ in what may be null")
        shape = [(name, hints[name]) for name in columns if name in hints]
        cls._partial = len(shape) < len(columns)
        # With these the functions of `dataclasses` take rows, as the type checker has it: replace and fields.
        made = make_dataclass(cls.__name__, shape, init=False, repr=False, eq=False)
        cls.__dataclass_fields__ = made.__dataclass_fields__  # type: ignore[attr-defined]

    def __init__(self, **values: Any) -> None:
        row = type(self)
        columns = row._meta.fields_map
        if not values.keys() <= columns.keys():
            raise TypeError(f"{row.__name__} has no {', '.join(values.keys() - columns.keys())}")
        for name, field in columns.items():
            if name in values:
                value = values[name]
            elif field.required:
                raise TypeError(f"{row.__name__} needs {name}")
            else:
                value = field.default() if callable(field.default) else field.default
            setattr(self, name, value)
        self._partial = self._saved_in_db = False

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names_of(type(self)))

    __hash__ = Model.__hash__


R = TypeVar("R", bound=Row)
ID = attrgetter("id")


async def one(row: type[R], where: UUID | Where) -> R | None:
    """The row with this id, or that `where` says; of several the first that the database finds."""
    where = condition(where)
    return await select_one(row, f"{selection(row)} WHERE {where.text}", *where.params)


async def every(row: type[R], where: Where, order: str = "t.id") -> list[R]:
    """The rows that `where` says, in this order."""
    return await select(row, f"{selection(row)} WHERE {where.text} ORDER BY {order}", *where.params)


async def by_ids(row: type[R], ids: Sequence[UUID | None], where: Where = EVERYTHING) -> list[R | None]:
    """The rows with these ids in their order, None for each that is not there or not as `where` says."""
    wanted = {id for id in ids if id is not None}
    if not wanted:
        return [None] * len(ids)
    statement = f"{selection(row)} WHERE t.id IN (?) AND ({where.text})"
    rows = await select(row, statement, wanted, *where.params)
    found = dict(zip(map(ID, rows), rows, strict=True))
    return [found.get(id) for id in ids]


async def locked(row: type[R], where: UUID | Where) -> list[R]:
    """The row with this id, or those that `where` says in the order of their ids, as they are now and stay
    until the caller's transaction ends. Of several rows, whoever locks the lower id first never waits
    for one who waits.
    """
    where = condition(where)
    # On SQLite a transaction holds the only write lock there is.
    lock = " FOR UPDATE" if dialect() == "postgres" else ""
    return await select(row, f"{selection(row)} WHERE {where.text} ORDER BY t.id{lock}", *where.params)


async def insert(row: Row, conflict: str = "") -> bool:
    """Write a new row, in the caller's transaction if there is one.

    `conflict` is what comes after ON CONFLICT, as ``"(account_id) DO NOTHING"``; the result says
    whether anything was written.
    """
    text, values = insertion(type(row), conflict)
    written = await execute(text, *values(row))
    row._saved_in_db = True
    return bool(written) or not conflict


async def insert_all(rows: Sequence[Row]) -> None:
    """Write new rows of one table in the caller's transaction.

    One prepared statement runs for all: PostgreSQL takes half of the time of long lists of VALUES.
    """
    if not rows:
        return
    statement, values_of = insertion(type(rows[0]), "")
    values = [[item.value if isinstance(item, Enum) else item for item in values_of(row)] for row in rows]
    db = connection()
    text, _ = bind(db.capabilities.dialect, statement, values[0])
    await db.execute_many(text, values)


async def update(row: type[Row], where: UUID | Where, **values: Any) -> int:
    """Set these columns of the row with this id, or of those that `where` says; how many there were."""
    where = condition(where)
    text = change(row, tuple(values), where.text)
    return len(await execute(text, *values.values(), *where.params))


def condition(where: UUID | Where) -> Where:
    return where if isinstance(where, Where) else Where("t.id = ?", (where,))


@functools.lru_cache(maxsize=MOST_TEMPLATES)
def change(row: type[Row], names: tuple[str, ...], where: str) -> str:
    if not row._meta.fields_map.keys() >= set(names):
        raise TypeError(f"{row.__name__} does not have all of {', '.join(names)}")
    settings = ", ".join(f'"{name}" = ?' for name in names)
    return f"UPDATE {row._meta.db_table} AS t SET {settings} WHERE {where} RETURNING 1"


@functools.cache
def selection(row: type[Row]) -> str:
    return f"SELECT {columns(row)} FROM {row._meta.db_table} t"


@functools.cache
def insertion(row: type[Row], conflict: str) -> tuple[str, Callable[[Row], Iterable[Any]]]:
    """The statement that writes a row, and what gives its values."""
    names = tuple(row._meta.fields_map)
    listed = ", ".join(f'"{name}"' for name in names)
    text = f"INSERT INTO {row._meta.db_table} ({listed}) VALUES ({', '.join('?' * len(names))})"
    if conflict:
        text += f" ON CONFLICT {conflict} RETURNING 1"
    get = attrgetter(*names)
    hints = typing.get_type_hints(row)
    documents = [place for place, name in enumerate(names) if name in hints and is_document(hints[name])]
    if not documents:
        return text, get

    def values(item: Row) -> list[Any]:
        found = list(get(item))
        for place in documents:
            if found[place] is not None:
                found[place] = orjson.dumps(found[place]).decode()
        return found

    return text, values
