"""Story 3, the power cut: official word to exactly the households concerned, and who was reached."""

from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from models.base import now
from models.identity import AccountRow, BuildingRow, CommunityRow, HomeRow
from models.organisations import OrganisationRow
from models.roles import Role
from schema.node import global_id
from tests.client import App, Connected, Refused, Stream
from tests.neighbourhood import Neighbourhood
from tests.wire import COMMENT

pytestmark = pytest.mark.anyio

NOTICE = "fragment Notice on Notice { id title severity status startsAt endsAt cancelReason version }"
PUBLISH = (
    """mutation Publish($input: PublishNoticeInput!) { publishNotice(input: $input) { __typename
  ... on PublishNoticePayload { notice { ...Notice } } ... on Problem { code message } } }"""
    + NOTICE
)
UPDATE = (
    """mutation Update($input: UpdateNoticeInput!) { updateNotice(input: $input) { __typename
  ... on UpdateNoticePayload { notice { ...Notice supersedes { ...Notice } } }
  ... on Conflict { current { id } } ... on Problem { code message } } }"""
    + NOTICE
)
CANCEL = (
    """mutation Cancel($input: CancelNoticeInput!) { cancelNotice(input: $input) { __typename
  ... on CancelNoticePayload { notice { ...Notice } } ... on Problem { code message } } }"""
    + NOTICE
)
ACKNOWLEDGE = """mutation Acknowledge($input: AcknowledgeNoticeInput!) { acknowledgeNotice(input: $input) {
  __typename ... on AcknowledgeNoticePayload { notice { id viewerReceipts { progress home { label } } } }
  ... on Conflict { current { ... on Notice { id status } } } ... on Problem { code message } } }"""
SEEN = """mutation Seen($input: MarkNoticeSeenInput!) { markNoticeSeen(input: $input) { __typename
  ... on Problem { code message } } }"""
VISIT = """mutation Visit($input: RecordVisitInput!) { recordVisit(input: $input) { __typename
  ... on RecordVisitPayload { receipt { progress reachedHow home { label } } }
  ... on Problem { code message } } }"""
NOTICES = (
    """subscription Notices($id: ID!, $least: Severity! = INFORMATION) {
  noticeEvents(communityId: $id, minSeverity: $least) { cursor event { __typename
    ... on NoticePublished { notice { ...Notice } } ... on NoticeUpdated { notice { ...Notice } }
    ... on NoticeCancelled { notice { ...Notice } } } } }"""
    + NOTICE
)
EVERYTHING = (
    """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on NoticePublished { notice { ...Notice } } ... on NoticeUpdated { notice { ...Notice } }
  ... on NoticeCancelled { notice { ...Notice } } } } }"""
    + NOTICE
)
COMMENTS = """subscription Comments($id: ID!) { commentEvents(subjectId: $id) { cursor event { __typename
  ... on CommentAdded { comment { body author { displayName building } } } } } }"""
COUNTS = "fragment Counts on Reach { targeted delivered seen acknowledged inPerson reached }"
REACH_LIVE = (
    """subscription Reach($id: ID!) { reachEvents(noticeId: $id) { cursor event { __typename
  ... on ReachChanged { reach { ...Counts } } } } }"""
    + COUNTS
)
REACH = (
    """query Reach($id: ID!) { node(id: $id) { ... on Notice { viewerCanSeeReach reach { ...Counts
  unreachedCsv unreached(first: 50) { edges { node { progress home { label } } } }
  visits(first: 50) { edges { node { how note home { label } visitor { displayName } } } }
  byBuilding(first: 50) { edges { node {
    building { name } targeted acknowledged inPerson reached } } } } } } }"""
    + COUNTS
)
ROUND = """query Round($id: ID!) { node(id: $id) { ... on Notice {
  round(first: 50) { edges { node { home { label } } } } } } }"""
STANDING = """query Standing($id: ID!, $notice: ID!) { node(id: $notice) { ... on Notice { id } }
  viewer { activeNotices(communityId: $id, first: 10) { edges { node { id title } } } } }"""

# One home stands empty, and one has no device that is connected.
HOUSEHOLDS: dict[str, str | None] = {
    "1-1-101": "周",
    "2-1-101": "赵",
    "2-1-102": "钱",
    "2-1-103": None,
    "3-1-101": "孙",
    "3-1-102": "李",
}
CHINA = timezone(timedelta(hours=8))
TOMORROW = now().astimezone(CHINA).date() + timedelta(days=1)


