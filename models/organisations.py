"""The organisations of a community and who holds which office in them."""

from datetime import datetime
from enum import StrEnum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from models.base import CommunityTable
from models.storage import fields

if TYPE_CHECKING:
    from models.notices import NoticeCategory, Severity
    from models.visibility import Office, Viewer


class OrganisationKind(StrEnum):
    RESIDENTS_COMMITTEE = "RESIDENTS_COMMITTEE"
    OWNERS_COMMITTEE = "OWNERS_COMMITTEE"
    PROPERTY_COMPANY = "PROPERTY_COMPANY"
    PARTY_BRANCH = "PARTY_BRANCH"
    MERCHANT = "MERCHANT"
    INTERMEDIARY = "INTERMEDIARY"
    GOVERNMENT = "GOVERNMENT"


class Role(StrEnum):
    ADMIN = "ADMIN"
    OFFICER = "OFFICER"
    GRID_WORKER = "GRID_WORKER"


class Power(StrEnum):
    """What an office may do beyond what every resident may."""

    VERIFY_RESIDENTS = auto()
    SEE_RESIDENTS = auto()
    UNMASK = auto()
    IMPORT_REGISTER = auto()
    PUBLISH_NOTICES = auto()
    PUBLISH_EMERGENCIES = auto()
    SEE_REACH = auto()
    RECORD_VISITS = auto()
    PIN_POSTS = auto()
    MODERATE = auto()
    PUT_MOTIONS = auto()
    COUNT_BALLOTS = auto()
    HANDLE_REQUESTS = auto()
    SEE_REQUEST_STATISTICS = auto()
    SET_REQUEST_POLICIES = auto()
    CONVENE = auto()
    # Hold activities in the name of the own organisation.
    HOST_ACTIVITIES = auto()
    # Say in the directory what the own organisation offers.
    KEEP_DIRECTORY = auto()
    # Check the licences of merchants, and decide about their entries.
    LICENSE_MERCHANTS = auto()
    # Take members into the party branch, and end their membership: its secretary.
    MANAGE_PARTY_MEMBERS = auto()
    PUBLISH_PARTY_CONTENT = auto()
    # Say who answers a member's opinion and until when, and see the figures: the secretary.
    ASSIGN_OPINIONS = auto()
    ANSWER_OPINIONS = auto()
    LOG_HOME_VISITS = auto()
    # Grant and revoke roles in the own organisation.
    MANAGE_OFFICERS = auto()
    # Make another organisation of the community, and name its first administrator.
    FOUND_OFFICES = auto()
    # Make grids, and say which buildings are in them and who looks after them.
    MANAGE_GRIDS = auto()
    # Read the audit log: the own organisation's; the residents' committee, the community's.
    SEE_AUDIT = auto()


NO_POWERS: frozenset[Power] = frozenset()
ADMINISTERING = frozenset({Power.MANAGE_OFFICERS, Power.SEE_AUDIT})
VOTING = frozenset({Power.PUT_MOTIONS, Power.COUNT_BALLOTS})
BRANCH = frozenset({Power.PUBLISH_PARTY_CONTENT, Power.ANSWER_OPINIONS, Power.LOG_HOME_VISITS})
LEADING_BRANCH = BRANCH | {Power.MANAGE_PARTY_MEMBERS, Power.ASSIGN_OPINIONS}
OFFERING = frozenset({Power.HOST_ACTIVITIES, Power.KEEP_DIRECTORY})
HANDLING_REQUESTS = frozenset({Power.HANDLE_REQUESTS, Power.SEE_REQUEST_STATISTICS})

