"""What residents think of a service, as clients see it."""

from datetime import datetime

import strawberry

from models.directory.ratings import RatingRow
from resolvers import identity
from resolvers.directory import ratings
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import DirectoryEntry
from schema.node import Node, fetched_by


@fetched_by(ratings.visible_by_ids)
@strawberry.type(
    description="What a verified resident thinks of a service, one of each resident for each service."
    " The community's members see it; if it is hidden,"
    " its author and the officers who may hide it."
)
class EntryRating(Node):
    stars: int = strawberry.field(description="1 to 5.")
    body: str = strawberry.field(description="In words; may be empty.")
    created_at: datetime = strawberry.field(description="When it was given.")
    edited_at: datetime | None = strawberry.field(description="When it was last changed.")
    reply: str | None = strawberry.field(description="What the organisation answers.")
    replied_at: datetime | None = strawberry.field(description="When it did.")
    hidden_at: datetime | None = strawberry.field(description="When it was hidden, and counts no more.")
    hidden_reason: str = strawberry.field(description="Why it was hidden; may be empty.")
    version: int = strawberry.field(description="Raised by every change.")
    author: Neighbour = loaded(identity.authors_of, description="Who gave it, as neighbours know them.")
    entry: DirectoryEntry | None = loaded(
        ratings.entries_of, viewer=True, description="The service, as far as the viewer may see it."
    )

    @strawberry.field(description="Whether the viewer gave it.", metadata=VIEWER)
    @staticmethod
    def viewer_is_author(root: strawberry.Parent[RatingRow], info: Info) -> bool:
        return info.context.viewer.account_id == root.author_id

    is_type_of = IsA(RatingRow)


@strawberry.type(description="All ratings of a service that are not hidden, in exact figures.")
class RatingFigures:
    count: int = strawberry.field(description="How many there are.")
    sum: int = strawberry.field(description="Their stars, added up.")
    average: str | None = strawberry.field(
        description="Sum by count, a fraction in lowest terms as in `13/3`; null without any."
    )
