"""Entering a party branch and leaving it; and that nobody else learns anything of it."""

from pathlib import Path
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import now
from models.identity import AccountRow, ResidencyRow
from models.jobs import JobRow
from models.memberships import MembershipRow, members_of
from models.notifications import NotificationRow
from models.party.members import (
    ABILITIES,
    PartyApplicationRow,
    PartyApplicationStatus,
    PartyFunction,
    PartyMemberRow,
)
from models.powers import Power
from models.roles import OrganisationKind
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound, RateLimited
from resolvers.party import members
from schema.node import global_id
from subscriptions.events import STANDING, Kind, community_topic
from tests.party_scene import Branch, enrolled, key
from tests.party_scene import branch as branch

LIST = """query List($id: ID!) { node(id: $id) { ... on Organisation {
  partyMembers(first: 10) { edges { node { function abilities neighbour { displayName } endReason } } }
  partyApplications(first: 10) { edges { node { status statement applicant { displayName } } } }
  viewerPartyApplication { status reason } } } }"""
MINE = "{ viewer { partyMemberships { function branch { name } } } }"
NODE = "query Any($id: ID!) { node(id: $id) { __typename } }"


async def applied(branch: Branch, by: AccountRow | None = None) -> UUID:
    made = await members.apply(
        await branch.ctx(by or branch.neighbour), branch_id=branch.id, statement="2009年入党", key=key()
    )
    return made.id


async def entered(branch: Branch, function: PartyFunction = PartyFunction.MEMBER) -> PartyMemberRow:
    await members.approve(
        await branch.ctx(branch.secretary),
        application_id=await applied(branch),
        version=1,
        function=function,
    )
    return await PartyMemberRow.get(account_id=branch.neighbour.id)


async def everything(branch: Branch) -> tuple[object, ...]:
    """All that an attempt may not change."""
    return (
        await PartyApplicationRow.all().order_by("id").values(),
        await PartyMemberRow.all().order_by("id").values(),
        await MembershipRow.all().order_by("id").values(),
        await NotificationRow.all().count(),
        len(await branch.world.events(community_topic(branch.community.id))),
        len(await branch.world.events(STANDING)),
    )


async def test_the_secretary_takes_a_resident_in(branch: Branch) -> None:
    application_id = await applied(branch)
    kept = await PartyApplicationRow.get(id=application_id)
    assert str(kept.statement_sealed).startswith("v1.")
    assert "2009" not in str(kept.statement_sealed)
    (told,) = await NotificationRow.filter(account_id=branch.secretary.id)
    assert told.subject_id == application_id
    id = global_id("Organisation", branch.id)
    (edge,) = (await branch.run(branch.secretary, LIST, id=id))["node"]["partyApplications"]["edges"]
    assert edge["node"] == {
        "status": "PENDING",
        "statement": "2009年入党",
        "applicant": {"displayName": branch.neighbour.display_name},
    }

    row = await members.approve(
        await branch.ctx(branch.secretary),
        application_id=application_id,
        version=1,
        function=PartyFunction.STUDY_LEADER,
    )
    assert (row.status, row.statement_sealed, row.version) == (PartyApplicationStatus.APPROVED, None, 2)
    ctx = await branch.ctx(branch.neighbour)
    assert members_of(branch.id) in ctx.viewer.scopes
    assert branch.neighbour.id in [e.event.subject for e in await branch.world.events(STANDING)]
    assert await NotificationRow.filter(account_id=branch.neighbour.id, subject_id=application_id).exists()
    found = await branch.run(branch.neighbour, LIST, id=id)
    assert len(found["node"]["partyMembers"]["edges"]) == 3
    assert found["node"]["partyMembers"]["edges"][2]["node"] == {
        "function": "STUDY_LEADER",
        "abilities": ["SEE_LESSON_RECORDS"],
        "neighbour": {"displayName": branch.neighbour.display_name},
        "endReason": None,
    }
    (mine,) = (await branch.run(branch.neighbour, MINE))["viewer"]["partyMemberships"]
    assert mine == {"function": "STUDY_LEADER", "branch": {"name": branch.branch.name}}
    (act,) = await AuditRow.filter(organisation_id=branch.id, action="party.approve")
    assert (act.action, act.subject_id, act.detail) == ("party.approve", application_id, "")


async def test_a_rejected_applicant_is_told_why_and_nothing_is_kept(branch: Branch) -> None:
    application_id = await applied(branch)
    await members.reject(
        await branch.ctx(branch.secretary), application_id=application_id, version=1, reason="组织关系未转入"
    )
    (kept,) = await PartyApplicationRow.filter(id=application_id).values()
    assert kept["statement_sealed"] is None
    assert "组织" not in kept["reason_sealed"]
    found = await branch.run(branch.neighbour, LIST, id=global_id("Organisation", branch.id))
    assert found["node"]["viewerPartyApplication"] == {"status": "REJECTED", "reason": "组织关系未转入"}
    assert not await MembershipRow.filter(account_id=branch.neighbour.id).exists()
    # Another attempt may follow.
    await applied(branch)


