"""What happens in groups, live."""

from typing import Annotated

import strawberry

from resolvers.groups import people, reading
from schema.fields import Info, loaded
from schema.groups.groups import Group
from schema.groups.people import JoinRequest
from schema.node import key_of
from schema.posts import PostChanged, PostCreated, PostDeleted, PostMatched
from schema.streams import Events, event, subject_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


@event(
    Kind.GROUP_CHANGED,
    "A group was founded or edited, rests or is taken up again, or has more or fewer members.",
)
class GroupChanged:
    group: Group | None = loaded(reading.groups_of_events, description="As it is now; null if it is gone.")


@event(Kind.GROUP_DISSOLVED, "A group is no more.")
class GroupDissolved:
    dissolved_group_id: strawberry.ID = subject_id("Group", description="The id that it had.")


@event(Kind.JOIN_REQUEST_CHANGED, "Somebody wants to join a group, or that is decided. For both sides.")
class JoinRequestChanged:
    join_request: JoinRequest | None = loaded(people.requests_of_events, description="As it is now.")


GROUP_EVENTS = Events(
    "GroupEvent",
    PostCreated,
    PostChanged,
    PostDeleted,
    PostMatched,
    GroupChanged,
    GroupDissolved,
    JoinRequestChanged,
    description="What happens in a group.",
)


@strawberry.type
class GroupsSubscription:
    @GROUP_EVENTS.subscription
    async def group_events(
        self,
        info: Info,
        group_id: Annotated[strawberry.ID, strawberry.argument(description="The group.")],
    ) -> Stream:
        """A group and its posts, as they come and change. For those who may read there."""
        group, requires = await reading.followable(info.context, key_of("groupId", group_id, "Group"))
        return Stream(
            topic=community_topic(group.community_id),
            kinds=GROUP_EVENTS.kinds,
            requires=requires,
            filters=frozenset({("wall", frozenset({str(group.id)}))}),
        )
