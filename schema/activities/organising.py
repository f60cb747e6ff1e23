"""What organisers do: announce, edit and call off activities, and check people in."""

from datetime import datetime
from typing import Any

import strawberry

from models.activities import ActivityRow, HostKind, SignUpRow
from resolvers.activities import attendance, organising
from resolvers.activities.drafts import ActivityDraft
from resolvers.activities.recurring import Recurrence
from schema.activities.activities import Activity, ActivitySignUp
from schema.activities.lists import HOSTS
from schema.activities.terms import ActivityAudience, ActivityKind, Extent, Frequency
from schema.directory.terms import Weekday
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

MASKED = "Numbers of documents and bank cards in it are masked."
URL = "Begins with https://, up to 500 characters; only those with seats see it."
ACTIVITY_ID = "The activity."


def is_group(id: str) -> bool:
    found = type_and_key(id)
    return found is not None and found[0] == "Group"


@strawberry.input(description="How an activity recurs; give either `count` or `until`. A year at most.")
class RecurrenceInput:
    frequency: Frequency = strawberry.field(description="By weeks or by months.")
    interval: int = strawberry.field(default=1, description="Every so many of them, 1 to 12.")
    weekdays: list[Weekday] = strawberry.field(
        default_factory=list,
        description="By weeks: on these days, the start's among them; left out, on that of the start.",
    )
    count: int | None = strawberry.field(default=None, description="So many occurrences, 2 to 53.")
    until: datetime | None = strawberry.field(default=None, description="None later than this.")

    def recurrence(self) -> Recurrence:
        return Recurrence(self.frequency, self.interval, tuple(self.weekdays), self.count, self.until)


@strawberry.input(description="A new activity.")
class CreateActivityInput:
    host_id: strawberry.ID = strawberry.field(description="In whose name: an organisation or a group.")
    kind: ActivityKind = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description=f"1 to 80 characters. {MASKED}")
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it is over; 31 days later at most.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    description: str = strawberry.field(default="", description=f"Up to 5,000 characters. {MASKED}")
    place: str = strawberry.field(
        default="", description="Where, up to 120 characters; needed unless it is online."
    )
    online_url: str | None = strawberry.field(default=None, description=URL)
    audience: ActivityAudience = strawberry.field(
        default=ActivityAudience.NEIGHBOURS, description="Who may see it."
    )
    sign_up_opens_at: datetime | None = strawberry.field(
        default=None, description="From when on one can sign up; left out, at once."
    )
    sign_up_closes_at: datetime | None = strawberry.field(
        default=None, description="Until when; left out, until it begins."
    )
    capacity: int | None = strawberry.field(
        default=None, description="How many seats there are; left out, no limit."
    )
    most_companions: int = strawberry.field(default=0, description="How many somebody may bring, 0 to 20.")
    repeats: RecurrenceInput | None = strawberry.field(
        default=None, description="How it recurs; the hours of sign-up move along."
    )

    def draft(self) -> ActivityDraft:
        return ActivityDraft(
            kind=self.kind,
            title=self.title,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            description=self.description,
            place=self.place,
            online_url=self.online_url,
            audience=self.audience,
            sign_up_opens_at=self.sign_up_opens_at,
            sign_up_closes_at=self.sign_up_closes_at,
            capacity=self.capacity,
            most_companions=self.most_companions,
        )


