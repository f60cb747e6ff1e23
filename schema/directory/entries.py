"""What organisations offer, as clients see it."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from models.directory import entries as rules
from models.directory.entries import EntryRow
from resolvers.directory import listing, offers, ratings, slots
from resolvers.identity import around
from schema.connections import Connection, connection
from schema.directory.bookings import AppointmentSlot
from schema.directory.hours import OpeningException, WeeklyOpening, exceptions_of, weekly_of
from schema.directory.offers import Offer
from schema.directory.ratings import EntryRating, RatingFigures
from schema.directory.terms import DirectoryCategory
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Building, Estate, Grid
from schema.links import Community, Organisation
from schema.node import Node, fetched_by


@strawberry.type(description="Where more is found.")
class EntryLink:
    title: str = strawberry.field(description="What is there.")
    address: str = strawberry.field(description="An address that begins with http:// or https://.")


def from_then_on(
    since: Annotated[
        datetime | None, strawberry.argument(description="Those that begin after this; left out, now.")
    ] = None,
    free: Annotated[bool, strawberry.argument(description="Only those with a place left.")] = False,
) -> tuple[datetime | None, bool]:
    return since, free


def viewer_can_keep_of(root: strawberry.Parent[EntryRow], info: Info) -> bool:
    return rules.can_keep(info.context.viewer, root.organisation_id)


def next_change_of(root: strawberry.Parent[EntryRow], info: Info) -> datetime | None:
    return root.opening.next_change(listing.moment(info.context))


def open_now_of(root: strawberry.Parent[EntryRow], info: Info) -> bool | None:
    return root.opening.is_open(listing.moment(info.context)) if root.opening else None


def opening_exceptions_of(root: strawberry.Parent[EntryRow]) -> list[OpeningException]:
    return exceptions_of(root.opening)


def opening_hours_of(root: strawberry.Parent[EntryRow]) -> list[WeeklyOpening]:
    return weekly_of(root.opening)


def links_of(root: strawberry.Parent[EntryRow]) -> list[EntryLink]:
    return [EntryLink(title=title, address=address) for title, address in root.links]


def rating_of(root: strawberry.Parent[EntryRow]) -> RatingFigures:
    return RatingFigures(count=root.rating_count, sum=root.rating_sum, average=ratings.average(root))


@fetched_by(listing.visible_by_ids)
@strawberry.type(
    description="A local service: what an organisation offers, when, and how to reach it."
    " Its organisation always sees it. Others in the community see it while it is published,"
    " a merchant's only with a valid, approved licence."
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
    community: Community = loaded(around.communities, description="The community it belongs to.")
    organisation: Organisation = loaded(around.organisations, description="Who offers it.")
    estate: Estate | None = loaded(around.estates, description="The estate it is in or for.")
    building: Building | None = loaded(around.buildings, description="The building it is in.")
    grid: Grid | None = loaded(
        around.grids, description="The grid that it is for; null for all, and for other categories."
    )
    licensed_until: date | None = loaded(
        listing.licensed_until,
        description="The last day of the merchant's licence that the residents' committee has checked."
        " Null without one, and where none is needed.",
    )
    viewer_rating: EntryRating | None = loaded(
        ratings.ratings_of_viewer, viewer=True, description="What the viewer said of it."
    )
    rating: RatingFigures = strawberry.field(
        resolver=rating_of, description="What residents think of it, in exact figures."
    )
    links: list[EntryLink] = strawberry.field(resolver=links_of, description="Where more is found.")
    opening_hours: list[WeeklyOpening] = strawberry.field(
        resolver=opening_hours_of, description="When it is open in an ordinary week."
    )
    opening_exceptions: list[OpeningException] = strawberry.field(
        resolver=opening_exceptions_of, description="The dates on which that does not hold."
    )
    open_now: bool | None = strawberry.field(
        resolver=open_now_of, description="Whether it is open now; null if no hours are known."
    )
    next_change: datetime | None = strawberry.field(
        resolver=next_change_of,
        description="When it opens or closes next, holidays considered."
        " Null if it never does, or if no hours are known.",
    )
    viewer_can_keep: bool = strawberry.field(
        resolver=viewer_can_keep_of, description="Whether the viewer may change it.", metadata=VIEWER
    )
    slots: Connection[AppointmentSlot] = connection(
        slots.slots_of,
        arguments=from_then_on,
        description="The times at which it can be visited, in their order.",
    )
    offers: Connection[Offer] = connection(
        offers.offers_of,
        viewer=True,
        description="What is offered under it now, the newest first; for its organisation, all that was.",
    )
    ratings: Connection[EntryRating] = connection(
        ratings.ratings_of,
        viewer=True,
        description="What residents said of it, the newest first; for the community's members.",
    )

    is_type_of = IsA(EntryRow)
