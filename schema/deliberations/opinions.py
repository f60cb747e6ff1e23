"""The opinion map, as clients draw it. Only here numbers are floats: the mathematics needs them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from models.deliberations import AnalysisRow, StatementChoice
from resolvers.deliberations import analysis, statements
from schema.deliberations.statements import Statement
from schema.fields import loaded

ABOUT = "The statement; null if it has been hidden since."


@strawberry.type(description="A place on the map: a participant's, who is not named.")
class OpinionPoint:
    x: float = strawberry.field(description="Along the axis that tells opinions apart best.")
    y: float = strawberry.field(description="Along the next best.")
    group: int = strawberry.field(description="The number of the group.")


@strawberry.type(description="A corner of the shape around a group.")
class OpinionCorner:
    x: float = strawberry.field(description="Along the first axis.")
    y: float = strawberry.field(description="Along the second axis.")


@strawberry.type(description="A statement that tells a group from the others.")
class RepresentativeStatement:
    statement_id: strawberry.Private[UUID]
    statement: Statement | None = loaded(statements.statements_named, description=ABOUT)
    stance: StatementChoice = strawberry.field(description="What the group says: AGREE or DISAGREE.")
    share: float = strawberry.field(
        description="How likely one of the group says so, from 0 to 1: (n + 1) / (votes + 2)."
    )
    share_of_others: float = strawberry.field(description="The same of all the others.")
    z: float = strawberry.field(description="By how many standard deviations the two shares differ.")


@strawberry.type(description="Neighbours who think alike.")
class OpinionGroup:
    number: int = strawberry.field(description="Stays the same from one map to the next, as far as it can.")
    size: int = strawberry.field(description="How many they are, three at least.")
    x: float = strawberry.field(description="Their centre along the first axis.")
    y: float = strawberry.field(description="Their centre along the second axis.")
    hull: list[OpinionCorner] = strawberry.field(
        description="The corners of the smallest convex shape around them, counter-clockwise."
    )
    representative: list[RepresentativeStatement] = strawberry.field(
        description="The statements that set the group apart, the clearest first, five at most."
        " Empty if there is one group."
    )


@strawberry.type(description="How a group voted on a statement.")
class GroupTally:
    group: int = strawberry.field(description="The group's number.")
    agree: int = strawberry.field(description="How many agree.")
    disagree: int = strawberry.field(description="How many disagree.")
    passed: int = strawberry.field(description="How many pass.")


@strawberry.type(description="A statement on the map.")
class StatementOpinion:
    statement_id: strawberry.Private[UUID]
    statement: Statement | None = loaded(statements.statements_named, description=ABOUT)
    x: float = strawberry.field(
        description="Where somebody would stand who agreed with this and nothing else."
    )
    y: float = strawberry.field(description="The same along the second axis.")
    groups: list[GroupTally] = strawberry.field(description="How each group voted on it.")
    agreement: float = strawberry.field(
        description="The product over all groups of the probability that one of them agrees, from 0 to 1."
        " One group that does not agree makes it small, however large the others are."
    )
    disagreement: float = strawberry.field(description="The same for disagreeing.")
    shared: bool = strawberry.field(
        description="Whether in every group more agree, or in every group more disagree, than not."
    )


def opinion_of(position: dict[str, Any]) -> StatementOpinion:
    return StatementOpinion(
        statement_id=UUID(position["statement"]),
        x=position["x"],
        y=position["y"],
        groups=[
            GroupTally(
                group=int(number), agree=tally["agree"], disagree=tally["disagree"], passed=tally["passed"]
            )
            for number, tally in position["tallies"].items()
        ],
        agreement=position["agree"],
        disagreement=position["disagree"],
        shared=position["shared"],
    )


def group_of(group: dict[str, Any]) -> OpinionGroup:
    return OpinionGroup(
        number=group["number"],
        size=group["size"],
        x=group["x"],
        y=group["y"],
        hull=[OpinionCorner(x=x, y=y) for x, y in group["hull"]],
        representative=[
            RepresentativeStatement(
                statement_id=UUID(found["statement"]),
                stance=StatementChoice.AGREE if found["agrees"] else StatementChoice.DISAGREE,
                share=found["share"],
                share_of_others=found["others"],
                z=found["z"],
            )
            for found in group["representative"]
        ],
    )


@strawberry.type(
    description="Who thinks alike and what all share, computed from the votes. Nobody is named:"
    " a viewer learns only which point is the viewer's."
)
class OpinionMap:
    version: int = strawberry.field(description="Grows whenever it is computed again.")
    computed_at: datetime = strawberry.field(description="Of which moment's votes it is.")
    participant_count: int = strawberry.field(
        description="How many are on it: those who voted on at least seven statements, or on all there are."
    )
    vote_count: int = strawberry.field(description="How many votes it was computed from.")
    viewer_point: OpinionPoint | None = loaded(
        analysis.viewer_points_of, viewer=True, description="Where the viewer stands, if on the map."
    )

    @strawberry.field(description="How clearly the groups are apart, up to 1; 0 for a single group.")
    @staticmethod
    def silhouette(root: strawberry.Parent[AnalysisRow]) -> float:
        return float(root.result["silhouette"])

    @strawberry.field(description="Which share of all differences each of the two axes shows, from 0 to 1.")
    @staticmethod
    def explained(root: strawberry.Parent[AnalysisRow]) -> list[float]:
        return [float(share) for share in root.result["explained"]]

    @strawberry.field(description="Every participant's point, in an order that tells nothing.")
    @staticmethod
    def points(root: strawberry.Parent[AnalysisRow]) -> list[OpinionPoint]:
        return [OpinionPoint(x=x, y=y, group=group) for group, x, y in root.result["points"]]

    @strawberry.field(description="The groups, by number.")
    @staticmethod
    def groups(root: strawberry.Parent[AnalysisRow]) -> list[OpinionGroup]:
        return [group_of(group) for group in root.result["groups"]]

    @strawberry.field(description="Every statement that somebody on the map voted on.")
    @staticmethod
    def statements(root: strawberry.Parent[AnalysisRow]) -> list[StatementOpinion]:
        return [opinion_of(position) for position in root.result["statements"]]

    @strawberry.field(description="The statements that all groups share, the most shared first.")
    @staticmethod
    def consensus(root: strawberry.Parent[AnalysisRow]) -> list[StatementOpinion]:
        found = {position["statement"]: position for position in root.result["statements"]}
        return [opinion_of(found[key]) for key in root.result["consensus"]]
