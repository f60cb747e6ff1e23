"""The inbox, as clients see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.notifications import NotificationKind, NotificationRow
from resolvers import identity, notifications
from resolvers.context import Context
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity import Neighbour
from schema.mutations import mutation, payload
from schema.node import Node, fetch_all, fetched_by, global_id, key_of
from schema.problems import InvalidInput
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

described(
    NotificationKind,
    "What an entry of the inbox tells of.",
    COMMENT="Somebody commented on what the viewer wrote.",
    REPLY="Somebody replied to the viewer's comment.",
    NOTICE="A notice was sent to a home or a role of the viewer's.",
    RESIDENCY="The viewer's application for a home was decided.",
    MOTION="A vote in which the viewer has a say has opened, or needs a look.",
    DELIBERATION="A deliberation that the viewer takes part in has moved on.",
    STATEMENT="A statement of the viewer's was hidden.",
    MATCH="A post may be about what the viewer has lost or found.",
    RATING="A rating of the viewer's was answered, or hidden.",
    BOOKING="A booking of the viewer's was made or called off, is near, or was missed.",
    MENTION="A comment in a group mentions the viewer.",
    GROUP_POST="A post in a group of the viewer's, who wants to know of all or is mentioned.",
    GROUP_JOIN="Somebody asks to join a group of the viewer's, or the viewer's request is decided.",
    GROUP_INVITE="The viewer is invited into a group.",
    GROUP_STEP="Something was done in a group that concerns the viewer.",
    PARTY_ENTRY="An application to a party branch that the viewer made, or decides.",
    OPINION="A step of an opinion that the viewer submitted, answers or assigns.",
    PARTY_LESSON="A party branch of the viewer's has a new lesson.",
    PARTY_MEMBER="The viewer's membership in a party branch has changed.",
    LICENCE="Something was done with a licence of the merchant that the viewer works for.",
    ACTIVITY="An activity signed up for was changed or called off, has a seat now, or begins soon.",
    REQUEST="A step in a service request that the viewer reported, follows or handles.",
    PARTY_NEWS="The viewer's party branch has news for its members.",
    PARTY_AFFAIR="The viewer's party branch has published an affair for its members.",
    PIONEER="The viewer's party branch would like to show the viewer as a pioneer, and asks for consent.",
)

# Of which type the subject of an entry is.
SUBJECTS = {
    NotificationKind.COMMENT: "Comment",
    NotificationKind.REPLY: "Comment",
    NotificationKind.NOTICE: "Notice",
    NotificationKind.RESIDENCY: "ResidencyApplication",
    NotificationKind.MOTION: "Motion",
    NotificationKind.REQUEST: "RequestStep",
    NotificationKind.LICENCE: "LicenceStep",
    NotificationKind.BOOKING: "BookingStep",
    NotificationKind.RATING: "EntryRating",
    NotificationKind.DELIBERATION: "DeliberationStep",
    NotificationKind.STATEMENT: "Statement",
    NotificationKind.MATCH: "Post",
    NotificationKind.MENTION: "Comment",
    NotificationKind.GROUP_POST: "Post",
    NotificationKind.GROUP_JOIN: "JoinRequest",
    NotificationKind.GROUP_INVITE: "GroupInvitation",
    NotificationKind.GROUP_STEP: "GroupStep",
    NotificationKind.PARTY_ENTRY: "PartyApplication",
    NotificationKind.PARTY_MEMBER: "PartyMember",
    NotificationKind.PARTY_NEWS: "PartyNews",
    NotificationKind.PARTY_AFFAIR: "PartyAffair",
    NotificationKind.PIONEER: "Pioneer",
    NotificationKind.PARTY_LESSON: "PartyLesson",
    NotificationKind.OPINION: "PartyOpinionStep",
    NotificationKind.ACTIVITY: "ActivityUpdate",
}


async def subjects_of(ctx: Context, rows: Sequence[NotificationRow]) -> list[Any]:
    """What each entry is about, fetched by one call a type, None where the viewer may not see it."""
    return await fetch_all(ctx, [global_id(SUBJECTS[row.kind], row.subject_id) for row in rows])


@fetched_by(notifications.visible_by_ids)
@strawberry.type(description="An entry of the viewer's inbox.")
class Notification(Node):
    kind: NotificationKind = strawberry.field(description="What it tells of.")
    created_at: datetime = strawberry.field(description="When it happened.")
    read_at: datetime | None = strawberry.field(description="When the viewer read it.")
    actor: Neighbour | None = loaded(notifications.actors_of, description="Who did it, if somebody did.")
    subject: Node | None = loaded(
        subjects_of,
        description="What it is about, as far as the viewer may still see it.",
        viewer=True,
    )

    is_type_of = IsA(NotificationRow)


def unread(
    unread_only: Annotated[bool, strawberry.argument(description="Only what is not read.")] = False,
) -> tuple[bool]:
    return (unread_only,)


@strawberry.type
class ViewerInbox:
    """What the inbox adds to the viewer."""

    unread_count: int = loaded(
        notifications.unread_counts_of,
        description="How many entries of the inbox are not read.",
        viewer=True,
    )
    notifications: Connection[Notification] = connection(
        notifications.inboxes_of, arguments=unread, viewer=True, description="The inbox, newest first."
    )


@strawberry.input(description="What was read: exactly one of the two.")
class MarkNotificationsReadInput:
    ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="These entries, 100 at most."
    )
    up_to: strawberry.ID | None = strawberry.field(
        default=None, description="This entry and all that are older."
    )


@payload("The entries are read.")
class MarkNotificationsReadPayload:
    unread_count: int = strawberry.field(description="How many entries are still not read.")


@strawberry.type
class NotificationsMutation:
    @mutation(InvalidInput, input="What was read.")
    async def mark_notifications_read(
        self, info: Info, input: MarkNotificationsReadInput
    ) -> MarkNotificationsReadPayload:
        """Mark entries of the inbox as read. Repeating it changes nothing."""
        ids = None if input.ids is None else [key_of("ids", given, "Notification") for given in input.ids]
        up_to = None if input.up_to is None else key_of("upTo", input.up_to, "Notification")
        unread = await notifications.mark_read(info.context, ids=ids, up_to=up_to)
        return MarkNotificationsReadPayload(unread_count=unread)


@event(Kind.NOTIFICATION_ADDED, "The viewer's inbox has a new entry.")
class NotificationAdded:
    notification: Notification | None = loaded(
        notifications.told_of,
        description="The entry; null for those who see a notice without being told of it, as its author.",
        viewer=True,
    )
    unread_count: int = loaded(
        notifications.unread_counts_of, description="How many entries are not read.", viewer=True
    )


@event(Kind.NOTIFICATIONS_READ, "Entries were read, on this device or another.")
class NotificationsRead:
    unread_count: int = loaded(
        notifications.unread_counts_of, description="How many entries are still not read.", viewer=True
    )


NOTIFICATION_EVENTS = Events(
    "NotificationEvent",
    NotificationAdded,
    NotificationsRead,
    description="What happens to the viewer's inbox.",
)


@strawberry.type
class NotificationsSubscription:
    @NOTIFICATION_EVENTS.subscription
    async def notification_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community's id.")],
    ) -> Stream:
        """What happens to the viewer's inbox, as far as one community goes."""
        account_id = info.context.account_id
        community = key_of("communityId", community_id, "Community")
        await identity.community_visible(info.context, community)
        return Stream(
            topic=community_topic(community),
            kinds=NOTIFICATION_EVENTS.kinds,
            requires=frozenset({account_id}),
        )
