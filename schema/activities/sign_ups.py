"""What those who come do: sign up, sign off, check in."""

import strawberry

from models.activities import SignUpRow
from resolvers.activities import attendance, sign_ups
from schema.activities.activities import ActivitySignUp
from schema.activities.organising import ACTIVITY_ID
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited


@strawberry.input(description="What to sign up for, and with whom.")
class SignUpForActivityInput:
    activity_id: strawberry.ID = strawberry.field(description=ACTIVITY_ID)
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    companions: int = strawberry.field(
        default=0, description="How many come along. Asked for again with fewer, the seats are given back."
    )
    whole_series: bool = strawberry.field(
        default=False, description="Also for each later occurrence that takes sign-ups."
    )


@strawberry.input(description="What to sign off from.")
class CancelActivitySignUpInput:
    activity_id: strawberry.ID = strawberry.field(description=ACTIVITY_ID)
    whole_series: bool = strawberry.field(default=False, description="Also from each later occurrence.")


@strawberry.input(description="Where the viewer is.")
class CheckInInput:
    activity_id: strawberry.ID = strawberry.field(description=ACTIVITY_ID)
    code: str = strawberry.field(description="The code that the organiser shows.")


@payload("The viewer is in the queue: with a seat, or waiting.")
class SignUpForActivityPayload:
    sign_up: SignUpRow = shown(ActivitySignUp, "The sign-up for the activity.")
    sign_ups: list[SignUpRow] = shown(
        list[ActivitySignUp], "The same, and those for the later occurrences that were asked for."
    )


@payload("The viewer comes no more, and waits no more.")
class CancelActivitySignUpPayload:
    sign_up: SignUpRow = shown(ActivitySignUp, "As it is now.")
    sign_ups: list[SignUpRow] = shown(
        list[ActivitySignUp], "The same, and those for the later occurrences that were meant."
    )


@payload("The viewer is there.")
class CheckInPayload:
    sign_up: SignUpRow = shown(ActivitySignUp, "As it is now.")


@strawberry.type
class SigningUpMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def sign_up_for_activity(
        self, info: Info, input: SignUpForActivityInput
    ) -> SignUpForActivityPayload:
        """Sign up for an activity. If there are seats and nobody waits the viewer has them, and
        waits otherwise; the waiting list moves up in order. For verified residents and officers; 30 a
        minute.
        """
        rows = await sign_ups.sign_up(
            info.context,
            activity_id=key_of("activityId", input.activity_id, "Activity"),
            companions=input.companions,
            key=input.idempotency_key,
            whole_series=input.whole_series,
        )
        return SignUpForActivityPayload(sign_up=rows[0], sign_ups=rows)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def cancel_activity_sign_up(
        self, info: Info, input: CancelActivitySignUpInput
    ) -> CancelActivitySignUpPayload:
        """Sign off from an activity that has not begun; whoever waits moves up. To sign off again
        changes nothing.
        """
        rows = await sign_ups.cancel_sign_up(
            info.context,
            activity_id=key_of("activityId", input.activity_id, "Activity"),
            whole_series=input.whole_series,
        )
        return CancelActivitySignUpPayload(sign_up=rows[0], sign_ups=rows)

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def check_in(self, info: Info, input: CheckInInput) -> CheckInPayload:
        """Check in with the code that the organiser shows, from two hours before the start to two
        hours after the end. For those with seats; 5 a minute.
        """
        row = await attendance.check_in(
            info.context,
            activity_id=key_of("activityId", input.activity_id, "Activity"),
            code=input.code,
        )
        return CheckInPayload(sign_up=row)