async def test_an_application_is_taken_back(branch: Branch) -> None:
    application_id = await applied(branch)
    row = await members.withdraw(await branch.ctx(branch.neighbour), application_id=application_id)
    assert (row.status, row.statement_sealed) == (PartyApplicationStatus.WITHDRAWN, None)
    with pytest.raises(Conflict):
        await members.withdraw(await branch.ctx(branch.neighbour), application_id=application_id)


async def test_who_may_not_apply(branch: Branch) -> None:
    world = branch.world
    elsewhere = await world.neighbour(await world.community())
    tries: list[tuple[AccountRow, UUID, type[DomainError]]] = [
        (branch.manager, branch.id, NotAllowed),
        (branch.member, branch.id, Conflict),
        (elsewhere, branch.id, NotFound),
        (branch.neighbour, branch.committee.id, NotFound),
    ]
    before = await everything(branch)
    for account, branch_id, error in tries:
        with pytest.raises(error):
            await members.apply(await branch.ctx(account), branch_id=branch_id, statement="我", key=key())
    with pytest.raises(InvalidInput):
        await members.apply(await branch.ctx(branch.neighbour), branch_id=branch.id, statement=" ", key=key())
    assert await everything(branch) == before


async def test_one_application_at_a_time_and_not_too_many(branch: Branch) -> None:
    ctx = await branch.ctx(branch.neighbour)
    first = await members.apply(ctx, branch_id=branch.id, statement="我", key="same")
    again = await members.apply(ctx, branch_id=branch.id, statement="我", key="same")
    assert again.id == first.id
    with pytest.raises(Conflict) as caught:
        await members.apply(ctx, branch_id=branch.id, statement="还是我", key=key())
    assert caught.value.current == first.id
    for _ in range(members.APPLICATIONS_A_DAY - 1):
        await members.withdraw(ctx, application_id=(await PartyApplicationRow.get(status="PENDING")).id)
        await members.apply(ctx, branch_id=branch.id, statement="我", key=key())
    await members.withdraw(ctx, application_id=(await PartyApplicationRow.get(status="PENDING")).id)
    with pytest.raises(RateLimited):
        await members.apply(ctx, branch_id=branch.id, statement="我", key=key())


async def test_only_the_secretary_decides(branch: Branch) -> None:
    application_id = await applied(branch)
    before = await everything(branch)
    tries: list[tuple[AccountRow, type[DomainError]]] = [
        (branch.officer, NotAllowed),
        (branch.member, NotFound),
        (branch.manager, NotFound),
        # It is the applicant's own, and not for the applicant to decide.
        (branch.neighbour, NotAllowed),
    ]
    for account, error in tries:
        ctx = await branch.ctx(account)
        with pytest.raises(error):
            await members.approve(
                ctx, application_id=application_id, version=1, function=PartyFunction.MEMBER
            )
        with pytest.raises(error):
            await members.reject(ctx, application_id=application_id, version=1, reason="因为不行")
    assert await everything(branch) == before
    # The attempts of the officer are kept; no entry says of anybody else that there was something.
    kept = await AuditRow.filter(community_id=branch.community.id)
    assert {(entry.account_id, entry.refused) for entry in kept} == {(branch.officer.id, True)}


async def test_it_is_decided_once(branch: Branch) -> None:
    application_id = await applied(branch)
    ctx = await branch.ctx(branch.secretary)
    with pytest.raises(Conflict):
        await members.reject(ctx, application_id=application_id, version=7, reason="因为不行")
    await members.reject(ctx, application_id=application_id, version=1, reason="因为不行")
    with pytest.raises(Conflict):
        await members.approve(ctx, application_id=application_id, version=2, function=PartyFunction.MEMBER)
    assert not await PartyMemberRow.filter(account_id=branch.neighbour.id).exists()


async def test_who_moved_out_meanwhile_does_not_enter(branch: Branch) -> None:
    application_id = await applied(branch)
    await ResidencyRow.filter(account_id=branch.neighbour.id).update(until=now())
    with pytest.raises(InvalidInput):
        await members.approve(
            await branch.ctx(branch.secretary),
            application_id=application_id,
            version=1,
            function=PartyFunction.MEMBER,
        )
    assert not await PartyMemberRow.filter(account_id=branch.neighbour.id).exists()


