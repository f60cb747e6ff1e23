"""What happens to local services, live."""

from collections.abc import AsyncGenerator
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
from schema.node import global_id, key_of
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, Logged, community_topic
from subscriptions.streams import Stream

ENTRY = "The entry as it is now; null if it is not seen any more."


@strawberry.type(description="An organisation offers something new; or a merchant's licence was approved.")
class EntryPublished:
    is_type_of = of_kind(Kind.ENTRY_PUBLISHED)
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@strawberry.type(description="What an entry of the directory says has changed.")
class EntryChanged:
    is_type_of = of_kind(Kind.ENTRY_CHANGED)
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@strawberry.type(description="An entry was withdrawn, or its merchant's licence holds no longer.")
class EntryWithdrawn:
    is_type_of = of_kind(Kind.ENTRY_WITHDRAWN)

    @strawberry.field(description="The entry's id.")
    @staticmethod
    def withdrawn_entry_id(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id("DirectoryEntry", root.event.subject)


@strawberry.type(description="Something was done with a merchant's licence.")
class LicenceStepAdded:
    is_type_of = of_kind(Kind.LICENCE_STEP)
    step: LicenceStep | None = loaded(licences.steps_of_events, description="What.")


@strawberry.type(description="More places, or fewer, are left in a time that can be booked.")
class SlotChanged:
    is_type_of = of_kind(Kind.SLOT_CHANGED)
    slot: AppointmentSlot | None = loaded(
        slots.slots_of_events, description="As it is now; null if it is not seen any more."
    )


@strawberry.type(description="Something was done with a booking of the viewer's.")
class BookingStepAdded:
    is_type_of = of_kind(Kind.BOOKING_STEP)
    step: BookingStep | None = loaded(bookings.steps_of_events, description="What.")


@strawberry.type(description="Something was booked with an office, or a booking there has changed.")
class OfficeBookingChanged:
    is_type_of = of_kind(Kind.OFFICE_BOOKING)
    step: BookingStep | None = loaded(bookings.steps_of_events, description="What was done.")


OFFER = "The offer as it is now; null if it is not seen any more."


@strawberry.type(description="An offer holds from now on.")
class OfferPublished:
    is_type_of = of_kind(Kind.OFFER_PUBLISHED)
    offer: Offer | None = loaded(offers.offers_of_events, description=OFFER)


@strawberry.type(description="What an offer says has changed.")
class OfferChanged:
    is_type_of = of_kind(Kind.OFFER_CHANGED)
    offer: Offer | None = loaded(offers.offers_of_events, description=OFFER)


@strawberry.type(description="An offer holds no longer.")
class OfferEnded:
    is_type_of = of_kind(Kind.OFFER_ENDED)

    @strawberry.field(description="The offer's id.")
    @staticmethod
    def ended_offer_id(root: strawberry.Parent[Logged]) -> strawberry.ID:
        return global_id("Offer", root.event.subject)


@strawberry.type(description="The figures of a service's ratings have changed.")
class EntryRated:
    is_type_of = of_kind(Kind.ENTRY_RATED)
    entry: DirectoryEntry | None = loaded(listing.entries_of_events, description=ENTRY)


@strawberry.type(description="A rating was given, changed, answered, hidden or brought back.")
class RatingChanged:
    is_type_of = of_kind(Kind.RATING_CHANGED)
    rating: EntryRating | None = loaded(
        ratings.ratings_of_events, description="The rating as it is now; null if it is hidden."
    )


DIRECTORY_KINDS = frozenset(
    {
        Kind.ENTRY_PUBLISHED,
        Kind.ENTRY_CHANGED,
        Kind.ENTRY_WITHDRAWN,
        Kind.SLOT_CHANGED,
        Kind.OFFER_PUBLISHED,
        Kind.OFFER_CHANGED,
        Kind.OFFER_ENDED,
        Kind.ENTRY_RATED,
        Kind.RATING_CHANGED,
    }
)
BOOKING_KINDS = frozenset({Kind.BOOKING_STEP, Kind.OFFICE_BOOKING})
AfterEvent = Annotated[str | None, strawberry.argument(description=AFTER)]
DirectoryEvent = Annotated[
    EntryPublished
    | EntryChanged
    | EntryWithdrawn
    | SlotChanged
    | OfferPublished
    | OfferChanged
    | OfferEnded
    | EntryRated
    | RatingChanged
    | StreamOpened
    | StreamReset,
    strawberry.union("DirectoryEvent", description="What happens in a community's directory."),
]
LicenceEvent = Annotated[
    LicenceStepAdded | StreamOpened | StreamReset,
    strawberry.union("LicenceEvent", description="What happens to the licences of merchants."),
]

BookingEvent = Annotated[
    BookingStepAdded | StreamOpened | StreamReset,
    strawberry.union("BookingEvent", description="What happens to the viewer's bookings."),
]
OfficeBookingEvent = Annotated[
    OfficeBookingChanged | StreamOpened | StreamReset,
    strawberry.union("OfficeBookingEvent", description="What happens to the bookings with one office."),
]


@strawberry.type
class DirectorySubscription:
    @strawberry.subscription(
        description="What happens in a community's directory, or to one entry, as far as the viewer may see"
        " it."
    )
    async def directory_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        entry_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only what happens to this entry.")
        ] = None,
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[DirectoryEvent], None]:
        community = key_of("communityId", community_id, "Community")
        requires = await posts.followed_community(info.context, community)
        entry = key_of("entryId", entry_id, "DirectoryEntry") if entry_id else None
        if entry is not None:
            await listing.visible(info.context, entry)
        stream = Stream(
            topic=community_topic(community), kinds=DIRECTORY_KINDS, requires=requires, thread=entry
        )
        return follow(stream, after)  # type: ignore[no-any-return]

    @strawberry.subscription(
        description="What happens to a merchant's licences. For the merchant; for those who check licences,"
        " any merchant's of the community."
    )
    async def licence_events(
        self,
        info: Info,
        organisation_id: Annotated[
            strawberry.ID,
            strawberry.argument(description="The merchant, or the viewer's residents' committee."),
        ],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[LicenceEvent], None]:
        office = await licences.followable(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        stream = Stream(
            topic=community_topic(office.community_id),
            kinds=frozenset({Kind.LICENCE_STEP}),
            requires=frozenset({office.id}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]

    @strawberry.subscription(description="What happens to the viewer's bookings in one community.")
    async def booking_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[BookingEvent], None]:
        account_id = info.context.account_id
        community = key_of("communityId", community_id, "Community")
        await identity.community_visible(info.context, community)
        stream = Stream(
            topic=community_topic(community),
            kinds=frozenset({Kind.BOOKING_STEP}),
            requires=frozenset({account_id}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]

    @strawberry.subscription(
        description="What happens to the bookings with one office. For those who serve there."
    )
    async def office_booking_events(
        self,
        info: Info,
        organisation_id: Annotated[strawberry.ID, strawberry.argument(description="The office.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[OfficeBookingEvent], None]:
        office = await bookings.followable(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        stream = Stream(
            topic=community_topic(office.community_id),
            kinds=frozenset({Kind.OFFICE_BOOKING}),
            requires=frozenset({office.id}),
            thread=office.id,
        )
        return follow(stream, after)  # type: ignore[no-any-return]
