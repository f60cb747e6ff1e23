"""The inbox: who is told of what, once, and what its owner has read on whichever device."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from models.base import new_id
from models.identity import AccountRow, CommunityRow
from models.notices import AudienceKind, NoticeCategory, Severity
from models.notifications import NotificationKind, NotificationRow
from models.organisations import OrganisationRow
from models.storage.paging import PageArgs
from resolvers import notifications
from resolvers.context import Context
from resolvers.errors import InvalidInput, Unauthenticated
from resolvers.identity.accounts import account_of
from resolvers.notices import publishing
from resolvers.notices.audiences import Place
from resolvers.notices.publishing import NoticeDraft
from schema.node import global_id
from subscriptions.events import Event, Kind, community_topic
from tests.asking import OPERATIONS, refused, run
from tests.world import World, counted

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Happening:
    """What accounts are told of."""

    id: UUID
    community_id: UUID


async def tell(
    world: World,
    community: CommunityRow,
    *accounts: AccountRow,
    subject: UUID | None = None,
    actor: AccountRow | None = None,
    kind: NotificationKind = NotificationKind.COMMENT,
) -> UUID:
    """Tell `accounts` of something; the id of what it is about."""
    subject = subject or new_id()
    ctx = await world.context()
    async with ctx.unit_of_work() as work:
        await notifications.notify(
            work,
            ctx,
            kind,
            [account.id for account in accounts],
            Happening(subject, community.id),
            actor_id=actor.id if actor else None,
        )
    return subject


async def events(world: World, community: CommunityRow) -> list[Event]:
    return [entry.event for entry in await world.events(community_topic(community.id))]


async def inbox(ctx: Context, unread_only: bool = False, **page: Any) -> list[NotificationRow]:
    account = await account_of(ctx)
    assert account is not None
    args = PageArgs(**(page or {"first": 100}))
    (found,) = await notifications.inboxes_of(ctx, [account], unread_only, args)
    return found.items


async def test_each_is_told_once_and_the_actor_is_not(world: World) -> None:
    community = await world.community()
    actor, one, other = [await world.neighbour(community) for _ in range(3)]
    subject = await tell(world, community, one, other, one, actor, actor=actor)
    rows = await NotificationRow.filter(subject_id=subject)
    assert {row.account_id for row in rows} == {one.id, other.id}
    (event,) = await events(world, community)
    assert (event.kind, event.subject, event.audience) == (
        Kind.NOTIFICATION_ADDED,
        subject,
        frozenset({one.id, other.id}),
    )
    await tell(world, community, one, other, subject=subject)
    assert await NotificationRow.all().count() == 2
    assert len(await events(world, community)) == 1


async def test_telling_nobody_writes_nothing(world: World) -> None:
    community = await world.community()
    actor = await world.neighbour(community)
    await tell(world, community, actor, actor=actor)
    assert await NotificationRow.all().count() == 0
    assert await events(world, community) == []


async def test_thousands_are_told_in_batches(world: World) -> None:
    community = await world.community()
    ctx = await world.context()
    accounts = [new_id() for _ in range(2_500)]
    async with counted() as queries, ctx.unit_of_work() as work:
        await notifications.notify(
            work, ctx, NotificationKind.NOTICE, accounts, Happening(new_id(), community.id)
        )
    told = [event.audience for event in await events(world, community)]
    assert frozenset().union(*told) == set(accounts)
    assert sum(map(len, told)) == 2_500
    assert queries.count < 12


async def test_an_inbox_shows_the_newest_first_and_only_to_its_owner(world: World) -> None:
    community = await world.community()
    owner, other = [await world.neighbour(community) for _ in range(2)]
    subjects = [await tell(world, community, owner) for _ in range(5)]
    await tell(world, community, other)
    ctx = await world.context(owner)
    assert [row.subject_id for row in await inbox(ctx)] == subjects[::-1]
    assert [row.subject_id for row in await inbox(ctx, last=2)] == subjects[1::-1]
    ids = [row.id for row in await inbox(ctx)]
    assert await notifications.visible_by_ids(await world.context(other), ids) == [None] * 5
    assert await notifications.visible_by_ids(await world.context(), ids) == [None] * 5
    page = await notifications.inboxes_of(
        await world.context(other), [await account_of(ctx)], False, PageArgs(first=10)
    )
    assert page[0].items == []


async def test_reading_by_ids_and_up_to_one(world: World) -> None:
    community = await world.community()
    owner, other = [await world.neighbour(community) for _ in range(2)]
    for _ in range(4):
        await tell(world, community, owner, other)
    ctx = await world.context(owner)
    newest, _, third, oldest = [row.id for row in await inbox(ctx)]
    assert await notifications.unread_count(ctx) == 4
    assert await notifications.mark_read(ctx, ids=[newest], up_to=None) == 3
    assert await notifications.mark_read(ctx, ids=None, up_to=third) == 1
    read = [row.id for row in await inbox(ctx) if row.read_at]
    assert read == [newest, third, oldest]
    assert len(await inbox(ctx, unread_only=True)) == 1
    assert await notifications.unread_count(await world.context(other)) == 4


async def test_reading_is_told_to_the_owners_other_devices_once(world: World) -> None:
    community = await world.community()
    owner = await world.neighbour(community)
    await tell(world, community, owner)
    ctx = await world.context(owner)
    (row,) = await inbox(ctx)
    await asyncio.gather(*(notifications.mark_read(ctx, ids=[row.id], up_to=None) for _ in range(3)))
    before = await inbox(ctx)
    assert await notifications.mark_read(ctx, ids=None, up_to=row.id) == 0
    assert await inbox(ctx) == before
    read = [event for event in await events(world, community) if event.kind is Kind.NOTIFICATIONS_READ]
    assert [(event.subject, event.audience) for event in read] == [(owner.id, frozenset({owner.id}))]


async def test_nobody_reads_for_somebody_else(world: World) -> None:
    community = await world.community()
    owner, other = [await world.neighbour(community) for _ in range(2)]
    await tell(world, community, owner)
    (row,) = await inbox(await world.context(owner))
    await notifications.mark_read(await world.context(other), ids=[row.id], up_to=None)
    await notifications.mark_read(await world.context(other), ids=None, up_to=row.id)
    with pytest.raises(Unauthenticated):
        await notifications.mark_read(await world.context(), ids=[row.id], up_to=None)
    ctx = await world.context(owner)
    for ids, up_to in ((None, None), ([row.id], row.id), ([new_id()] * 101, None)):
        with pytest.raises(InvalidInput):
            await notifications.mark_read(ctx, ids=ids, up_to=up_to)
    assert await notifications.unread_count(ctx) == 1


# Over GraphQL


async def publish(world: World, committee: OrganisationRow, officer: AccountRow) -> UUID:
    notice = await publishing.publish(
        await world.context(officer),
        organisation_id=committee.id,
        draft=NoticeDraft(
            category=NoticeCategory.GENERAL, severity=Severity.IMPORTANT, title="通知", body="内容"
        ),
        audience=[Place(AudienceKind.COMMUNITY, committee.community_id)],
        key=str(new_id()),
    )
    return notice.id


INBOX = """
{ viewer { unreadCount notifications(first: 100) { edges { node {
  id kind readAt actor { displayName } subject { __typename id ... on Notice { title } } } } } } }
