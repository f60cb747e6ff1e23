"""What happens in a party branch, live. Comments on its cards are in `commentEvents`."""

from typing import Annotated

import strawberry

from models.party.audience import BranchAudience
from resolvers.party import branches, contents, pioneers
from resolvers.party.contents import Content
from schema.fields import Info, loaded
from schema.node import global_id, key_of
from schema.party.cards import BranchContent
from schema.party.pioneers import Pioneer
from schema.streams import Events, event
from subscriptions.events import Kind, Logged, community_topic
from subscriptions.streams import Stream

TYPES = {Content.NEWS: "PartyNews", Content.AFFAIR: "PartyAffair", Content.PIONEER: "Pioneer"}
NOW = "As it is now; null if it is out of view."


@event(Kind.BRANCH_PUBLISHED, "News, an affair or a pioneer of a party branch is out.")
class BranchContentPublished:
    content: BranchContent | None = loaded(contents.contents_of_events, description=NOW)


@event(
    Kind.BRANCH_CHANGED,
    "What a party branch shows was changed, or comments on an affair have opened or closed.",
)
class BranchContentChanged:
    content: BranchContent | None = loaded(contents.contents_of_events, description=NOW)


@event(Kind.BRANCH_WITHDRAWN, "News, an affair or a pioneer of a party branch is out of view.")
class BranchContentWithdrawn:
    @strawberry.field(description="The id that it had.")
    @staticmethod
    def withdrawn_id(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id(TYPES[Content(root.fact("content"))], root.event.subject)


@event(
    Kind.PIONEER_THANKED,
    "A neighbour has thanked a pioneer, or no longer does."
    " Of several such events a client that lags may get only the last.",
)
class PioneerThanked:
    pioneer: Pioneer | None = loaded(pioneers.pioneers_of_events, description=NOW)


BRANCH_EVENTS = Events(
    "BranchEvent",
    BranchContentPublished,
    BranchContentChanged,
    BranchContentWithdrawn,
    PioneerThanked,
    description="What happens in a party branch.",
)


@strawberry.type
class BranchSubscription:
    @BRANCH_EVENTS.subscription
    async def branch_events(
        self,
        info: Info,
        branch_id: Annotated[strawberry.ID, strawberry.argument(description="The party branch.")],
        audience: Annotated[
            BranchAudience,
            strawberry.argument(
                description="MEMBERS: all that members see, for members and officers."
                " PUBLIC: what everyone sees."
            ),
        ] = BranchAudience.MEMBERS,
    ) -> Stream:
        """What a party branch shows, as it comes, changes and goes. What is for members comes to
        them only; who asks for it and is none gets an error.
        """
        key = key_of("branchId", branch_id, "Organisation")
        branch, requires = await branches.followable(info.context, key, audience)
        filters = {("branch", frozenset({str(branch.id)}))}
        if audience is BranchAudience.PUBLIC:
            filters.add(("audience", frozenset({audience.value})))
        return Stream(
            topic=community_topic(branch.community_id),
            kinds=BRANCH_EVENTS.kinds,
            requires=requires,
            filters=frozenset(filters),
        )
