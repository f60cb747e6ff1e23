"""Groups, and what they add to a community and to the viewer."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry

from models import groups as rules
from models.groups import LARGEST, NEWEST, GroupAccess, GroupRow, JoinStatus
from models.storage.paging import Order
from resolvers import posts as feed
from resolvers.groups import people, reading
from resolvers.identity import around
from resolvers.posts import FeedCriteria
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.groups.people import GroupInvitation, GroupMembership, GroupStep, JoinRequest
from schema.identity import Neighbour
from schema.links import Community
from schema.node import Node, fetched_by, key_of
from schema.posts import AboutEstate, ByAuthor, InOrder, InStates, Kinds, Post, PostOrder, of_feed

described(
    GroupAccess,
    "Who may come into a group, and who reads what is posted there.",
    OPEN="Whoever belongs to the community reads, and joins at once.",
    APPROVAL="The community knows of it; members read; who wants to join asks.",
    CLOSED="Nobody but its members and those invited knows of it.",
)


class GroupOrder(StrEnum):
    NEWEST = "NEWEST"
    LARGEST = "LARGEST"

    @property
    def by(self) -> Order:
        return NEWEST if self is GroupOrder.NEWEST else LARGEST


described(
    GroupOrder,
    "Which groups come first.",
    NEWEST="Those founded last.",
    LARGEST="Those with the most members.",
)

WithStatus = Annotated[JoinStatus | None, strawberry.argument(description="Only those so far.")]


def with_status(status: WithStatus = None) -> tuple[JoinStatus | None]:
    return (status,)


def of_wall(
    kinds: Kinds = None,
    states: InStates = None,
    estate: AboutEstate = None,
    author: ByAuthor = None,
    order: InOrder = PostOrder.LATEST,
) -> tuple[FeedCriteria]:
    return of_feed(kinds, states, estate, author, order)


@fetched_by(reading.visible_by_ids)
@strawberry.type(description="兴趣小组: neighbours with something in common, and a feed of their own.")
class Group(Node):
    name: str = strawberry.field(description="Its name, 2 to 40 characters.")
    description: str = strawberry.field(description="What it is about, 1 to 1,000 characters.")
    rules: str = strawberry.field(description="How its members treat each other; may be empty.")
    questions: list[str] = strawberry.field(description="What somebody who asks to join answers, 5 at most.")
    access: GroupAccess = strawberry.field(description="Who may come in, and who reads.")
    member_count: int = strawberry.field(description="How many belong to it.")
    post_count: int = strawberry.field(description="How many posts it has.")
    last_post_at: datetime | None = strawberry.field(description="When something was last posted, if ever.")
    created_at: datetime = strawberry.field(description="When it was founded.")
    archived_at: datetime | None = strawberry.field(
        description="Since when it rests: it is read, but nobody posts, comments or joins."
    )
    version: int = strawberry.field(description="Grows with each edit; `editGroup` asks for it.")
    community: Community = loaded(around.communities, description="The community it belongs to.")
    owner: Neighbour | None = loaded(people.owners_of, description="Who owns it.")
    pinned_posts: list[Post] = loaded(
        feed.pinned_of, viewer=True, description="Its pinned posts, the latest pin first, 20 at most."
    )
    viewer_membership: GroupMembership | None = loaded(
        people.viewer_memberships_of, viewer=True, description="What the viewer is to it; null for no member."
    )
    viewer_request: JoinRequest | None = loaded(
        people.viewer_requests_of, viewer=True, description="The viewer's request that is not decided."
    )
    viewer_invitation: GroupInvitation | None = loaded(
        people.viewer_invitations_of, viewer=True, description="The invitation that the viewer may answer."
    )
    posts: Connection[Post] = connection(
        feed.feeds_of, arguments=of_wall, viewer=True, description="Its posts that the viewer may see."
    )
    members: Connection[GroupMembership] | None = connection(
        people.members_of_groups,
        viewer=True,
        description="Who belongs to it, in the order of joining; null for everyone but its members.",
    )
    join_requests: Connection[JoinRequest] | None = connection(
        people.requests_of_groups,
        arguments=with_status,
        viewer=True,
        description="Who has asked to join, the newest first; null for everyone but those who look after it.",
    )
    invitations: Connection[GroupInvitation] | None = connection(
        people.invitations_of_groups,
        arguments=with_status,
        viewer=True,
        description="Whom it has invited, the newest first; null for everyone but those who look after it.",
    )
    steps: Connection[GroupStep] | None = connection(
        people.steps_of_groups,
        viewer=True,
        description="What was done in it, the newest first; null for everyone but those who look after it.",
    )

    @strawberry.field(
        description="How many requests wait; null for everyone but those who look after it.", metadata=VIEWER
    )
    @staticmethod
    def request_count(root: strawberry.Parent[GroupRow], info: Info) -> int | None:
        return root.request_count if rules.can_moderate(info.context.viewer, root.id) else None

    @strawberry.field(description="Whether the viewer may read what is posted in it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_read(root: strawberry.Parent[GroupRow], info: Info) -> bool:
        return rules.can_read_posts(info.context.viewer, root)

    @strawberry.field(description="Whether the viewer may post in it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_post(root: strawberry.Parent[GroupRow], info: Info) -> bool:
        return rules.can_post(info.context.viewer, root)

    @strawberry.field(description="Whether the viewer looks after it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_moderate(root: strawberry.Parent[GroupRow], info: Info) -> bool:
        return rules.can_moderate(info.context.viewer, root.id)

    is_type_of = IsA(GroupRow)


def named(
    name: Annotated[str | None, strawberry.argument(description="Only those whose name holds this.")] = None,
    archived: Annotated[bool, strawberry.argument(description="Those that rest, instead.")] = False,
    order: Annotated[GroupOrder, strawberry.argument(description="Which come first.")] = GroupOrder.NEWEST,
) -> tuple[str | None, bool, Order]:
    return name, archived, order.by


@strawberry.type
class CommunityGroups:
    """What groups add to a community."""

    suggested_groups: list[Group] = loaded(
        reading.suggestions_for,
        viewer=True,
        description="Groups that the viewer may like to join, 10 at most:"
        " those of neighbours in the same building and estate first, and lively ones.",
    )
    groups: Connection[Group] = connection(
        reading.groups_of, arguments=named, viewer=True, description="Its groups that the viewer may know of."
    )


def in_community(
    community_id: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only those of this community.")
    ] = None,
) -> tuple[UUID | None]:
    return (None if community_id is None else key_of("communityId", community_id, "Community"),)


@strawberry.type
class ViewerGroups:
    """What groups add to the viewer."""

    group_invitations: list[GroupInvitation] = loaded(
        people.invitations_to, viewer=True, description="The invitations to groups that wait for an answer."
    )
    groups: Connection[GroupMembership] = connection(
        people.memberships_of,
        arguments=in_community,
        viewer=True,
        description="The groups that the viewer belongs to, the newest first.",
    )
