"""Story 6, the real name: from a phone number to a verified neighbour, and out again."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from models.identity import CommunityRow
from models.organisations import OrganisationRow
from models.roles import Role
from models.storage.rows import execute
from schema.node import global_id, type_and_key
from tests.client import App, Refused, Stream
from tests.neighbourhood import Neighbourhood
from tests.servers import ServerProcess
from tests.wire import COMMENT, COMMENTS, POST, wired

pytestmark = pytest.mark.anyio

PHONE = "13912345678"
NAME = "李小明"
DOCUMENT = "11010519491231002X"
EVIDENCE = "不动产权证 京(2019)第0012345号"
PERSONAL = (NAME, DOCUMENT, EVIDENCE, PHONE)

REQUEST_CODE = """mutation Code($input: RequestSignInCodeInput!) { requestSignInCode(input: $input) {
  __typename ... on RequestSignInCodePayload { challenge } ... on Problem { code message } } }"""
SIGN_IN = """mutation SignIn($input: SignInWithCodeInput!) { signInWithCode(input: $input) { __typename
  ... on SignInPayload { credentials { accessToken } viewer { displayName maskedPhone } }
  ... on Problem { code message } } }"""
REGISTER = """query Register($name: String!) { communities(name: $name, first: 5) { edges { node { id name
  estates(first: 5) { edges { node { name buildings(first: 5) { edges { node { name
    homes(first: 5) { edges { node { id label } } } } } } } } } } } } }"""
APPLY = """mutation Apply($input: ApplyForResidencyInput!) { applyForResidency(input: $input) { __typename
  ... on ApplyForResidencyPayload { application { id status hasEvidence maskedName maskedDocument } }
  ... on Problem { code message } ... on InvalidInput { fields { name } } } }"""
QUEUE = """query Queue($id: ID!) { node(id: $id) { ... on Organisation {
  residencyApplications(first: 10) { edges { node { id version status relation maskedName maskedDocument
    hasEvidence applicant { displayName } home { label } } } } } } }"""
APPLICATION = """query Application($id: ID!) { node(id: $id) { ... on ResidencyApplication {
  status hasEvidence decidedAt maskedName } } }"""
UNMASK = """mutation Unmask($input: UnmaskInput!) { unmask(input: $input) { __typename
  ... on UnmaskPayload { realName documentNumber phone evidence } ... on Problem { code } } }"""
APPROVE = """mutation Approve($input: ApproveResidencyInput!) { approveResidency(input: $input) {
  __typename ... on ApproveResidencyPayload { application { status hasEvidence } }
  ... on Problem { code message } } }"""
MOVE_OUT = """mutation MoveOut($input: MoveOutInput!) { moveOut(input: $input) { __typename
  ... on MoveOutPayload { residency { until } } ... on Problem { code message } } }"""
REVOKE = """mutation Revoke($input: RevokeRoleInput!) { revokeRole(input: $input) { __typename
  ... on RevokeRolePayload { appointment { revokedAt } } ... on Problem { code message } } }"""
EVERYWHERE = "mutation Everywhere { signOutEverywhere { __typename ended } }"
ME = """query Me { viewer { communities { name } residencies(first: 5) { edges { node { id until
  maskedName home { label } } } } offices { id role } } }"""
FEED = """query Feed($id: ID!) { node(id: $id) { ... on Community { viewerCanPost
  posts(first: 10) { edges { node { body } } } } } }"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename ... on PostCreated { post { body } } } } }"""
NOTICES = "subscription Notices($id: ID!) { noticeEvents(communityId: $id) { cursor event { __typename } } }"
POSTS = """subscription Posts($id: ID!) { postEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { body } } } } }"""
DECISIONS = """subscription Decisions($id: ID!) { notificationEvents(communityId: $id) { cursor event {
  __typename ... on NotificationAdded { notification { kind subject { ... on ResidencyApplication {
    status } } } } } } }"""


