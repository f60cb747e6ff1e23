"""The scalars of time. Every moment and every day that a client gives is read here, in one way.

A moment without a zone is none. All are kept in UTC, and lie far enough from where the machine's calendar
ends that what is reckoned from them is a moment too.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

import strawberry
from dateutil.parser import isoparse
from graphql import GraphQLError
from strawberry.schema.types.base_scalars import DateTimeDefinition
from strawberry.types.scalar import ScalarDefinition

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)
# An ISO moment is no longer.
LONGEST = 40


def moment(value: object) -> datetime:
    """The moment that an ISO 8601 text names. Raises GraphQLError."""
    try:
        read = isoparse(text(value))
        if read.tzinfo is None:
            raise GraphQLError("A moment needs a time zone, as in 2030-01-31T08:00:00+08:00")
        read = read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("A moment is written as in 2030-01-31T08:00:00+08:00") from None
    within(read.date())
    return read


def day(value: object) -> date:
    """The day that an ISO 8601 text names. Raises GraphQLError."""
    try:
        read = date.fromisoformat(text(value))
    except ValueError:
        raise GraphQLError("A day is written as in 2030-01-31") from None
    within(read)
    return read


def text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError
    return value


def within(read: date) -> None:
    if not EARLIEST <= read <= LATEST:
        raise GraphQLError("The year lies between 1900 and 2999")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="Date with time (isoformat)",
        # This very function: plans know what it does (schema.execution.generated).
        serialize=cast("Callable[[Any], Any]", DateTimeDefinition.serialize),
        parse_value=moment,
    ),
    date: strawberry.scalar(
        name="Date", description="Date (isoformat)", serialize=date.isoformat, parse_value=day
    ),
}