"""


async def test_the_inbox_leads_to_what_may_still_be_seen(world: World) -> None:
    community = await world.community()
    committee = await world.organisation(community)
    officer = await world.officer(committee)
    owner = await world.neighbour(community)
    notice = await publish(world, committee, officer)
    await tell(world, community, owner)
    data = await run(await world.context(owner), INBOX)
    assert data["viewer"]["unreadCount"] == 2
    unknown, known = [edge["node"] for edge in data["viewer"]["notifications"]["edges"]]
    assert unknown["subject"] is None
    assert known["subject"] == {"__typename": "Notice", "id": global_id("Notice", notice), "title": "通知"}
    assert known["actor"] == {"displayName": officer.display_name}
    for row in await NotificationRow.filter(account_id=owner.id):
        fetched = await run(
            await world.context(owner),
            "query ($id: ID!) { node(id: $id) { id __typename } }",
            id=global_id("Notification", row.id),
        )
        assert fetched["node"]["__typename"] == "Notification"


async def test_an_inbox_costs_the_same_statements_for_one_and_for_a_hundred(world: World) -> None:
    community = await world.community()
    committee = await world.organisation(community)
    officer = await world.officer(committee)
    owner = await world.neighbour(community)
    counts = []
    data: dict[str, Any] = {}
    for more in (1, 99):
        for _ in range(more):
            await publish(world, committee, officer)
        async with counted() as queries:
            data = await run(await world.context(owner), INBOX)
        counts.append(queries.count)
    assert len(data["viewer"]["notifications"]["edges"]) == 100
    assert all(edge["node"]["subject"] for edge in data["viewer"]["notifications"]["edges"])
    # Among them the three that find out what the viewer holds.
    assert counts[0] == counts[1] <= 10


MARK = """
mutation ($input: MarkNotificationsReadInput!) { markNotificationsRead(input: $input) {
  __typename ... on MarkNotificationsReadPayload { unreadCount } ... on InvalidInput { fields { name } } } }
