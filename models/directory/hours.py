"""Opening hours: a week that repeats, and the days on which it does not hold.

All in the time of China, which knows no summer time. An interval belongs to the day that it begins on, also
if it ends after midnight; so a holiday leaves alone what began the evening before.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

CHINA = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
MINUTES = 24 * 60
# After the last exception: whoever is open all that time never closes.
A_WEEK_AND_MORE = 9 * DAY


class Weekday(Enum):
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """From `opens` until before `closes`, in minutes from the day's beginning.

    Raises ValueError unless it begins on its day, and lasts from a minute to a day.
    """

    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not (0 <= self.opens < MINUTES and 0 < self.closes - self.opens <= MINUTES):
            raise ValueError("An interval begins on its day and lasts a day at most")


Intervals = tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Exceptional:
    """What holds on one date instead; no interval means closed."""

    intervals: Intervals
    note: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """`weekly` by the day of the week, Monday being 1."""

    weekly: Mapping[int, Intervals] = field(default_factory=dict)
    exceptions: Mapping[date, Exceptional] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.weekly or self.exceptions)

    def on(self, day: date) -> Intervals:
        """What begins on this day."""
        exceptional = self.exceptions.get(day)
        return exceptional.intervals if exceptional else self.weekly.get(day.isoweekday(), ())

    def spans(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        """What begins from `first` to `last`, in the order of its beginning."""
        for number in range((last - first).days + 1):
            day = first + number * DAY
            midnight = datetime.combine(day, time(), CHINA)
            for interval in sorted(self.on(day), key=lambda interval: interval.opens):
                yield (
                    midnight + timedelta(minutes=interval.opens),
                    midnight + timedelta(minutes=interval.closes),
                )

    def is_open(self, at: datetime) -> bool:
        """Is it open at this moment?"""
        today = at.astimezone(CHINA).date()
        return any(start <= at < end for start, end in self.spans(today - DAY, today))

    def next_change(self, at: datetime) -> datetime | None:
        """The first moment after `at` in which it opens or closes; None if it never does."""
        today = at.astimezone(CHINA).date()
        last = max(today, *self.exceptions) + A_WEEK_AND_MORE if self.exceptions else today + A_WEEK_AND_MORE
        closes: datetime | None = None
        for start, end in self.spans(today - DAY, last):
            if end <= at:
                continue
            if closes is None and start > at:
                return start
            if closes is not None and start > closes:
                return closes
            closes = max(closes or end, end)
        if closes is not None and closes >= datetime.combine(last, time(), CHINA):
            return None
        return closes

    def covers(self, start: datetime, end: datetime) -> bool:
        """Is it open all the time from `start` until before `end`?"""
        closes = self.next_change(start)
        return self.is_open(start) and (closes is None or end <= closes)

    def to_text(self) -> str:
        """As a column keeps it."""
        return json.dumps(
            {
                "weekly": {str(day): pairs(found) for day, found in sorted(self.weekly.items())},
                "exceptions": [
                    [day.isoformat(), pairs(found.intervals), found.note]
                    for day, found in sorted(self.exceptions.items())
                ],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Hours":
        """What `to_text` was asked of, from its parsed text."""
        weekly: dict[str, list[list[int]]] = kept.get("weekly") or {}
        exceptions: list[tuple[str, list[list[int]], str]] = kept.get("exceptions") or []
        return cls(
            {int(day): intervals(found) for day, found in weekly.items()},
            {date.fromisoformat(day): Exceptional(intervals(found), note) for day, found, note in exceptions},
        )


def pairs(found: Intervals) -> list[list[int]]:
    return [[interval.opens, interval.closes] for interval in found]


def intervals(found: Iterable[list[int]]) -> Intervals:
    return tuple(Interval(opens, closes) for opens, closes in found)
