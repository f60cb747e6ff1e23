"""Who may cast a ballot, what they cast and who has voted, as clients see it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from models.messages import Message
from models.motions import BoxEntryRow, ElectorRow
from resolvers.errors import InvalidInput as Invalid
from resolvers.motions import reading, receipts
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Home
from schema.motions.terms import Channel, Choice, ElectorKind, Standing, Via
from schema.node import key_of


def choices_of(root: receipts.OwnBallot) -> list[Choice] | None:
    return root.choices


@strawberry.type(description="A ballot that the viewer cast.")
class OwnBallot:
    number: int = strawberry.field(
        resolver=lambda root: own_entry(root).number, description="Its place in the box."
    )
    hash: str = strawberry.field(
        resolver=lambda root: own_entry(root).hash, description="Its hash in the chain."
    )
    cast_at: datetime = strawberry.field(
        resolver=lambda root: own_entry(root).created_at, description="When it was cast."
    )
    standing: Standing | None = strawberry.field(
        resolver=lambda root: own_entry(root).standing, description="Whether it counts."
    )
    receipt_code: str | None = strawberry.field(
        resolver=lambda root: root.receipt,
        description="For `ballotReceipt`; null in a secret vote, where only the voter has it.",
    )
    choices: list[Choice] | None = strawberry.field(
        resolver=choices_of,
        description="In the order of the items. Null in a secret vote, which only the ballot's code opens.",
    )

    is_type_of = IsA(receipts.OwnBallot)


def own_entry(root: receipts.OwnBallot) -> BoxEntryRow:
    return root.entry


@strawberry.type(description="A head whose one ballot the viewer may cast.")
class OwnHead:
    number: int = strawberry.field(
        resolver=lambda root: root.elector.number,
        description="Its number in the published electorate, which says nothing of who it is.",
    )
    kind: ElectorKind = strawberry.field(resolver=lambda root: root.elector.kind, description="What it is.")
    via: Via = strawberry.field(description="In which quality the viewer casts.")
    area_cm2: str = strawberry.field(
        resolver=lambda root: str(root.elector.area_cm2), description="Of all its homes; as text."
    )
    homes: list[Home] = loaded(reading.homes_of_heads, description="All its homes: one ballot is for all.")
    voted_at: datetime | None = strawberry.field(
        resolver=lambda root: root.elector.voted_at,
        description="When the ballot that counts was cast, by whichever of the co-owners.",
    )
    channel: Channel | None = strawberry.field(
        resolver=lambda root: root.elector.channel, description="How it came."
    )
    in_conflict: bool = strawberry.field(
        resolver=lambda root: root.elector.disputed is not None,
        description="Whether another ballot came through another channel, which the office has to settle.",
    )
    ballots: list[OwnBallot] = loaded(
        receipts.own_ballots_of, description="Those that the viewer cast, the newest first.", viewer=True
    )

    is_type_of = IsA(reading.OwnHead)


@strawberry.type(description="One of two ballots in conflict, without what it says.")
class RivalBallot:
    number: int = strawberry.field(description="Its place in the box; for `settleBallotConflict`.")
    channel: Channel | None = strawberry.field(description="How it came.")
    via: Via | None = strawberry.field(description="Cast in which quality.")
    standing: Standing | None = strawberry.field(description="Whether it counts now.")
    created_at: datetime = strawberry.field(description="When it came into the box.")

    is_type_of = IsA(BoxEntryRow)


@strawberry.type(description="That a head has voted, or not yet; never how.")
class RollEntry:
    number: int = strawberry.field(description="Its number in the published electorate.")
    kind: ElectorKind = strawberry.field(description="What it is.")
    area_cm2: str = strawberry.field(
        resolver=lambda root: str(root.area_cm2), description="Of all its homes; as text."
    )
    homes: list[Home] = loaded(reading.homes_of_electors, description="All its homes.")
    voted_at: datetime | None = strawberry.field(description="When the ballot that counts was cast.")
    channel: Channel | None = strawberry.field(description="How it came.")
    conflict: list[RivalBallot] = loaded(
        reading.rival_ballots_of, description="The two ballots of a conflict, the one that counts first."
    )

    is_type_of = IsA(ElectorRow)


@strawberry.input(description="An answer to an item.")
class ItemChoiceInput:
    item_id: strawberry.ID = strawberry.field(description="The item.")
    choice: Choice = strawberry.field(description="The answer.")


def chosen(given: Sequence[ItemChoiceInput]) -> dict[UUID, Choice]:
    """Raises InvalidInput for an item that is answered twice."""
    found = {key_of("choices", item.item_id, "MotionItem"): item.choice for item in given}
    if len(found) < len(given):
        raise Invalid(choices=Message("Choose once for every item of the motion; to abstain is a choice"))
    return found
