"""What happens to local services, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers import posts
from resolvers.directory import licences, listing
from schema.directory.entries import DirectoryEntry
from schema.directory.licences import LicenceStep
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


DIRECTORY_KINDS = frozenset({Kind.ENTRY_PUBLISHED, Kind.ENTRY_CHANGED, Kind.ENTRY_WITHDRAWN})
AfterEvent = Annotated[str | None, strawberry.argument(description=AFTER)]
DirectoryEvent = Annotated[
    EntryPublished | EntryChanged | EntryWithdrawn | StreamOpened | StreamReset,
    strawberry.union("DirectoryEvent", description="What happens in a community's directory."),
]
LicenceEvent = Annotated[
    LicenceStepAdded | StreamOpened | StreamReset,
    strawberry.union("LicenceEvent", description="What happens to the licences of merchants."),
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
        office = await licences.followed(
            info.context, key_of("organisationId", organisation_id, "Organisation")
        )
        stream = Stream(
            topic=community_topic(office.community_id),
            kinds=frozenset({Kind.LICENCE_STEP}),
            requires=frozenset({office.id}),
        )
        return follow(stream, after)  # type: ignore[no-any-return]
