"""How a ballot is cast, and how a conflict of two is settled."""

import strawberry

from models.motions import MotionRow
from schema.motions.ballots import ItemChoiceInput
from schema.motions.motions import Motion
from schema.motions.terms import Standing
from schema.mutations import payload, shown


@strawberry.input(description="A ballot.")
class CastBallotInput:
    motion_id: strawberry.ID = strawberry.field(description="In which vote.")
    home_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Any home of the head, whose homes share one ballot."
        " Needed only by a voter for several heads.",
    )
    choices: list[ItemChoiceInput] = strawberry.field(description="One for each item.")
    receipt_secret: str | None = strawberry.field(
        default=None,
        description="For a secret vote: 26 to 64 random letters and digits that the client makes and keeps."
        " A retry with the same code gives the same answer."
        " Without one the server makes it and shows it once.",
    )
    idempotency_key: str = strawberry.field(
        description="The client's own; the same again makes no second. A secret vote goes by `receiptSecret`."
    )


@strawberry.input(description="Which of two ballots stands.")
class SettleBallotConflictInput:
    motion_id: strawberry.ID = strawberry.field(description="In which vote.")
    home_id: strawberry.ID = strawberry.field(description="A home of the head.")
    ballot_number: int = strawberry.field(description="The place in the box of the one that stands.")
    reason: str = strawberry.field(description="Why; at most 500 characters.")


@payload("The ballot is in the box.")
class CastBallotPayload:
    motion: MotionRow = shown(Motion, "As it is now.")
    number: int = strawberry.field(description="The ballot's place in the box.")
    hash: str = strawberry.field(description="The ballot's hash in the chain.")
    standing: Standing | None = shown(Standing, "Whether it counts.")
    receipt_code: str = strawberry.field(
        description="For `ballotReceipt`. In a secret vote it is shown only this once,"
        " and nothing else opens the ballot."
    )


@payload("The conflict is settled.")
class SettleBallotConflictPayload:
    motion: MotionRow = shown(Motion, "As it is now.")
