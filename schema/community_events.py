"""One stream of all that happens in a community, since phones hold few connections.

A domain adds the types of its events to the union, and their kinds below it.
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers import posts
from schema.activities import (
    ACTIVITY_KINDS,
    ActivityCancelled,
    ActivityChanged,
    ActivityCountersChanged,
    ActivityPublished,
    ActivitySignUpChanged,
)
from schema.comments import COMMENT_KINDS, AfterCursor, CommentAdded, CommentChanged, CommentDeleted
from schema.deliberations import (
    DELIBERATION_KINDS,
    DeliberationEdited,
    DeliberationParticipationChanged,
    DeliberationStepped,
    ExecutionItemChecked,
    OpinionMapChanged,
    StatementAdded,
    StatementChanged,
)
from schema.directory import (
    BOOKING_KINDS,
    DIRECTORY_KINDS,
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
from schema.groups import GROUP_KINDS, GroupChanged, GroupDissolved, JoinRequestChanged
from schema.likes import CountersChanged
from schema.motions import (
    MOTION_KINDS,
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
    BRANCH_KINDS,
    BranchContentChanged,
    BranchContentPublished,
    BranchContentWithdrawn,
    PioneerThanked,
)
from schema.party.member_events import (
    PARTY_MEMBER_KINDS,
    PartyLessonChanged,
    PartyLessonCompleted,
    PartyLessonPublished,
    PartyLessonWithdrawn,
)
from schema.party.members import PartyApplicationChanged, PartyMemberChanged
from schema.party.opinions import PartyOpinionAnswered, PartyOpinionStepped
from schema.posts import POST_KINDS, PostChanged, PostCreated, PostDeleted
from schema.requests import REQUEST_KINDS, OfficeQueueChanged, RequestFollowersChanged, RequestStepAdded
from schema.streams import Envelope, StreamOpened, StreamReset, follow
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

CommunityEvent = Annotated[
    PostCreated
    | PostChanged
    | PostDeleted
    | CommentAdded
    | CommentChanged
    | CommentDeleted
    | CountersChanged
    | NoticePublished
    | NoticeUpdated
    | NoticeCancelled
    | MotionAnnounced
    | MotionOpened
    | MotionExtended
    | MotionClosed
    | MotionWithdrawn
    | ParticipationChanged
    | BallotConflict
    | RequestStepAdded
    | RequestFollowersChanged
    | OfficeQueueChanged
    | DeliberationStepped
    | DeliberationEdited
    | DeliberationParticipationChanged
    | StatementAdded
    | StatementChanged
    | OpinionMapChanged
    | ExecutionItemChecked
    | GroupChanged
    | GroupDissolved
    | JoinRequestChanged
    | PartyApplicationChanged
    | PartyMemberChanged
    | BranchContentPublished
    | BranchContentChanged
    | BranchContentWithdrawn
    | PioneerThanked
    | PartyLessonPublished
    | PartyLessonChanged
    | PartyLessonWithdrawn
    | PartyLessonCompleted
    | PartyOpinionStepped
    | PartyOpinionAnswered
    | EntryPublished
    | EntryChanged
    | EntryWithdrawn
    | LicenceStepAdded
    | SlotChanged
    | OfferPublished
    | OfferChanged
    | OfferEnded
    | EntryRated
    | RatingChanged
    | BookingStepAdded
    | OfficeBookingChanged
    | ActivityPublished
    | ActivityChanged
    | ActivityCancelled
    | ActivityCountersChanged
    | ActivitySignUpChanged
    | NotificationAdded
    | NotificationsRead
    | StreamOpened
    | StreamReset,
    strawberry.union("CommunityEvent", description="What happens in a community."),
]
KINDS = (
    POST_KINDS
    | COMMENT_KINDS
    | DELIBERATION_KINDS
    | MOTION_KINDS
    | REQUEST_KINDS
    | BRANCH_KINDS
    | GROUP_KINDS
    | PARTY_MEMBER_KINDS
    | DIRECTORY_KINDS
    | BOOKING_KINDS
    | ACTIVITY_KINDS
    | {
        Kind.COUNTERS_CHANGED,
        Kind.NOTICE_PUBLISHED,
        Kind.NOTICE_UPDATED,
        Kind.NOTICE_CANCELLED,
        Kind.REQUEST_QUEUED,
        Kind.PARTY_APPLICATION_CHANGED,
        Kind.PARTY_MEMBER_CHANGED,
        Kind.LICENCE_STEP,
        Kind.NOTIFICATION_ADDED,
        Kind.NOTIFICATIONS_READ,
    }
)


@strawberry.type
class CommunitySubscription:
    @strawberry.subscription(description="All that happens in a community, as far as the viewer may see it.")
    async def community_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        after: AfterCursor = None,
    ) -> AsyncGenerator[Envelope[CommunityEvent], None]:
        key = key_of("communityId", community_id, "Community")
        stream = Stream(
            topic=community_topic(key),
            kinds=frozenset(KINDS),
            requires=await posts.followed_community(info.context, key),
        )
        return follow(stream, after)  # type: ignore[no-any-return]
