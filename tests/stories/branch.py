"""A party branch with its members, and what the stories about it say to the server."""

from collections.abc import Awaitable, Callable
from typing import Any

from models.organisations import OrganisationKind, Role
from schema.node import global_id
from tests.neighbourhood import Neighbourhood

Doing = Callable[..., Awaitable[dict[str, Any]]]

APPLY = """mutation Apply($input: ApplyToPartyBranchInput!) { applyToPartyBranch(input: $input) { __typename
  ... on PartyApplicationPayload { application { id version } } ... on Problem { code message } } }"""
APPROVE = """mutation Approve($input: ApprovePartyApplicationInput!) {
  approvePartyApplication(input: $input) { __typename
  ... on PartyApplicationPayload { application { status } } ... on Problem { code message } } }"""
END = """mutation End($input: EndPartyMembershipInput!) { endPartyMembership(input: $input) { __typename
  ... on PartyMemberPayload { member { endedAt } } ... on Problem { code message } } }"""


async def furnish(neighbourhood: Neighbourhood, made: Any, done: Doing, secret: str) -> None:
    """A branch that the resident belongs to and the neighbour applies to."""
    world = neighbourhood.world
    branch = await world.organisation(made.community, OrganisationKind.PARTY_BRANCH, f"{secret}党支部")
    made.people["secretary"] = await world.officer(branch, Role.ADMIN, name=f"{secret} secretary")
    made.apps["secretary"] = await neighbourhood.app(made.people["secretary"])
    given = {"branchId": global_id("Organisation", branch.id), "statement": f"{secret} statement"}
    application = await done("resident", APPLY, **given, idempotencyKey="party")
    await done("secretary", APPROVE, applicationId=application["application"]["id"], version=1)
    await done("neighbour", APPLY, **given, idempotencyKey="party")
