"""The organisations of a community and who holds which office in them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable
from models.powers import Power, has_power, has_power_in
from models.roles import OrganisationKind, Role
from models.storage import fields
from models.visibility import Viewer


class OrganisationRow(CommunityTable):
    kind: OrganisationKind = fields.CharEnumField(OrganisationKind, max_length=24)
    name: str = fields.CharField(max_length=80)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "organisation"
        unique_together = (("community_id", "name"),)


class AppointmentRow(CommunityTable):
    """A dated role of an account in an organisation. A grid worker has a grid."""

    organisation_id: UUID = fields.UUIDField(db_index=True)
    account_id: UUID = fields.UUIDField(db_index=True)
    role: Role = fields.CharEnumField(Role, max_length=12)
    grid_id: UUID | None = fields.UUIDField(null=True, default=None)
    granted_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    revoked_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "appointment"


class InvitationStatus(StrEnum):
    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class InvitationRow(CommunityTable):
    """An office offered to whoever has a phone, who need not have signed in yet."""

    organisation_id: UUID = fields.UUIDField(db_index=True)
    role: Role = fields.CharEnumField(Role, max_length=12)
    grid_id: UUID | None = fields.UUIDField(null=True, default=None)
    # Whether it names the first administrator, which only holds while there is none.
    founding: bool = fields.BooleanField(default=False)
    # Both personal, and gone once it is decided.
    phone_index: str | None = fields.CharField(max_length=64, null=True, default=None, db_index=True)
    phone_sealed: str | None = fields.TextField(null=True, default=None)
    # Of organisation, phone, role and grid while it is open, so that there is one open at most.
    open_key: str | None = fields.CharField(max_length=64, null=True, default=None, unique=True)
    status: InvitationStatus = fields.CharEnumField(
        InvitationStatus, max_length=8, default=InvitationStatus.OPEN
    )
    invited_by_id: UUID = fields.UUIDField()
    expires_at: datetime = fields.DatetimeField()
    decided_at: datetime | None = fields.DatetimeField(null=True, default=None)
    appointment_id: UUID | None = fields.UUIDField(null=True, default=None)

    class Meta:
        table = "office_invitation"


def can_appoint(viewer: Viewer, organisation: OrganisationRow, role: Role, *, has_admin: bool) -> bool:
    """May the viewer grant and revoke this role in this organisation?

    An organisation's administrators may; the residents' committee's may name the first one.
    """
    if has_power(viewer, organisation.id, Power.MANAGE_OFFICERS):
        return True
    return (
        role is Role.ADMIN
        and not has_admin
        and has_power_in(viewer, organisation.community_id, Power.FOUND_OFFICES)
    )


def can_found(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer make organisations of this community and name their first administrators?"""
    return has_power_in(viewer, community_id, Power.FOUND_OFFICES)


def can_rename(viewer: Viewer, organisation: OrganisationRow) -> bool:
    """May the viewer give this organisation another name?"""
    return has_power(viewer, organisation.id, Power.MANAGE_OFFICERS) or can_found(
        viewer, organisation.community_id
    )


def can_manage_grids(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer make grids of this community and say what and who belongs to them?"""
    return has_power_in(viewer, community_id, Power.MANAGE_GRIDS)


def can_see_invitations(viewer: Viewer, organisation: OrganisationRow) -> bool:
    """May the viewer see whom this organisation has invited?"""
    return can_rename(viewer, organisation)
