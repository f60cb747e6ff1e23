"""The kinds of organisations in a community, and the roles that one may hold in them."""

from enum import StrEnum


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
