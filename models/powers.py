"""What an office may do: one table of powers, by the kind of organisation and the role in it."""

from enum import StrEnum, auto
from uuid import UUID

from models.roles import OrganisationKind, Role
from models.visibility import Office, Viewer


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


def powers_of(office: Office) -> frozenset[Power]:
    """What may the holder of this office do?"""
    return NO_POWERS.union(*(POWERS[office.kind].get(role, NO_POWERS) for role in office.roles))


def has_power(viewer: Viewer, organisation_id: UUID, power: Power) -> bool:
    """May the viewer do this in the name of this organisation?"""
    office = viewer.offices.get(organisation_id)
    return office is not None and power in powers_of(office)


def has_power_in(viewer: Viewer, community_id: UUID, power: Power) -> bool:
    """May the viewer do this in this community, in the name of any of its organisations?"""
    return office_with(viewer, community_id, power) is not None


def office_with(viewer: Viewer, community_id: UUID, power: Power) -> UUID | None:
    """In the name of which organisation may the viewer do this in this community?"""
    for office in viewer.offices.values():
        if office.community_id == community_id and power in powers_of(office):
            return office.organisation_id
    return None


def communities_with(viewer: Viewer, power: Power) -> frozenset[UUID]:
    """The communities in which the viewer may do this, in the name of any organisation."""
    return frozenset(office.community_id for office in viewer.offices.values() if power in powers_of(office))


def powers_in_order() -> list[tuple[OrganisationKind, Role, list[Power]]]:
    """The whole table: each kind of organisation, each role in it, what it may do in the order of `Power`."""
    return [
        (kind, role, [power for power in Power if power in POWERS[kind].get(role, NO_POWERS)])
        for kind in OrganisationKind
        for role in Role
    ]
