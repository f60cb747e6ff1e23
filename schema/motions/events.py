"""What happens to motions, live."""

from typing import Annotated

import strawberry

from resolvers.motions import reading
from schema.fields import Info, loaded
from schema.motions.motions import Motion
from schema.node import key_of
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@event(Kind.MOTION_ANNOUNCED, "A motion was put to the owners.")
class MotionAnnounced:
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@event(Kind.MOTION_OPENED, "A vote opened; its electorate is frozen.")
class MotionOpened:
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@event(Kind.MOTION_EXTENDED, "A vote in which too few took part was extended.")
class MotionExtended:
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@event(Kind.MOTION_CLOSED, "A vote was counted.")
class MotionClosed:
    motion: Motion = loaded(reading.subjects_of, description="The motion, with its result.")


@event(Kind.MOTION_WITHDRAWN, "A motion was withdrawn.")
class MotionWithdrawn:
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


@event(Kind.PARTICIPATION_CHANGED, "More take part in a vote. Several ballots may be told of as one.")
class ParticipationChanged:
    motion: Motion = loaded(reading.subjects_of, description="The motion, with its gauges.")


@event(Kind.BALLOT_CONFLICT, "Two ballots of one home are in conflict; for the offices that count.")
class BallotConflict:
    motion: Motion = loaded(reading.subjects_of, description="The motion.")


MOTION_EVENTS = Events(
    "MotionEvent",
    MotionAnnounced,
    MotionOpened,
    MotionExtended,
    MotionClosed,
    MotionWithdrawn,
    ParticipationChanged,
    BallotConflict,
    description="What happens to motions.",
)


@strawberry.type
class MotionsSubscription:
    @MOTION_EVENTS.subscription
    async def motion_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        motion_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only this motion.")
        ] = None,
    ) -> Stream:
        """What happens to a community's motions, or to one: opening, gauges, extension, close, result."""
        community = key_of("communityId", community_id, "Community")
        motion = key_of("motionId", motion_id, "Motion") if motion_id else None
        return Stream(
            topic=community_topic(community),
            kinds=MOTION_EVENTS.kinds,
            requires=await reading.followable(info.context, community, motion),
            thread=motion,
        )
