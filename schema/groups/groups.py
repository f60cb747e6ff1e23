"""Groups, and what they add to a community and to the viewer."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import groups as rules
from models.groups import LARGEST, NEWEST, GroupAccess, GroupRow, JoinStatus
from models.identity import AccountRow, CommunityRow
from models.storage.paging import Order
from resolvers import posts as feed
from resolvers.groups import people, reading
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, load, loaded
from schema.groups.people import GroupInvitation, GroupMembership, GroupStep, JoinRequest
from schema.identity import Neighbour
from schema.node import Node, fetched_by, key_of
from schema.posts import AboutEstate, ByAuthor, InOrder, InStates, Kinds, Post, PostOrder, wanted_of

if TYPE_CHECKING:
    from schema.communities import Community

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
    community: Annotated["Community", strawberry.lazy("schema.communities")] = loaded(
        reading.communities_of, description="The community it belongs to."
    )
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

    @strawberry.field(
        description="Its posts that the viewer may see.", metadata={"batch": feed.feeds_of, "viewer": True}
    )
    @staticmethod
    async def posts(
        root: strawberry.Parent[GroupRow],
        info: Info,
        kinds: Kinds = None,
        states: InStates = None,
        estate: AboutEstate = None,
        author: ByAuthor = None,
        order: InOrder = PostOrder.LATEST,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Post]:
        wanted = wanted_of(root.community_id, kinds, states, estate, author, order)
        args = page_args(first, after, last, before)
        return await load(info, feed.feeds_of, root, wanted, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="Who belongs to it, in the order of joining; null for everyone but its members.",
        metadata={"batch": people.members_of_groups, **VIEWER},
    )
    @staticmethod
    async def members(
        root: strawberry.Parent[GroupRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[GroupMembership] | None:
        return await load(info, people.members_of_groups, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    @strawberry.field(
        description="Who has asked to join, the newest first; null for everyone but those who look after it.",
        metadata={"batch": people.requests_of_groups, **VIEWER},
    )
    @staticmethod
    async def join_requests(
        root: strawberry.Parent[GroupRow],
        info: Info,
        status: WithStatus = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[JoinRequest] | None:
        args = page_args(first, after, last, before)
        return await load(info, people.requests_of_groups, root, status, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="Whom it has invited, the newest first; null for everyone but those who look after it.",
        metadata={"batch": people.invitations_of_groups, **VIEWER},
    )
    @staticmethod
    async def invitations(
        root: strawberry.Parent[GroupRow],
        info: Info,
        status: WithStatus = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[GroupInvitation] | None:
        args = page_args(first, after, last, before)
        return await load(info, people.invitations_of_groups, root, status, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="What was done in it, the newest first; null for everyone but those who look after it.",
        metadata={"batch": people.steps_of_groups, **VIEWER},
    )
    @staticmethod
    async def steps(
        root: strawberry.Parent[GroupRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[GroupStep] | None:
        return await load(info, people.steps_of_groups, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

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


@strawberry.type
class CommunityGroups:
    """What groups add to a community."""

    @strawberry.field(
        description="Its groups that the viewer may know of.",
        metadata={"batch": reading.groups_of, **VIEWER},
    )
    @staticmethod
    async def groups(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        name: Annotated[
            str | None, strawberry.argument(description="Only those whose name holds this.")
        ] = None,
        archived: Annotated[bool, strawberry.argument(description="Those that rest, instead.")] = False,
        order: Annotated[
            GroupOrder, strawberry.argument(description="Which come first.")
        ] = GroupOrder.NEWEST,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Group]:
        args = page_args(first, after, last, before)
        return await load(info, reading.groups_of, root, name, archived, order.by, args)  # type: ignore[no-any-return]

    suggested_groups: list[Group] = loaded(
        reading.suggestions_for,
        viewer=True,
        description="Groups that the viewer may like to join, the likeliest first, 10 at most: those of"
        " neighbours in the same building and estate, and lively ones.",
    )


@strawberry.type
class ViewerGroups:
    """What groups add to the viewer."""

    @strawberry.field(
        description="The groups that the viewer belongs to, the newest first.",
        metadata={"batch": people.memberships_of, **VIEWER},
    )
    @staticmethod
    async def groups(
        root: strawberry.Parent[AccountRow],
        info: Info,
        community_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this community.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[GroupMembership]:
        key = None if community_id is None else key_of("communityId", community_id, "Community")
        args = page_args(first, after, last, before)
        return await load(info, people.memberships_of, root, key, args)  # type: ignore[no-any-return]

    group_invitations: list[GroupInvitation] = loaded(
        people.invitations_to, viewer=True, description="The invitations to groups that wait for an answer."
    )
