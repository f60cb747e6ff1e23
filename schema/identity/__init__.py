"""People, places and signing in, as clients see them."""

from schema.identity.addresses import Building, CommunityRegister, Estate, Grid, Home
from schema.identity.neighbours import Neighbour
from schema.identity.residencies import (
    OrganisationApplications,
    ResidenciesMutation,
    Residency,
    ResidencyApplication,
    ViewerResidencies,
)
from schema.identity.sign_in import SignInMutation, ViewerAccount

__all__ = [
    "Building",
    "CommunityRegister",
    "Estate",
    "Grid",
    "Home",
    "Neighbour",
    "OrganisationApplications",
    "ResidenciesMutation",
    "Residency",
    "ResidencyApplication",
    "SignInMutation",
    "ViewerAccount",
    "ViewerResidencies",
]
