"""Activities, series and sign-ups, as clients see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from models import activities as rules
from models.activities import ActivityRow, ActivityUpdateRow, SeriesRow, SignUpRow
from models.activities import SignUpState as State
from resolvers import identity
from resolvers.activities import attendance, hosts, reading
from resolvers.identity import around
from schema.activities.terms import (
    ActivityAudience,
    ActivityKind,
    ActivityStatus,
    ActivityUpdateKind,
    CheckInBy,
    SignUpState,
)
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import Community
from schema.node import Node, fetched_by


@fetched_by(reading.sign_ups_visible_by_ids)
@strawberry.type(description="Somebody's sign-up to an activity: the viewer's, or seen by its organiser.")
class ActivitySignUp(Node):
    state: SignUpState = strawberry.field(description="Whether there is a seat.")
    companions: int = strawberry.field(description="How many more come along; each takes a seat.")
    signed_up_at: datetime = strawberry.field(description="Since when, last.")
    cancelled_at: datetime | None = strawberry.field(description="When it was taken back, if it is.")
    checked_in_at: datetime | None = strawberry.field(description="When somebody was checked in.")
    checked_in_by: CheckInBy | None = strawberry.field(description="How.")
    waiting_position: int | None = loaded(
        reading.waiting_places_of, description="The place in the waiting list, from 1; null for others."
    )
    neighbour: Neighbour = loaded(identity.neighbours_of, description="Who signed up.")
    activity: "Activity" = loaded(reading.activities_around, description="To what.")

    is_type_of = IsA(SignUpRow)


@fetched_by(reading.series_visible_by_ids)
@strawberry.type(description="An activity that recurs. Each occurrence is an activity of its own.")
class ActivitySeries(Node):
    rule: str = strawberry.field(
        description="When, as RFC 5545 writes it (RRULE), in the time of Asia/Shanghai."
    )
    occurrences: Connection["Activity"] = connection(
        reading.occurrences_of, viewer=True, description="Its occurrences, in the order of time."
    )

    is_type_of = IsA(SeriesRow)


@strawberry.type(description="What the organiser shows for people to check in with.")
class CheckInCode:
    code: str = strawberry.field(description="Six digits.")
    until: datetime = strawberry.field(
        description="Ask for the next one then; this one stays good for two minutes more."
    )

    is_type_of = IsA(attendance.CheckInCode)


States = Annotated[
    list[SignUpState] | None,
    strawberry.argument(description="Only in these states; left out, who comes or waits."),
]


def in_states(states: States = None) -> tuple[frozenset[State]]:
    return (frozenset((State.GOING, State.WAITING) if states is None else states),)


@fetched_by(reading.visible_by_ids)
@strawberry.type(description="Something held for the neighbourhood, which one signs up for (社区活动).")
class Activity(Node):
    kind: ActivityKind = strawberry.field(description="What it is about.")
    audience: ActivityAudience = strawberry.field(description="Who may see it.")
    title: str = strawberry.field(description="What it is called.")
    description: str = strawberry.field(description="What awaits people; may be empty.")
    place: str = strawberry.field(description="Where, in words; empty if it is only online.")
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it is over.")
    sign_up_opens_at: datetime = strawberry.field(description="From when on one can sign up.")
    sign_up_closes_at: datetime = strawberry.field(description="Until when.")
    capacity: int | None = strawberry.field(description="How many seats there are; null for no limit.")
    most_companions: int = strawberry.field(description="How many somebody may bring; each takes a seat.")
    seats_taken: int = strawberry.field(description="How many seats are taken, companions included.")
    going_count: int = strawberry.field(description="How many neighbours have seats.")
    waiting_count: int = strawberry.field(description="How many neighbours wait for seats.")
    checked_in_count: int = strawberry.field(description="How many neighbours with seats were there.")
    status: ActivityStatus = strawberry.field(description="Whether it takes place.")
    cancel_reason: str | None = strawberry.field(description="Why it was called off, if it was.")
    cancelled_at: datetime | None = strawberry.field(description="When it was called off.")
    version: int = strawberry.field(description="Raised by each edit; what organisers do asks for it.")
    updated_at: datetime = strawberry.field(description="When it was last edited.")
    host: Node | None = loaded(
        hosts.hosts_of,
        viewer=True,
        description="Who holds it; null for a group that the viewer may not know of any more.",
    )
    series: ActivitySeries | None = loaded(reading.series_of, description="What it is an occurrence of.")
    community: Community = loaded(around.communities, description="The community that it belongs to.")
    viewer_sign_up: ActivitySignUp | None = loaded(
        reading.viewer_sign_ups_of, viewer=True, description="The viewer's sign-up, also one taken back."
    )
    online_url: str | None = loaded(
        reading.online_urls_of,
        viewer=True,
        description="Where it is online; null for those who have no seat, and if it is not.",
    )
    check_in_code: CheckInCode | None = loaded(
        attendance.codes_of,
        viewer=True,
        description="What its organiser shows, from two hours before it to two hours after; null for others.",
    )
    attendance_csv: str | None = loaded(
        attendance.lists_of,
        viewer=True,
        description="Who comes and who waits, as a table for its organisers; null for others.",
    )
    sign_ups: Connection[ActivitySignUp] = connection(
        reading.sign_ups_of,
        arguments=in_states,
        viewer=True,
        description="Who has signed up, in the order of the queue. For its organisers, empty for others.",
    )

    @strawberry.field(description="Whether there is an address online.")
    @staticmethod
    def is_online(root: strawberry.Parent[ActivityRow]) -> bool:
        return root.online_url is not None

    @strawberry.field(description="How many seats are left; null for no limit.")
    @staticmethod
    def seats_left(root: strawberry.Parent[ActivityRow]) -> int | None:
        return root.seats_left

    @strawberry.field(
        description="How many with seats did not come; null until it is over, or if it was called off."
    )
    @staticmethod
    def no_show_count(root: strawberry.Parent[ActivityRow]) -> int | None:
        return attendance.no_shows(root)

    @strawberry.field(description="Whether the viewer may sign up, hours and seats aside.", metadata=VIEWER)
    @staticmethod
    def viewer_can_sign_up(root: strawberry.Parent[ActivityRow], info: Info) -> bool:
        return rules.can_sign_up(info.context.viewer, root)

    @strawberry.field(description="Whether the viewer organises it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_organise(root: strawberry.Parent[ActivityRow], info: Info) -> bool:
        return rules.can_organise(info.context.viewer, root)

    is_type_of = IsA(ActivityRow)


@fetched_by(reading.updates_visible_by_ids)
@strawberry.type(description="Something about an activity that those who signed up are told of.")
class ActivityUpdate(Node):
    kind: ActivityUpdateKind = strawberry.field(description="What.")
    created_at: datetime = strawberry.field(description="When.")
    note: str = strawberry.field(description="Why it was called off; empty otherwise.")
    activity: Activity = loaded(reading.updated_activities_of, description="As it is now.")

    is_type_of = IsA(ActivityUpdateRow)
