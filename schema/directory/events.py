"""What happens to local services, live."""

from typing import Annotated

import strawberry

from resolvers import identity, posts
from resolvers.directory import bookings, licences, listing, offers, ratings, slots
from schema.directory.bookings import AppointmentSlot, BookingStep
from schema.directory.entries import DirectoryEntry
from schema.directory.licences import LicenceStep
from schema.directory.offers import Offer
from schema.directory.ratings import EntryRating
from schema.fields import Info, loaded
from schema.node import key_of
from schema.streams import Events, event, subject_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

ENTRY = "The entry as it is now; null if it is not seen any more."


@event(Kind.ENTRY_PUBLISHED, "An organisation offers something new; or a merchant's licence was approved.")
class EntryPublished:
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@event(Kind.ENTRY_CHANGED, "What an entry of the directory says has changed.")
class EntryChanged:
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@event(Kind.ENTRY_WITHDRAWN, "An entry was withdrawn, or its merchant's licence holds no longer.")
class EntryWithdrawn:
    withdrawn_entry_id: strawberry.ID = subject_id("DirectoryEntry", description="The entry's id.")


@event(Kind.LICENCE_STEP, "Something was done with a merchant's licence.")
class LicenceStepAdded:
    step: LicenceStep | None = loaded(licences.steps_of_events, description="What.")


@event(Kind.SLOT_CHANGED, "More places, or fewer, are left in a time that can be booked.")
class SlotChanged:
    slot: AppointmentSlot | None = loaded(
        slots.slots_of_events, description="As it is now; null if it is not seen any more."
    )


@event(Kind.BOOKING_STEP, "Something was done with a booking of the viewer's.")
class BookingStepAdded:
    step: BookingStep | None = loaded(bookings.steps_of_events, description="What.")


@event(Kind.OFFICE_BOOKING, "Something was booked with an office, or a booking there has changed.")
class OfficeBookingChanged:
    step: BookingStep | None = loaded(bookings.steps_of_events, description="What was done.")


OFFER = "The offer as it is now; null if it is not seen any more."


@event(Kind.OFFER_PUBLISHED, "An offer holds from now on.")
class OfferPublished:
    offer: Offer | None = loaded(offers.offers_of_events, description=OFFER)


@event(Kind.OFFER_CHANGED, "What an offer says has changed.")
class OfferChanged:
    offer: Offer | None = loaded(offers.offers_of_events, description=OFFER)


@event(Kind.OFFER_ENDED, "An offer holds no longer.")
class OfferEnded:
    ended_offer_id: strawberry.ID = subject_id("Offer", description="The offer's id.")


@event(Kind.ENTRY_RATED, "The figures of a service's ratings have changed.")
class EntryRated:
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@event(Kind.RATING_CHANGED, "A rating was given, changed, answered, hidden or brought back.")
class RatingChanged:
    rating: EntryRating | None = loaded(
        ratings.ratings_of_events, description="The rating as it is now; null if it is hidden."
    )


DIRECTORY_EVENTS = Events(
    "DirectoryEvent",
    EntryPublished,
    EntryChanged,
    EntryWithdrawn,
    SlotChanged,
    OfferPublished,
    OfferChanged,
    OfferEnded,
    EntryRated,
    RatingChanged,
    description="What happens in a community's directory.",
)
LICENCE_EVENTS = Events(
    "LicenceEvent", LicenceStepAdded, description="What happens to the licences of merchants."
)

BOOKING_EVENTS = Events(
    "BookingEvent", BookingStepAdded, description="What happens to the viewer's bookings."
)
OFFICE_BOOKING_EVENTS = Events(
    "OfficeBookingEvent", OfficeBookingChanged, description="What happens to the bookings with one office."
)


@strawberry.type
class DirectorySubscription:
    @DIRECTORY_EVENTS.subscription
    async def directory_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        entry_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only what happens to this entry.")
        ] = None,
    ) -> Stream:
        """What happens in a community's directory, or to one entry, as far as the viewer may see it."""
        community = key_of("communityId", community_id, "Community")
        requires = await posts.followed_community(info.context, community)
        entry = key_of("entryId", entry_id, "DirectoryEntry") if entry_id else None
        if entry is not None:
            await listing.visible(info.context, entry)
        return Stream(
            topic=community_topic(community), kinds=DIRECTORY_EVENTS.kinds, requires=requires, thread=entry
        )

    @LICENCE_EVENTS.subscription
    async def licence_events(
        self,
        info: Info,
        organisation_id: Annotated[
            strawberry.ID,
            strawberry.argument(description="The merchant, or the viewer's residents' committee."),
        ],
    ) -> Stream:
        """What happens to a merchant's licences. For the merchant; for those who check licences, any
        merchant's of the community.
        """
        office = await licences.followable(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        return Stream(
            topic=community_topic(office.community_id),
            kinds=LICENCE_EVENTS.kinds,
            requires=frozenset({office.id}),
        )

    @BOOKING_EVENTS.subscription
    async def booking_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
    ) -> Stream:
        """What happens to the viewer's bookings in one community."""
        account_id = info.context.account_id
        community = key_of("communityId", community_id, "Community")
        await identity.community_visible(info.context, community)
        return Stream(
            topic=community_topic(community),
            kinds=BOOKING_EVENTS.kinds,
            requires=frozenset({account_id}),
        )

    @OFFICE_BOOKING_EVENTS.subscription
    async def office_booking_events(
        self,
        info: Info,
        organisation_id: Annotated[strawberry.ID, strawberry.argument(description="The office.")],
    ) -> Stream:
        """What happens to the bookings with one office. For those who serve there."""
        office = await bookings.followable(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        return Stream(
            topic=community_topic(office.community_id),
            kinds=OFFICE_BOOKING_EVENTS.kinds,
            requires=frozenset({office.id}),
            thread=office.id,
        )
