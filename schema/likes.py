"""Likes, as clients see them."""

from typing import Any

import strawberry

from models.messages import Message
from models.posts import SubjectKind
from resolvers import likes
from resolvers.errors import InvalidInput as BadInput
from schema.fields import Info, loaded
from schema.mutations import mutation, payload, shown
from schema.node import Node, key_of, type_and_key
from schema.problems import InvalidInput, NotAllowed, NotFound, RateLimited
from schema.streams import event
from subscriptions.events import Kind


@strawberry.interface(description="Something that neighbours like.")
class Liked(Node):
    like_count: int = strawberry.field(description="How many like it.")
    viewer_has_liked: bool = loaded(
        likes.viewer_has_liked, viewer=True, description="Whether the viewer is among them."
    )


def subject_of(field: str, value: str, *kinds: SubjectKind) -> tuple[SubjectKind, Any]:
    """The kind and the key in the global id of one of `kinds`. Raises InvalidInput naming `field`."""
    by_type = {kind.value.capitalize(): kind for kind in kinds}
    key = key_of(field, value, *by_type)
    found = type_and_key(value)
    if found is None:
        raise BadInput(**{field: Message("Is not a valid id")})
    return by_type[found[0]], key


LIKED = (SubjectKind.POST, SubjectKind.COMMENT, SubjectKind.DELIBERATION)


@strawberry.input(description="What to like, or no longer.")
class SetLikeInput:
    subject_id: strawberry.ID = strawberry.field(description="A post, a comment or a deliberation.")
    on: bool = strawberry.field(description="True to like it, false to take the like back.")


@payload("What is liked now.")
class SetLikePayload:
    subject: likes.LikedRow = shown(Liked, "The post or comment, with its new count.")


@strawberry.type
class LikesMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited, input="What to like, or no longer.")
    async def set_like(self, info: Info, input: SetLikeInput) -> SetLikePayload:
        """Like a post, a comment or a deliberation, or take the like back. Asking for what is so
        already changes nothing, so it may be repeated.
        """
        kind, key = subject_of("subjectId", input.subject_id, *LIKED)
        row = await likes.set_like(info.context, kind=kind, subject_id=key, on=input.on)
        return SetLikePayload(subject=row)


@event(
    Kind.COUNTERS_CHANGED,
    "The number of likes or comments of something has changed."
    " Of several such events about one thing a client that lags may get only the last.",
)
class CountersChanged:
    subject: Node | None = loaded(
        likes.subjects_of_events,
        description="The post, comment or notice with its counters as they are now; null if it is gone.",
    )
