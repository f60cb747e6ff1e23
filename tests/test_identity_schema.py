"""Identity as clients see it: whole operations, from the text to the answer."""

import re
from typing import Any

import pytest

from models.base import new_id
from models.identity import AccountRow, CommunityRow, HomeRow, ResidencyRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from resolvers.context import Context
from resolvers.identity.sessions import viewer_of
from schema.node import global_id
from tests.asking import answered, run
from tests.world import World, counted


async def codes(ctx: Context, query: str, **variables: Any) -> list[str]:
    """The codes of an operation's errors."""
    result = await answered(ctx, query, **variables)
    return [(error.extensions or {})["code"] for error in result.errors or []]


@pytest.fixture
async def home(world: World, community: CommunityRow) -> HomeRow:
    return await world.home(await world.building(await world.estate(community)))


APPLY = """mutation ($input: ApplyForResidencyInput!) { applyForResidency(input: $input) { __typename
  ... on ApplyForResidencyPayload { application { id status version maskedName maskedDocument hasEvidence
    home { label } applicant { displayName } } }
  ... on Problem { code } ... on Conflict { current { id } } } }"""
APPROVE = """mutation ($id: ID!, $version: Int!) {
  approveResidency(input: {applicationId: $id, version: $version}) { __typename
  ... on ApproveResidencyPayload { application { status hasEvidence maskedName version } }
  ... on Problem { code message } ... on Conflict { current { id } } } }"""


def application(home: HomeRow) -> dict[str, Any]:
    return {
        "homeId": global_id("Home", home.id),
        "relation": "OWNER",
        "realName": "张三丰",
        "documentNumber": "11010519491231002X",
        "evidence": "房产证",
        "idempotencyKey": str(new_id()),
    }


async def test_from_the_code_to_the_viewer(world: World) -> None:
    nobody = await world.context()
    data = await run(
        nobody,
        'mutation { requestSignInCode(input: {phone: "13800138000"}) { __typename'
        " ... on RequestSignInCodePayload { challenge expiresAt } } }",
    )
    assert data["requestSignInCode"]["__typename"] == "RequestSignInCodePayload"
    code = re.search(r"\d{6}", world.sms.sent[0][1])
    assert code
    data = await run(
        await world.context(),
        """mutation ($code: String!, $challenge: String!) {
          signInWithCode(
            input: {challenge: $challenge, phone: "13800138000", code: $code, displayName: "小王"}
          ) {
            ... on SignInPayload {
              credentials { accessToken refreshToken accessTokenExpiresAt deviceToken }
              viewer { displayName maskedPhone hasPassword communities { id } offices { id }
                sessions(first: 5) { edges { node { isCurrent device } } }
                residencies(first: 1) { edges { node { id } } } } } } }""",
        code=code[0],
        challenge=data["requestSignInCode"]["challenge"],
    )
    viewer = data["signInWithCode"]["viewer"]
    assert (viewer["displayName"], viewer["maskedPhone"]) == ("小王", "138****8000")
    assert [edge["node"]["isCurrent"] for edge in viewer["sessions"]["edges"]] == [True]
    credentials = data["signInWithCode"]["credentials"]
    holder, _ = await viewer_of(world.services, credentials["accessToken"])
    ctx = Context(world.services, holder)
    assert (await run(ctx, "{ viewer { displayName } }"))["viewer"] == {"displayName": "小王"}
    refresh = """mutation ($token: String!) {
      refreshSession(input: {refreshToken: $token}) { credentials { accessToken } } }"""
    await run(await world.context(), refresh, token=credentials["refreshToken"])
    assert await codes(await world.context(), refresh, token="x") == ["UNAUTHENTICATED"]
    data = await run(
        ctx, "mutation { endSession(input: {}) { ... on EndSessionPayload { session { endedAt } } } }"
    )
    assert data["endSession"]["session"]["endedAt"]


async def test_nobody_is_null_and_may_not_read_the_register(world: World, home: HomeRow) -> None:
    nobody = await world.context()
    assert await run(nobody, "{ viewer { displayName } }") == {"viewer": None}
    assert await codes(nobody, "{ communities(first: 1) { edges { node { id } } } }") == ["UNAUTHENTICATED"]
    found = await run(nobody, "query ($id: ID!) { node(id: $id) { id } }", id=global_id("Home", home.id))
    assert found == {"node": None}


