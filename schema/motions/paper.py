"""Ballots on paper, as the two officers who enter them see them."""

from datetime import datetime

import strawberry

from models.motions import PaperRow
from resolvers.identity import around
from resolvers.motions import reading
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Home, Neighbour
from schema.motions.ballots import ItemChoiceInput
from schema.motions.terms import Channel, PaperStatus, Standing
from schema.mutations import IDEMPOTENCY_KEY, payload, shown
from schema.node import Node, fetched_by


@fetched_by(reading.papers_by_ids)
@strawberry.type(description="A ballot on paper between its two officers. What it says is shown to nobody.")
class PaperBallot(Node):
    home: Home = loaded(around.homes, description="The home that it is of.")
    channel: Channel = strawberry.field(description="How it came.")
    photo: str = strawberry.field(description="Where its photo is kept.")
    status: PaperStatus = strawberry.field(description="How far it is.")
    entered_by: Neighbour = loaded(reading.enterers_of, description="Who entered it.")
    confirmed_by: Neighbour | None = loaded(reading.confirmers_of, description="Who entered it again.")
    created_at: datetime = strawberry.field(description="When it was entered.")
    decided_at: datetime | None = strawberry.field(description="When it was entered again.")
    ballot_number: int | None = strawberry.field(
        resolver=lambda root: root.entry_number, description="Its place in the box."
    )

    is_type_of = IsA(PaperRow)


@strawberry.input(description="A ballot on paper, as the first officer reads it.")
class EnterPaperBallotInput:
    motion_id: strawberry.ID = strawberry.field(description="In which vote.")
    home_id: strawberry.ID = strawberry.field(description="The home on the paper.")
    channel: Channel = strawberry.field(description="PAPER or DOORSTEP.")
    choices: list[ItemChoiceInput] = strawberry.field(
        description="One for each item; what is left blank or spoilt is to abstain."
    )
    photo: str = strawberry.field(description="Where its photo is kept; at most 200 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="A ballot on paper, as the second officer reads it.")
class ConfirmPaperBallotInput:
    paper_ballot_id: strawberry.ID = strawberry.field(description="Which.")
    choices: list[ItemChoiceInput] = strawberry.field(description="One for each item.")


@payload("The paper is entered once.")
class EnterPaperBallotPayload:
    paper_ballot: PaperRow = shown(PaperBallot, "As it is now.")


@payload("The paper was entered twice.")
class ConfirmPaperBallotPayload:
    paper_ballot: PaperRow = shown(PaperBallot, "As it is now.")
    standing: Standing | None = strawberry.field(
        description="Whether its ballot counts; null if the two officers entered different things."
    )
    receipt_code: str | None = strawberry.field(description="To be printed for the voter.")
