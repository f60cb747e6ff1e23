"""Story 4, three back offices: each sees only its powers; what is refused is in the audit log, which proves
itself.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from models.identity import CommunityRow, ResidencyRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.client import App, Refused
from tests.neighbourhood import Neighbourhood

pytestmark = pytest.mark.anyio

KINDS = {
    "居委会": OrganisationKind.RESIDENTS_COMMITTEE,
    "业委会": OrganisationKind.OWNERS_COMMITTEE,
    "物业": OrganisationKind.PROPERTY_COMPANY,
}
PHONE = "13987654321"

OFFICE = (
    """query Office($id: ID!) { node(id: $id) { ... on Organisation { kind name version viewerPowers } } }"""
)
TABLE = "query Table { powersTable { kind role powers } }"
LOG = """query Log($id: ID!, $refused: Boolean) { node(id: $id) {
  ... on Organisation { auditLog(first: 20, refused: $refused) { edges { node { ...Entry } } } }
  ... on Community { auditLog(first: 20, refused: $refused) { edges { node { ...Entry } } } } } }
fragment Entry on AuditEntry { number action refused roles detail hash previousHash
  actor { displayName } organisation { name } subject { __typename } }"""
HEAD = "query Head($id: ID!) { node(id: $id) { ... on Community { auditHead { hash } } } }"
CSV = "query Csv($id: ID!) { node(id: $id) { ... on Community { auditCsv } } }"
FIGURES = """query Figures($id: ID!, $since: DateTime!, $until: DateTime!) { node(id: $id) {
  ... on Organisation { statistics(since: $since, until: $until) { noticesCsv notices {
    total { notices targeted reached } byCategory { category notices } } } } } }"""
MOTION = """mutation Motion($input: CreateMotionInput!) { createMotion(input: $input) { __typename
  ... on Problem { code } ... on InvalidInput { fields { name message } } } }"""
UNMASK = """mutation Unmask($input: UnmaskInput!) { unmask(input: $input) { __typename
  ... on Problem { code } ... on UnmaskPayload { realName } } }"""
PUBLISH = """mutation Publish($input: PublishNoticeInput!) { publishNotice(input: $input) { __typename
  ... on PublishNoticePayload { notice { id } } ... on Problem { code message } } }"""
INVITE = """mutation Invite($input: InviteOfficerInput!) { inviteOfficer(input: $input) { __typename
  ... on InviteOfficerPayload { invitation { id status maskedPhone } } ... on Problem { code } } }"""
ACCEPT = """mutation Accept($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { __typename
  ... on AcceptInvitationPayload { invitation { status appointment { role } } } ... on Problem { code } } }"""
OFFERS = "query Offers { viewer { invitations { id role organisation { name } } offices { role } } }"
RENAME = """mutation Rename($input: RenameOrganisationInput!) { renameOrganisation(input: $input) { __typename
  ... on RenameOrganisationPayload { organisation { name version } } ... on Problem { code }
  ... on Conflict { current { ... on Organisation { name version } } } } }"""
REQUEST_CODE = """mutation Code($input: RequestSignInCodeInput!) { requestSignInCode(input: $input) {
  __typename ... on RequestSignInCodePayload { challenge } } }"""
SIGN_IN = """mutation In($input: SignInWithCodeInput!) { signInWithCode(input: $input) { __typename
  ... on SignInPayload { credentials { accessToken } } } }"""


class Offices:
    """A community with its three offices, an administrator and an officer in each, and a resident."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.community: CommunityRow
        self.offices: dict[str, OrganisationRow] = {}
        self.admins: dict[str, App] = {}
        self.officers: dict[str, App] = {}
        self.resident: App
        self.residency: str

    async def build(self) -> "Offices":
        world = self.neighbourhood.world
        self.community = await world.community("三方社区")
        home = await world.home(await world.building(await world.estate(self.community)))
        account = await world.resident(home)
        self.residency = global_id("Residency", (await ResidencyRow.get(account_id=account.id)).id)
        self.resident = await self.neighbourhood.app(account)
        for name, kind in KINDS.items():
            office = self.offices[name] = await world.organisation(self.community, kind, name)
            admin = await world.officer(office, Role.ADMIN, name=f"{name}主任")
            self.admins[name] = await self.neighbourhood.app(admin)
            self.officers[name] = await self.neighbourhood.app(
                await world.officer(office, name=f"{name}办事员")
            )
        return self

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    def office(self, name: str) -> str:
        return global_id("Organisation", self.offices[name].id)

    def motion(self, name: str) -> dict[str, Any]:
        closes = datetime.now(UTC) + timedelta(days=60)
        return {
            "organisationId": self.office(name),
            "idempotencyKey": "motion",
            "draft": {
                "title": "更换电梯",
                "body": "是否动用维修资金更换电梯",
                "items": [{"itemClass": "USE_OF_FUNDS", "title": "更换电梯", "body": "三台"}],
                "scopeKind": "COMMUNITY",
                "scopeIds": [],
                "opensAt": (closes - timedelta(days=30)).isoformat(),
                "closesAt": closes.isoformat(),
            },
        }

    async def log(self, app: App, id: str, **wanted: Any) -> list[dict[str, Any]]:
        found = (await app.run(LOG, id=id, **wanted))["node"]["auditLog"]["edges"]
        return [edge["node"] for edge in found]


