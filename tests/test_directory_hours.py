"""Opening hours: against a checker that looks at every minute and knows no cleverness."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.directory.hours import CHINA, MINUTES, Exceptional, Hours, Interval, Intervals
from resolvers.errors import InvalidInput
from schema.directory.hours import (
    OpeningExceptionInput,
    OpeningTimeInput,
    WeeklyOpeningInput,
    clock,
    exceptions_of,
    hours_of,
    weekly_of,
)
from schema.directory.terms import Weekday

# A Monday.
MONDAY = date(2026, 9, 28)
NINE_TO_FIVE: Intervals = (Interval(9 * 60, 12 * 60), Interval(14 * 60, 17 * 60))
OFFICE = Hours(dict.fromkeys(range(1, 6), NINE_TO_FIVE))


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=CHINA)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    opens = draw(st.integers(0, MINUTES - 1))
    return Interval(opens, opens + draw(st.integers(1, MINUTES)))


days = st.lists(intervals(), max_size=3).map(tuple)
whole_days = st.just((Interval(0, MINUTES),))
weeks = st.dictionaries(st.integers(1, 7), days | whole_days)
exceptions = st.dictionaries(
    st.integers(-3, 12).map(lambda n: MONDAY + timedelta(days=n)), days.map(Exceptional), max_size=4
)
moments = st.integers(0, 5 * MINUTES).map(lambda n: at(MONDAY, 0) + timedelta(minutes=n))


def naively_open(hours: Hours, moment: datetime) -> bool:
    """Whether any minute that begins on this day or the one before is this one."""
    today = moment.astimezone(CHINA).date()
    for day, past in ((today, 0), (today - timedelta(days=1), MINUTES)):
        exceptional = hours.exceptions.get(day)
        found = exceptional.intervals if exceptional else hours.weekly.get(day.isoweekday(), ())
        local = moment.astimezone(CHINA)
        minute = local.hour * 60 + local.minute + past
        if any(minute in range(it.opens, it.closes) for it in found):
            return True
    return False


def naive_change(hours: Hours, moment: datetime) -> datetime | None:
    """The first minute from here on, three weeks long, that is not as this one."""
    before = naively_open(hours, moment)
    whole = moment.replace(second=0, microsecond=0)
    for minutes in range(1, 24 * MINUTES):
        later = whole + timedelta(minutes=minutes)
        if naively_open(hours, later) != before:
            return later
    return None


@settings(max_examples=60, deadline=None)
@given(week=weeks, dates=exceptions, moment=moments, seconds=st.integers(0, 59))
def test_openness_and_the_next_change_are_those_of_every_minute(
    week: dict[int, Intervals], dates: dict[date, Exceptional], moment: datetime, seconds: int
) -> None:
    hours = Hours(week, dates)
    moment += timedelta(seconds=seconds)
    assert hours.is_open(moment) == naively_open(hours, moment)
    assert hours.next_change(moment) == naive_change(hours, moment)
    assert hours.next_change(moment.astimezone(UTC)) == hours.next_change(moment)


@given(week=weeks, dates=exceptions)
def test_hours_are_kept_and_read_back(week: dict[int, Intervals], dates: dict[date, Exceptional]) -> None:
    hours = Hours(week, dates)
    assert Hours.from_json(json.loads(hours.to_text())) == hours


def test_a_lunch_break_and_a_weekend() -> None:
    assert OFFICE.is_open(at(MONDAY, 9))
    assert not OFFICE.is_open(at(MONDAY, 12))
    assert OFFICE.next_change(at(MONDAY, 9)) == at(MONDAY, 12)
    assert OFFICE.next_change(at(MONDAY, 12)) == at(MONDAY, 14)
    friday = MONDAY + timedelta(days=4)
    assert OFFICE.next_change(at(friday, 17)) == at(MONDAY + timedelta(days=7), 9)


def test_past_midnight() -> None:
    """A night kitchen on Fridays: open at one on Saturday, and what begins on a holiday does not."""
    friday = MONDAY + timedelta(days=4)
    saturday = friday + timedelta(days=1)
    night = Hours({5: (Interval(22 * 60, 26 * 60),)})
    assert night.is_open(at(saturday, 1, 59))
    assert not night.is_open(at(saturday, 2))
    assert night.next_change(at(friday, 23)) == at(saturday, 2)
    closed = Hours(night.weekly, {saturday: Exceptional((), "休息")})
    assert closed.is_open(at(saturday, 1))
    holiday = Hours(night.weekly, {friday: Exceptional(())})
    assert not holiday.is_open(at(saturday, 1))
    assert holiday.next_change(at(friday, 23)) == at(friday + timedelta(days=7), 22)


def test_a_holiday_and_a_working_weekend() -> None:
    """国庆: closed on the first days of October, and open on the Saturday after."""
    week_after = MONDAY + timedelta(days=10)
    national = {date(2026, 10, day): Exceptional((), "国庆节") for day in range(1, 8)}
    working = {date(2026, 10, 10): Exceptional(NINE_TO_FIVE, "调休上班")}
    hours = Hours(OFFICE.weekly, national | working)
    assert hours.next_change(at(date(2026, 9, 30), 17)) == at(week_after, 9)
    assert hours.is_open(at(date(2026, 10, 10), 10))


def test_what_never_closes_and_what_never_opens() -> None:
    always = Hours({day: (Interval(0, MINUTES),) for day in range(1, 8)})
    assert always.next_change(at(MONDAY, 3)) is None
    assert Hours().next_change(at(MONDAY, 3)) is None
    assert not Hours()
    far = MONDAY + timedelta(days=300)
    assert Hours(always.weekly, {far: Exceptional(())}).next_change(at(MONDAY, 3)) == at(far, 0)


def test_a_time_is_covered_or_not() -> None:
    assert OFFICE.covers(at(MONDAY, 9), at(MONDAY, 12))
    assert not OFFICE.covers(at(MONDAY, 11), at(MONDAY, 12, 1))
    assert not OFFICE.covers(at(MONDAY, 8, 59), at(MONDAY, 9, 30))


def test_times_as_people_write_them() -> None:
    weekly = [
        WeeklyOpeningInput(day=Weekday.FRIDAY, opens="22:00", closes="02:00"),
        WeeklyOpeningInput(day=Weekday.MONDAY, opens="00:00", closes="24:00"),
    ]
    holiday = OpeningExceptionInput(
        date=MONDAY, times=[OpeningTimeInput(opens="10:00", closes="12:30")], note="节"
    )
    hours = hours_of(weekly, [holiday])
    assert hours.weekly == {5: (Interval(1320, 1560),), 1: (Interval(0, 1440),)}
    assert hours.exceptions == {MONDAY: Exceptional((Interval(600, 750),), "节")}
    shown = [(it.day, it.opens, it.closes) for it in weekly_of(hours)]
    assert shown == [(Weekday.MONDAY, "00:00", "24:00"), (Weekday.FRIDAY, "22:00", "02:00")]
    (exception,) = exceptions_of(hours)
    assert [(time.opens, time.closes) for time in exception.times] == [("10:00", "12:30")]
    # Noon to noon is a whole day.
    assert hours_of([WeeklyOpeningInput(day=Weekday.SUNDAY, opens="12:00", closes="12:00")], []).weekly == {
        7: (Interval(720, 2160),)
    }
    assert clock(2160) == "12:00"
    with pytest.raises(InvalidInput):
        hours_of([], [holiday, holiday])


@pytest.mark.parametrize("text", ["9:00", "24:01", "25:00", "08:60", "noon", "", "０８:００", "08:00\n"])
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        hours_of([WeeklyOpeningInput(day=Weekday.MONDAY, opens=text, closes="10:00")], [])
    assert list(refused.value.fields) == ["opens"]
