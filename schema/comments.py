"""Comments, as clients see them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol

import strawberry

from models import posts as rules
from models.posts import NEWEST_COMMENTS, OLDEST_COMMENTS, CommentRow, SubjectKind
from models.storage.paging import Order
from resolvers import comments as discussion
from resolvers.context import Context
from resolvers.paging import edge_cursor
from schema.connections import Connection, Edge, connection, edge
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded, permitted
from schema.identity import Neighbour
from schema.likes import CountersChanged, Liked, subject_of
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.requests import RequestStepAdded
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream


class CommentOrder(StrEnum):
    OLDEST = "OLDEST"
    NEWEST = "NEWEST"

    @property
    def by(self) -> Order:
        return OLDEST_COMMENTS if self is CommentOrder.OLDEST else NEWEST_COMMENTS


described(
    CommentOrder,
    "Which comments come first. A comment has the same cursor either way.",
    OLDEST="As they were written.",
    NEWEST="The latest first.",
)

CommentOrderArgument = Annotated[CommentOrder, strawberry.argument(description="Which come first.")]


def shown_bodies(_info: Any, rows: Sequence[CommentRow]) -> list[str | None]:
    return [row.body if row.deleted_at is None else None for row in rows]


def in_order(order: CommentOrderArgument = CommentOrder.OLDEST) -> tuple[Order]:
    return (order.by,)


def body_of(root: strawberry.Parent[CommentRow]) -> str | None:
    return shown_bodies(None, [root])[0]


@fetched_by(discussion.visible_by_ids)
@strawberry.type(
    description="A comment below a post or a notice."
    " A deleted one keeps its place in the thread, without text or author."
)
class Comment(Liked):
    created_at: datetime = strawberry.field(description="When it was written.")
    edited_at: datetime | None = strawberry.field(description="When its text was last changed, if ever.")
    deleted_at: datetime | None = strawberry.field(description="When it was deleted, if it was.")
    reply_count: int = strawberry.field(description="Answers in the thread that it begins, tombstones aside.")
    author: Neighbour | None = loaded(
        discussion.authors_of, description="Who wrote it; null once it is deleted."
    )
    viewer_can_delete: bool = loaded(
        discussion.deletable, viewer=True, description="Whether the viewer may delete it."
    )
    reply_to: "Comment | None" = loaded(
        discussion.comments_answered, description="The comment that it answers, if any."
    )
    thread: "Comment" = loaded(
        discussion.thread_heads_of, description="The comment that begins its thread, which may be itself."
    )
    subject: "Commented | None" = loaded(
        discussion.subjects_of, description="The post or notice that it is below; null if that is gone."
    )
    body: str | None = strawberry.field(
        resolver=body_of,
        description="The text, 1 to 2,000 characters; null once it is deleted.",
        metadata={"column": shown_bodies},
    )
    replies: Connection["Comment"] = connection(
        discussion.replies_of,
        arguments=in_order,
        description="The answers in the thread that it begins, answers to answers and deleted ones included."
        " A comment inside a thread has none.",
    )
    viewer_can_edit: bool = permitted(rules.can_edit, description="Whether the viewer may edit it.")

    is_type_of = IsA(CommentRow)


@strawberry.interface(description="Something that is commented on.")
class Commented(Node):
    comment_count: int = loaded(
        discussion.comment_counts_of, description="How many comments it has, tombstones aside."
    )
    comments: Connection[Comment] = connection(
        discussion.comments_of,
        arguments=in_order,
        description="All its comments, answers included, tombstones too.",
    )
    threads: Connection[Comment] = connection(
        discussion.threads_of,
        arguments=in_order,
        description="The comments that begin threads; their `replies` hold the rest.",
    )


# Writing

COMMENT_ID = "The comment."
COMMENTED = (SubjectKind.POST, SubjectKind.NOTICE, SubjectKind.DELIBERATION)


@strawberry.input(description="A new comment.")
class AddCommentInput:
    subject_id: strawberry.ID = strawberry.field(
        description="The post, notice or deliberation to comment on."
    )
    body: str = strawberry.field(
        description="1 to 2,000 characters. Numbers of documents and bank cards in it are masked."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    reply_to: strawberry.ID | None = strawberry.field(
        default=None, description="The comment below the same subject that it answers."
    )


@strawberry.input(description="A new text for a comment.")
class EditCommentInput:
    comment_id: strawberry.ID = strawberry.field(description=COMMENT_ID)
    body: str = strawberry.field(description="What it shall say, 1 to 2,000 characters.")


@strawberry.input(description="Which comment to delete.")
class DeleteCommentInput:
    comment_id: strawberry.ID = strawberry.field(description=COMMENT_ID)


class OfComment(Protocol):
    @property
    def comment(self) -> CommentRow: ...


async def subjects_of_payloads(
    ctx: Context, payloads: Sequence[OfComment]
) -> list[discussion.SubjectRow | None]:
    return await discussion.subjects_of(ctx, [payload.comment for payload in payloads])


@payload("The comment was added.")
class AddCommentPayload:
    comment: strawberry.Private[CommentRow]
    comment_edge: Edge[CommentRow] = shown(Edge[Comment], "The edge to put into lists of comments.")
    subject: Commented = loaded(
        subjects_of_payloads, description="What was commented on, with its new count."
    )


@payload("The comment was edited.")
class EditCommentPayload:
    comment: CommentRow = shown(Comment, "As it is now.")


@payload("The comment was deleted.")
class DeleteCommentPayload:
    comment: CommentRow = shown(Comment, "The tombstone that stays in the thread.")
    subject: Commented | None = loaded(
        subjects_of_payloads, description="What it was below, with its new count."
    )


@strawberry.type
class CommentsMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited, input="The comment.")
    async def add_comment(self, info: Info, input: AddCommentInput) -> AddCommentPayload:
        """Comment on a post, a notice or a deliberation. For verified residents and officers of its
        community.
        """
        kind, key = subject_of("subjectId", input.subject_id, *COMMENTED)
        row = await discussion.add_comment(
            info.context,
            kind=kind,
            subject_id=key,
            body=input.body,
            key=input.idempotency_key,
            reply_to=key_of("replyTo", input.reply_to, "Comment") if input.reply_to else None,
        )
        edge = Edge(node=row, cursor=edge_cursor(OLDEST_COMMENTS, row))
        return AddCommentPayload(comment=row, comment_edge=edge)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited, input="The new text.")
    async def edit_comment(self, info: Info, input: EditCommentInput) -> EditCommentPayload:
        """Replace the text of one's own comment; the old one goes into its history."""
        key = key_of("commentId", input.comment_id, "Comment")
        row = await discussion.edit_comment(info.context, comment_id=key, body=input.body)
        return EditCommentPayload(comment=row)

    @mutation(InvalidInput, NotAllowed, NotFound, input="Which one.")
    async def delete_comment(self, info: Info, input: DeleteCommentInput) -> DeleteCommentPayload:
        """Delete one's own comment, or, with the power to moderate, another's. Deleting it again
        changes nothing.
        """
        key = key_of("commentId", input.comment_id, "Comment")
        row = await discussion.delete_comment(info.context, comment_id=key)
        return DeleteCommentPayload(comment=row)


