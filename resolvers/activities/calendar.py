"""The viewer's sign-ups as a calendar (RFC 5545), at an address that is a secret.

Whoever has the address may read it, so the token in it is unguessable, kept only as a keyed hash, and
another one as soon as its owner wants. Nothing in the calendar is of anybody else.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import icalendar

from models.activities import ActivityStatus, CalendarFeedRow, SignUpState, visible_to
from models.base import now
from models.identity import AccountRow
from models.messages import OF_RECORD, Message
from models.storage.rows import Where, execute, select
from models.storage.tables import every, insert, one
from models.visibility import viewers
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import NotFound
from resolvers.identity.accounts import accounts_by_id
from resolvers.limits import Limit

TOKEN_BYTES = 32
RENEWALS_AN_HOUR = 20
READS_OF_ONE = Limit(60, 3600)
READS_FROM_ONE_PLACE = Limit(300, 3600)
# How long what is over stays in the calendar, and how much it holds at most.
KEPT = timedelta(days=90)
MOST_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class Calendar:
    """The document and its entity tag."""

    text: bytes
    tag: str


async def renew(ctx: Context) -> tuple[CalendarFeedRow, str]:
    """Give the viewer's calendar a new address; any old one is worth nothing at once. Raises RateLimited.

    Returns the feed and the path of its address, which nobody can be told again.
    """
    account_id = ctx.account_id
    token = secrets.token_urlsafe(TOKEN_BYTES)
    async with ctx.unit_of_work():
        await limits.check_rate(ctx, "renewCalendarFeed", RENEWALS_AN_HOUR, 3600)
        await insert(
            CalendarFeedRow(account_id=account_id, token_index=index_of(ctx, token)),
            "(account_id) DO UPDATE SET token_index = excluded.token_index, created_at = excluded.created_at",
        )
    (feed,) = await feeds_of_accounts([account_id])
    return feed, f"/calendar/{token}.ics"


async def revoke(ctx: Context) -> None:
    """Take the viewer's calendar off the network. To do so again changes nothing."""
    account_id = ctx.account_id
    async with ctx.unit_of_work():
        await execute("DELETE FROM calendar_feed WHERE account_id = ? RETURNING id", account_id)


def index_of(ctx: Context, token: str) -> str:
    return ctx.services.keys.index("calendar-feed", token)


async def feeds_of(ctx: Context, accounts: Sequence[AccountRow]) -> list[CalendarFeedRow | None]:
    """The calendar's address of each account, if it has one; the viewer's own only."""
    found = {
        feed.account_id: feed
        for feed in await feeds_of_accounts([it.id for it in accounts if it.id == ctx.viewer.account_id])
    }
    return [found.get(account.id) for account in accounts]


async def feeds_of_accounts(account_ids: Sequence[UUID]) -> list[CalendarFeedRow]:
    return await every(CalendarFeedRow, Where("t.account_id IN (?)", (account_ids,)))


async def read(ctx: Context, token: str) -> Calendar:
    """The calendar at an address. Raises NotFound if there is none, RateLimited."""
    await limits.check_address(ctx, "calendar", READS_FROM_ONE_PLACE)
    index = index_of(ctx, token)
    feed = await one(CalendarFeedRow, Where("t.token_index = ?", (index,)))
    if feed is None:
        raise NotFound
    await limits.check(f"calendar/{feed.id}", READS_OF_ONE)
    (owner,) = await accounts_by_id([feed.account_id])
    language = owner.language if owner else OF_RECORD
    text = document(await entries_of(feed.account_id), language).to_ical()
    return Calendar(text, f'"{hashlib.sha256(text).hexdigest()[:32]}"')


@dataclass(slots=True)
class Entry:
    """A sign-up with what its owner may see of the activity."""

    id: UUID
    title: str
    description: str
    place: str
    online_url: str | None
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    status: ActivityStatus
    cancel_reason: str | None
    sequence: int
    updated_at: datetime
    state: SignUpState
    own_sequence: int
    own_updated_at: datetime


async def entries_of(account_id: UUID) -> list[Entry]:
    """The sign-ups of an account, as far as it may see their activities as it stands now."""
    where = visible_to((await viewers({account_id: None}))[account_id])
    return await select(
        Entry,
        "SELECT t.id, t.title, t.description, t.place, t.online_url, t.starts_at, t.ends_at, t.created_at,"
        " t.status, t.cancel_reason, t.sequence, t.updated_at, s.state, s.sequence AS own_sequence,"
        " s.updated_at AS own_updated_at FROM activity_sign_up s JOIN activity t ON t.id = s.activity_id"
        f" WHERE s.account_id = ? AND t.ends_at > ? AND {where.text}"
        f" ORDER BY t.starts_at, t.id LIMIT {MOST_ENTRIES}",
        account_id,
        now() - KEPT,
        *where.params,
    )


def document(entries: Sequence[Entry], language: str) -> icalendar.Calendar:
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Linli//Linli//ZH")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", Message("Activities in the neighbourhood").in_language(language))
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    for entry in entries:
        calendar.add_component(event(entry))
    return calendar


def event(entry: Entry) -> icalendar.Event:
    """The entry as calendars read it. It changes with the activity and the sign-up, and with nothing else."""
    changed_at = max(entry.updated_at, entry.own_updated_at)
    made = icalendar.Event()
    made.add("uid", f"{entry.id}@linli")
    made.add("dtstamp", changed_at)
    made.add("last-modified", changed_at)
    made.add("created", entry.created_at)
    made.add("sequence", entry.sequence + entry.own_sequence)
    made.add("dtstart", entry.starts_at)
    made.add("dtend", entry.ends_at)
    made.add("summary", entry.title)
    made.add("status", status_of(entry))
    made.add("transp", "OPAQUE" if status_of(entry) == "CONFIRMED" else "TRANSPARENT")
    if entry.place:
        made.add("location", entry.place)
    if text := "\n\n".join(filter(None, [entry.cancel_reason, entry.description])):
        made.add("description", text)
    if entry.online_url and entry.state is SignUpState.GOING:
        made.add("url", entry.online_url)
    return made


def status_of(entry: Entry) -> str:
    """Who waits may come yet; what was called off or signed off from is kept to say so."""
    if entry.status is ActivityStatus.CANCELLED or entry.state is SignUpState.CANCELLED:
        return "CANCELLED"
    return "CONFIRMED" if entry.state is SignUpState.GOING else "TENTATIVE"
