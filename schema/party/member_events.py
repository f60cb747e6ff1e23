"""What happens in a party branch, live, for its members."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from models.memberships import members_of
from resolvers.party import branches
from resolvers.party.lessons import completing, reading
from schema.fields import Info, loaded
from schema.node import global_id, key_of
from schema.party.lessons import PartyLesson, PartyLessonCompletion
from schema.party.opinions import PartyOpinionAnswered, PartyOpinionStepped
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, Logged, community_topic
from subscriptions.streams import Stream


@strawberry.type(description="A lesson of a party branch was published.")
class PartyLessonPublished:
    is_type_of = of_kind(Kind.PARTY_LESSON_PUBLISHED)
    lesson: PartyLesson | None = loaded(reading.lessons_of_events, description="The lesson as it is now.")


@strawberry.type(description="What a lesson of a party branch says has changed.")
class PartyLessonChanged:
    is_type_of = of_kind(Kind.PARTY_LESSON_CHANGED)
    lesson: PartyLesson | None = loaded(reading.lessons_of_events, description="The lesson as it is now.")


@strawberry.type(description="A lesson of a party branch is there no more.")
class PartyLessonWithdrawn:
    is_type_of = of_kind(Kind.PARTY_LESSON_WITHDRAWN)

    @strawberry.field(description="The lesson that is gone.")
    @staticmethod
    def lesson_id(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id("PartyLesson", root.event.subject)


@strawberry.type(description="The viewer has finished a lesson.")
class PartyLessonCompleted:
    is_type_of = of_kind(Kind.PARTY_LESSON_COMPLETED)
    completion: PartyLessonCompletion | None = loaded(
        completing.completions_of_events, viewer=True, description="The certificate."
    )


PartyMemberEvent = Annotated[
    PartyLessonPublished
    | PartyLessonChanged
    | PartyLessonWithdrawn
    | PartyLessonCompleted
    | PartyOpinionStepped
    | PartyOpinionAnswered
    | StreamOpened
    | StreamReset,
    strawberry.union("PartyMemberEvent", description="What happens in a party branch, for its members."),
]
PARTY_MEMBER_KINDS = frozenset(
    {
        Kind.PARTY_LESSON_PUBLISHED,
        Kind.PARTY_LESSON_CHANGED,
        Kind.PARTY_LESSON_WITHDRAWN,
        Kind.PARTY_LESSON_COMPLETED,
        Kind.PARTY_OPINION_STEP,
        Kind.PARTY_OPINION_ANSWERED,
    }
)


@strawberry.type
class PartyMembersSubscription:
    @strawberry.subscription(
        description="What happens to the lessons and opinions of a party branch. For its members and"
        " officers; whoever is neither gets an error."
    )
    async def party_member_events(
        self,
        info: Info,
        branch_id: Annotated[strawberry.ID, strawberry.argument(description="The party branch.")],
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> AsyncGenerator[Envelope[PartyMemberEvent], None]:
        key = key_of("branchId", branch_id, "Organisation")
        branch = await branches.own_branch(info.context, key)
        stream = Stream(
            topic=community_topic(branch.community_id),
            kinds=PARTY_MEMBER_KINDS,
            requires=frozenset({members_of(branch.id)}),
            filters=frozenset({("branch", frozenset({str(branch.id)}))}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]
