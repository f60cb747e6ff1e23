"""How moments and days are read."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLInputObjectType, GraphQLScalarType, get_named_type
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.build import graphql_schema
from schema.moments import EARLIEST, LATEST, day, moment

ODD: list[Any] = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
    "1899-12-31T23:59:59Z",
    "3000-01-01T00:00:00Z",
    "2999-12-31T23:59:59-14:00",
    "2030-01-01T00:00:00",
    "2030-01-01",
    "2030-13-01T00:00:00Z",
    "2030-01-01T00:00:00+99:00",
    "2030-01-01T00:00:00+24:00",
    "",
    "now",
    "٢٠٣٠-٠١-٠١T00:00:00Z",
    "2030-01-01T00:00:00Z" + " " * 100,
    "2" * 5_000,
    0,
    1.5,
    True,
    ["2030-01-01T00:00:00Z"],
    {"t": "2030-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_moment(odd: Any) -> None:
    with pytest.raises(GraphQLError):
        moment(odd)


@pytest.mark.parametrize(
    "odd", [*(odd for odd in ODD if odd != "2030-01-01"), "0001-01-01", "9999-12-31", "2030-02-30"]
)
def test_what_is_no_day(odd: Any) -> None:
    with pytest.raises(GraphQLError):
        day(odd)


@settings(database=None)
@given(
    st.datetimes(
        # The zone comes with it.
        datetime(1900, 1, 2),  # noqa: DTZ001
        datetime(2999, 12, 30),  # noqa: DTZ001
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_every_moment_of_these_years_is_read_in_utc(given: datetime) -> None:
    read = moment(given.isoformat())
    assert read == given
    assert read.tzinfo is UTC


@settings(database=None)
@given(st.text(max_size=45))
def test_any_text_is_a_moment_or_an_error(text: str) -> None:
    with suppress(GraphQLError):
        assert EARLIEST <= moment(text).date() <= LATEST


def test_days() -> None:
    assert day("2030-01-31") == date(2030, 1, 31)
    assert (day("1900-01-01"), day("2999-12-31")) == (EARLIEST, LATEST)


def test_there_is_no_other_scalar_of_time() -> None:
    """Whatever a client gives that is a moment or a day is read by these."""
    scalars = {
        get_named_type(field.type)
        for kind in graphql_schema.type_map.values()
        if isinstance(kind, GraphQLInputObjectType)
        for field in kind.fields.values()
    }
    names = {scalar.name for scalar in scalars if isinstance(scalar, GraphQLScalarType)}
    assert names <= {"Boolean", "Date", "DateTime", "Float", "ID", "Int", "String"}
