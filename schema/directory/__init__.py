"""Local services, as clients see them.

terms      the enums and what their values mean
hours      when something is open
entries    what organisations offer
licences   the licences of merchants
bookings   times that can be booked, and bookings
offers     what is offered for a while
ratings    what residents think of a service
lists      where they are listed
mutations  what can be done with entries and licences
appointments  what can be done with times and bookings
trading    what can be done with offers and ratings
events     what can be followed live
"""

from schema.directory.appointments import BookingsMutation
from schema.directory.entries import DirectoryEntry
from schema.directory.events import (
    BookingStepAdded,
    DirectorySubscription,
    EntryChanged,
    EntryPublished,
    EntryRated,
    EntryWithdrawn,
    LicenceStepAdded,
    OfferChanged,
    OfferEnded,
    OfferPublished,
    OfficeBookingChanged,
    RatingChanged,
    SlotChanged,
)
from schema.directory.lists import CommunityDirectory, OrganisationDirectory, ViewerBookings, ViewerHomes
from schema.directory.mutations import DirectoryMutation
from schema.directory.trading import TradingMutation

__all__ = [
    "BOOKING_KINDS",
    "DIRECTORY_KINDS",
    "BookingStepAdded",
    "BookingsMutation",
    "CommunityDirectory",
    "DirectoryEntry",
    "DirectoryMutation",
    "DirectorySubscription",
    "EntryChanged",
    "EntryPublished",
    "EntryRated",
    "EntryWithdrawn",
    "LicenceStepAdded",
    "OfferChanged",
    "OfferEnded",
    "OfferPublished",
    "OfficeBookingChanged",
    "OrganisationDirectory",
    "RatingChanged",
    "SlotChanged",
    "TradingMutation",
    "ViewerBookings",
    "ViewerHomes",
]
