"""What happens to motions, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers.motions import reading
from schema.fields import Info, loaded
from schema.motions.motions import Motion
from schema.node import key_of
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@strawberry.type(description="A motion was put to the owners.")
class MotionAnnounced:
    is_type_of = of_kind(Kind.MOTION_ANNOUNCED)
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@strawberry.type(description="A vote opened; its electorate is frozen.")
class MotionOpened:
    is_type_of = of_kind(Kind.MOTION_OPENED)
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@strawberry.type(description="A vote in which too few took part was extended.")
class MotionExtended:
    is_type_of = of_kind(Kind.MOTION_EXTENDED)
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@strawberry.type(description="A vote was counted.")
class MotionClosed:
    is_type_of = of_kind(Kind.MOTION_CLOSED)
    motion: Motion = loaded(reading.subjects_of, description="The motion, with its result.")


@strawberry.type(description="A motion was withdrawn.")
class MotionWithdrawn:
    is_type_of = of_kind(Kind.MOTION_WITHDRAWN)
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@strawberry.type(description="More take part in a vote. Several ballots may be told of as one.")
class ParticipationChanged:
    is_type_of = of_kind(Kind.PARTICIPATION_CHANGED)
    motion: Motion = loaded(reading.subjects_of, description="The motion, with its gauges.")


@strawberry.type(description="Two ballots of one home are in conflict; for the offices that count.")
class BallotConflict:
    is_type_of = of_kind(Kind.BALLOT_CONFLICT)
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


MotionEvent = Annotated[
    MotionAnnounced
    | MotionOpened
    | MotionExtended
    | MotionClosed
    | MotionWithdrawn
    | ParticipationChanged
    | BallotConflict
    | StreamOpened
    | StreamReset,
    strawberry.union("MotionEvent", description="What happens to motions."),
]
MOTION_KINDS = frozenset(
    {
        Kind.MOTION_ANNOUNCED,
        Kind.MOTION_OPENED,
        Kind.MOTION_EXTENDED,
        Kind.MOTION_CLOSED,
        Kind.MOTION_WITHDRAWN,
        Kind.PARTICIPATION_CHANGED,
        Kind.BALLOT_CONFLICT,
    }
)


@strawberry.type
class MotionsSubscription:
    @strawberry.subscription(
        description="What happens to a community's motions, or to one: opening, gauges,"
        " extension, close, result."
    )
    async def motion_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        motion_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only this motion.")
        ] = None,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> AsyncGenerator[Envelope[MotionEvent], None]:
        community = key_of("communityId", community_id, "Community")
        motion = key_of("motionId", motion_id, "Motion") if motion_id else None
        stream = Stream(
            topic=community_topic(community),
            kinds=MOTION_KINDS,
            requires=await reading.followable(info.context, community, motion),
            thread=motion,
        )
        return follow(stream, after)  # type: ignore[no-any-return]
