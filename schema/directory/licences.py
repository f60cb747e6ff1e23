"""The licences of merchants, as they and the residents' committee see them."""

from datetime import date, datetime

import strawberry

from models.directory.licences import LicenceRow, LicenceStepRow, last_day
from resolvers.directory import licences
from resolvers.identity import around
from schema.connections import Connection, connection
from schema.directory.terms import LicenceAction, LicenceKind, LicenceState
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Neighbour
from schema.links import Organisation
from schema.node import Node, fetched_by


@fetched_by(licences.steps_visible_by_ids)
@strawberry.type(description="What was done with a merchant's licence. Steps are only ever added.")
class LicenceStep(Node):
    created_at: datetime = strawberry.field(description="When it was.")
    action: LicenceAction = strawberry.field(description="What was done.")
    reason: str = strawberry.field(description="Why; may be empty.")
    actor: Neighbour | None = loaded(licences.actors_of, description="Who did it; null for the clock.")
    licence: "MerchantLicence" = loaded(licences.licences_around, description="The licence, as it is now.")

    is_type_of = IsA(LicenceStepRow)


def valid_until_of(root: strawberry.Parent[LicenceRow]) -> date:
    return last_day(root.expires_at)


@fetched_by(licences.visible_by_ids)
@strawberry.type(
    description="A licence that a merchant has submitted; for the merchant, and for those who check licences."
)
class MerchantLicence(Node):
    kind: LicenceKind = strawberry.field(description="What it is for.")
    state: LicenceState = strawberry.field(description="What was decided of it.")
    created_at: datetime = strawberry.field(description="When it was submitted.")
    version: int = strawberry.field(description="Raised by every decision.")
    number: str = loaded(licences.masked_numbers, description="Its number, masked.")
    organisation: Organisation = loaded(around.organisations, description="The merchant.")
    valid_until: date = strawberry.field(
        resolver=valid_until_of, description="The last day on which it is valid, in China."
    )
    steps: Connection[LicenceStep] = connection(
        licences.steps_of, description="What was done with it, in its order."
    )

    is_type_of = IsA(LicenceRow)
