"""What organisations offer, as clients see it."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.directory import entries as rules
from models.directory.entries import EntryRow
from resolvers.directory import listing, offers, ratings, slots
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.directory.bookings import AppointmentSlot
from schema.directory.hours import OpeningException, WeeklyOpening, exceptions_of, weekly_of
from schema.directory.offers import Offer
from schema.directory.ratings import EntryRating, RatingFigures
from schema.directory.terms import DirectoryCategory
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, load, loaded
from schema.identity import Building, Estate, Grid
from schema.node import Node, fetched_by

if TYPE_CHECKING:
    from schema.communities import Community, Organisation

CommunityType = Annotated["Community", strawberry.lazy("schema.communities")]
OrganisationType = Annotated["Organisation", strawberry.lazy("schema.communities")]


@strawberry.type(description="Where more is found.")
class EntryLink:
    title: str = strawberry.field(description="What is there.")
    address: str = strawberry.field(description="An address that begins with http:// or https://.")


@fetched_by(listing.visible_by_ids)
@strawberry.type(
    description="A local service: what an organisation offers, when, and how to reach it. Seen by whoever may"
    " look at the community while it is published, a merchant's only while a licence of it is approved and"
    " valid; by its organisation always."
)
class DirectoryEntry(Node):
    category: DirectoryCategory = strawberry.field(description="What kind of service it is.")
    name: str = strawberry.field(description="What it is called.")
    summary: str = strawberry.field(description="What it does.")
    place: str = strawberry.field(description="Where, in words; may be empty.")
    phone: str = strawberry.field(description="The office's phone, never a person's; may be empty.")
    steps: list[str] = strawberry.field(description="What to do, in this order.")
    documents: list[str] = strawberry.field(description="What to bring.")
    published_at: datetime | None = strawberry.field(
        description="Since when it is published; null while only its organisation sees it."
    )
    version: int = strawberry.field(description="Raised by every change.")
    community: CommunityType = loaded(listing.communities_of, description="The community it belongs to.")
    organisation: OrganisationType = loaded(listing.organisations_of, description="Who offers it.")
    estate: Estate | None = loaded(listing.estates_of, description="The estate it is in or for.")
    building: Building | None = loaded(listing.buildings_of, description="The building it is in.")
    grid: Grid | None = loaded(
        listing.grids_of, description="The grid that it is for; null for all, and for other categories."
    )
    licensed_until: date | None = loaded(
        listing.licensed_until,
        description="The last day on which the merchant's licence is valid, as the residents' committee has"
        " checked; null for who needs none, and without one.",
    )

    viewer_rating: EntryRating | None = loaded(
        ratings.ratings_of_viewer, viewer=True, description="What the viewer said of it."
    )

    @strawberry.field(description="What residents think of it, in exact figures.")
    @staticmethod
    def rating(root: strawberry.Parent[EntryRow]) -> RatingFigures:
        return RatingFigures(count=root.rating_count, sum=root.rating_sum, average=ratings.average(root))

    @strawberry.field(description="Where more is found.")
    @staticmethod
    def links(root: strawberry.Parent[EntryRow]) -> list[EntryLink]:
        return [EntryLink(title=title, address=address) for title, address in root.links]

    @strawberry.field(description="When it is open in an ordinary week.")
    @staticmethod
    def opening_hours(root: strawberry.Parent[EntryRow]) -> list[WeeklyOpening]:
        return weekly_of(root.opening)

    @strawberry.field(description="The dates on which that does not hold.")
    @staticmethod
    def opening_exceptions(root: strawberry.Parent[EntryRow]) -> list[OpeningException]:
        return exceptions_of(root.opening)

    @strawberry.field(description="Whether it is open now; null if no hours are known.")
    @staticmethod
    def open_now(root: strawberry.Parent[EntryRow], info: Info) -> bool | None:
        return root.opening.is_open(listing.moment(info.context)) if root.opening else None

    @strawberry.field(
        description="When it opens or closes next, holidays considered; null if it never does, or if no hours"
        " are known."
    )
    @staticmethod
    def next_change(root: strawberry.Parent[EntryRow], info: Info) -> datetime | None:
        return root.opening.next_change(listing.moment(info.context))

    @strawberry.field(description="Whether the viewer may change it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_keep(root: strawberry.Parent[EntryRow], info: Info) -> bool:
        return rules.can_keep(info.context.viewer, root.organisation_id)

    @strawberry.field(
        description="The times at which it can be visited, in their order.",
        metadata={"batch": slots.slots_of},
    )
    @staticmethod
    async def slots(
        root: strawberry.Parent[EntryRow],
        info: Info,
        since: Annotated[
            datetime | None, strawberry.argument(description="Those that begin after this; left out, now.")
        ] = None,
        free: Annotated[bool, strawberry.argument(description="Only those with a place left.")] = False,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[AppointmentSlot]:
        args = page_args(first, after, last, before)
        return await load(info, slots.slots_of, root, since, free, args)  # type: ignore[no-any-return]

    @strawberry.field(
        description="What is offered under it now, the newest first; for its organisation, all that was.",
        metadata={"batch": offers.offers_of, **VIEWER},
    )
    @staticmethod
    async def offers(
        root: strawberry.Parent[EntryRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Offer]:
        return await load(info, offers.offers_of, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    @strawberry.field(
        description="What residents said of it, the newest first; for the community's members.",
        metadata={"batch": ratings.ratings_of, **VIEWER},
    )
    @staticmethod
    async def ratings(
        root: strawberry.Parent[EntryRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[EntryRating]:
        return await load(info, ratings.ratings_of, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    is_type_of = IsA(EntryRow)
