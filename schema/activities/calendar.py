"""The viewer's calendar and its secret address."""

from datetime import datetime

import strawberry

from models.activities import CalendarFeedRow
from resolvers.activities import calendar
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.mutations import mutation, payload, shown
from schema.problems import RateLimited


@strawberry.type(description="The viewer's sign-ups as a calendar that other programs can follow.")
class CalendarFeed:
    created_at: datetime = strawberry.field(description="Since when it has its address.")

    is_type_of = IsA(CalendarFeedRow)


@strawberry.type
class ViewerCalendar:
    """What activities add to the viewer."""

    calendar_feed: CalendarFeed | None = loaded(
        calendar.feeds_of, viewer=True, description="The calendar's address, if there is one."
    )


@payload("The calendar has a new address, and no other.")
class RenewCalendarFeedPayload:
    feed: CalendarFeedRow = shown(CalendarFeed, "The calendar.")
    path: str = strawberry.field(
        description="The path of the calendar's address, given only this once."
        " Whoever has it can read the calendar."
    )


@payload("The calendar has no address.")
class RevokeCalendarFeedPayload:
    revoked: bool = strawberry.field(description="Always true.")


@strawberry.type
class CalendarMutation:
    @mutation(RateLimited)
    async def renew_calendar_feed(self, info: Info) -> RenewCalendarFeedPayload:
        """Give the viewer's calendar an address, or another one; the old one is worth nothing at
        once. 20 an hour.
        """
        feed, path = await calendar.renew(info.context)
        return RenewCalendarFeedPayload(feed=feed, path=path)

    @mutation()
    async def revoke_calendar_feed(self, info: Info) -> RevokeCalendarFeedPayload:
        """Take the viewer's calendar off the network. Repeating it changes nothing."""
        await calendar.revoke(info.context)
        return RevokeCalendarFeedPayload(revoked=True)