class Fengsheng:
    """A community with home 3-2-501, a committee, and neighbours who talk."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.community: CommunityRow
        self.committee: OrganisationRow
        self.admin: App
        self.officer: App
        self.neighbour: App

    async def build(self) -> "Fengsheng":
        world, neighbourhood = self.neighbourhood.world, self.neighbourhood
        self.community = await world.community("丰盛园社区")
        building = await world.building(await world.estate(self.community, "丰盛园"), name="3号楼")
        await world.home(building, "2", "501")
        self.committee = await world.organisation(self.community)
        self.admin = await neighbourhood.app(await world.officer(self.committee, Role.ADMIN))
        self.officer = await neighbourhood.app(await world.officer(self.committee))
        self.neighbour = await neighbourhood.app(await world.neighbour(self.community))
        return self

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    def post(self, body: str) -> dict[str, str]:
        return {"communityId": self.id, "kind": "TALK", "body": body, "idempotencyKey": body}


async def test_a_resident_is_verified_and_moves_out(neighbourhood: Neighbourhood) -> None:
    place = await Fengsheng(neighbourhood).build()
    talk = await place.neighbour.act(POST, input=place.post("大家好"))
    post = talk["postEdge"]["node"]["id"]
    ming = await signed_in(neighbourhood.deployment.servers[-1])

    # An unknown account sees none of it; one that has applied may look, and not write.
    assert (await ming.act(POST, input=place.post("我是谁")))["__typename"] == "NotFound"
    application = await applied(ming)
    assert await may_post(ming, place) is False
    assert (await ming.act(POST, input=place.post("我是谁")))["__typename"] == "NotAllowed"
    assert (await ming.run(FEED, id=place.id))["node"]["posts"]["edges"] == []

    async with ming.following(DECISIONS, id=place.id) as decisions:
        await approved(place, application)
        told = (await decisions.next("NotificationAdded"))["notification"]
        assert told == {"kind": "RESIDENCY", "subject": {"status": "APPROVED"}}
    await check_evidence_gone(place, application)

    # A neighbour like any other, under the session that he has.
    assert await may_post(ming, place) is True
    hello = await ming.act(POST, input=place.post("新邻居报到"))
    assert hello["__typename"] == "CreatePostPayload"
    answer = await ming.act(COMMENT, input={"subjectId": post, "body": "你好", "idempotencyKey": "hello"})
    assert answer["__typename"] == "AddCommentPayload"

    await moved_out(place, ming, post)
    for server in neighbourhood.deployment.servers:
        for personal in PERSONAL:
            assert personal not in server.output()


async def signed_in(server: ServerProcess) -> App:
    """By the code that was sent to the phone, which the demo prints."""
    nobody = App(server)
    asked = await nobody.act(REQUEST_CODE, input={"phone": PHONE})
    assert asked["__typename"] == "RequestSignInCodePayload"
    named = {"challenge": asked["challenge"], "phone": PHONE}
    code = re.findall(r"139\*\*\*\*5678: .*?(\d{6})", server.output())[-1]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    refused = await nobody.act(SIGN_IN, input={**named, "code": wrong})
    assert refused["__typename"] == "InvalidInput"
    done = await nobody.act(SIGN_IN, input={**named, "code": code, "displayName": "小明"})
    assert done["viewer"] == {"displayName": "小明", "maskedPhone": "139****5678"}
    return App(server, done["credentials"]["accessToken"])


async def applied(ming: App) -> str:
    """He finds the home in the register and applies with what the committee can check."""
    (community,) = (await ming.run(REGISTER, name="丰盛园"))["communities"]["edges"]
    (estate,) = named("丰盛园", community["node"]["estates"])
    (building,) = named("3号楼", estate["buildings"])
    (home,) = [edge["node"] for edge in building["homes"]["edges"]]
    assert home["label"] == "3-2-501"
    input = {
        "homeId": home["id"],
        "relation": "OWNER",
        "realName": NAME,
        "documentNumber": DOCUMENT,
        "evidence": EVIDENCE,
        "idempotencyKey": "home",
    }
    # The check digit is checked.
    mistyped = await ming.act(APPLY, input={**input, "documentNumber": DOCUMENT[:-1] + "1"})
    assert mistyped["fields"] == [{"name": "documentNumber"}]
    result = await ming.act(APPLY, input=input)
    assert result["__typename"] == "ApplyForResidencyPayload", result
    application: dict[str, Any] = result["application"]
    id: str = application.pop("id")
    assert application == {
        "status": "PENDING",
        "hasEvidence": True,
        "maskedName": "李**",
        "maskedDocument": "1***************2X",
    }
    return id


def named(name: str, connection: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in connection["edges"] if edge["node"]["name"] == name]


async def approved(place: Fengsheng, application: str) -> None:
    """The officer sees it masked, looks at the evidence for a reason, and approves."""
    committee = global_id("Organisation", place.committee.id)
    queue = await place.officer.run(QUEUE, id=committee)
    (item,) = [edge["node"] for edge in queue["node"]["residencyApplications"]["edges"]]
    assert not any(personal in str(queue) for personal in PERSONAL)
    assert item == {
        "id": application,
        "version": 1,
        "status": "PENDING",
        "relation": "OWNER",
        "maskedName": "李**",
        "maskedDocument": "1***************2X",
        "hasEvidence": True,
        "applicant": {"displayName": "小明"},
        "home": {"label": "3-2-501"},
    }
    # A neighbour cannot even see that there is one.
    assert (await place.neighbour.run(APPLICATION, id=application))["node"] is None
    with pytest.raises(Refused) as refused:
        await place.neighbour.run(QUEUE, id=committee)
    assert refused.value.codes == ["NOT_ALLOWED"]

    shown = await place.officer.act(UNMASK, input={"subjectId": application, "reason": "核对产权证"})
    assert shown == {
        "__typename": "UnmaskPayload",
        "realName": NAME,
        "documentNumber": DOCUMENT,
        "phone": f"+86{PHONE}",
        "evidence": EVIDENCE,
    }
    decision = {"applicationId": application, "version": item["version"]}
    assert (await place.neighbour.act(APPROVE, input=decision))["__typename"] == "NotFound"
    done = await place.officer.act(APPROVE, input=decision)
    assert done["application"] == {"status": "APPROVED", "hasEvidence": False}
    assert (await place.officer.act(APPROVE, input=decision))["__typename"] == "Conflict"


async def check_evidence_gone(place: Fengsheng, application: str) -> None:
    found = (await place.officer.run(APPLICATION, id=application))["node"]
    assert (found["status"], found["hasEvidence"]) == ("APPROVED", False)
    shown = await place.officer.act(UNMASK, input={"subjectId": application, "reason": "再看一眼"})
    assert shown["evidence"] is None
    key = type_and_key(application)
    assert key is not None
    (row,) = await execute(
        "SELECT evidence_sealed, real_name_sealed, document_sealed, document_index"
        " FROM residency_application WHERE id = ?",
        key[1],
    )
    assert set(row.values()) == {None}
    # Both looks are on record, with their reasons.
    looks = await execute("SELECT detail FROM audit_entry WHERE subject_id = ? AND action = 'unmask'", key[1])
    assert len(looks) == 2


async def may_post(app: App, place: Fengsheng) -> bool:
    found: bool = (await app.run(FEED, id=place.id))["node"]["viewerCanPost"]
    return found


@asynccontextmanager
async def open_streams(app: App, requests: Sequence[tuple[str, str]]) -> AsyncIterator[list[Stream]]:
    """Each subscription on a connection of its own, as on several devices."""
    if not requests:
        yield []
        return
    ((query, name), *rest) = requests
    (variable,) = re.findall(r"\(\$(\w+): ID!", query)
    async with app.following(query, **{variable: name}) as stream, open_streams(app, rest) as others:
        yield [stream, *others]


async def moved_out(place: Fengsheng, ming: App, post: str) -> None:
    """The committee records it: what is open ends with an error, and nothing more can be written."""
    me = (await ming.run(ME))["viewer"]
    (residency,) = [edge["node"] for edge in me["residencies"]["edges"]]
    assert (residency["home"]["label"], residency["until"]) == ("3-2-501", None)
    requests = [(EVERYTHING, place.id), (NOTICES, place.id), (POSTS, place.id), (COMMENTS, post)]
    async with open_streams(ming, requests) as streams:
        # They are live.
        await place.neighbour.act(POST, input=place.post("今晚停水吗?"))
        assert (await streams[0].next("PostCreated"))["post"]["body"] == "今晚停水吗?"

        left = await place.officer.act(MOVE_OUT, input={"residencyId": residency["id"]})
        assert left["residency"]["until"] is not None
        await place.neighbour.act(POST, input=place.post("他搬走了"))
        for stream in streams:
            await check_ended(stream, "他搬走了")
    assert await may_post(ming, place) is False
    assert (await ming.act(POST, input=place.post("我还在")))["__typename"] == "NotAllowed"
    late = await ming.act(COMMENT, input={"subjectId": post, "body": "我还在", "idempotencyKey": "late"})
    assert late["__typename"] == "NotFound"
    assert (await ming.run(FEED, id=place.id))["node"]["posts"]["edges"] == []
    for query, id, code in ((NOTICES, place.id, "NOT_ALLOWED"), (COMMENTS, post, "NOT_FOUND")):
        with pytest.raises(Refused) as refused:
            async with open_streams(ming, [(query, id)]):
                pass
        assert refused.value.codes == [code]
    # What is public he may follow again; what is for neighbours does not come before it.
    async with open_streams(ming, [(EVERYTHING, place.id), (POSTS, place.id)]) as streams:
        await place.neighbour.act(POST, input=place.post("悄悄话"))
        await place.neighbour.act(POST, input={**place.post("义卖"), "audience": "PUBLIC"})
        for stream in streams:
            event = await stream.next()
            assert (event["__typename"], event["post"]["body"]) == ("PostCreated", "义卖")


async def check_ended(stream: Stream, never: str) -> None:
    """The server ends the stream with an error, before anything that is no longer for this viewer."""
    events: list[dict[str, Any]] = []
    with pytest.raises(Refused) as ended:
        await collect(stream, events)
    assert ended.value.codes in (["NOT_ALLOWED"], ["NOT_FOUND"]), ended.value.codes
    assert never not in str(events)


async def collect(stream: Stream, events: list[dict[str, Any]]) -> None:
    while True:
        events.append(await stream.next())


async def test_a_revoked_officer_loses_the_open_office(neighbourhood: Neighbourhood) -> None:
    place = await Fengsheng(neighbourhood).build()
    committee = global_id("Organisation", place.committee.id)
    (office,) = (await place.officer.run(ME))["viewer"]["offices"]
    async with open_streams(place.officer, [(EVERYTHING, place.id), (NOTICES, place.id)]) as streams:
        assert (await place.officer.run(QUEUE, id=committee))["node"] is not None
        done = await place.admin.act(REVOKE, input={"appointmentId": office["id"]})
        assert done["appointment"]["revokedAt"] is not None
        await place.neighbour.act(POST, input=place.post("听说换人了"))
        for stream in streams:
            await check_ended(stream, "听说换人了")
    # He lives elsewhere: without the office there is nothing left here.
    assert (await place.officer.run(QUEUE, id=committee))["node"] is None
    assert (await place.officer.act(POST, input=place.post("我还在")))["__typename"] == "NotFound"


async def test_signing_out_everywhere_closes_the_connections(neighbourhood: Neighbourhood) -> None:
    """On every device, over every process, and the tokens are worth nothing from then on."""
    place = await Fengsheng(neighbourhood).build()
    world = neighbourhood.world
    account = await world.neighbour(place.community)
    devices = [await neighbourhood.app(account) for _ in range(3)]
    phone, tablet, desk = devices
    async with wired(phone.server, phone.token) as one, wired(tablet.server, tablet.token) as other:
        await one.subscribe(EVERYTHING, id=place.id)
        assert (await one.event())["event"]["__typename"] == "StreamOpened"
        done = await desk.act(EVERYWHERE)
        assert done["ended"] == len(devices)
        # 4401: a client does not come back with the same token.
        assert await one.closed() == 4401
        assert await other.closed() == 4401
    for device in devices:
        with pytest.raises(Refused) as refused:
            await device.run(ME)
        assert refused.value.codes == ["UNAUTHENTICATED"]
