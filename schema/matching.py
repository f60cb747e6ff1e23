"""Lost and found, as clients see it."""

import strawberry

from models.matching import PostMatchRow
from resolvers import matching
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.links import Post


@strawberry.type(description="That two posts, one lost and one found, may be about the same thing.")
class PostMatch:
    score: int = strawberry.field(description="How alike they are, of 100: words, place and time together.")
    words: int = strawberry.field(description="How much their texts share, of 60; what is rare counts more.")
    place: int = strawberry.field(description="20 for the same estate, 10 if one names none, else 0.")
    time: int = strawberry.field(description="How close in time they are, of 20.")
    shared: list[str] = strawberry.field(
        description="Pairs of characters that both texts have, the rarest first, 8 at most."
    )
    post: Post | None = loaded(matching.others_of, description="The other post; null if it is gone.")

    is_type_of = IsA(PostMatchRow)


@strawberry.type
class PostMatches:
    """What lost and found adds to a post."""

    matches: Connection[PostMatch] = connection(
        matching.matches_of,
        viewer=True,
        description="Open posts that it may match, the best match first: found ones for a lost one,"
        " and the reverse.",
    )
