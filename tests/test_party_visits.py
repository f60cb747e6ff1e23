"""The log of visits to homes: for the branch's officers, with consent, and what follows from a visit."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import now
from models.identity import AccountRow, ResidencyRow
from models.party.visits import HomeVisitorRow, HomeVisitRow
from models.requests import RequestAction, RequestRow, RequestState
from models.roles import OrganisationKind
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.party import visits
from resolvers.party.visits import Visit
from resolvers.requests import board, handling
from schema.node import global_id
from subscriptions.events import community_topic
from tests.party_scene import Branch, key
from tests.party_scene import branch as branch

LIST = """query List($id: ID!, $home: ID) { node(id: $id) { ... on Organisation {
  homeVisits(first: 10, homeId: $home) { edges { node { consented hasNotes home { label }
  visitors { displayName } recordedBy { displayName } followUp { number title state }
  request { state } } } } } } }"""
NODE = "query Any($id: ID!) { node(id: $id) { __typename } }"


def visit(branch: Branch, **more: Any) -> Visit:
    given = {
        "home_id": branch.home.id,
        "visited_at": now() - timedelta(hours=2),
        "visitor_ids": (branch.face(branch.officer), branch.face(branch.comrade)),
        "consented": True,
        "notes": "老人独居,希望有人陪同就医",
    }
    return Visit(**{**given, **more})


async def recorded(branch: Branch, by: AccountRow | None = None, **more: Any) -> HomeVisitRow:
    ctx = await branch.ctx(by or branch.officer)
    return await visits.record(ctx, branch_id=branch.id, visit=visit(branch, **more), key=key())


async def everything(branch: Branch) -> tuple[object, ...]:
    """All that an attempt may not change."""
    return (
        await HomeVisitRow.all().order_by("id").values(),
        await HomeVisitorRow.all().count(),
        await RequestRow.all().count(),
        len(await branch.world.events(community_topic(branch.community.id))),
    )


async def listed(branch: Branch, by: AccountRow, home: Any = None) -> list[Any]:
    found = await branch.run(by, LIST, id=global_id("Organisation", branch.id), home=home)
    return [edge["node"] for edge in found["node"]["homeVisits"]["edges"]]


async def test_a_visit_is_kept_sealed_and_read_with_a_reason(branch: Branch) -> None:
    row = await recorded(branch)
    kept = await HomeVisitRow.get(id=row.id)
    assert str(kept.notes_sealed).startswith("v1.")
    assert "老人" not in str(kept.notes_sealed)
    (shown,) = await listed(branch, branch.secretary)
    assert (shown["consented"], shown["hasNotes"], shown["followUp"]) == (True, True, None)
    assert [it["displayName"] for it in shown["visitors"]] == [
        branch.officer.display_name,
        branch.comrade.display_name,
    ]
    ctx = await branch.ctx(branch.secretary)
    with pytest.raises(InvalidInput):
        await visits.read_notes(ctx, visit_id=row.id, reason=" ")
    _, notes = await visits.read_notes(ctx, visit_id=row.id, reason="安排陪同就医")
    assert notes == "老人独居,希望有人陪同就医"
    acts = await AuditRow.filter(organisation_id=branch.id).order_by("number")
    assert [(act.action, act.detail) for act in acts] == [
        ("party.recordVisit", ""),
        ("party.visits", ""),
        ("party.readVisitNotes", "安排陪同就医"),
    ]
    # No stream tells of it.
    assert await branch.world.events(community_topic(branch.community.id)) == []


async def test_without_consent_only_the_fact_is_kept(branch: Branch) -> None:
    before = await everything(branch)
    with pytest.raises(InvalidInput):
        await recorded(branch, consented=False)
    assert await everything(branch) == before
    row = await recorded(branch, consented=False, notes="")
    ctx = await branch.ctx(branch.officer)
    assert (await visits.read_notes(ctx, visit_id=row.id, reason="看看记录"))[1] is None


async def test_consent_is_withdrawn_and_the_notes_are_gone(branch: Branch) -> None:
    row = await recorded(branch)
    ctx = await branch.ctx(branch.officer)
    with pytest.raises(Conflict):
        await visits.withdraw_consent(ctx, visit_id=row.id, version=7)
    after = await visits.withdraw_consent(ctx, visit_id=row.id, version=1)
    assert (after.consented, after.notes_sealed, after.version) == (False, None, 2)


async def test_the_log_is_the_officers(branch: Branch) -> None:
    row = await recorded(branch)
    other = await branch.world.officer(branch.other_branch)
    before = await everything(branch)
    acts = await AuditRow.filter(community_id=branch.community.id).count()
    for account in (branch.member, branch.neighbour, branch.manager, other):
        ctx = await branch.ctx(account)
        assert await listed(branch, account) == []
        assert (await branch.run(account, NODE, id=global_id("HomeVisit", row.id)))["node"] is None
        with pytest.raises(NotFound):
            await visits.read_notes(ctx, visit_id=row.id, reason="看看记录")
        with pytest.raises(NotFound):
            await visits.withdraw_consent(ctx, visit_id=row.id, version=1)
        with pytest.raises(NotFound):
            await visits.open_request(
                ctx, visit_id=row.id, category="REPAIR", title="修灯", body="灯坏了", key=key()
            )
        with pytest.raises(NotAllowed):
            await recorded(branch, account)
    elsewhere = await branch.world.neighbour(await branch.world.community())
    with pytest.raises(NotFound):
        await recorded(branch, elsewhere)
    assert await everything(branch) == before
    assert await AuditRow.filter(community_id=branch.community.id).count() == acts + 4
    assert await AuditRow.filter(action="party.recordVisit", refused=True).count() == 4


async def test_what_is_no_visit_is_refused(branch: Branch) -> None:
    elsewhere = await branch.world.neighbour(await branch.world.community())
    theirs = await ResidencyRow.get(account_id=elsewhere.id)
    before = await everything(branch)
    for wrong in (
        {"visited_at": now() + timedelta(hours=1)},
        {"visited_at": now() - timedelta(days=400)},
        {"visited_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - without a zone
        {"visitor_ids": ()},
        {"visitor_ids": (branch.face(branch.neighbour),)},
        {"home_id": theirs.home_id},
        {"notes": "长" * 2001},
    ):
        with pytest.raises(InvalidInput):
            await recorded(branch, **wrong)
    assert await everything(branch) == before
    ctx = await branch.ctx(branch.officer)
    given = visit(branch)
    one = await visits.record(ctx, branch_id=branch.id, visit=given, key="same")
    two = await visits.record(ctx, branch_id=branch.id, visit=given, key="same")
    assert one.id == two.id
    with pytest.raises(Conflict):
        await visits.record(ctx, branch_id=branch.id, visit=visit(branch, notes="别的"), key="same")


async def test_a_visit_becomes_a_case_whose_progress_shows(branch: Branch) -> None:
    company = await branch.world.organisation(branch.community, OrganisationKind.PROPERTY_COMPANY)
    clerk = await branch.world.officer(company)
    row = await recorded(branch)
    ctx = await branch.ctx(branch.officer)
    case = {"category": "REPAIR", "title": "3单元楼道灯不亮", "body": "老人夜里看不清", "key": "case"}
    after = await visits.open_request(ctx, visit_id=row.id, **case)
    again = await visits.open_request(ctx, visit_id=row.id, **case)
    assert after.request_id is not None
    assert again.request_id == after.request_id
    with pytest.raises(Conflict):
        await visits.open_request(ctx, visit_id=row.id, **{**case, "key": "another"})
    assert await RequestRow.all().count() == 1
    made = await RequestRow.get(id=after.request_id)
    assert (made.home_id, made.reporter_id) == (branch.home.id, branch.officer.id)
    await handling.act(
        await branch.ctx(clerk),
        request_id=made.id,
        act=handling.Act(action=RequestAction.ACCEPT, note="马上来"),
        key=key(),
        version=1,
    )
    (shown,) = await listed(branch, branch.secretary, global_id("Home", branch.home.id))
    assert shown["followUp"] == {"number": 1, "title": "3单元楼道灯不亮", "state": "ACCEPTED"}
    # Neighbours see the case on the board, and not what home it is about.
    (seen,) = await board.visible_by_ids(await branch.ctx(branch.neighbour), [made.id])
    assert seen is not None
    assert seen.state is RequestState.ACCEPTED
    assert await board.homes_of(await branch.ctx(branch.neighbour), [seen]) == [None]


async def test_one_case_of_two_officers_at_once(branch: Branch) -> None:
    await branch.world.organisation(branch.community, OrganisationKind.PROPERTY_COMPANY)
    row = await recorded(branch)
    case = {"category": "REPAIR", "title": "修灯", "body": "灯坏了"}
    results: list[DomainError | None] = []
    for account in (branch.officer, branch.secretary):
        try:
            await visits.open_request(await branch.ctx(account), visit_id=row.id, key=key(), **case)
            results.append(None)
        except Conflict as error:
            results.append(error)
    assert [isinstance(result, Conflict) for result in results] == [False, True]
    assert await RequestRow.all().count() == 1
