"""Service requests, as clients see them.

terms       the enums and what their values mean
policies    the categories, and how a community handles each
requests    requests and their steps
boards      a community's progress board, an office's queue
statistics  how an office answers, resolves and satisfies
opening     what opens a request
acting      what is done with a request, and following it
mutations   what can be done
events      what can be followed live
"""

from schema.requests.boards import CommunityRequests, OrganisationRequests
from schema.requests.events import (
    OfficeQueueChanged,
    RequestFollowersChanged,
    RequestsSubscription,
    RequestStepAdded,
)
from schema.requests.mutations import RequestsMutation
from schema.requests.requests import ServiceRequest

__all__ = [
    "REQUEST_KINDS",
    "CommunityRequests",
    "OfficeQueueChanged",
    "OrganisationRequests",
    "RequestFollowersChanged",
    "RequestStepAdded",
    "RequestsMutation",
    "RequestsSubscription",
    "ServiceRequest",
]