# Live

SUBJECT = "The post or notice that it is below, with its new count; null if that is gone."


@event(Kind.COMMENT_ADDED, "A comment was added.")
class CommentAdded:
    comment: Comment | None = loaded(
        discussion.comments_of_events, description="The comment; null if its post is gone."
    )
    subject: Commented | None = loaded(discussion.subjects_of_events, description=SUBJECT)
    comment_edge: Edge[Comment] | None = edge(
        discussion.comments_of_events,
        OLDEST_COMMENTS,
        description="The edge to put into lists of comments; null if the post is gone.",
    )


@event(Kind.COMMENT_CHANGED, "A comment's text was changed.")
class CommentChanged:
    comment: Comment | None = loaded(
        discussion.comments_of_events, description="As it is now; null if its post is gone."
    )


@event(Kind.COMMENT_DELETED, "A comment was deleted.")
class CommentDeleted:
    comment: Comment | None = loaded(
        discussion.comments_of_events, description="The tombstone; null if its post is gone."
    )
    subject: Commented | None = loaded(discussion.subjects_of_events, description=SUBJECT)


COMMENT_EVENTS = Events(
    "CommentEvent",
    CommentAdded,
    CommentChanged,
    CommentDeleted,
    RequestStepAdded,
    description="What happens to the comments of one subject, and to the service request made of it.",
)
COUNTER_EVENTS = Events(
    "CounterEvent", CountersChanged, description="What happens to the counters of one post."
)


@strawberry.type
class CommentsSubscription:
    @COMMENT_EVENTS.subscription
    async def comment_events(
        self,
        info: Info,
        subject_id: Annotated[
            strawberry.ID, strawberry.argument(description="The post, notice or deliberation.")
        ],
    ) -> Stream:
        """The comments of a post, a notice or a deliberation, as they come and change."""
        kind, key = subject_of("subjectId", subject_id, *COMMENTED)
        subject = await discussion.followed_subject(info.context, kind, key)
        return Stream(
            topic=community_topic(subject.community_id),
            kinds=COMMENT_EVENTS.kinds,
            requires=subject.audience,
            thread=subject.id,
        )

    @COUNTER_EVENTS.subscription
    async def counter_events(
        self,
        info: Info,
        post_id: Annotated[strawberry.ID, strawberry.argument(description="The post.")],
    ) -> Stream:
        """The counters of a post and of its comments: likes, and how many comments there are."""
        subject = await discussion.followed_subject(
            info.context, SubjectKind.POST, key_of("postId", post_id, "Post")
        )
        return Stream(
            topic=community_topic(subject.community_id),
            kinds=COUNTER_EVENTS.kinds,
            requires=subject.audience,
            thread=subject.id,
        )