"""


async def test_marking_over_graphql(world: World) -> None:
    community = await world.community()
    owner = await world.neighbour(community)
    await tell(world, community, owner)
    ctx = await world.context(owner)
    (row,) = await inbox(ctx)
    done = await run(ctx, MARK, input={"upTo": global_id("Notification", row.id)})
    assert done["markNotificationsRead"] == {"__typename": "MarkNotificationsReadPayload", "unreadCount": 0}
    refused = await run(ctx, MARK, input={"ids": [global_id("Notice", row.id)]})
    assert refused["markNotificationsRead"]["fields"] == [{"name": "ids"}]


EVENTS = """
subscription ($id: ID!) { notificationEvents(communityId: $id) { cursor event { __typename
  ... on NotificationAdded { notification { kind subject { id } } unreadCount }
  ... on NotificationsRead { unreadCount } } } }
"""


async def test_each_gets_the_own_entry_of_a_notice_to_all(world: World) -> None:
    community = await world.community()
    committee = await world.organisation(community)
    officer = await world.officer(committee)
    owner, other = [await world.neighbour(community) for _ in range(2)]
    await tell(world, community, other)
    notice = await publish(world, committee, officer)
    logged = (await world.events(community_topic(community.id)))[-1]
    assert OPERATIONS.prepare(EVENTS).uses_viewer
    for account, unread in ((owner, 1), (other, 2)):
        ctx = await world.context(account)
        assert ctx.viewer.may_see(logged.event.audience)
        data = await run(ctx, EVENTS, logged, id=global_id("Community", community.id))
        assert data["notificationEvents"]["event"] == {
            "__typename": "NotificationAdded",
            "notification": {"kind": "NOTICE", "subject": {"id": global_id("Notice", notice)}},
            "unreadCount": unread,
        }
    # The author sees what was sent, and is not told of it.
    data = await run(await world.context(officer), EVENTS, logged, id=global_id("Community", community.id))
    assert data["notificationEvents"]["event"]["notification"] is None


@pytest.mark.parametrize("known", [True, False])
async def test_strangers_get_an_error_and_no_silence(world: World, known: bool) -> None:
    community = await world.community()
    stranger = await world.neighbour(await world.community()) if known else None
    ctx = await world.context(stranger)
    code = "NOT_FOUND" if known else "UNAUTHENTICATED"
    assert await refused(ctx, EVENTS, id=global_id("Community", community.id)) == [code]
