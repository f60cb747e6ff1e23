"""Opinions and suggestions of a party branch's members, as clients see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.party import opinions as rules
from models.party.opinions import (
    PartyOpinionAction,
    PartyOpinionReach,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionStepRow,
    PartyOpinionTopic,
)
from resolvers.identity import around
from resolvers.party.opinions import figures, reading
from resolvers.party.opinions.reading import OpinionCriteria
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import Organisation
from schema.node import Node, fetched_by
from schema.streams import event
from subscriptions.events import Kind

described(
    PartyOpinionTopic,
    "What an opinion is about.",
    PARTY_WORK="党建: the work of the branch.",
    LIVELIHOOD="民生: how people live.",
    ENVIRONMENT="环境: surroundings and hygiene.",
    SAFETY="安全: safety.",
    SERVICES="服务: what offices and companies do.",
    CULTURE="文化: culture and sports.",
    OTHER="其他: something else.",
)
described(
    PartyOpinionState,
    "How far an opinion is.",
    SUBMITTED="Nobody answers it yet.",
    ASSIGNED="An officer is to answer it by a date.",
    ANSWERED="It is answered.",
    WITHDRAWN="The member has taken it back.",
)
described(
    PartyOpinionReach,
    "Who may read an opinion with its answer.",
    PRIVATE="The member and the branch's office.",
    MEMBERS="The members of the branch.",
    PUBLIC="Whoever may look at the community; never with the member's name.",
)
described(
    PartyOpinionAction,
    "What happens to an opinion.",
    SUBMIT="A member submitted it.",
    ASSIGN="It was given an owner and a date.",
    ANSWER="It was answered.",
    CORRECT="The answer was corrected.",
    WITHDRAW="The member took it back.",
    REMIND="Its owner, or without one the secretary, was reminded; for the office.",
    ESCALATE="It was overdue: the secretary was told; for the office.",
)


@fetched_by(reading.steps_visible_by_ids)
@strawberry.type(description="One step of an opinion. Steps are only ever added.")
class PartyOpinionStep(Node):
    ordinal: int = strawberry.field(description="Counts the opinion's steps, from 1.")
    created_at: datetime = strawberry.field(description="When it was.")
    action: PartyOpinionAction = strawberry.field(description="What happened.")
    due_at: datetime | None = strawberry.field(description="Until when an answer is due since.")
    officer: Neighbour | None = loaded(
        reading.officers_of, description="The officer who did it; null for the member and the clock."
    )
    owner: Neighbour | None = loaded(reading.owners_of, description="Who is to answer since.")
    opinion: "PartyOpinion" = loaded(reading.opinions_around, description="The opinion.")

    is_type_of = IsA(PartyOpinionStepRow)


@fetched_by(reading.visible_by_ids)
@strawberry.type(
    description="An opinion or suggestion of a party branch's member (意见建议)."
    " Before it is answered the member and the branch's office see it;"
    " afterwards also those to whom it is published."
)
class PartyOpinion(Node):
    topic: PartyOpinionTopic = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description="In a few words.")
    body: str = strawberry.field(description="What the member has to say.")
    reach: PartyOpinionReach = strawberry.field(description="How far the member lets it go, once answered.")
    state: PartyOpinionState = strawberry.field(description="How far it is.")
    created_at: datetime = strawberry.field(description="When it was submitted.")
    due_at: datetime | None = strawberry.field(description="Until when an answer is due.")
    answer: str = strawberry.field(description="The answer; empty before there is one.")
    answered_at: datetime | None = strawberry.field(description="When it was answered.")
    corrected_at: datetime | None = strawberry.field(
        description="When the answer was corrected last, if ever."
    )
    published: PartyOpinionReach | None = strawberry.field(description="To whom it is published.")
    version: int = strawberry.field(description="Pass it with a change, so that none overwrites another.")
    branch: Organisation = loaded(around.branches, description="The branch.")
    owner: Neighbour | None = loaded(reading.owners_of, description="The officer who is to answer it.")
    author: Neighbour | None = loaded(
        reading.authors_of,
        viewer=True,
        description="Whose it is: for the member and the office, and for members where the author is named.",
    )
    steps: list[PartyOpinionStep] = loaded(
        reading.steps_of, viewer=True, description="Its steps that the viewer may see, in their order."
    )

    @strawberry.field(description="Its number in the branch, as in `2026-0007`: without gaps in each year.")
    @staticmethod
    def number(root: strawberry.Parent[PartyOpinionRow]) -> str:
        return f"{root.year}-{root.number:04}"

    @strawberry.field(
        description="When the secretary was told that it is overdue, if so; for the office.", metadata=VIEWER
    )
    @staticmethod
    def escalated_at(root: strawberry.Parent[PartyOpinionRow], info: Info) -> datetime | None:
        return root.escalated_at if root.branch_id in info.context.viewer.offices else None

    @strawberry.field(description="Whether the viewer may say who answers it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_assign(root: strawberry.Parent[PartyOpinionRow], info: Info) -> bool:
        return rules.can_assign(info.context.viewer, root.branch_id)

    @strawberry.field(description="Whether the viewer may answer it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_answer(root: strawberry.Parent[PartyOpinionRow], info: Info) -> bool:
        return rules.can_answer(info.context.viewer, root)

    is_type_of = IsA(PartyOpinionRow)


@strawberry.input(description="Which opinions; what is left out is any.")
class PartyOpinionFilter:
    state: PartyOpinionState | None = strawberry.field(default=None, description="That are so far.")
    topic: PartyOpinionTopic | None = strawberry.field(default=None, description="About this.")
    mine: bool = strawberry.field(default=False, description="Only the viewer's own.")
    owned: bool = strawberry.field(default=False, description="Only those that the viewer is to answer.")


@strawberry.type(description="Opinions of one topic and one month, in numbers.")
class PartyOpinionFigures:
    topic: PartyOpinionTopic = strawberry.field(description="The topic.")
    month: str = strawberry.field(description="The month in which they were submitted, as in `2026-11`.")
    received: int = strawberry.field(description="How many were submitted.")
    answered: int = strawberry.field(description="How many of these are answered.")
    answered_in_time: int = strawberry.field(description="How many of these were answered by their date.")
    escalated: int = strawberry.field(description="How many were overdue, and the secretary was told.")
    withdrawn: int = strawberry.field(description="How many were taken back.")


def period(
    since: Annotated[datetime, strawberry.argument(description="From when.")],
    until: Annotated[datetime, strawberry.argument(description="Up to when.")],
) -> tuple[datetime, datetime]:
    return since, until


def opinions_wanted(
    filter: Annotated[PartyOpinionFilter | None, strawberry.argument(description="Which of them.")] = None,
) -> tuple[OpinionCriteria]:
    if filter is None:
        return (OpinionCriteria(),)
    return (OpinionCriteria(filter.state, filter.topic, filter.mine, filter.owned),)


@strawberry.type
class OrganisationPartyOpinions:
    """What opinions add to an organisation that is a party branch."""

    party_opinions: Connection[PartyOpinion] = connection(
        reading.opinions_of,
        arguments=opinions_wanted,
        viewer=True,
        description="The opinions brought before the party branch that the viewer may see, the newest first.",
    )
    party_opinion_figures: list[PartyOpinionFigures] | None = loaded(
        figures.figures_of,
        arguments=period,
        viewer=True,
        description="The opinions submitted in [since, until), three years at most, by month (of China)"
        " and topic. For officers who assign them; null for others.",
    )


@event(
    Kind.PARTY_OPINION_STEP, "An opinion was submitted, assigned or taken back, or the clock told the office."
)
class PartyOpinionStepped:
    step: PartyOpinionStep | None = loaded(reading.steps_of_events, description="The step.")
    opinion: PartyOpinion | None = loaded(reading.opinions_of_events, description="The opinion as it is now.")


@event(
    Kind.PARTY_OPINION_ANSWERED,
    "An opinion was answered, or its answer corrected."
    " For the member, the office, and those to whom it is published.",
)
class PartyOpinionAnswered:
    step: PartyOpinionStep | None = loaded(reading.steps_of_events, description="The step.")
    opinion: PartyOpinion | None = loaded(reading.opinions_of_events, description="The opinion as it is now.")
