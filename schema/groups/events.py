"""What happens in groups, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers.groups import people, reading
from schema.comments import AfterCursor
from schema.fields import Info, loaded
from schema.groups.groups import Group
from schema.groups.people import JoinRequest
from schema.node import global_id, key_of
from schema.posts import POST_KINDS, PostChanged, PostCreated, PostDeleted, PostMatched
from schema.streams import Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, Logged, community_topic
from subscriptions.streams import Stream

GROUP_KINDS = frozenset({Kind.GROUP_CHANGED, Kind.GROUP_DISSOLVED, Kind.JOIN_REQUEST_CHANGED})


@strawberry.type(
    description="A group was founded or edited, rests or is taken up again, or has more or fewer members."
)
class GroupChanged:
    is_type_of = of_kind(Kind.GROUP_CHANGED)
    group: Group | None = loaded(reading.groups_of_events, description="As it is now; null if it is gone.")


@strawberry.type(description="A group is no more.")
class GroupDissolved:
    is_type_of = of_kind(Kind.GROUP_DISSOLVED)

    @strawberry.field(description="The id that it had.")
    @staticmethod
    def dissolved_group_id(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id("Group", root.event.subject)


@strawberry.type(description="Somebody wants to join a group, or that is decided. For both sides.")
class JoinRequestChanged:
    is_type_of = of_kind(Kind.JOIN_REQUEST_CHANGED)
    join_request: JoinRequest | None = loaded(people.requests_of_events, description="As it is now.")


GroupEvent = Annotated[
    PostCreated
    | PostChanged
    | PostDeleted
    | PostMatched
    | GroupChanged
    | GroupDissolved
    | JoinRequestChanged
    | StreamOpened
    | StreamReset,
    strawberry.union("GroupEvent", description="What happens in a group."),
]


@strawberry.type
class GroupsSubscription:
    @strawberry.subscription(
        description="A group and its posts, as they come and change. For those who may read there."
    )
    async def group_events(
        self,
        info: Info,
        group_id: Annotated[strawberry.ID, strawberry.argument(description="The group.")],
        after: AfterCursor = None,
    ) -> AsyncGenerator[Envelope[GroupEvent], None]:
        group, requires = await reading.followable(info.context, key_of("groupId", group_id, "Group"))
        stream = Stream(
            topic=community_topic(group.community_id),
            kinds=POST_KINDS | GROUP_KINDS,
            requires=requires,
            filters=frozenset({("wall", frozenset({str(group.id)}))}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]