async def test_the_register_leads_to_one_s_home(world: World, community: CommunityRow, home: HomeRow) -> None:
    ctx = await world.context(await world.account())
    data = await run(
        ctx,
        """query ($name: String!) { communities(first: 1, name: $name) { edges { node { name
          estates(first: 5) { edges { node { name buildings(first: 5) { edges { node { name
            homes(first: 5) { edges { node { id areaCm2 label residents(first: 1) { edges { cursor } } } } }
          } } } } } } } } } }""",
        name=community.name,
    )
    (community_edge,) = data["communities"]["edges"]
    (estate,) = community_edge["node"]["estates"]["edges"]
    (building,) = estate["node"]["buildings"]["edges"]
    (found,) = building["node"]["homes"]["edges"]
    assert found["node"]["id"] == global_id("Home", home.id)
    assert found["node"]["areaCm2"] == 900_000
    assert found["node"]["residents"] is None


async def test_an_application_is_approved_through_the_schema(
    world: World, community: CommunityRow, committee: OrganisationRow, home: HomeRow
) -> None:
    applicant = await world.account("三丰")
    data = await run(await world.context(applicant), APPLY, input=application(home))
    made = data["applyForResidency"]["application"]
    assert (made["status"], made["maskedName"], made["hasEvidence"]) == ("PENDING", "张**", True)
    assert made["applicant"] == {"displayName": "三丰"}
    again = await run(await world.context(applicant), APPLY, input=application(home))
    assert again["applyForResidency"]["__typename"] == "Conflict"
    assert again["applyForResidency"]["current"] == {"id": made["id"]}
    officer = await world.officer(committee)
    data = await run(
        await world.context(officer),
        """query ($id: ID!) { node(id: $id) { ... on Organisation { viewerPowers members(first: 5) {
          edges { node { role holder { office { organisation role } } } } }
          residencyApplications(first: 5) { edges { node { id maskedName } } } } } }""",
        id=global_id("Organisation", committee.id),
    )
    assert [edge["node"] for edge in data["node"]["residencyApplications"]["edges"]] == [
        {"id": made["id"], "maskedName": "张**"}
    ]
    assert "VERIFY_RESIDENTS" in data["node"]["viewerPowers"]
    assert "MANAGE_OFFICERS" not in data["node"]["viewerPowers"]
    data = await run(
        await world.context(officer),
        """mutation ($id: ID!) { unmask(input: {subjectId: $id, reason: "核对房产证"}) {
          ... on UnmaskPayload { realName documentNumber phone evidence } } }""",
        id=made["id"],
    )
    assert data["unmask"]["realName"] == "张三丰"
    data = await run(await world.context(officer), APPROVE, id=made["id"], version=made["version"])
    assert data["approveResidency"]["application"] == {
        "status": "APPROVED",
        "hasEvidence": False,
        "maskedName": "张**",
        "version": 2,
    }
    data = await run(await world.context(officer), APPROVE, id=made["id"], version=2)
    assert data["approveResidency"]["__typename"] == "Conflict"
    data = await run(
        await world.context(applicant),
        "{ viewer { communities { name } residencies(first: 5) { edges { node { id relation until } } } } }",
    )
    assert data["viewer"]["communities"] == [{"name": community.name}]
    (residency,) = data["viewer"]["residencies"]["edges"]
    data = await run(
        await world.context(applicant),
        """mutation ($id: ID!) { moveOut(input: {residencyId: $id}) {
          ... on MoveOutPayload { residency { until } } } }""",
        id=residency["node"]["id"],
    )
    assert data["moveOut"]["residency"]["until"]
    assert (await ResidencyRow.get()).until is not None


async def test_the_property_company_is_refused(world: World, community: CommunityRow, home: HomeRow) -> None:
    data = await run(await world.context(await world.account()), APPLY, input=application(home))
    made = data["applyForResidency"]["application"]
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    ctx = await world.context(await world.officer(company, Role.ADMIN))
    assert (await run(ctx, APPROVE, id=made["id"], version=1))["approveResidency"]["code"] == "NOT_ALLOWED"
    asked = """query ($id: ID!) { node(id: $id) { ... on Organisation {
      residencyApplications(first: 5) { edges { node { id } } } } } }"""
    assert await codes(ctx, asked, id=global_id("Organisation", company.id)) == ["NOT_ALLOWED"]
    assert await run(ctx, "query ($id: ID!) { node(id: $id) { id } }", id=made["id"]) == {"node": None}


