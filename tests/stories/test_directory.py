"""Local services: a merchant is licensed, offers something, is booked, rated, and answers; and no place is
given twice, however many ask for it at once on two servers."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from models.base import now
from models.identity import AccountRow, CommunityRow, HomeRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.client import App, Refused
from tests.neighbourhood import Neighbourhood
from tests.stories import serving
from tests.wire import POST

pytestmark = pytest.mark.anyio

PARALLEL = 50
ROOM = 3

DIRECTORY = """query Directory($id: ID!) { node(id: $id) { ... on Community {
  directory(first: 10) { edges { node { id name licensedUntil openNow
    organisation { name } rating { count sum average }
    offers(first: 5) { edges { node { title priceFen } } } } } } } } }"""
ENTRY = "query Entry($id: ID!) { node(id: $id) { ... on DirectoryEntry { name } } }"
EVENTS = """subscription Events($id: ID!) { directoryEvents(communityId: $id) { cursor event {
  __typename ... on EntryPublished { entry { id name } } ... on OfferPublished { offer { title priceFen } }
  ... on SlotChanged { slot { free } }
  ... on EntryRated { entry { rating { count sum average } } }
  ... on RatingChanged { rating { stars body reply author { displayName } } } } } }"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename ... on PostCreated { post { body } } } } }"""
LICENCES = """subscription Licences($id: ID!) { licenceEvents(organisationId: $id) { cursor event {
  __typename ... on LicenceStepAdded { step { action
    licence { id version number organisation { name } } } } } } }"""
OFFICE = """subscription Office($id: ID!) { officeBookingEvents(organisationId: $id) { cursor event {
  __typename ... on OfficeBookingChanged { step { action booking { note holder { displayName } } } } } } }"""
OWN = """subscription Own($id: ID!) { bookingEvents(communityId: $id) { cursor event { __typename
  ... on BookingStepAdded { step { action reason booking { state } } } } } }"""
INBOX = """subscription Inbox($id: ID!) { notificationEvents(communityId: $id) { cursor event { __typename
  ... on NotificationAdded { notification { kind subject { __typename } } } } } }"""


class Street:
    """A community with a committee, a merchant, and people who live there."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.world = neighbourhood.world
        self.community: CommunityRow
        self.home: HomeRow
        self.shop: OrganisationRow
        self.committee: OrganisationRow

    async def build(self) -> "Street":
        self.community = await self.world.community()
        building = await self.world.building(await self.world.estate(self.community))
        self.home = await self.world.home(building)
        self.committee = await self.world.organisation(self.community)
        self.shop = await self.world.organisation(self.community, OrganisationKind.MERCHANT, "老张面馆")
        return self

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    async def app(self, account: AccountRow | None = None) -> App:
        return await self.neighbourhood.app(account or await self.world.resident(self.home))

    async def licensed(self, merchant: App, clerk: App) -> str:
        """The merchant's entry, licensed and published."""
        licence = await self.submit(merchant)
        await done(clerk, serving.DECIDE, licenceId=licence["id"], version=1, approve=True)
        return await self.entry(merchant)

    async def submit(self, merchant: App) -> dict[str, Any]:
        licence = {"kind": "FOOD", "number": "JY13301060123456", "validUntil": "2099-12-31"}
        shop = global_id("Organisation", self.shop.id)
        result = await done(
            merchant, serving.SUBMIT, organisationId=shop, **licence, idempotencyKey="licence"
        )
        found: dict[str, Any] = result["licence"]
        return found

    async def entry(self, merchant: App) -> str:
        said = {"category": "NEARBY", "name": "老张面馆", "summary": "手擀面", "phone": "0571-8888 6666"}
        shop = global_id("Organisation", self.shop.id)
        made = await done(merchant, serving.CREATE, organisationId=shop, entry=said, idempotencyKey="entry")
        entry: str = made["entry"]["id"]
        await done(merchant, serving.PUBLISH, entryId=entry, version=1, on=True)
        return entry


async def done(app: App, mutation: str, **input: Any) -> dict[str, Any]:
    result = await app.act(mutation, input=input)
    assert result["__typename"].endswith("Payload"), result
    return result


async def open_slot(app: App, entry: str, capacity: int) -> str:
    start = now() + timedelta(days=1)
    time = {"startsAt": start.isoformat(), "endsAt": (start + timedelta(minutes=30)).isoformat()}
    await done(app, serving.ADD_SLOTS, entryId=entry, slots=[{**time, "capacity": capacity}])
    found = await app.run(serving.SLOTS, entry=entry)
    slot: str = found["node"]["slots"]["edges"][-1]["node"]["id"]
    return slot


