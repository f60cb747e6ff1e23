"""People, places and signing in, as clients see them."""

from schema.identity.addresses import Building, CommunityRegister, Estate, Grid, Home
from schema.identity.applications import ApplicationsMutation, OrganisationApplications, ResidencyApplication
from schema.identity.neighbours import Neighbour
from schema.identity.phones import OrganisationPhoneChanges, PhoneChange, PhonesMutation
from schema.identity.residencies import ResidenciesMutation, Residency, ViewerResidencies
from schema.identity.sign_in import SignInMutation, ViewerAccount

__all__ = [
    "ApplicationsMutation",
    "Building",
    "CommunityRegister",
    "Estate",
    "Grid",
    "Home",
    "Neighbour",
    "OrganisationApplications",
    "OrganisationPhoneChanges",
    "PhoneChange",
    "PhonesMutation",
    "ResidenciesMutation",
    "Residency",
    "ResidencyApplication",
    "SignInMutation",
    "ViewerAccount",
    "ViewerResidencies",
]