async def test_a_refused_list_leaves_the_others(
    world: World, community: CommunityRow, committee: OrganisationRow, home: HomeRow
) -> None:
    await run(await world.context(await world.account()), APPLY, input=application(home))
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY)
    text = """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Organisation {
      residencyApplications(first: 5) { edges { node { status } } } } } }"""
    ids = [global_id("Organisation", organisation.id) for organisation in (company, committee)]
    ctx = await world.context(await world.officer(committee))
    result = await answered(ctx, text, ids=ids)
    assert [(error.path, error.message) for error in result.errors or ()] == [
        (
            ["nodes", 0, "residencyApplications"],
            "Only officers of the residents' committee may see applications",
        )
    ]
    edges = [{"node": {"status": "PENDING"}}]
    assert result.data == {
        "nodes": [{"residencyApplications": None}, {"residencyApplications": {"edges": edges}}]
    }


async def test_a_register_is_imported_through_the_schema(world: World, committee: OrganisationRow) -> None:
    ctx = await world.context(await world.officer(committee))
    data = await run(
        ctx,
        """mutation ($input: ImportHouseholdsInput!) { importHouseholds(input: $input) {
          ... on ImportHouseholdsPayload { householdImport { rowsRead imported homesAdded
            problems { line column message } } }
          ... on InvalidInput { fields { name message } } } }""",
        input={
            "organisationId": global_id("Organisation", committee.id),
            "csv": "小区,楼栋,单元,房号,面积,姓名,证件号,手机号,关系\n"
            "园,1号楼,1,101,80,王五,H1234567,,业主\n园,1,,,,,,,\n",
            "idempotencyKey": "k",
        },
    )
    made = data["importHouseholds"]["householdImport"]
    assert (made["rowsRead"], made["imported"], made["homesAdded"]) == (2, 1, 1)
    assert made["problems"] == [{"line": 3, "column": "number", "message": "不能为空"}]


async def test_roles_are_granted_and_revoked_through_the_schema(
    world: World, committee: OrganisationRow
) -> None:
    ctx = await world.context(await world.officer(committee, Role.ADMIN))
    clerk = await world.account()
    data = await run(
        ctx,
        """mutation ($id: ID!, $phone: String!) {
          grantRole(input: {organisationId: $id, role: OFFICER, phone: $phone}) {
            ... on GrantRolePayload { appointment { id holder { displayName } } } } }""",
        id=global_id("Organisation", committee.id),
        phone=world.services.keys.open("phone", clerk.phone_sealed),
    )
    made = data["grantRole"]["appointment"]
    assert made["holder"] == {"displayName": clerk.display_name}
    data = await run(
        ctx,
        """mutation ($id: ID!) { revokeRole(input: {appointmentId: $id}) {
          ... on RevokeRolePayload { appointment { revokedAt } } } }""",
        id=made["id"],
    )
    assert data["revokeRole"]["appointment"]["revokedAt"]


async def test_residents_of_many_homes_take_as_few_statements_as_of_one(
    world: World, committee: OrganisationRow, community: CommunityRow
) -> None:
    building = await world.building(await world.estate(community))
    for _ in range(30):
        await world.resident(await world.home(building))
    officer = await world.officer(committee)
    query = """query ($id: ID!, $n: Int!) { node(id: $id) { ... on Building {
      homes(first: $n) { edges { node { label building { name }
        residents(first: 2) { edges { node { maskedName neighbour { building } } } } } } } } } }"""
    counts = []
    for size in (1, 30):
        ctx = await world.context(officer)
        async with counted() as queries:
            data = await run(ctx, query, id=global_id("Building", building.id), n=size)
        assert len(data["node"]["homes"]["edges"]) == size
        counts.append(queries.count)
    assert counts[0] == counts[1]


async def test_personal_data_never_shows_to_neighbours(
    world: World, community: CommunityRow, home: HomeRow
) -> None:
    resident = await world.resident(home, name="小王")
    keys = world.services.keys
    await AccountRow.filter(id=resident.id).update(real_name_sealed=keys.seal("real-name", "王小明"))
    residency = await ResidencyRow.get(account_id=resident.id)
    ctx = await world.context(await world.neighbour(community))
    found = await run(
        ctx, "query ($id: ID!) { node(id: $id) { id } }", id=global_id("Residency", residency.id)
    )
    assert found == {"node": None}
