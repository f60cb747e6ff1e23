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
from collections.abc import Callable, Sequence
from dataclasses import field, make_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, TypeVar, dataclass_transform
from uuid import UUID

from tortoise.fields import Field
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
    origin_of,
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

    # What Tortoise keeps of each instance: so of a new one.
    _partial = False
    _saved_in_db = False
    _custom_generated_pk = False
    # And what rows have instead that come from the database.
    as_read: ClassVar[dict[str, bool]] = {}
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
        cls.as_read = {"_saved_in_db": True, "_partial": not columns.keys() <= hints.keys()}
        # To the type checker a row is a dataclass: so is it to `dataclasses.replace` and its like, and the
        # constructor is a dataclass's, in a tenth of the time of Tortoise's.
        shape = [(name, hints.get(name, Any), parameter(column)) for name, column in columns.items()]
        made: Any = make_dataclass(cls.__name__, shape, kw_only=True, repr=False, eq=False)
        read = {name: field for name, field in made.__dataclass_fields__.items() if name in hints}
        cls.__init__ = made.__init__  # type: ignore[method-assign]
        cls.__dataclass_fields__ = read  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names_of(type(self)))

    __hash__ = Model.__hash__


def parameter(column: Field[Any]) -> Any:
    """What the constructor takes for a column, as `dataclasses` says it."""
    if column.required:
        return field(kw_only=True)
    default = column.default
    return field(default_factory=default) if callable(default) else field(default=default)


R = TypeVar("R", bound=Row)
ID = attrgetter("id")


async def one(row: type[R], where: UUID | Where) -> R | None:
    """The row with this id, or that `where` says; of several the first that the database finds."""
    where = condition(where)
    return await select_one(row, f"{selection(row)} WHERE {where.text}", *where.params)


async def every(row: type[R], where: Where, order: str = "t.id") -> list[R]:
    """The rows that `where` says, in this order."""
    return await select(row, f"{selection(row)} WHERE {where.text} ORDER BY {order}", *where.params)


async def by_ids(
    row: type[R], ids: Sequence[UUID | None], where: Where = EVERYTHING, *, by: str = "id"
) -> list[R | None]:
    """The rows with these ids in their order, None for each that is not there or not as `where` says.

    `by` is the column that holds the ids; at most one row that `where` says has each.
    """
    wanted = {id for id in ids if id is not None}
    if not wanted:
        return [None] * len(ids)
    statement = f"{selection(row)} WHERE t.{by} IN (?) AND ({where.text})"
    rows = await select(row, statement, wanted, *where.params)
    found = dict(zip(map(ID if by == "id" else attrgetter(by), rows), rows, strict=True))
    return [found.get(id) for id in ids]


async def lists(
    row: type[R], ids: Sequence[UUID], where: Where = EVERYTHING, *, by: str, order: str = "t.id"
) -> list[list[R]]:
    """For each id the rows that have it in the column `by`, as far as `where` says, in this order."""
    if not ids:
        return []
    found: dict[UUID, list[R]] = {id: [] for id in ids}
    of = attrgetter(by)
    for item in await every(row, Where(f"t.{by} IN (?)", (set(ids),)) & where, order):
        found[of(item)].append(item)
    return [found[id] for id in ids]


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


async def insert_all(rows: Sequence[Row], conflict: str = "") -> None:
    """Write new rows of one table in the caller's transaction; `conflict` as for `insert`.

    One prepared statement runs for all: PostgreSQL takes half of the time of long lists of VALUES.
    """
    if not rows:
        return
    statement, values = insertion(type(rows[0]), conflict, returning="")
    params = list(map(values, rows))
    db = connection()
    text, _ = bind(db.capabilities.dialect, statement, params[0])
    await db.execute_many(text, params)


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
def insertion(
    row: type[Row], conflict: str, returning: str = " RETURNING 1"
) -> tuple[str, Callable[[Row], list[Any]]]:
    """The statement that writes a row, and what gives its values."""
    names = tuple(row._meta.fields_map)
    listed = ", ".join(f'"{name}"' for name in names)
    text = f"INSERT INTO {row._meta.db_table} ({listed}) VALUES ({', '.join('?' * len(names))})"
    if conflict:
        text += f" ON CONFLICT {conflict}{returning}"
    get = attrgetter(*names)
    hints = typing.get_type_hints(row)
    kept = [(place, as_kept(hints[name])) for place, name in enumerate(names) if name in hints]
    converted = [(place, convert) for place, convert in kept if convert]

    def values(item: Row) -> list[Any]:
        found = list(get(item))
        for place, convert in converted:
            found[place] = convert(found[place])
        return found

    return text, values


def as_kept(hint: Any) -> Callable[[Any], Any] | None:
    """What makes of a value of this type what the drivers take, if they do not take it as it is."""
    if is_document(hint):
        return fields.json_text
    return plain if isinstance(origin_of(hint), type) and issubclass(origin_of(hint), Enum) else None


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
