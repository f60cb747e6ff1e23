"""The viewer's calendar and its secret address."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.activities import CalendarFeedRow
from resolvers.activities import calendar
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.problems import RateLimited, answering_problems


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


@strawberry.type(description="The calendar has a new address, and no other.")
class RenewCalendarFeedPayload:
    feed: CalendarFeed = strawberry.field(description="The calendar.")
    path: str = strawberry.field(
        description="The path of the address, to put behind that of the server. It is told this once: who has"
        " it may read the calendar."
    )


@strawberry.type(description="The calendar has no address.")
class RevokeCalendarFeedPayload:
    revoked: bool = strawberry.field(description="Always true.")


RenewCalendarFeedResult = Annotated[
    RenewCalendarFeedPayload | RateLimited,
    strawberry.union("RenewCalendarFeedResult", description="What came of `renewCalendarFeed`."),
]


@strawberry.type
class CalendarMutation:
    @strawberry.mutation(
        description="Give the viewer's calendar an address, or another one; the old one is worth nothing at"
        " once. 20 an hour."
    )
    @answering_problems(RateLimited)
    async def renew_calendar_feed(self, info: Info) -> RenewCalendarFeedResult:
        made: tuple[Any, str] = await calendar.renew(info.context)
        return RenewCalendarFeedPayload(feed=made[0], path=made[1])

    @strawberry.mutation(
        description="Take the viewer's calendar off the network. Repeating it changes nothing."
    )
    async def revoke_calendar_feed(self, info: Info) -> RevokeCalendarFeedPayload:
        await calendar.revoke(info.context)
        return RevokeCalendarFeedPayload(revoked=True)
