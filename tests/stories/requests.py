"""What the stories about service requests say to the server."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from models.identity import AccountRow, BuildingRow, CommunityRow, HomeRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.client import App
from tests.neighbourhood import Neighbourhood

CASE = """fragment Case on ServiceRequest { id number version state title followerCount acceptBy resolveBy
  dueAt overdue office { name } assignee { displayName } confirmedBy rating }"""
STEP = """fragment Step on RequestStep { ordinal createdAt action fromState toState party note
  officer { displayName } office { name } assignee { displayName } }"""
SUBMIT = (
    """mutation Submit($input: SubmitRequestInput!) { submitRequest(input: $input) { __typename
  ... on OpenRequestPayload { requestEdge { node { ...Case } } }
  ... on InvalidInput { fields { name message } } ... on Problem { code message } } }"""
    + CASE
)
OPEN_FROM_POST = (
    """mutation Open($input: OpenRequestFromPostInput!) { openRequestFromPost(input: $input) { __typename
  ... on OpenRequestPayload { requestEdge { node { ...Case } } }
  ... on Conflict { current { id } } ... on Problem { code message } } }"""
    + CASE
)
FOLLOW = (
    """mutation Follow($input: SetRequestFollowingInput!) { setRequestFollowing(input: $input) { __typename
  ... on SetRequestFollowingPayload { request { ...Case } } ... on Problem { code message } } }"""
    + CASE
)
EVENTS = (
    """subscription Events($id: ID!, $after: String) { requestEvents(requestId: $id, after: $after) {
  cursor event { __typename ... on RequestStepAdded { step { ...Step } request { ...Case } } } } }"""
    + CASE
    + STEP
)
HISTORY = (
    """query History($id: ID!) { node(id: $id) { ... on ServiceRequest { ...Case
  viewerActions reporter { displayName } reporterPhone body overdue
  steps(first: 100) { edges { node { ...Step viewerNote } } } } } }"""
    + CASE
    + STEP
)
INBOX = """query Inbox { viewer { notifications(first: 100) { edges { node { kind
  subject { ... on RequestStep { action } } } } } } }"""

# Mutation → the type of its input.
ACTS = {
    "acceptRequest": "RequestActInput",
    "assignRequest": "AssignRequestInput",
    "startRequest": "RequestActInput",
    "recordRequestVisit": "RequestActInput",
    "waitRequest": "WaitRequestInput",
    "finishRequest": "RequestReasonInput",
    "handOverRequest": "HandOverRequestInput",
    "takeOverRequest": "RequestActInput",
    "confirmRequest": "RequestActInput",
    "returnRequest": "RequestReasonInput",
    "addRequestNote": "AddRequestNoteInput",
    "rateRequest": "RateRequestInput",
}
keys = count(1)


def mutation(name: str) -> str:
    return (
        f"mutation Act($input: {ACTS[name]}!) {{ {name}(input: $input) {{ __typename"
        " ... on RequestActPayload { request { ...Case } step { ...Step } }"
        " ... on Conflict { current { ... on ServiceRequest { ...Case } } }"
        " ... on InvalidInput { fields { name message } } ... on Problem { code message } } }" + CASE + STEP
    )


async def act(by: App, name: str, request: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the server answers when `by` does this with the request, as `by` has read it."""
    more = {"idempotencyKey": f"key {next(keys)}", **more}
    if name not in ("addRequestNote", "rateRequest"):
        more = {"version": request["version"], **more}
    return await by.act(mutation(name), input={"requestId": request["id"], **more})


async def done(by: App, name: str, request: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The request after `by` has done this with it."""
    result = await act(by, name, request, **more)
    assert result["__typename"] == "RequestActPayload", result
    found: dict[str, Any] = result["request"]
    return found


@dataclass
class Street:
    """A building whose lift rattles, its people, and the offices that look after it."""

    neighbourhood: Neighbourhood
    community: CommunityRow
    building: BuildingRow
    home: HomeRow
    committee: OrganisationRow
    company: OrganisationRow
    accounts: dict[str, AccountRow]
    apps: dict[str, App]

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    async def submit(self, by: str, **more: Any) -> dict[str, Any]:
        report = {
            "communityId": self.id,
            "category": "REPAIR",
            "title": "3号楼电梯异响",
            "body": "从三楼往上一直响, 晚上睡不着",
            "idempotencyKey": f"key {next(keys)}",
            "place": {"homeId": global_id("Home", self.home.id)},
        }
        result = await self.apps[by].act(SUBMIT, input={**report, **more})
        assert result["__typename"] == "OpenRequestPayload", result
        found: dict[str, Any] = result["requestEdge"]["node"]
        return found


async def street_in(neighbourhood: Neighbourhood) -> Street:
    world = neighbourhood.world
    community = await world.community()
    building = await world.building(await world.estate(community))
    home = await world.home(building)
    committee = await world.organisation(community)
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    accounts = {
        "resident": await world.resident(home, name="刘阿姨"),
        "neighbour": await world.resident(await world.home(building), name="老陈"),
        "third": await world.resident(await world.home(building), name="小赵"),
        "clerk": await world.officer(company),
        "mechanic": await world.officer(company),
        "manager": await world.officer(committee, Role.ADMIN),
    }
    apps = {name: await neighbourhood.app(account) for name, account in accounts.items()}
    return Street(neighbourhood, community, building, home, committee, company, accounts, apps)
