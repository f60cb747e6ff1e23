"""How a notice is published, updated and taken back."""

from datetime import datetime

import strawberry

from models.messages import Message
from models.notices import NoticeRow
from models.roles import OrganisationKind, Role
from resolvers.errors import InvalidInput as Invalid
from resolvers.notices.audiences import Place, RoleHolders, Wanted
from schema.mutations import IDEMPOTENCY_KEY, payload, shown
from schema.node import type_and_key
from schema.notices.notices import Notice
from schema.notices.terms import AudienceKind, NoticeCategory, Severity


@strawberry.input(description="Everyone who holds a role in the organisations of one kind.")
class RoleAudienceInput:
    organisation_kind: OrganisationKind = strawberry.field(description="In organisations of this kind.")
    role: Role = strawberry.field(description="Which role.")


@strawberry.input(description="A circle to send a notice to: exactly one of the two.")
class AudienceInput:
    place_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the community, or of an estate, a building or a grid in it."
    )
    role: RoleAudienceInput | None = strawberry.field(
        default=None, description="Everyone who holds this role."
    )


PLACES = {
    "Community": AudienceKind.COMMUNITY,
    "Estate": AudienceKind.ESTATE,
    "Building": AudienceKind.BUILDING,
    "Grid": AudienceKind.GRID,
}


def wanted_audience(given: AudienceInput) -> Wanted:
    """Raises InvalidInput unless exactly one of place and role is given."""
    if (given.place_id is None) == (given.role is None):
        raise Invalid(audience=Message("Give exactly one of placeId and role"))
    if given.role is not None:
        return RoleHolders(given.role.organisation_kind, given.role.role)
    found = type_and_key(given.place_id or "")
    if found is None or found[0] not in PLACES:
        raise Invalid(audience=Message("Holds an id of no community, estate, building or grid"))
    return Place(PLACES[found[0]], found[1])


@strawberry.input(description="What to send, to whom.")
class PublishNoticeInput:
    organisation_id: strawberry.ID = strawberry.field(description="The organisation to publish it for.")
    category: NoticeCategory = strawberry.field(description="What it is about.")
    severity: Severity = strawberry.field(
        description="How urgent it is; emergencies are for the residents' committee only."
    )
    title: str = strawberry.field(description="1 to 80 characters.")
    body: str = strawberry.field(description="1 to 5,000 characters.")
    audience: list[AudienceInput] = strawberry.field(description="1 to 100 circles to send it to.")
    starts_at: datetime | None = strawberry.field(
        default=None, description="When it begins to hold; at once if not given."
    )
    ends_at: datetime | None = strawberry.field(
        default=None, description="When it ends; not given: until it is taken back."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="What to say instead. What is not given stays as it was.")
class UpdateNoticeInput:
    notice_id: strawberry.ID = strawberry.field(description="The notice to supersede.")
    version: int = strawberry.field(description="Its `version` as the client read it.")
    category: NoticeCategory | None = strawberry.field(default=None, description="What it is about.")
    severity: Severity | None = strawberry.field(default=None, description="How urgent it is.")
    title: str | None = strawberry.field(default=None, description="1 to 80 characters.")
    body: str | None = strawberry.field(default=None, description="1 to 5,000 characters.")
    starts_at: datetime | None = strawberry.field(default=None, description="When it begins to hold.")
    ends_at: datetime | None = strawberry.field(default=None, description="When it ends.")
    open_ended: bool = strawberry.field(
        default=False, description="Whether it shall hold until it is taken back, whatever the end was."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="Which notice to take back, and why.")
class CancelNoticeInput:
    notice_id: strawberry.ID = strawberry.field(description="The notice.")
    version: int = strawberry.field(description="Its `version` as the client read it.")
    reason: str = strawberry.field(description="What the residents shall read, 1 to 500 characters.")


@payload("The notice was sent.")
class PublishNoticePayload:
    notice: NoticeRow = shown(Notice, "The notice.")


@payload("The update was sent.")
class UpdateNoticePayload:
    notice: NoticeRow = shown(Notice, "The new notice, which supersedes the other.")


@payload("The notice was taken back.")
class CancelNoticePayload:
    notice: NoticeRow = shown(Notice, "The notice.")
