"""Where local services and licences are listed."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.directory import bookings, licences, listing, offers
from resolvers.directory.listing import DirectoryCriteria
from schema.connections import Connection, connection
from schema.directory.bookings import Booking
from schema.directory.entries import DirectoryEntry
from schema.directory.licences import MerchantLicence
from schema.directory.offers import Offer
from schema.directory.terms import BookingState, DirectoryCategory, LicenceState
from schema.fields import loaded
from schema.identity import Home


@strawberry.input(description="Which local services; what is left out is any.")
class DirectoryFilter:
    categories: list[DirectoryCategory] | None = strawberry.field(
        default=None, description="In one of these categories."
    )
    name: str | None = strawberry.field(
        default=None, description="Whose name holds this, 1 to 40 characters."
    )

    def wanted(self) -> DirectoryCriteria:
        categories = None if self.categories is None else frozenset(self.categories)
        return DirectoryCriteria(categories, self.name)


@strawberry.input(description="Which bookings; what is left out is any.")
class BookingFilter:
    states: list[BookingState] | None = strawberry.field(default=None, description="In one of these states.")
    since: datetime | None = strawberry.field(default=None, description="That begin then or later.")
    until: datetime | None = strawberry.field(default=None, description="That begin before.")

    def wanted(self) -> bookings.BookingCriteria:
        states = None if self.states is None else frozenset(self.states)
        return bookings.BookingCriteria(states, self.since, self.until)


Bookings = Annotated[BookingFilter | None, strawberry.argument(description="Only these; left out, all.")]


def in_state(
    state: Annotated[
        LicenceState | None, strawberry.argument(description="Only those in this state.")
    ] = None,
) -> tuple[LicenceState | None]:
    return (state,)


def entries_wanted(
    filter: Annotated[
        DirectoryFilter | None, strawberry.argument(description="Only these; left out, all.")
    ] = None,
) -> tuple[DirectoryCriteria]:
    return (filter.wanted() if filter else DirectoryCriteria(),)


@strawberry.type
class CommunityDirectory:
    """What local services add to a community."""

    directory: Connection[DirectoryEntry] = connection(
        listing.directory_of,
        arguments=entries_wanted,
        viewer=True,
        description="Its local services, those in an estate where the viewer lives before the others.",
    )
    offers: Connection[Offer] = connection(
        offers.offers_in, viewer=True, description="What is offered there now, the newest first."
    )
    merchant_licences: Connection[MerchantLicence] = connection(
        licences.licences_of_communities,
        arguments=in_state,
        viewer=True,
        description="The licences of its merchants, the newest first."
        " For officers who check licences; a merchant sees its own.",
    )


def bookings_wanted(filter: Bookings = None) -> tuple[bookings.BookingCriteria]:
    return (filter.wanted() if filter else bookings.BookingCriteria(),)


@strawberry.type
class OrganisationDirectory:
    """What local services add to an organisation."""

    entries: Connection[DirectoryEntry] = connection(
        listing.entries_of,
        viewer=True,
        description="What it offers; for those who work in it, what it has not published, too.",
    )
    licences: Connection[MerchantLicence] = connection(
        licences.licences_of_merchants,
        viewer=True,
        description="The licences that it has submitted, the newest first; for itself and who checks them.",
    )
    bookings: Connection[Booking] = connection(
        bookings.bookings_of_offices,
        arguments=bookings_wanted,
        viewer=True,
        description="What is booked with it, in the order of time; for those who serve there.",
    )


@strawberry.type
class ViewerBookings:
    """What local services add to the viewer."""

    bookings: Connection[Booking] = connection(
        bookings.bookings_of_accounts,
        arguments=bookings_wanted,
        viewer=True,
        description="What the account has booked, the latest time first.",
    )


@strawberry.type
class ViewerHomes:
    """From one's own home to who looks after it."""

    homes: list[Home] = loaded(
        listing.homes_of_viewer,
        viewer=True,
        description="The homes where the account lives now, each with its `gridWorkers` and `gridServices`.",
    )