def at(hour: int) -> str:
    return datetime.combine(TOMORROW, time(hour), CHINA).isoformat()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Garden:
    """丰盛园: three buildings, the homes in them, their people, and the committee."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.homes: dict[str, HomeRow] = {}
        self.buildings: dict[str, BuildingRow] = {}
        self.people: dict[str, AccountRow] = {}
        self.community: CommunityRow
        self.committee: OrganisationRow

    async def build(self) -> "Garden":
        world = self.neighbourhood.world
        self.community = await world.community("丰盛园社区")
        estate = await world.estate(self.community, "丰盛园")
        grid = await world.grid(self.community, "第一网格")
        self.committee = await world.organisation(self.community, name="丰盛园居委会")
        for number in ("1", "2", "3"):
            self.buildings[number] = await world.building(estate, grid, f"{number}号楼")
        for label, name in HOUSEHOLDS.items():
            await self.move_in(label, name)
        self.people["officer"] = await world.officer(self.committee, Role.OFFICER)
        self.people["worker"] = await world.officer(self.committee, Role.GRID_WORKER, grid, "网格员小吴")
        return self

    async def move_in(self, label: str, name: str | None) -> None:
        world = self.neighbourhood.world
        building, unit, number = label.split("-")
        self.homes[label] = await world.home(self.buildings[building], unit, number)
        if name:
            self.people[name] = await world.resident(self.homes[label], name=name)

    async def app(self, name: str) -> App:
        return await self.neighbourhood.app(self.people[name])

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    def place(self, name: str) -> dict[str, str]:
        return {"placeId": global_id("Building", self.buildings[name].id)}


async def test_a_power_cut_reaches_exactly_whom_it_concerns(neighbourhood: Neighbourhood) -> None:
    """Published, commented on, counted, updated and cancelled, all of it live."""
    garden = await Garden(neighbourhood).build()
    office = await garden.app("officer")
    zhao, qian, sun, zhou = [await garden.app(name) for name in "赵钱孙周"]
    async with (
        zhao.following(NOTICES, id=garden.id) as notices,
        qian.following(EVERYTHING, id=garden.id) as everything,
        sun.following(NOTICES, id=garden.id, least="EMERGENCY") as emergencies,
        zhou.connected() as next_door,
        office.connected() as desk,
    ):
        silent = [
            await next_door.follow(NOTICES, id=garden.id),
            await next_door.follow(EVERYTHING, id=garden.id),
        ]
        told = [notices, everything, emergencies]

        first = await published(office, garden, told)
        reach = await desk.follow(REACH_LIVE, id=first["id"])
        await complaints(desk, garden, first["id"])
        await counted(office, garden, reach, first["id"])
        second = await updated(office, garden, told, first)
        await only_the_current_is_acknowledged(garden, first["id"], second["id"])
        await without_the_power(garden, second["id"])
        await cancelled(office, garden, told, second)

        # Building 1 has heard nothing so far: the first word to it is the next one to everybody.
        marker = await publish(office, garden, [{"placeId": garden.id}], "INFORMATION", "社区晚会", None)
        for stream in (*silent, notices):
            event = await stream.next()
            assert event["__typename"] == "NoticePublished"
            assert event["notice"]["id"] == marker["id"]


async def publish(
    office: App, garden: Garden, audience: list[dict[str, str]], severity: str, title: str, ends: str | None
) -> dict[str, Any]:
    result = await office.act(
        PUBLISH,
        input={
            "organisationId": global_id("Organisation", garden.committee.id),
            "category": "OUTAGE",
            "severity": severity,
            "title": title,
            "body": "请提前做好准备。",
            "audience": audience,
            "startsAt": at(9),
            "endsAt": ends,
            "idempotencyKey": title,
        },
    )
    assert result["__typename"] == "PublishNoticePayload", result
    notice: dict[str, Any] = result["notice"]
    return notice


async def published(office: App, garden: Garden, told: list[Stream]) -> dict[str, Any]:
    notice = await publish(
        office, garden, [garden.place("2"), garden.place("3")], "EMERGENCY", "停电通知", at(17)
    )
    assert (moment(notice["startsAt"]), moment(notice["endsAt"])) == (moment(at(9)), moment(at(17)))
    for stream in told:
        # Nothing came before it.
        assert await stream.next() == {"__typename": "NoticePublished", "notice": notice}
    return notice


async def complaints(desk: Connected, garden: Garden, notice: str) -> None:
    """Comments, angry and helpful, arrive in the back office; building 1 knows of no notice to comment on."""
    thread = await desk.follow(COMMENTS, id=notice)
    for name, body, building in (
        ("赵", "又停电！冰箱里的肉怎么办？", "2号楼"),
        ("孙", "我家有发电机，可以给大家充手机", "3号楼"),
    ):
        app = await garden.app(name)
        added = await app.act(COMMENT, input={"subjectId": notice, "body": body, "idempotencyKey": body})
        assert added["__typename"] == "AddCommentPayload", added
        comment = (await thread.next("CommentAdded"))["comment"]
        assert comment == {"body": body, "author": {"displayName": name, "building": building}}
    outside = await (await garden.app("周")).act(
        COMMENT, input={"subjectId": notice, "body": "什么通知？", "idempotencyKey": "k"}
    )
    assert outside["__typename"] == "NotFound"


async def counted(office: App, garden: Garden, live: Stream, notice: str) -> None:
    """Reach: acknowledged over targeted, visits apart, the target fixed at sending."""
    # Five homes, of which three have a device that is connected; one is empty.
    await reaches(office, live, notice, targeted=5, delivered=3)

    zhao, qian, worker = [await garden.app(name) for name in ("赵", "钱", "worker")]
    done = await zhao.act(ACKNOWLEDGE, input={"noticeId": notice})
    assert done["notice"]["viewerReceipts"] == [{"progress": "ACKNOWLEDGED", "home": {"label": "2-1-101"}}]
    assert (await qian.act(SEEN, input={"noticeId": notice}))["__typename"] == "MarkNoticeSeenPayload"
    await reaches(office, live, notice, targeted=5, delivered=3, seen=2, acknowledged=1, reached=1)

    # Who moves in afterwards may read it, and does not count.
    await garden.move_in("2-1-104", "吴")
    newcomer = await garden.app("吴")
    assert (await newcomer.run(STANDING, id=garden.id, notice=notice))["node"] == {"id": notice}
    assert (await newcomer.act(ACKNOWLEDGE, input={"noticeId": notice}))["__typename"] == "NotAllowed"

    # The grid worker's round: who is not reached yet, door by door.
    doors = (await worker.run(ROUND, id=notice))["node"]["round"]["edges"]
    assert [door["node"]["home"]["label"] for door in doors] == ["2-1-102", "2-1-103", "3-1-101", "3-1-102"]
    visit = {
        "noticeId": notice,
        "homeId": global_id("Home", garden.homes["3-1-102"].id),
        "how": "DOORSTEP",
        "note": "已当面告知",
    }
    assert (await zhao.act(VISIT, input=visit))["__typename"] == "NotAllowed"
    assert (await worker.act(VISIT, input=visit))["receipt"] == {
        "progress": "IN_PERSON",
        "reachedHow": "DOORSTEP",
        "home": {"label": "3-1-102"},
    }
    final = {"targeted": 5, "delivered": 3, "seen": 2, "acknowledged": 1, "inPerson": 1, "reached": 2}
    await reaches(office, live, notice, **final)

    reach = await reach_of(office, notice)
    unreached = [edge["node"] for edge in reach["unreached"]["edges"]]
    assert [(row["home"]["label"], row["progress"]) for row in unreached] == [
        ("2-1-102", "SEEN"),
        ("2-1-103", "TARGETED"),
        ("3-1-101", "DELIVERED"),
    ]
    header, *lines = reach["unreachedCsv"].strip().splitlines()
    assert header
    assert len(lines) == 3
    for line, (building, number) in zip(lines, (("2", "102"), ("2", "103"), ("3", "101")), strict=True):
        assert f"{building}号楼" in line
        assert number in line
    assert not any(name in reach["unreachedCsv"] for name in "赵钱孙李")
    assert [edge["node"] for edge in reach["visits"]["edges"]] == [
        {
            "how": "DOORSTEP",
            "note": "已当面告知",
            "home": {"label": "3-1-102"},
            "visitor": {"displayName": "网格员小吴"},
        }
    ]
    assert [edge["node"] for edge in reach["byBuilding"]["edges"]] == [
        {"building": {"name": "2号楼"}, "targeted": 3, "acknowledged": 1, "inPerson": 0, "reached": 1},
        {"building": {"name": "3号楼"}, "targeted": 2, "acknowledged": 0, "inPerson": 1, "reached": 1},
    ]


async def reach_of(office: App, notice: str) -> dict[str, Any]:
    found = (await office.run(REACH, id=notice))["node"]
    assert found["viewerCanSeeReach"] is True
    reach: dict[str, Any] = found["reach"]
    return reach


async def reaches(office: App, live: Stream, notice: str, **expected: int) -> None:
    """What the desk shows, read once and then followed, comes to these numbers; the rest is 0."""
    names = ("targeted", "delivered", "seen", "acknowledged", "inPerson", "reached")
    wanted = {name: expected.get(name, 0) for name in names}
    shown = await reach_of(office, notice)
    while {name: shown[name] for name in names} != wanted:
        shown = (await live.next("ReachChanged"))["reach"]
    assert {name: (await reach_of(office, notice))[name] for name in names} == wanted


async def updated(office: App, garden: Garden, told: list[Stream], first: dict[str, Any]) -> dict[str, Any]:
    """It takes until 19:00: a new notice supersedes the old one, to the same households."""
    change = {"noticeId": first["id"], "version": first["version"], "endsAt": at(19), "idempotencyKey": "19"}
    result = await office.act(UPDATE, input=change)
    assert result["__typename"] == "UpdateNoticePayload", result
    second = result["notice"]
    old = second.pop("supersedes")
    assert (old["id"], old["status"], moment(old["endsAt"])) == (first["id"], "SUPERSEDED", moment(at(17)))
    assert second["id"] != first["id"]
    assert (second["status"], second["severity"], moment(second["endsAt"])) == (
        "ACTIVE",
        "EMERGENCY",
        moment(at(19)),
    )
    for stream in told:
        assert (await stream.next("NoticeUpdated"))["notice"] == second
    # Of two officers one gets through; the other is shown what there is now.
    late = await office.act(UPDATE, input={**change, "endsAt": at(20), "idempotencyKey": "20"})
    assert (late["__typename"], late["current"]) == ("Conflict", {"id": second["id"]})
    # The target is still the one of the first sending, without the household that moved in.
    assert (await reach_of(office, second["id"]))["targeted"] == 5
    return dict(second)


async def only_the_current_is_acknowledged(garden: Garden, old: str, current: str) -> None:
    app = await garden.app("孙")
    result = await app.act(ACKNOWLEDGE, input={"noticeId": old})
    assert result["__typename"] == "Conflict"
    assert result["current"] == {"id": current, "status": "ACTIVE"}
    result = await app.act(ACKNOWLEDGE, input={"noticeId": current})
    assert result["__typename"] == "AcknowledgeNoticePayload"


async def without_the_power(garden: Garden, notice: str) -> None:
    """Residents see the notice and not whom it reached: an error, never an empty number."""
    zhao, zhou = await garden.app("赵"), await garden.app("周")
    for query in (REACH, ROUND):
        with pytest.raises(Refused) as refused:
            await zhao.run(query, id=notice)
        assert refused.value.codes == ["NOT_ALLOWED"]
        assert (await zhou.run(query, id=notice))["node"] is None
    for app, code in ((zhao, "NOT_ALLOWED"), (zhou, "NOT_FOUND")):
        with pytest.raises(Refused) as refused:
            async with app.following(REACH_LIVE, id=notice):
                pass
        assert refused.value.codes == [code]


async def cancelled(office: App, garden: Garden, told: list[Stream], second: dict[str, Any]) -> None:
    result = await office.act(
        CANCEL,
        input={"noticeId": second["id"], "version": second["version"], "reason": "已恢复供电"},
    )
    assert result["__typename"] == "CancelNoticePayload", result
    notice = result["notice"]
    assert (notice["status"], notice["cancelReason"]) == ("CANCELLED", "已恢复供电")
    for stream in told:
        assert (await stream.next("NoticeCancelled"))["notice"] == notice
    zhao = await garden.app("赵")
    standing = await zhao.run(STANDING, id=garden.id, notice=second["id"])
    assert standing["viewer"]["activeNotices"]["edges"] == []
    late = await zhao.act(ACKNOWLEDGE, input={"noticeId": second["id"]})
    assert late["__typename"] == "Conflict"