# Who may do what. What is not here nobody may do.
POWERS: dict[OrganisationKind, dict[Role, frozenset[Power]]] = {
    OrganisationKind.RESIDENTS_COMMITTEE: {
        Role.ADMIN: frozenset(Power) - LEADING_BRANCH,
        Role.OFFICER: frozenset(Power)
        - LEADING_BRANCH
        - ADMINISTERING
        - {Power.FOUND_OFFICES, Power.MANAGE_GRIDS, Power.SET_REQUEST_POLICIES},
        Role.GRID_WORKER: frozenset({Power.SEE_REACH, Power.RECORD_VISITS, Power.HANDLE_REQUESTS}),
    },
    OrganisationKind.PROPERTY_COMPANY: {
        Role.ADMIN: ADMINISTERING | {Power.PUBLISH_NOTICES, Power.SEE_REACH} | HANDLING_REQUESTS | OFFERING,
        Role.OFFICER: frozenset({Power.PUBLISH_NOTICES, Power.SEE_REACH}) | HANDLING_REQUESTS | OFFERING,
    },
    OrganisationKind.OWNERS_COMMITTEE: {
        Role.ADMIN: ADMINISTERING | {Power.CONVENE} | VOTING | HANDLING_REQUESTS | OFFERING,
        Role.OFFICER: frozenset({Power.CONVENE}) | VOTING | HANDLING_REQUESTS | OFFERING,
    },
    OrganisationKind.PARTY_BRANCH: {
        Role.ADMIN: ADMINISTERING | LEADING_BRANCH | {Power.HOST_ACTIVITIES},
        Role.OFFICER: BRANCH | {Power.HOST_ACTIVITIES},
    },
    OrganisationKind.MERCHANT: {
        Role.ADMIN: ADMINISTERING | {Power.KEEP_DIRECTORY},
        Role.OFFICER: frozenset({Power.KEEP_DIRECTORY}),
    },
    OrganisationKind.INTERMEDIARY: {Role.ADMIN: ADMINISTERING | OFFERING, Role.OFFICER: OFFERING},
    OrganisationKind.GOVERNMENT: {Role.ADMIN: ADMINISTERING | OFFERING, Role.OFFICER: OFFERING},
}

# Notices of which categories a kind of organisation may publish; the residents' committee, of all.
CATEGORIES: dict[OrganisationKind, frozenset[str]] = {
    OrganisationKind.PROPERTY_COMPANY: frozenset({"OUTAGE", "GENERAL"}),
}


def powers_of(office: "Office") -> frozenset[Power]:
    """What may the holder of this office do?"""
    return NO_POWERS.union(*(POWERS[office.kind].get(role, NO_POWERS) for role in office.roles))


def has_power(viewer: "Viewer", organisation_id: UUID, power: Power) -> bool:
    """May the viewer do this in the name of this organisation?"""
    office = viewer.offices.get(organisation_id)
    return office is not None and power in powers_of(office)


def has_power_in(viewer: "Viewer", community_id: UUID, power: Power) -> bool:
    """May the viewer do this in this community, in the name of any of its organisations?"""
    return office_with(viewer, community_id, power) is not None


def office_with(viewer: "Viewer", community_id: UUID, power: Power) -> UUID | None:
    """In the name of which organisation may the viewer do this in this community?"""
    for office in viewer.offices.values():
        if office.community_id == community_id and power in powers_of(office):
            return office.organisation_id
    return None


def may_publish(
    viewer: "Viewer", organisation_id: UUID, category: "NoticeCategory", severity: "Severity"
) -> bool:
    """May the viewer publish such a notice in the name of this organisation?"""
    office = viewer.offices.get(organisation_id)
    if office is None:
        return False
    emergency = severity.value == "EMERGENCY"
    needed = {Power.PUBLISH_NOTICES} | ({Power.PUBLISH_EMERGENCIES} if emergency else set())
    allowed = CATEGORIES.get(office.kind)
    return needed <= powers_of(office) and (allowed is None or category.value in allowed)


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


def can_appoint(viewer: "Viewer", organisation: OrganisationRow, role: Role, *, has_admin: bool) -> bool:
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


def can_found(viewer: "Viewer", community_id: UUID) -> bool:
    """May the viewer make organisations of this community and name their first administrators?"""
    return has_power_in(viewer, community_id, Power.FOUND_OFFICES)


def can_rename(viewer: "Viewer", organisation: OrganisationRow) -> bool:
    """May the viewer give this organisation another name?"""
    return has_power(viewer, organisation.id, Power.MANAGE_OFFICERS) or can_found(
        viewer, organisation.community_id
    )


def can_manage_grids(viewer: "Viewer", community_id: UUID) -> bool:
    """May the viewer make grids of this community and say what and who belongs to them?"""
    return has_power_in(viewer, community_id, Power.MANAGE_GRIDS)


def can_see_invitations(viewer: "Viewer", organisation: OrganisationRow) -> bool:
    """May the viewer see whom this organisation has invited?"""
    return can_rename(viewer, organisation)


def powers_in_order() -> list[tuple[OrganisationKind, Role, list[Power]]]:
    """The whole table: each kind of organisation, each role in it, what it may do in the order of `Power`."""
    return [
        (kind, role, [power for power in Power if power in POWERS[kind].get(role, NO_POWERS)])
        for kind in OrganisationKind
        for role in Role
    ]
