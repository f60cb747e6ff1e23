"""The licences of merchants, which the residents' committee checks."""

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.directory.hours import CHINA, DAY
from models.powers import POWERS, Power, communities_with, has_power_in
from models.roles import OrganisationKind, Role
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by, role_of


class LicenceKind(StrEnum):
    BUSINESS = "BUSINESS"
    FOOD = "FOOD"
    HYGIENE = "HYGIENE"
    MEDICAL = "MEDICAL"
    EDUCATION = "EDUCATION"
    OTHER = "OTHER"


class LicenceState(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"


class LicenceAction(StrEnum):
    SUBMIT = "SUBMIT"
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    REVOKE = "REVOKE"
    # By the clock.
    REMIND = "REMIND"
    EXPIRE = "EXPIRE"


class LicenceRow(CommunityTable):
    organisation_id: UUID = fields.UUIDField()
    kind: LicenceKind = fields.CharEnumField(LicenceKind, max_length=12)
    number_sealed: str = fields.TextField()
    # The midnight, in China, after the last day on which it is valid.
    expires_at: datetime = fields.DatetimeField()
    state: LicenceState = fields.CharEnumField(LicenceState, max_length=12, default=LicenceState.PENDING)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "merchant_licence"
        indexes = (("organisation_id", "state", "expires_at"), ("community_id", "state", "id"))


class LicenceStepRow(CommunityTable):
    """What was done with a licence: append-only."""

    licence_id: UUID = fields.UUIDField()
    organisation_id: UUID = fields.UUIDField()
    action: LicenceAction = fields.CharEnumField(LicenceAction, max_length=8)
    # Nobody's, if the clock did it.
    actor_id: UUID | None = fields.UUIDField(null=True, default=None)
    reason: str = fields.CharField(max_length=300, default="")

    class Meta:
        table = "licence_step"
        indexes = (("licence_id", "id"),)


LICENCES = Order("licences", ("id",))
LICENCE_STEPS = Order("licence-steps", ("id",), descending=False)


def expiry(last: date) -> datetime:
    """The moment in which what is valid on the day `last` is valid no longer."""
    return datetime.combine(last + DAY, time(), CHINA)


def last_day(expires_at: datetime) -> date:
    """The last day on which it is valid, by that moment."""
    return expires_at.astimezone(CHINA).date() - DAY


def visible_to(viewer: Viewer) -> Where:
    """The licences, and their steps (as ``t``), of the viewer's own office, and all for who checks them."""
    if not viewer.scopes:
        return NOTHING
    return held_by(viewer, "t.organisation_id") | Where(
        "t.community_id IN (?)", (communities_with(viewer, Power.LICENSE_MERCHANTS),)
    )


def audience(row: LicenceRow) -> frozenset[UUID]:
    """The same, for the event log."""
    committee = OrganisationKind.RESIDENTS_COMMITTEE
    return frozenset({row.organisation_id}) | {
        role_of(row.community_id, committee, role)
        for role in Role
        if Power.LICENSE_MERCHANTS in POWERS[committee].get(role, frozenset())
    }


def can_license(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer check the licences of merchants here?"""
    return has_power_in(viewer, community_id, Power.LICENSE_MERCHANTS)
