"""The neighbour feed, as clients see it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry

from models import posts as rules
from models.identity import CommunityRow
from models.posts import HOT, LATEST, PostAudience, PostKind, PostRow, PostState, RevisionRow
from models.storage.paging import Order
from models.visibility import public_of
from resolvers import comments as discussion
from resolvers import posts as feed
from resolvers.groups.reading import groups_of_posts
from resolvers.identity import around
from resolvers.paging import edge_cursor
from resolvers.party import contents
from resolvers.posts import OWN_ESTATE, FeedCriteria, OwnEstate
from resolvers.requests import board
from schema.comments import Commented
from schema.connections import Connection, Edge, connection, edge
from schema.deliberations import PostDeliberations
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded, permitted
from schema.identity import Estate, Neighbour
from schema.likes import Liked
from schema.links import Community, Group, ServiceRequest
from schema.matching import PostMatches
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import fetched_by, global_id, key_of
from schema.party.cards import FeedCard
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.streams import Events, event, subject_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

described(
    PostKind,
    "What a post is about.",
    TALK="闲聊: anything.",
    LOST="寻物: something was lost.",
    FOUND="招领: something was found.",
    IDLE_GOODS="闲置: something to give away or to sell.",
    HELP="互助: help is asked for or offered.",
    COMPLAINT="投诉: something is wrong.",
    ACTIVITY="活动: something to do together.",
    BRANCH="党建: something that a party branch shows; see `card`.",
)
described(
    PostState,
    "Whether the matter of a post is settled.",
    OPEN="Not yet.",
    RESOLVED="The licence is returned, the item given away, the problem fixed.",
)
described(
    PostAudience,
    "Who may see a post.",
    NEIGHBOURS="Verified residents and officers of the community.",
    PUBLIC="Also those who are not verified yet.",
    MEMBERS="The members of the group that it is posted in, or of the party branch whose card it is."
    " Not for `createPost`: a group decides who reads its posts.",
)


class PostOrder(StrEnum):
    LATEST = "LATEST"
    HOT = "HOT"

    @property
    def by(self) -> Order:
        return LATEST if self is PostOrder.LATEST else HOT


described(
    PostOrder,
    "Which posts come first.",
    LATEST="The newest.",
    HOT="Those with many answers for their age: each doubling of likes and comments counts as four hours,"
    " twelve times at most. The order changes meanwhile; a client skips what it has already.",
)


@strawberry.type(description="What a text was before an edit.")
class Revision:
    body: str = strawberry.field(description="The text.")
    created_at: datetime = strawberry.field(description="When it was replaced.")

    is_type_of = IsA(RevisionRow)


def audience_of(root: strawberry.Parent[PostRow]) -> PostAudience:
    if root.scope_id == root.community_id:
        return PostAudience.NEIGHBOURS
    public = root.scope_id == public_of(root.community_id)
    return PostAudience.PUBLIC if public else PostAudience.MEMBERS


@fetched_by(feed.visible_by_ids)
@strawberry.type(description="A post of the neighbour feed, or of a group.")
class Post(Commented, Liked, PostDeliberations, PostMatches):
    kind: PostKind = strawberry.field(description="What it is about.")
    state: PostState = strawberry.field(description="Whether the matter is settled.")
    body: str = strawberry.field(description="The text, 1 to 5,000 characters.")
    comment_count: int = strawberry.field(description="How many comments it has, tombstones aside.")
    version: int = strawberry.field(description="Grows with each edit of the text; `editPost` asks for it.")
    created_at: datetime = strawberry.field(description="When it was published.")
    edited_at: datetime | None = strawberry.field(description="When its text was last changed, if ever.")
    pinned_at: datetime | None = strawberry.field(description="When it was pinned, if it is.")
    author: Neighbour = loaded(discussion.authors_of, description="Who wrote it.")
    estate: Estate | None = loaded(
        feed.estates_of, description="The estate it is about; null for the whole community."
    )
    community: Community = loaded(around.communities, description="The community it belongs to.")
    group: Group | None = loaded(
        groups_of_posts, description="The group that it is posted in; null for the community's feed."
    )
    request: ServiceRequest | None = loaded(
        board.requests_of_posts,
        viewer=True,
        description="The service request that was made of it, as far as the viewer may see it.",
    )
    card: FeedCard | None = loaded(
        contents.cards_of,
        description="What it shows, if it is a card (kind BRANCH); its body is then that thing's title.",
    )
    viewer_can_comment: bool = loaded(
        discussion.viewer_can_comment,
        viewer=True,
        description="Whether the viewer may comment on it now.",
    )
    audience: PostAudience = strawberry.field(resolver=audience_of, description="Who may see it.")
    revisions: Connection[Revision] = connection(
        feed.revisions_of,
        viewer=True,
        description="What it said before its edits, the latest first."
        " For its author and for moderators; empty for others.",
    )
    viewer_can_edit: bool = permitted(rules.can_edit, description="Whether the viewer may edit it.")
    viewer_can_delete: bool = permitted(rules.can_delete, description="Whether the viewer may delete it.")
    viewer_can_set_state: bool = permitted(
        rules.can_set_state, description="Whether the viewer may settle or reopen it."
    )
    viewer_can_pin: bool = permitted(rules.can_pin, description="Whether the viewer may pin it.")

    is_type_of = IsA(PostRow)


Kinds = Annotated[list[PostKind] | None, strawberry.argument(description="Only of these kinds.")]
InStates = Annotated[list[PostState] | None, strawberry.argument(description="Only in these states.")]
AboutEstate = Annotated[strawberry.ID | None, strawberry.argument(description="Only about this estate.")]
ByAuthor = Annotated[strawberry.ID | None, strawberry.argument(description="Only by this neighbour.")]
InOrder = Annotated[PostOrder, strawberry.argument(description="Which come first.")]


def of_feed(
    kinds: Kinds = None,
    states: InStates = None,
    estate: AboutEstate = None,
    author: ByAuthor = None,
    order: InOrder = PostOrder.LATEST,
    in_groups: Annotated[bool, strawberry.argument(description="Also what is posted in its groups.")] = False,
) -> tuple[FeedCriteria]:
    criteria = FeedCriteria(
        kinds=None if kinds is None else frozenset(kinds),
        states=None if states is None else frozenset(states),
        estate_id=None if estate is None else key_of("estate", estate, "Estate"),
        author_id=None if author is None else key_of("author", author, "Neighbour"),
        order=order.by,
        in_groups=in_groups,
    )
    return (criteria,)


@strawberry.type
class CommunityPosts:
    """What the neighbour feed adds to a community."""

    pinned_posts: list[Post] = loaded(
        feed.pinned_of, viewer=True, description="Its pinned posts, the latest pin first, 20 at most."
    )
    posts: Connection[Post] = connection(
        feed.feeds_of,
        arguments=of_feed,
        viewer=True,
        description="The posts of its feed that the viewer may see.",
    )

    @strawberry.field(description="Whether the viewer may post, comment and like here.", metadata=VIEWER)
    @staticmethod
    def viewer_can_post(root: strawberry.Parent[CommunityRow], info: Info) -> bool:
        return rules.can_post(info.context.viewer, root.id)


# Writing

POST_ID = "The post."


@strawberry.input(description="A new post.")
class CreatePostInput:
    community_id: strawberry.ID = strawberry.field(description="Where to publish it.")
    kind: PostKind = strawberry.field(description="What it is about.")
    body: str = strawberry.field(
        description="1 to 5,000 characters. Numbers of documents and bank cards in it are masked."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    audience: PostAudience = strawberry.field(default=PostAudience.NEIGHBOURS, description="Who may see it.")
    estate_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The estate it is about; null for the whole community. Left out, the author's own.",
    )
    group_id: strawberry.ID | None = strawberry.field(
        default=None, description="The group to post it in, whose members are its audience unless it is open."
    )


@strawberry.input(description="A new text for a post.")
class EditPostInput:
    post_id: strawberry.ID = strawberry.field(description=POST_ID)
    body: str = strawberry.field(description="What it shall say, 1 to 5,000 characters.")
    version: int = strawberry.field(description="The version that the author has read.")


@strawberry.input(description="Which post to delete.")
class DeletePostInput:
    post_id: strawberry.ID = strawberry.field(description=POST_ID)


@strawberry.input(description="Whether a post's matter is settled.")
class SetPostStateInput:
    post_id: strawberry.ID = strawberry.field(description=POST_ID)
    state: PostState = strawberry.field(description="What it shall be.")


@strawberry.input(description="Whether a post is pinned.")
class SetPostPinnedInput:
    post_id: strawberry.ID = strawberry.field(description=POST_ID)
    pinned: bool = strawberry.field(description="True to pin it, false to take it down.")


@payload("The post was published.")
class CreatePostPayload:
    post_edge: Edge[PostRow] = shown(Edge[Post], "The edge to put into the latest posts.")


@payload("The post was edited.")
class EditPostPayload:
    post: PostRow = shown(Post, "As it is now.")


@payload("The post was deleted.")
class DeletePostPayload:
    deleted_post_id: strawberry.ID = strawberry.field(description="The id that it had.")


@payload("The post is in the state asked for.")
class SetPostStatePayload:
    post: PostRow = shown(Post, "As it is now.")


@payload("The post is pinned, or not, as asked for.")
class SetPostPinnedPayload:
    post: PostRow = shown(Post, "As it is now.")


@strawberry.type
class PostsMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited, input="The post.")
    async def create_post(self, info: Info, input: CreatePostInput) -> CreatePostPayload:
        """Publish a post. For verified residents and officers of the community, in a group for its
        members; 30 an hour.
        """
        estate: UUID | OwnEstate | None = OWN_ESTATE
        if input.estate_id is not strawberry.UNSET:
            estate = None if input.estate_id is None else key_of("estateId", input.estate_id, "Estate")
        row = await feed.create_post(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            kind=input.kind,
            body=input.body,
            key=input.idempotency_key,
            audience=input.audience,
            estate_id=estate,
            group_id=None if input.group_id is None else key_of("groupId", input.group_id, "Group"),
        )
        return CreatePostPayload(post_edge=Edge(node=row, cursor=edge_cursor(LATEST, row)))

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited, input="The new text.")
    async def edit_post(self, info: Info, input: EditPostInput) -> EditPostPayload:
        """Replace the text of one's own post; the old one goes into its history."""
        key = key_of("postId", input.post_id, "Post")
        row = await feed.edit_post(info.context, post_id=key, body=input.body, version=input.version)
        return EditPostPayload(post=row)

    @mutation(InvalidInput, NotAllowed, NotFound, input="Which one.")
    async def delete_post(self, info: Info, input: DeletePostInput) -> DeletePostPayload:
        """Delete one's own post, or, with the power to moderate, another's."""
        row = await feed.delete_post(info.context, post_id=key_of("postId", input.post_id, "Post"))
        return DeletePostPayload(deleted_post_id=global_id("Post", row.id))

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited, input="Which state.")
    async def set_post_state(self, info: Info, input: SetPostStateInput) -> SetPostStatePayload:
        """Say that a post's matter is settled, or open again. For its author and for moderators."""
        key = key_of("postId", input.post_id, "Post")
        row = await feed.set_post_state(info.context, post_id=key, state=input.state)
        return SetPostStatePayload(post=row)

    @mutation(InvalidInput, NotAllowed, NotFound, input="Pinned or not.")
    async def set_post_pinned(self, info: Info, input: SetPostPinnedInput) -> SetPostPinnedPayload:
        """Pin a post above the feed, or take it down. For the residents' committee; in a group, for
        those who look after it.
        """
        key = key_of("postId", input.post_id, "Post")
        row = await feed.set_post_pinned(info.context, post_id=key, pinned=input.pinned)
        return SetPostPinnedPayload(post=row)