async def test_a_membership_ends_and_may_begin_again(branch: Branch) -> None:
    member = await entered(branch)
    ctx = await branch.ctx(branch.secretary)
    await members.set_function(ctx, member_id=member.id, version=1, function=PartyFunction.GROUP_LEADER)
    with pytest.raises(Conflict):
        await members.end(ctx, member_id=member.id, version=1, reason="组织关系转出")
    row = await members.end(ctx, member_id=member.id, version=2, reason="组织关系转出")
    assert row.ended_at
    gone = await branch.ctx(branch.neighbour)
    assert members_of(branch.id) not in gone.viewer.scopes
    assert [e.event.subject for e in await branch.world.events(STANDING)] == [branch.neighbour.id] * 2
    assert await NotificationRow.filter(account_id=branch.neighbour.id, subject_id=member.id).exists()
    # The former member and the secretary read why; a member finds nothing there any more.
    id = global_id("PartyMember", member.id)
    for account, seen in ((branch.neighbour, True), (branch.secretary, True), (branch.member, False)):
        assert ((await branch.run(account, NODE, id=id))["node"] is not None) == seen
    with pytest.raises(Conflict):
        await members.end(ctx, member_id=member.id, version=3, reason="组织关系转出")
    await members.approve(ctx, application_id=await applied(branch), version=1, function=PartyFunction.MEMBER)
    assert await PartyMemberRow.filter(account_id=branch.neighbour.id, ended_at=None).count() == 1


async def test_a_member_leaves(branch: Branch) -> None:
    member = await PartyMemberRow.get(account_id=branch.member.id)
    row = await members.end(
        await branch.ctx(branch.member), member_id=member.id, version=1, reason="组织关系转出"
    )
    assert row.ended_at
    assert not await AuditRow.filter(community_id=branch.community.id).exists()
    assert not await NotificationRow.filter(account_id=branch.member.id).exists()


async def test_others_change_no_membership(branch: Branch) -> None:
    member = await PartyMemberRow.get(account_id=branch.member.id)
    before = await everything(branch)
    tries: list[tuple[AccountRow, type[DomainError]]] = [
        (branch.comrade, NotAllowed),
        (branch.officer, NotAllowed),
        (branch.neighbour, NotFound),
        (branch.manager, NotFound),
    ]
    for account, error in tries:
        ctx = await branch.ctx(account)
        with pytest.raises(error):
            await members.end(ctx, member_id=member.id, version=1, reason="组织关系转出")
        with pytest.raises(error):
            await members.set_function(ctx, member_id=member.id, version=1, function=PartyFunction.MEMBER)
    assert await everything(branch) == before
    kept = await AuditRow.filter(community_id=branch.community.id)
    assert {(entry.account_id, entry.refused) for entry in kept} == {(branch.officer.id, True)}


async def test_nobody_else_learns_who_is_a_member(branch: Branch) -> None:
    """Not the neighbours, not the residents' committee, not another branch."""
    world = branch.world
    elsewhere = await enrolled(world, branch.other_branch, await world.resident(branch.home))
    application = global_id("PartyApplication", await applied(branch))
    member = global_id("PartyMember", (await PartyMemberRow.get(account_id=branch.member.id)).id)
    id = global_id("Organisation", branch.id)
    for account in (branch.manager, elsewhere, await world.neighbour(branch.community)):
        found = (await branch.run(account, LIST, id=id))["node"]
        assert found["partyMembers"]["edges"] == found["partyApplications"]["edges"] == []
        for node in (member, application):
            assert (await branch.run(account, NODE, id=node))["node"] is None
    # A member sees the members, not the applicants; who prepares entries sees these.
    found = (await branch.run(branch.member, LIST, id=id))["node"]
    assert len(found["partyMembers"]["edges"]) == 2
    assert found["partyApplications"]["edges"] == []
    await PartyMemberRow.filter(account_id=branch.member.id).update(
        function=PartyFunction.ORGANISATION_LEADER
    )
    found = (await branch.run(branch.member, LIST, id=id))["node"]
    assert len(found["partyApplications"]["edges"]) == 1


async def test_events_go_to_those_concerned(branch: Branch) -> None:
    member = await entered(branch)
    await members.end(
        await branch.ctx(branch.secretary), member_id=member.id, version=1, reason="组织关系转出"
    )
    events = await branch.world.events(community_topic(branch.community.id))
    ours = [e.event for e in events if e.event.kind.value.startswith("PARTY")]
    assert {event.kind for event in ours} == {Kind.PARTY_APPLICATION_CHANGED, Kind.PARTY_MEMBER_CHANGED}
    for event in ours:
        assert event.audience <= {branch.neighbour.id, branch.secretary.id}
        assert event.facts == {}
    assert not await JobRow.exists()


def test_the_page_shows_the_table_of_functions() -> None:
    page = (Path(__file__).parent.parent / "docs" / "party.md").read_text()
    for function in PartyFunction:
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{function}` |")]
        for ability in ABILITIES[function]:
            assert f"`{ability}`" in line
        assert line.count("`") == 2 + 2 * len(ABILITIES[function])


def test_only_the_branch_has_powers_over_its_members() -> None:
    from models.powers import POWERS

    holding = {
        kind for kind in POWERS for role in POWERS[kind].values() if Power.MANAGE_PARTY_MEMBERS in role
    }
    assert holding == {OrganisationKind.PARTY_BRANCH}