async def test_a_merchant_from_the_licence_to_the_answer(neighbourhood: Neighbourhood) -> None:
    street = await Street(neighbourhood).build()
    world = street.world
    clerk = await street.app(await world.officer(street.committee))
    merchant = await street.app(await world.officer(street.shop, Role.ADMIN))
    resident = await street.app(await world.resident(street.home, name="晨跑的阿明"))
    neighbour = await street.app()
    elsewhere = await Street(neighbourhood).build()
    stranger = await elsewhere.app()

    async with AsyncExitStack() as stack:

        async def following(app: App, subscription: str, id: str) -> Any:
            return await stack.enter_async_context(app.following(subscription, id=id))

        feed = await following(resident, EVENTS, street.id)
        inbox = await following(resident, INBOX, street.id)
        own = await following(resident, OWN, street.id)
        desk = await following(clerk, LICENCES, global_id("Organisation", street.committee.id))
        counter = await following(merchant, OFFICE, global_id("Organisation", street.shop.id))
        outside = await following(stranger, EVERYTHING, elsewhere.id)

        # Published, and yet nobody sees it without a licence.
        entry = await street.entry(merchant)
        assert (await resident.run(ENTRY, id=entry))["node"] is None
        await street.submit(merchant)
        submitted = (await desk.next("LicenceStepAdded"))["step"]
        assert submitted["action"] == "SUBMIT"
        assert submitted["licence"]["number"] == "J*************56"
        licence = submitted["licence"]
        await done(clerk, serving.DECIDE, licenceId=licence["id"], version=licence["version"], approve=True)
        assert (await feed.next("EntryPublished"))["entry"]["name"] == "老张面馆"

        said = {"title": "第二碗半价", "body": "工作日下午", "priceFen": 600}
        until = {"validFrom": now().isoformat(), "validUntil": (now() + timedelta(days=7)).isoformat()}
        await done(merchant, serving.OFFER, entryId=entry, offer={**said, **until}, idempotencyKey="offer")
        assert (await feed.next("OfferPublished"))["offer"] == {"title": "第二碗半价", "priceFen": 600}

        # The last place, which another tries for as well.
        slot = await open_slot(merchant, entry, capacity=1)
        first = await done(resident, serving.BOOK, slotId=slot, note="靠窗", idempotencyKey="book")
        late = await neighbour.act(serving.BOOK, input={"slotId": slot, "idempotencyKey": "book"})
        assert late["__typename"] == "Conflict"
        assert (await feed.next("SlotChanged"))["slot"] == {"free": 0}
        assert (await own.next("BookingStepAdded"))["step"]["action"] == "BOOK"
        booked = (await counter.next("OfficeBookingChanged"))["step"]
        assert booked["booking"] == {"note": "靠窗", "holder": {"displayName": "晨跑的阿明"}}
        assert (await inbox.next("NotificationAdded"))["notification"]["kind"] == "BOOKING"
        booking = first["booking"]
        await done(
            merchant, serving.CANCEL, bookingId=booking["id"], version=booking["version"], reason="停水"
        )
        called_off = (await own.next("BookingStepAdded"))["step"]
        assert called_off == {"action": "CALL_OFF", "reason": "停水", "booking": {"state": "CANCELLED"}}
        assert (await inbox.next("NotificationAdded"))["notification"]["kind"] == "BOOKING"

        rated = await done(resident, serving.RATE, entryId=entry, stars=4, body="面好,停水没吃上")
        live = (await feed.next("RatingChanged"))["rating"]
        assert (live["stars"], live["reply"], live["author"]["displayName"]) == (4, None, "晨跑的阿明")
        rating = rated["rating"]
        await done(
            merchant, serving.REPLY, ratingId=rating["id"], version=rating["version"], body="下次送您一碗"
        )
        assert (await feed.next("RatingChanged"))["rating"]["reply"] == "下次送您一碗"
        told = (await inbox.next("NotificationAdded"))["notification"]
        assert told == {"kind": "RATING", "subject": {"__typename": "EntryRating"}}

        (shown,) = (await resident.run(DIRECTORY, id=street.id))["node"]["directory"]["edges"]
        assert shown["node"]["rating"] == {"count": 1, "sum": 4, "average": "4/1"}
        assert shown["node"]["licensedUntil"] == "2099-12-31"
        assert [it["node"]["title"] for it in shown["node"]["offers"]["edges"]] == ["第二碗半价"]

        # Elsewhere nothing of this is heard, seen or done.
        seen = (await stranger.run(DIRECTORY, id=street.id))["node"]
        assert seen["directory"]["edges"] == []
        assert (await stranger.run(ENTRY, id=entry))["node"] is None
        tried = await stranger.act(serving.BOOK, input={"slotId": slot, "idempotencyKey": "book"})
        assert tried["__typename"] == "NotFound"
        with pytest.raises(Refused):
            await following(stranger, EVENTS, street.id)
        marker = {"communityId": elsewhere.id, "kind": "TALK", "body": "这里很安静", "idempotencyKey": "m"}
        await stranger.act(POST, input=marker)
        assert (await outside.next())["post"]["body"] == "这里很安静"


async def test_fifty_bookings_at_once_take_the_places_that_there_are(neighbourhood: Neighbourhood) -> None:
    street = await Street(neighbourhood).build()
    clerk = await street.app(await street.world.officer(street.committee))
    merchant = await street.app(await street.world.officer(street.shop, Role.ADMIN))
    entry = await street.licensed(merchant, clerk)
    slot = await open_slot(merchant, entry, ROOM)
    # Ten residents, in turn on each of the servers, five times each.
    apps = [await street.app() for _ in range(10)]
    answers = await asyncio.gather(
        *(
            apps[n % 10].act(serving.BOOK, input={"slotId": slot, "idempotencyKey": f"try {n}"})
            for n in range(PARALLEL)
        )
    )
    made = [n for n, answer in enumerate(answers) if answer["__typename"] == "BookingPayload"]
    assert len(made) == ROOM == len({n % 10 for n in made})
    assert {answer["__typename"] for answer in answers} == {"BookingPayload", "Conflict"}
    found = (await apps[0].run(serving.SLOTS, entry=entry))["node"]["slots"]["edges"]
    assert [edge["node"]["free"] for edge in found] == [0]
