"""Tortoise's fields, typed as the values that rows have in them.

Most of them are so already; those below are typed as fields only, which a row's annotations contradict.
"""

from enum import Enum
from typing import Any, Literal, TypeVar, cast, overload

import orjson
from tortoise import fields
from tortoise.fields import BigIntField as BigIntField
from tortoise.fields import DateField as DateField
from tortoise.fields import DatetimeField as DatetimeField
from tortoise.fields import FloatField as FloatField
from tortoise.fields import IntField as IntField
from tortoise.fields import TextField as TextField
from tortoise.fields import UUIDField as UUIDField

E = TypeVar("E", bound=Enum)


def json_text(value: Any) -> str | None:
    """As a database takes JSON. What is text already is JSON already."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def BooleanField(**options: Any) -> bool:
    return cast(bool, fields.BooleanField(**options))


def CharField(*, max_length: int, **options: Any) -> str:
    return cast(str, fields.CharField(max_length=max_length, **options))


@overload
def CharEnumField(of: type[E], *, max_length: int, null: Literal[True], **options: Any) -> E | None: ...
@overload
def CharEnumField(of: type[E], *, max_length: int, **options: Any) -> E: ...
def CharEnumField(of: type[E], *, max_length: int, **options: Any) -> E | None:
    return cast(E, fields.CharEnumField(of, max_length=max_length, **options))


def JSONField(**options: Any) -> Any:
    return fields.JSONField[Any](**options)


def JSONTextField(**options: Any) -> Any:
    """JSON that the database keeps as text."""
    return JSONText(**options)


class JSONText(TextField):
    def to_db_value(self, value: Any, instance: object) -> str | None:
        return json_text(value)

    def to_python_value(self, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value
