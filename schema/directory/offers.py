"""What is offered for a while, as clients see it."""

from datetime import datetime

import strawberry

from models.directory.offers import OfferRow
from resolvers.directory import listing, offers
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.links import DirectoryEntry
from schema.node import Node, fetched_by


@fetched_by(offers.visible_by_ids)
@strawberry.type(
    description="What an organisation offers for a while. Its organisation always sees it,"
    " others while it runs and they may see its entry."
)
class Offer(Node):
    title: str = strawberry.field(description="What is offered.")
    body: str = strawberry.field(description="On which terms.")
    price_fen: int | None = strawberry.field(description="What it costs, in fen; null if that is not said.")
    withdrawn_at: datetime | None = strawberry.field(description="When it was ended before its time.")
    version: int = strawberry.field(description="Raised by every change.")
    entry: DirectoryEntry = loaded(offers.entries_of, description="The service that it belongs to.")

    @strawberry.field(description="From when it holds.")
    @staticmethod
    def valid_from(root: strawberry.Parent[OfferRow]) -> datetime:
        return root.starts_at

    @strawberry.field(description="Until when; it ends by itself.")
    @staticmethod
    def valid_until(root: strawberry.Parent[OfferRow]) -> datetime:
        return root.ends_at

    @strawberry.field(description="Whether it holds now.")
    @staticmethod
    def running(root: strawberry.Parent[OfferRow], info: Info) -> bool:
        return root.runs(listing.moment(info.context))

    is_type_of = IsA(OfferRow)