@strawberry.input(description="What of an activity shall be another; what is left out stays.")
class EditActivityInput:
    activity_id: strawberry.ID = strawberry.field(description=ACTIVITY_ID)
    version: int = strawberry.field(description="The version that the viewer has read.")
    extent: Extent = strawberry.field(
        default=Extent.ONE, description="Whether the later occurrences change with it, and move by as much."
    )
    kind: ActivityKind | None = strawberry.field(default=None, description="What it is about.")
    title: str | None = strawberry.field(default=None, description=f"1 to 80 characters. {MASKED}")
    description: str | None = strawberry.field(default=None, description=f"Up to 5,000 characters. {MASKED}")
    place: str | None = strawberry.field(default=None, description="Where, up to 120 characters.")
    online_url: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"{URL} Null takes it away."
    )
    starts_at: datetime | None = strawberry.field(default=None, description="When it begins.")
    ends_at: datetime | None = strawberry.field(default=None, description="When it is over.")
    sign_up_opens_at: datetime | None = strawberry.field(
        default=None, description="From when on one can sign up."
    )
    sign_up_closes_at: datetime | None = strawberry.field(default=None, description="Until when.")
    capacity: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How many seats there are, not fewer than are taken; null for no limit."
        " New seats go to the waiting list.",
    )
    most_companions: int | None = strawberry.field(
        default=None, description="How many somebody may bring from now on, 0 to 20."
    )

    def changes(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in (*organising.SHARED, *organising.TIMES)}
        nullable = ("online_url", "capacity")
        return {
            name: value
            for name, value in given.items()
            if value is not strawberry.UNSET and (value is not None or name in nullable)
        }


@strawberry.input(description="Which activity to call off, and why.")
class CancelActivityInput:
    activity_id: strawberry.ID = strawberry.field(description=ACTIVITY_ID)
    version: int = strawberry.field(description="The version that the viewer has read.")
    reason: str = strawberry.field(
        description=f"Everyone who comes or waits is told, 1 to 300 characters. {MASKED}"
    )
    extent: Extent = strawberry.field(
        default=Extent.ONE, description="Whether the later occurrences are called off as well."
    )


@strawberry.input(description="Whether somebody was there.")
class SetAttendanceInput:
    sign_up_id: strawberry.ID = strawberry.field(description="The sign-up.")
    attended: bool = strawberry.field(description="True to check in, false to take that back.")


@payload("The activity is announced.")
class CreateActivityPayload:
    activity: ActivityRow = shown(Activity, "The activity, or the first occurrence of the series.")


@payload("The activity is edited.")
class EditActivityPayload:
    activity: ActivityRow = shown(Activity, "As it is now.")


@payload("The activity is called off.")
class CancelActivityPayload:
    activity: ActivityRow = shown(Activity, "As it is now.")


@payload("It is written down.")
class SetAttendancePayload:
    sign_up: SignUpRow = shown(ActivitySignUp, "As it is now.")


@strawberry.type
class OrganisingMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def create_activity(self, info: Info, input: CreateActivityInput) -> CreateActivityPayload:
        """Announce an activity, or a series of them. For those who hold activities in the host's
        name; 30 a day.
        """
        row = await organising.create(
            info.context,
            host_kind=HostKind.GROUP if is_group(input.host_id) else HostKind.ORGANISATION,
            host_id=key_of("hostId", input.host_id, *HOSTS),
            draft=input.draft(),
            key=input.idempotency_key,
            repeats=input.repeats.recurrence() if input.repeats else None,
        )
        return CreateActivityPayload(activity=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def edit_activity(self, info: Info, input: EditActivityInput) -> EditActivityPayload:
        """Edit an activity that is not over. For its organisers. Those who come or wait are told of
        another time or place.
        """
        row = await organising.edit(
            info.context,
            activity_id=key_of("activityId", input.activity_id, "Activity"),
            version=input.version,
            changes=input.changes(),
            extent=input.extent,
        )
        return EditActivityPayload(activity=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def cancel_activity(self, info: Info, input: CancelActivityInput) -> CancelActivityPayload:
        """Call an activity off. For its organisers."""
        row = await organising.cancel(
            info.context,
            activity_id=key_of("activityId", input.activity_id, "Activity"),
            version=input.version,
            reason=input.reason,
            extent=input.extent,
        )
        return CancelActivityPayload(activity=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def set_attendance(self, info: Info, input: SetAttendanceInput) -> SetAttendancePayload:
        """Check somebody in by hand, or take that back. For organisers, from two hours before the start."""
        row = await attendance.set_attendance(
            info.context,
            sign_up_id=key_of("signUpId", input.sign_up_id, "ActivitySignUp"),
            attended=input.attended,
        )
        return SetAttendancePayload(sign_up=row)
