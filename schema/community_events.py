"""One stream of all that happens in a community, since phones hold few connections.

A domain adds the types of its events to `COMMUNITY_EVENTS`.
"""

from typing import Annotated

import strawberry

from resolvers import posts
from schema.activities import (
    ActivityCancelled,
    ActivityChanged,
    ActivityCountersChanged,
    ActivityPublished,
    ActivitySignUpChanged,
)
from schema.comments import CommentAdded, CommentChanged, CommentDeleted
from schema.deliberations import (
    DeliberationEdited,
    DeliberationParticipationChanged,
    DeliberationStepped,
    ExecutionItemChecked,
    OpinionMapChanged,
    StatementAdded,
    StatementChanged,
)
from schema.directory import (
    BookingStepAdded,
    EntryChanged,
    EntryPublished,
    EntryRated,
    EntryWithdrawn,
    LicenceStepAdded,
    OfferChanged,
    OfferEnded,
    OfferPublished,
    OfficeBookingChanged,
    RatingChanged,
    SlotChanged,
)
from schema.fields import Info
from schema.groups import GroupChanged, GroupDissolved, JoinRequestChanged
from schema.likes import CountersChanged
from schema.motions import (
    BallotConflict,
    MotionAnnounced,
    MotionClosed,
    MotionExtended,
    MotionOpened,
    MotionWithdrawn,
    ParticipationChanged,
)
from schema.node import key_of
from schema.notices import NoticeCancelled, NoticePublished, NoticeUpdated
from schema.notifications import NotificationAdded, NotificationsRead
from schema.party.events import (
    BranchContentChanged,
    BranchContentPublished,
    BranchContentWithdrawn,
    PioneerThanked,
)
from schema.party.member_events import (
    PartyLessonChanged,
    PartyLessonCompleted,
    PartyLessonPublished,
    PartyLessonWithdrawn,
)
from schema.party.members import PartyApplicationChanged, PartyMemberChanged
from schema.party.opinions import PartyOpinionAnswered, PartyOpinionStepped
from schema.posts import PostChanged, PostCreated, PostDeleted, PostMatched
from schema.requests import OfficeQueueChanged, RequestFollowersChanged, RequestStepAdded
from schema.streams import Events
from subscriptions.events import community_topic
from subscriptions.streams import Stream

COMMUNITY_EVENTS = Events(
    "CommunityEvent",
    PostCreated,
    PostChanged,
    PostDeleted,
    PostMatched,
    CommentAdded,
    CommentChanged,
    CommentDeleted,
    CountersChanged,
    NoticePublished,
    NoticeUpdated,
    NoticeCancelled,
    MotionAnnounced,
    MotionOpened,
    MotionExtended,
    MotionClosed,
    MotionWithdrawn,
    ParticipationChanged,
    BallotConflict,
    RequestStepAdded,
    RequestFollowersChanged,
    OfficeQueueChanged,
    DeliberationStepped,
    DeliberationEdited,
    DeliberationParticipationChanged,
    StatementAdded,
    StatementChanged,
    OpinionMapChanged,
    ExecutionItemChecked,
    GroupChanged,
    GroupDissolved,
    JoinRequestChanged,
    PartyApplicationChanged,
    PartyMemberChanged,
    BranchContentPublished,
    BranchContentChanged,
    BranchContentWithdrawn,
    PioneerThanked,
    PartyLessonPublished,
    PartyLessonChanged,
    PartyLessonWithdrawn,
    PartyLessonCompleted,
    PartyOpinionStepped,
    PartyOpinionAnswered,
    EntryPublished,
    EntryChanged,
    EntryWithdrawn,
    LicenceStepAdded,
    SlotChanged,
    OfferPublished,
    OfferChanged,
    OfferEnded,
    EntryRated,
    RatingChanged,
    BookingStepAdded,
    OfficeBookingChanged,
    ActivityPublished,
    ActivityChanged,
    ActivityCancelled,
    ActivityCountersChanged,
    ActivitySignUpChanged,
    NotificationAdded,
    NotificationsRead,
    description="What happens in a community.",
)


@strawberry.type
class CommunitySubscription:
    @COMMUNITY_EVENTS.subscription
    async def community_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
    ) -> Stream:
        """All that happens in a community, as far as the viewer may see it."""
        key = key_of("communityId", community_id, "Community")
        return Stream(
            topic=community_topic(key),
            kinds=COMMUNITY_EVENTS.kinds,
            requires=await posts.followed_community(info.context, key),
        )
