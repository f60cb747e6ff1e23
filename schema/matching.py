"""Lost and found, as clients see it."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from models.matching import PostMatchRow
from models.posts import PostRow
from resolvers import matching
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.execution.type_resolution import IsA
from schema.fields import Info, load, loaded

if TYPE_CHECKING:
    from schema.posts import Post


@strawberry.type(description="That two posts, one lost and one found, may be about the same thing.")
class PostMatch:
    score: int = strawberry.field(description="How alike they are, of 100: words, place and time together.")
    words: int = strawberry.field(description="How much their texts share, of 60; what is rare counts more.")
    place: int = strawberry.field(description="20 for the same estate, 10 if one names none, else 0.")
    time: int = strawberry.field(description="How close in time they are, of 20.")
    shared: list[str] = strawberry.field(
        description="Pairs of characters that both texts have, the rarest first, 8 at most."
    )
    post: Annotated["Post", strawberry.lazy("schema.posts")] | None = loaded(
        matching.others_of, description="The other post; null if it is gone."
    )

    is_type_of = IsA(PostMatchRow)


@strawberry.type
class PostMatches:
    """What lost and found adds to a post."""

    @strawberry.field(
        description="Open posts that it may match, the likest first: found ones for a lost one, and the other"
        " way round.",
        metadata={"batch": matching.matches_of, "viewer": True},
    )
    @staticmethod
    async def matches(
        root: strawberry.Parent[PostRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[PostMatch]:
        args = page_args(first, after, last, before)
        return await load(info, matching.matches_of, root, args)  # type: ignore[no-any-return]