async def test_three_back_offices(neighbourhood: Neighbourhood) -> None:
    place = await Offices(neighbourhood).build()
    await check_powers(place)
    noted = await check_refusals(place)
    await check_log(place)
    check_verified(place, noted)


async def check_powers(place: Offices) -> None:
    """Each sees in its own office what the table says, and in the others nothing."""
    table = {
        (row["kind"], row["role"]): row["powers"]
        for row in (await App(place.resident.server).run(TABLE))["powersTable"]
    }
    for apps, role in ((place.admins, "ADMIN"), (place.officers, "OFFICER")):
        for name, app in apps.items():
            for other in KINDS:
                shown = (await app.run(OFFICE, id=place.office(other)))["node"]["viewerPowers"]
                assert shown == (table[KINDS[name].value, role] if other == name else [])
    assert "UNMASK" in table["RESIDENTS_COMMITTEE", "OFFICER"]
    assert "PUT_MOTIONS" in table["OWNERS_COMMITTEE", "OFFICER"]
    assert not {"UNMASK", "PUT_MOTIONS", "VERIFY_RESIDENTS"} & set(table["PROPERTY_COMPANY", "ADMIN"])
    assert (await place.resident.run(OFFICE, id=place.office("物业")))["node"]["viewerPowers"] == []


