"""The owners' vote, as clients see it. Before the close nothing here tells of a direction.

terms       the enums and what their values mean
weights     heads and area, thresholds and tests
rules       the rules of voting, and how others are adopted
ballots     who may cast what, what was cast, and the roll
paper       ballots on paper, entered by two officers
proxies     who votes for others
results     how many take part, and what came of it
motions     motions and their items, in their community
putting     how a motion is written, announced and withdrawn
casting     how a ballot is cast, and a conflict of two settled
checking    receipts, the simulation before and the export after
mutations   what can be done
events      what can be followed live
"""

from schema.motions.checking import MotionsQuery
from schema.motions.events import (
    BallotConflict,
    MotionAnnounced,
    MotionClosed,
    MotionExtended,
    MotionOpened,
    MotionsSubscription,
    MotionWithdrawn,
    ParticipationChanged,
)
from schema.motions.motions import CommunityMotions
from schema.motions.mutations import MotionsMutation

__all__ = [
    "MOTION_KINDS",
    "BallotConflict",
    "CommunityMotions",
    "MotionAnnounced",
    "MotionClosed",
    "MotionExtended",
    "MotionOpened",
    "MotionWithdrawn",
    "MotionsMutation",
    "MotionsQuery",
    "MotionsSubscription",
    "ParticipationChanged",
]
