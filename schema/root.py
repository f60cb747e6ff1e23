"""The roots of the schema, composed of what each domain contributes."""

from typing import Annotated

import strawberry

from models.identity import AccountRow, CommunityRow
from models.storage.paging import Page
from resolvers.identity.accounts import account_of
from resolvers.identity.addresses import communities
from schema.activities import ActivitiesSubscription, CalendarMutation, OrganisingMutation, SigningUpMutation
from schema.comments import CommentsMutation, CommentsSubscription
from schema.communities import Community, Viewer
from schema.community_events import CommunitySubscription
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.deliberations import DeliberationsMutation, DeliberationsSubscription
from schema.directory import BookingsMutation, DirectoryMutation, DirectorySubscription, TradingMutation
from schema.fields import VIEWER, Info
from schema.groups import GroupsMutation, GroupsSubscription
from schema.identity import ApplicationsMutation, PhonesMutation, ResidenciesMutation, SignInMutation
from schema.likes import LikesMutation
from schema.motions import MotionsMutation, MotionsQuery, MotionsSubscription
from schema.node import NodeQuery
from schema.notices import NoticesMutation, NoticesSubscription
from schema.notifications import NotificationsMutation, NotificationsSubscription
from schema.offices import FoundingMutation, GridsMutation, InvitationsMutation, PowersQuery
from schema.organisations import OrganisationsMutation
from schema.party.article_mutations import PartyArticlesMutation
from schema.party.events import BranchSubscription
from schema.party.lesson_mutations import PartyLessonsMutation
from schema.party.lessons import PartyLessonsQuery
from schema.party.member_events import PartyMembersSubscription
from schema.party.members import PartyMembersMutation
from schema.party.opinion_mutations import PartyOpinionsMutation
from schema.party.pioneer_mutations import PioneersMutation
from schema.party.visits import VisitsMutation
from schema.posts import PostsMutation, PostsSubscription
from schema.requests import RequestsMutation, RequestsSubscription

NameHolds = Annotated[str | None, strawberry.argument(description="Only those whose name holds this.")]


@strawberry.type
class CommunitiesQuery:
    @strawberry.field(graphql_type=Viewer | None, description="Who is signed in, or null.", metadata=VIEWER)
    async def viewer(self, info: Info) -> AccountRow | None:
        return await account_of(info.context) if info.context.viewer.account_id else None

    @strawberry.field(
        graphql_type=Connection[Community],
        description="The communities of this deployment, whose register any signed-in account may read.",
        metadata=VIEWER,
    )
    async def communities(
        self,
        info: Info,
        name: NameHolds = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Page[CommunityRow]:
        return await communities(info.context, page_args(first, after, last, before), name)


@strawberry.type(description="What can be asked.")
class Query(NodeQuery, CommunitiesQuery, PowersQuery, MotionsQuery, PartyLessonsQuery):
    pass


@strawberry.type(description="What can be done.")
class Mutation(
    SignInMutation,
    ApplicationsMutation,
    PhonesMutation,
    ResidenciesMutation,
    OrganisationsMutation,
    FoundingMutation,
    GridsMutation,
    InvitationsMutation,
    NoticesMutation,
    MotionsMutation,
    NotificationsMutation,
    PostsMutation,
    CommentsMutation,
    LikesMutation,
    DeliberationsMutation,
    GroupsMutation,
    RequestsMutation,
    PartyMembersMutation,
    PartyArticlesMutation,
    PioneersMutation,
    PartyLessonsMutation,
    PartyOpinionsMutation,
    VisitsMutation,
    DirectoryMutation,
    BookingsMutation,
    TradingMutation,
    OrganisingMutation,
    SigningUpMutation,
    CalendarMutation,
):
    pass


@strawberry.type(description="What can be followed live.")
class Subscription(
    NoticesSubscription,
    MotionsSubscription,
    NotificationsSubscription,
    PostsSubscription,
    CommentsSubscription,
    DeliberationsSubscription,
    GroupsSubscription,
    RequestsSubscription,
    BranchSubscription,
    PartyMembersSubscription,
    DirectorySubscription,
    ActivitiesSubscription,
    CommunitySubscription,
):
    pass
