"""When something is open, in the time of China."""

import datetime
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import strawberry

from models.directory.hours import MINUTES, Exceptional, Hours, Interval
from models.messages import Message
from resolvers.errors import InvalidInput
from schema.directory.terms import Weekday

CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
CLOSES = "`HH:MM`; at or before `opens` it is of the next day; `24:00` is midnight."


@strawberry.type(description="From when until when, in China.")
class OpeningTime:
    opens: str = strawberry.field(description="`HH:MM`.")
    closes: str = strawberry.field(description=CLOSES)


@strawberry.type(description="A time that comes back every week.")
class WeeklyOpening(OpeningTime):
    day: Weekday = strawberry.field(description="The day on which it begins.")


@strawberry.type(description="A date on which the week does not hold: a holiday, or a working weekend.")
class OpeningException:
    date: datetime.date = strawberry.field(description="The date.")
    times: list[OpeningTime] = strawberry.field(description="What begins on it instead; empty if closed.")
    note: str = strawberry.field(description="Why, as in `国庆节`; may be empty.")


@strawberry.input(description="From when until when, in China.")
class OpeningTimeInput:
    opens: str = strawberry.field(description="`HH:MM`.")
    closes: str = strawberry.field(description=CLOSES)


@strawberry.input(description="A time that comes back every week.")
class WeeklyOpeningInput:
    day: Weekday = strawberry.field(description="The day on which it begins.")
    opens: str = strawberry.field(description="`HH:MM`.")
    closes: str = strawberry.field(description=CLOSES)


@strawberry.input(description="A date on which the week does not hold.")
class OpeningExceptionInput:
    date: datetime.date = strawberry.field(description="The date.")
    times: list[OpeningTimeInput] = strawberry.field(
        default_factory=list, description="What begins on it instead; empty if closed."
    )
    note: str = strawberry.field(default="", description="Why; up to 80 characters.")


def hours_of(weekly: Sequence[WeeklyOpeningInput], exceptions: Sequence[OpeningExceptionInput]) -> Hours:
    """Raises InvalidInput."""
    week: defaultdict[int, tuple[Interval, ...]] = defaultdict(tuple)
    for time in weekly:
        week[time.day.value] += (interval_of(time),)
    dates = {item.date: Exceptional(tuple(map(interval_of, item.times)), item.note) for item in exceptions}
    if len(dates) < len(exceptions):
        raise InvalidInput(exceptions=Message("Names a date twice"))
    return Hours(dict(week), dates)


class Times(Protocol):
    opens: str
    closes: str


def interval_of(time: Times) -> Interval:
    opens, closes = minutes("opens", time.opens), minutes("closes", time.closes)
    return Interval(opens % MINUTES, closes if closes > opens % MINUTES else closes + MINUTES)


def minutes(name: str, clock: str) -> int:
    if not CLOCK.fullmatch(clock):
        raise InvalidInput(**{name: Message("Is not a time as in 08:30")})
    return 60 * int(clock[:2]) + int(clock[3:])


def clock(of: int) -> str:
    """Minutes from the day's beginning as people write them; midnight at the end is `24:00`."""
    of = of if of <= MINUTES else of - MINUTES
    return f"{of // 60:02}:{of % 60:02}"


def weekly_of(hours: Hours) -> list[WeeklyOpening]:
    return [
        WeeklyOpening(day=Weekday(day), opens=clock(time.opens), closes=clock(time.closes))
        for day in sorted(hours.weekly)
        for time in sorted(hours.weekly[day], key=lambda time: time.opens)
    ]


def exceptions_of(hours: Hours) -> list[OpeningException]:
    return [
        OpeningException(
            date=day,
            times=[
                OpeningTime(opens=clock(time.opens), closes=clock(time.closes)) for time in found.intervals
            ],
            note=found.note,
        )
        for day, found in sorted(hours.exceptions.items())
    ]
