"""The enums, with what their values mean. Import them from here, so that they are described before use."""

from models.activities import (
    ActivityAudience,
    ActivityKind,
    ActivityStatus,
    ActivityUpdateKind,
    CheckInBy,
    SignUpState,
)
from resolvers.activities.organising import Extent
from resolvers.activities.recurring import Frequency
from schema.enums import described

__all__ = [
    "ActivityAudience",
    "ActivityKind",
    "ActivityStatus",
    "ActivityUpdateKind",
    "CheckInBy",
    "Extent",
    "Frequency",
    "SignUpState",
]

described(
    ActivityKind,
    "What an activity is about.",
    CULTURE="文化: music, films, reading, festivals.",
    SPORT="体育: games, runs, square dancing.",
    VOLUNTEERING="志愿: something done for the neighbourhood.",
    LECTURE="讲座: something to learn.",
    HEALTH="健康: consultations, screenings, vaccinations.",
    CHILDREN="亲子: for children and those who bring them.",
    MARKET="集市: buying, selling, swapping, repairs.",
    PARTY="党员活动: of the party branch.",
    OTHER="Anything else.",
)
described(
    ActivityAudience,
    "Who may see an activity. Only verified residents and officers sign up.",
    MEMBERS="The host's members.",
    NEIGHBOURS="Verified residents and officers of the community.",
    PUBLIC="Also those who are not verified yet.",
)
described(
    ActivityStatus,
    "Whether an activity takes place.",
    SCHEDULED="It does.",
    CANCELLED="It was called off.",
)
described(
    SignUpState,
    "Where somebody stands who signed up.",
    GOING="There is a seat.",
    WAITING="There is none yet; the waiting list moves up in order.",
    CANCELLED="Taken back.",
)
described(
    CheckInBy,
    "How somebody was checked in.",
    CODE="By the code that the organiser showed.",
    ORGANISER="By the organiser.",
)
described(
    ActivityUpdateKind,
    "What those who signed up are told of.",
    CHANGED="Its time or place is another.",
    CANCELLED="It was called off.",
    MOVED_UP="There is a seat for who waited.",
    REMINDER="It will begin soon.",
)
described(
    Extent,
    "What of a series is meant.",
    ONE="This occurrence.",
    FOLLOWING="This occurrence and all that follow.",
)
described(
    Frequency,
    "How an activity recurs.",
    WEEKLY="By weeks.",
    MONTHLY="By months, on the same day of each month that has it.",
)
