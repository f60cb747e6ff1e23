"""What an activity may be: texts, hours and seats."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from models.activities import ActivityAudience, ActivityKind
from models.messages import Message
from resolvers.checks import check_text
from resolvers.errors import InvalidInput
from resolvers.masking import mask

LONGEST_TITLE = 80
LONGEST_DESCRIPTION = 5000
LONGEST_PLACE = 120
LONGEST_URL = 500
LONGEST = timedelta(days=31)
FARTHEST = timedelta(days=2 * 366)
MOST_SEATS = 100_000
MOST_COMPANIONS = 20


@dataclass(frozen=True, slots=True)
class ActivityDraft:
    """An activity as its organiser words it. Without `sign_up_closes_at` sign-up closes at the start."""

    kind: ActivityKind
    title: str
    starts_at: datetime
    ends_at: datetime
    description: str = ""
    place: str = ""
    online_url: str | None = None
    audience: ActivityAudience = ActivityAudience.NEIGHBOURS
    sign_up_opens_at: datetime | None = None
    sign_up_closes_at: datetime | None = None
    capacity: int | None = None
    most_companions: int = 0


def checked(draft: ActivityDraft, at: datetime, *, begins: bool = True) -> ActivityDraft:
    """The draft as it is kept. `begins` asks that it is still to begin. Raises InvalidInput."""
    draft = replace(
        draft,
        title=mask(check_text("title", draft.title, LONGEST_TITLE)),
        description=mask(check_text("description", draft.description, LONGEST_DESCRIPTION, least=0)),
        place=check_text("place", draft.place, LONGEST_PLACE, least=0),
        online_url=check_url(draft.online_url),
    )
    if not draft.place and draft.online_url is None:
        raise InvalidInput(place=Message("Say where: a place, or an address online"))
    return with_checked_seats(with_checked_times(draft, at, begins=begins))


def check_url(url: str | None) -> str | None:
    if url is None:
        return None
    url = check_text("onlineUrl", url, LONGEST_URL)
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and bool(parts.hostname) and not any(map(str.isspace, url))
    except ValueError:
        fits = False
    if not fits:
        raise InvalidInput(onlineUrl=Message("Is not an address that begins with https://"))
    return url


def with_checked_times(draft: ActivityDraft, at: datetime, *, begins: bool) -> ActivityDraft:
    opens, closes = draft.sign_up_opens_at or at, draft.sign_up_closes_at or draft.starts_at
    moments = {"startsAt": draft.starts_at, "endsAt": draft.ends_at}
    moments |= {"signUpOpensAt": opens, "signUpClosesAt": closes}
    for name, moment in moments.items():
        if moment.tzinfo is None:
            raise InvalidInput(**{name: Message("Needs a time zone")})
        if abs(moment - at) > FARTHEST + LONGEST:
            raise InvalidInput(**{name: Message("Is out of range")})
    if begins and draft.starts_at <= at:
        raise InvalidInput(startsAt=Message("Must be in the future"))
    if not draft.starts_at < draft.ends_at <= draft.starts_at + LONGEST:
        raise InvalidInput(endsAt=Message("Must be later than the start, by 31 days at most"))
    if not opens < closes <= draft.ends_at:
        raise InvalidInput(
            signUpClosesAt=Message("Must be later than the opening of sign-up, and not later than the end")
        )
    return replace(
        draft,
        starts_at=to_the_second(draft.starts_at),
        ends_at=to_the_second(draft.ends_at),
        sign_up_opens_at=to_the_second(opens),
        sign_up_closes_at=to_the_second(closes),
    )


def to_the_second(moment: datetime) -> datetime:
    """In UTC, and as exactly as calendars and rules of recurrence tell time."""
    return moment.astimezone(UTC).replace(microsecond=0)


def with_checked_seats(draft: ActivityDraft) -> ActivityDraft:
    if not 0 <= draft.most_companions <= MOST_COMPANIONS:
        raise InvalidInput(mostCompanions=Message("Is out of range"))
    if draft.capacity is not None and not 1 <= draft.capacity <= MOST_SEATS:
        raise InvalidInput(capacity=Message("Is out of range"))
    if draft.capacity is not None and draft.capacity <= draft.most_companions:
        raise InvalidInput(capacity=Message("Must have room for one person with the most companions allowed"))
    return draft
