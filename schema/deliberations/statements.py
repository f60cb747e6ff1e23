"""Statements, as clients see them."""

from datetime import datetime

import strawberry

from models.deliberations import StatementChoice, StatementRow
from resolvers.deliberations import statements
from resolvers.deliberations.opinions import Tally
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Neighbour
from schema.links import Deliberation
from schema.node import Node, fetched_by

described(
    StatementChoice,
    "What a resident thinks of a statement.",
    AGREE="赞同.",
    DISAGREE="不赞同.",
    PASS="跳过: neither, or not sure.",  # noqa: S106 - a choice, no secret
)


@strawberry.type(description="How votes fell.")
class StatementTally:
    agree: int = strawberry.field(description="How many agree.")
    disagree: int = strawberry.field(description="How many disagree.")
    passed: int = strawberry.field(description="How many pass.")


@fetched_by(statements.visible_by_ids)
@strawberry.type(
    description="What a resident says in a sentence, for others to vote on."
    " Neighbours do not see who made it."
)
class Statement(Node):
    number: int = strawberry.field(description="Its number in the deliberation, from 1.")
    body: str = strawberry.field(description="1 to 140 characters.")
    created_at: datetime = strawberry.field(description="When it was made.")
    vote_count: int = strawberry.field(description="How many residents have voted on it.")
    hidden_at: datetime | None = strawberry.field(description="When it was hidden, if it is.")
    hidden_reason: str = strawberry.field(description="Why it was hidden; empty if it is not.")
    deliberation: Deliberation = loaded(statements.deliberations_of, description="What it is part of.")
    author: Neighbour | None = loaded(
        statements.authors_of,
        viewer=True,
        description="Who made it, for themselves and for moderators; null for others.",
    )
    viewer_vote: StatementChoice | None = loaded(
        statements.viewer_votes_of, viewer=True, description="What the viewer thinks of it, if voted."
    )

    @strawberry.field(
        graphql_type=StatementTally | None,
        description="How the votes fell; null below seven votes, which would tell who voted how.",
    )
    @staticmethod
    def tally(root: strawberry.Parent[StatementRow]) -> Tally | None:
        return statements.tally_of(root)

    is_type_of = IsA(StatementRow)