# Live


@event(Kind.POST_CREATED, "A post was published.")
class PostCreated:
    post: Post | None = loaded(feed.posts_of_events, description="The post; null if it is gone.")
    post_edge: Edge[Post] | None = edge(
        feed.posts_of_events,
        LATEST,
        description="The edge to put into the latest posts; null if the post is gone.",
    )


@event(Kind.POST_CHANGED, "A post was edited, settled, reopened, pinned or taken down.")
class PostChanged:
    post: Post | None = loaded(feed.posts_of_events, description="As it is now; null if it is gone.")


@event(Kind.POST_DELETED, "A post was deleted, with all its comments.")
class PostDeleted:
    deleted_post_id: strawberry.ID = subject_id("Post", description="The id that it had.")


@event(Kind.POST_MATCHED, "A post of the viewer's may have met what was lost, or whoever lost it.")
class PostMatched:
    post: Post | None = loaded(
        feed.posts_of_events, description="The viewer's post, with its new matches; null if it is gone."
    )


POST_EVENTS = Events(
    "PostEvent",
    PostCreated,
    PostChanged,
    PostDeleted,
    PostMatched,
    description="What happens in a neighbour feed.",
)


@strawberry.type
class PostsSubscription:
    @POST_EVENTS.subscription
    async def post_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        kinds: Kinds = None,
        estate_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only about this estate.")
        ] = None,
    ) -> Stream:
        """The posts of a community's feed, as they come and change."""
        key = key_of("communityId", community_id, "Community")
        filters = {("wall", frozenset({str(key)}))}
        if kinds is not None:
            filters.add(("kind", frozenset(kind.value for kind in kinds)))
        if estate_id is not None:
            filters.add(("estate", frozenset({str(key_of("estateId", estate_id, "Estate"))})))
        return Stream(
            topic=community_topic(key),
            kinds=POST_EVENTS.kinds,
            requires=await feed.followed_community(info.context, key),
            filters=frozenset(filters),
        )
