"""Where local services and licences are listed."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.identity import AccountRow, CommunityRow
from models.organisations import OrganisationRow
from resolvers.directory import bookings, licences, listing, offers
from resolvers.directory.listing import DirectoryCriteria
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.directory.bookings import Booking
from schema.directory.entries import DirectoryEntry
from schema.directory.licences import MerchantLicence
from schema.directory.offers import Offer
from schema.directory.terms import BookingState, DirectoryCategory, LicenceState
from schema.fields import VIEWER, Info, load, loaded
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


@strawberry.type
class CommunityDirectory:
    """What local services add to a community."""

    @strawberry.field(
        description="Its local services, those in an estate where the viewer lives before the others.",
        metadata={"batch": listing.directory_of, **VIEWER},
    )
    @staticmethod
    async def directory(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        filter: Annotated[
            DirectoryFilter | None, strawberry.argument(description="Only these; left out, all.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[DirectoryEntry]:
        wanted = filter.wanted() if filter else DirectoryCriteria()
        args = page_args(first, after, last, before)
        return await load(info, listing.directory_of, root, wanted, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="What is offered there now, the newest first.",
        metadata={"batch": offers.offers_in, **VIEWER},
    )
    @staticmethod
    async def offers(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Offer]:
        return await load(info, offers.offers_in, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    @strawberry.field(
        description="The licences of its merchants, the newest first; for who checks them. A merchant has its"
        " own.",
        metadata={"batch": licences.licences_of_communities, **VIEWER},
    )
    @staticmethod
    async def merchant_licences(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        state: Annotated[
            LicenceState | None, strawberry.argument(description="Only those in this state.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MerchantLicence]:
        args = page_args(first, after, last, before)
        return await load(info, licences.licences_of_communities, root, state, args)  # type: ignore[no-any-return]


@strawberry.type
class OrganisationDirectory:
    """What local services add to an organisation."""

    @strawberry.field(
        description="What it offers; for those who work in it, what it has not published, too.",
        metadata={"batch": listing.entries_of, **VIEWER},
    )
    @staticmethod
    async def entries(
        root: strawberry.Parent[OrganisationRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[DirectoryEntry]:
        return await load(info, listing.entries_of, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    @strawberry.field(
        description="The licences that it has submitted, the newest first; for itself and who checks them.",
        metadata={"batch": licences.licences_of_merchants, **VIEWER},
    )
    @staticmethod
    async def licences(
        root: strawberry.Parent[OrganisationRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MerchantLicence]:
        args = page_args(first, after, last, before)
        return await load(info, licences.licences_of_merchants, root, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="What is booked with it, in the order of time; for those who serve there.",
        metadata={"batch": bookings.bookings_of_offices, **VIEWER},
    )
    @staticmethod
    async def bookings(
        root: strawberry.Parent[OrganisationRow],
        info: Info,
        filter: Bookings = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Booking]:
        wanted = filter.wanted() if filter else bookings.BookingCriteria()
        args = page_args(first, after, last, before)
        return await load(info, bookings.bookings_of_offices, root, wanted, args)  # type: ignore[no-any-return]


@strawberry.type
class ViewerBookings:
    """What local services add to the viewer."""

    @strawberry.field(
        description="What the account has booked, the latest time first.",
        metadata={"batch": bookings.bookings_of_accounts, **VIEWER},
    )
    @staticmethod
    async def bookings(
        root: strawberry.Parent[AccountRow],
        info: Info,
        filter: Bookings = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Booking]:
        wanted = filter.wanted() if filter else bookings.BookingCriteria()
        args = page_args(first, after, last, before)
        return await load(info, bookings.bookings_of_accounts, root, wanted, args)  # type: ignore[no-any-return]


@strawberry.type
class ViewerHomes:
    """From one's own home to who looks after it."""

    homes: list[Home] = loaded(
        listing.homes_of_viewer,
        viewer=True,
        description="The homes where the account lives now; each leads to its `gridWorkers` and"
        " `gridServices`.",
    )
