"""What happens in a party branch, live, for its members."""

from typing import Annotated

import strawberry

from models.memberships import members_of
from resolvers.party import branches
from resolvers.party.lessons import completing, reading
from schema.fields import Info, loaded
from schema.node import key_of
from schema.party.lessons import PartyLesson, PartyLessonCompletion
from schema.party.opinions import PartyOpinionAnswered, PartyOpinionStepped
from schema.streams import Events, event, subject_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@event(Kind.PARTY_LESSON_PUBLISHED, "A lesson of a party branch was published.")
class PartyLessonPublished:
    lesson: PartyLesson | None = loaded(reading.lessons_of_events, description="The lesson as it is now.")


@event(Kind.PARTY_LESSON_CHANGED, "What a lesson of a party branch says has changed.")
class PartyLessonChanged:
    lesson: PartyLesson | None = loaded(reading.lessons_of_events, description="The lesson as it is now.")


@event(Kind.PARTY_LESSON_WITHDRAWN, "A lesson of a party branch is there no more.")
class PartyLessonWithdrawn:
    lesson_id: strawberry.ID = subject_id("PartyLesson", description="The lesson that is gone.")


@event(Kind.PARTY_LESSON_COMPLETED, "The viewer has finished a lesson.")
class PartyLessonCompleted:
    completion: PartyLessonCompletion | None = loaded(
        completing.completions_of_events, viewer=True, description="The certificate."
    )


PARTY_MEMBER_EVENTS = Events(
    "PartyMemberEvent",
    PartyLessonPublished,
    PartyLessonChanged,
    PartyLessonWithdrawn,
    PartyLessonCompleted,
    PartyOpinionStepped,
    PartyOpinionAnswered,
    description="What happens in a party branch, for its members.",
)


@strawberry.type
class PartyMembersSubscription:
    @PARTY_MEMBER_EVENTS.subscription
    async def party_member_events(
        self,
        info: Info,
        branch_id: Annotated[strawberry.ID, strawberry.argument(description="The party branch.")],
    ) -> Stream:
        """What happens to the lessons and opinions of a party branch. For its members and officers;
        whoever is neither gets an error.
        """
        key = key_of("branchId", branch_id, "Organisation")
        branch = await branches.own_branch(info.context, key)
        return Stream(
            topic=community_topic(branch.community_id),
            kinds=PARTY_MEMBER_EVENTS.kinds,
            requires=frozenset({members_of(branch.id)}),
            filters=frozenset({("branch", frozenset({str(branch.id)}))}),
        )
