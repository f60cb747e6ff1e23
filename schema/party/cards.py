"""What a party branch shows, as a card of the feed and in events."""

from typing import Annotated

import strawberry

from schema.party.articles import PartyAffair, PartyNews
from schema.party.pioneers import Pioneer

FeedCard = Annotated[
    PartyNews | PartyAffair | Pioneer,
    strawberry.union("FeedCard", description="What a post of kind BRANCH shows."),
]
BranchContent = Annotated[
    PartyNews | PartyAffair | Pioneer,
    strawberry.union("BranchContent", description="What a party branch shows."),
]