async def check_refusals(place: Offices) -> dict[str, Any]:
    """The property company tries what is not its own, and does what is; a resident notes the head between."""
    company = place.officers["物业"]
    for name in ("物业", "业委会"):
        refused = await company.act(MOTION, input=place.motion(name))
        assert refused["__typename"] == "NotAllowed", refused
    refused = await company.act(UNMASK, input={"subjectId": place.residency, "reason": "想知道是谁"})
    assert refused == {"__typename": "NotAllowed", "code": "NOT_ALLOWED"}
    head: dict[str, Any] = (await place.resident.run(HEAD, id=place.id))["node"]["auditHead"]
    notice = {"category": "OUTAGE", "title": "停水", "body": "明天上午", "audience": [{"placeId": place.id}]}
    common = {**notice, "organisationId": place.office("物业"), "idempotencyKey": "n"}
    assert (await company.act(PUBLISH, input={**common, "severity": "EMERGENCY"}))[
        "__typename"
    ] == "NotAllowed"
    done = await company.act(PUBLISH, input={**common, "severity": "URGENT"})
    assert done["__typename"] == "PublishNoticePayload", done
    period = {
        "since": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
        "until": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    for app in (company, place.officers["居委会"]):
        figures = (await app.run(FIGURES, id=place.office("物业"), **period))["node"]["statistics"]
        assert figures["notices"]["total"] == {"notices": 1, "targeted": 1, "reached": 0}
        assert figures["notices"]["byCategory"] == [{"category": "OUTAGE", "notices": 1}]
        assert len(figures["noticesCsv"].splitlines()) == 2
    for app, office in ((company, "居委会"), (place.resident, "物业")):
        with pytest.raises(Refused) as error:
            await app.run(FIGURES, id=place.office(office), **period)
        assert error.value.codes == ["NOT_ALLOWED"]
    shown = await place.officers["居委会"].act(
        UNMASK, input={"subjectId": place.residency, "reason": "核对身份"}
    )
    assert shown["__typename"] == "UnmaskPayload"
    return head


async def check_log(place: Offices) -> None:
    """The attempts are there for the committee's administrator, and the company's own for the company's."""
    leader, manager = place.admins["居委会"], place.admins["物业"]
    attempts = await place.log(leader, place.id, refused=True)
    assert [entry["action"] for entry in reversed(attempts)] == [
        "createMotion", "createMotion", "unmask", "publishNotice", "statistics", "statistics"
    ]  # fmt: skip
    by_company = attempts[1:]
    assert {entry["actor"]["displayName"] for entry in by_company} == {"物业办事员"}
    assert {entry["organisation"]["name"] for entry in by_company} == {"物业"}
    assert {tuple(entry["roles"]) for entry in by_company} == {("OFFICER",)}
    everything = await place.log(leader, place.id)
    done = {entry["action"] for entry in everything if not entry["refused"]}
    assert done == {"noticesCsv", "publishNotice", "unmask"}
    for newer, older in pairwise(everything):
        assert (newer["number"], newer["previousHash"]) == (older["number"] + 1, older["hash"])
    own = await place.log(manager, place.office("物业"))
    assert {entry["organisation"]["name"] for entry in own} == {"物业"}
    assert [entry["action"] for entry in own if not entry["refused"]] == ["noticesCsv", "publishNotice"]

    # Nobody else reads it, and asking leaves its trace.
    for app, id in (
        (manager, place.id),
        (manager, place.office("业委会")),
        (place.officers["居委会"], place.id),
        (place.resident, place.id),
    ):
        with pytest.raises(Refused) as error:
            await app.run(LOG, id=id)
        assert error.value.codes == ["NOT_ALLOWED"]
    assert len([entry for entry in await place.log(leader, place.id) if entry["action"] == "auditLog"]) == 4
    text = (await leader.run(CSV, id=place.id))["node"]["auditCsv"]
    assert "unmask" in text
    assert not any(personal in text for personal in ("主任", "办事员", "核对身份"))


def check_verified(place: Offices, noted: dict[str, Any]) -> None:
    """By the operator's command, and against the head that a resident noted."""
    deployment = place.neighbourhood.deployment
    line = deployment.command("verify-audit")
    assert re.search(r"三方社区: \d+ entries, head [0-9a-f]{64}\n", line), line
    deployment.command("verify-audit", "--community", "三方社区", "--noted", noted["hash"])
    with pytest.raises(RuntimeError, match="the entry that was noted is missing"):
        deployment.command("verify-audit", "--community", "三方社区", "--noted", "0" * 64)


async def test_an_officer_is_invited_and_two_collide(neighbourhood: Neighbourhood) -> None:
    place = await Offices(neighbourhood).build()
    manager = place.admins["物业"]
    wanted = {"organisationId": place.office("物业"), "role": "ADMIN", "phone": PHONE, "idempotencyKey": "i"}
    assert (await place.officers["物业"].act(INVITE, input=wanted))["__typename"] == "NotAllowed"
    made = (await manager.act(INVITE, input=wanted))["invitation"]
    assert (made["status"], made["maskedPhone"]) == ("OPEN", "139****4321")

    # Its owner signs in for the first time, finds the offer, and takes it.
    server = neighbourhood.deployment.servers[-1]
    nobody = App(server)
    asked = await nobody.act(REQUEST_CODE, input={"phone": PHONE})
    code = re.findall(r"139\*\*\*\*4321: .*?(\d{6})", server.output())[-1]
    input = {"challenge": asked["challenge"], "phone": PHONE, "code": code, "displayName": "新经理"}
    signed = await nobody.act(SIGN_IN, input=input)
    clerk = App(server, signed["credentials"]["accessToken"])
    offers = (await clerk.run(OFFERS))["viewer"]["invitations"]
    assert offers == [{"id": made["id"], "role": "ADMIN", "organisation": {"name": "物业"}}]
    assert (await place.resident.act(ACCEPT, input={"invitationId": made["id"]}))["__typename"] == "NotFound"
    taken = (await clerk.act(ACCEPT, input={"invitationId": made["id"]}))["invitation"]
    assert (taken["status"], taken["appointment"]["role"]) == ("ACCEPTED", "ADMIN")
    me = (await clerk.run(OFFERS))["viewer"]
    assert me == {"invitations": [], "offices": [{"role": "ADMIN"}]}

    # Both administrators rename the company: the second sees what the first has written.
    renaming = {"organisationId": place.office("物业"), "version": 1, "name": "阳光物业"}
    assert (await clerk.act(RENAME, input=renaming))["organisation"] == {"name": "阳光物业", "version": 2}
    second = await manager.act(RENAME, input={**renaming, "name": "月光物业"})
    assert second["__typename"] == "Conflict"
    assert second["current"] == {"name": "阳光物业", "version": 2}
    actions = [entry["action"] for entry in await place.log(manager, place.office("物业"))]
    assert actions == ["renameOrganisation", "acceptInvitation", "inviteOfficer", "inviteOfficer"]
    for started in neighbourhood.deployment.servers:
        assert PHONE not in started.output()
