"""When a series is held: a rule of weeks or months, counted in the time of Shanghai."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from dateutil.rrule import MONTHLY, WEEKLY, rrule, rrulestr

from models.directory.hours import Weekday
from models.messages import Message
from resolvers.errors import InvalidInput

ZONE = ZoneInfo("Asia/Shanghai")
MOST_OCCURRENCES = 53
HORIZON = timedelta(days=366)
LONGEST_INTERVAL = 12


class Frequency(StrEnum):
    """MONTHLY is on the same day of the month, in months that have it."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Every so many weeks or months, so often or so long."""

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[Weekday, ...] = ()
    count: int | None = None
    until: datetime | None = None


def rule_of(recurrence: Recurrence, starts_at: datetime) -> str:
    """The rule as RFC 5545 writes it. Raises InvalidInput."""
    if not 1 <= recurrence.interval <= LONGEST_INTERVAL:
        raise InvalidInput(interval=Message("Is out of range"))
    if (recurrence.count is None) == (recurrence.until is None):
        raise InvalidInput(count=Message("Give either count or until"))
    if recurrence.count is not None and not 2 <= recurrence.count <= MOST_OCCURRENCES:
        raise InvalidInput(count=Message("Is out of range"))
    if recurrence.until is not None and recurrence.until.tzinfo is None:
        raise InvalidInput(until=Message("Needs a time zone"))
    # Monday is dateutil's 0.
    weekdays = sorted({day.value - 1 for day in recurrence.weekdays})
    if weekdays and recurrence.frequency is Frequency.MONTHLY:
        raise InvalidInput(weekdays=Message("Only what recurs by weeks has weekdays"))
    rule = rrule(
        WEEKLY if recurrence.frequency is Frequency.WEEKLY else MONTHLY,
        dtstart=local(starts_at),
        interval=recurrence.interval,
        count=recurrence.count,
        until=local(recurrence.until) if recurrence.until else None,
        byweekday=weekdays or None,
    )
    return str(rule).splitlines()[-1]


def occurrences(rule: str, starts_at: datetime) -> Sequence[datetime]:
    """The starts of all occurrences, the first at `starts_at`. Raises InvalidInput."""
    end = local(starts_at) + HORIZON
    found: list[datetime] = []
    for moment in rrulestr(rule, dtstart=local(starts_at)):
        if moment > end or len(found) == MOST_OCCURRENCES:
            raise InvalidInput(repeats=Message("A series has 53 occurrences at most, within a year"))
        found.append(moment.replace(tzinfo=ZONE).astimezone(UTC))
    if len(found) < 2:
        raise InvalidInput(repeats=Message("A series has two occurrences at least"))
    if found[0] != starts_at:
        raise InvalidInput(weekdays=Message("The first occurrence is on one of the weekdays"))
    return found


def local(moment: datetime) -> datetime:
    """What a clock in Shanghai shows."""
    return moment.astimezone(ZONE).replace(tzinfo=None)
