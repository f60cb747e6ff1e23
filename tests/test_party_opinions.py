"""Opinions of a branch's members: numbered, assigned, answered; and whose they are is nobody's business."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import now
from models.identity import AccountRow
from models.jobs import JobRow
from models.notifications import NotificationRow
from models.party import opinions as rules
from models.party.opinions import (
    PartyOpinionAction,
    PartyOpinionNumberRow,
    PartyOpinionReach,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionStepRow,
    PartyOpinionTopic,
)
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound, RateLimited
from resolvers.jobs import Worker
from resolvers.party.opinions import answering, reading, submitting
from resolvers.party.opinions.submitting import CHINA, OPINIONS_A_DAY, OpinionDraft
from schema.node import global_id
from subscriptions.events import Kind, community_topic
from tests.asking import answered, sent
from tests.party_scene import Branch, key
from tests.party_scene import branch as branch

A, R, S = PartyOpinionAction, PartyOpinionReach, PartyOpinionState
SEE = """query See($id: ID!) { node(id: $id) { ... on PartyOpinion { number title body state answer published
  author { displayName } owner { displayName } escalatedAt viewerCanAssign viewerCanAnswer
  steps { ordinal action officer { displayName } owner { displayName } } } } }"""
LIST = """query List($id: ID!, $filter: PartyOpinionFilter) { node(id: $id) { ... on Organisation {
  partyOpinions(first: 10, filter: $filter) { edges { node { number } } } } } }"""
FIGURES = """query Figures($id: ID!, $since: DateTime!, $until: DateTime!) {
  node(id: $id) { ... on Organisation {
  partyOpinionFigures(since: $since, until: $until) { topic month received answered answeredInTime escalated
    withdrawn } } } }"""
FOLLOW = """subscription Follow($id: ID!) { partyMemberEvents(branchId: $id) { cursor event { __typename
  ... on PartyOpinionStepped { step { action } opinion { state } }
  ... on PartyOpinionAnswered { step { action } opinion { number answer } } } } }"""


def draft(reach: PartyOpinionReach = R.MEMBERS, **more: Any) -> OpinionDraft:
    return OpinionDraft(PartyOpinionTopic.ENVIRONMENT, "垃圾分类点太远", "请在3号楼增设一处", reach, **more)


async def submitted(
    branch: Branch, reach: PartyOpinionReach = R.MEMBERS, by: AccountRow | None = None, **more: Any
) -> PartyOpinionRow:
    ctx = await branch.ctx(by or branch.member)
    return await submitting.submit(ctx, branch_id=branch.id, draft=draft(reach, **more), key=key())


async def assigned(branch: Branch, reach: PartyOpinionReach = R.MEMBERS, **more: Any) -> PartyOpinionRow:
    row = await submitted(branch, reach, **more)
    return await assign(branch, row)


async def assign(
    branch: Branch, row: PartyOpinionRow, to: AccountRow | None = None, due_at: datetime | None = None
) -> PartyOpinionRow:
    return await answering.assign(
        await branch.ctx(branch.secretary),
        opinion_id=row.id,
        version=row.version,
        assignee_id=branch.face(to or branch.officer),
        due_at=due_at or now() + timedelta(days=5),
    )


async def answer(
    branch: Branch,
    row: PartyOpinionRow,
    published: PartyOpinionReach = R.MEMBERS,
    by: AccountRow | None = None,
) -> PartyOpinionRow:
    return await answering.answer(
        await branch.ctx(by or branch.officer),
        opinion_id=row.id,
        version=row.version,
        text="下月增设",
        published=published,
    )


async def see(branch: Branch, by: AccountRow, row: PartyOpinionRow) -> Any:
    return (await branch.run(by, SEE, id=global_id("PartyOpinion", row.id)))["node"]


async def everything(branch: Branch) -> tuple[object, ...]:
    """All that an attempt may not change."""
    return (
        await PartyOpinionRow.all().order_by("id").values(),
        await PartyOpinionStepRow.all().count(),
        await NotificationRow.all().count(),
        await JobRow.all().order_by("id").values(),
        len(await branch.world.events(community_topic(branch.community.id))),
    )


async def inbox(account: AccountRow) -> list[str]:
    """Of what the account was told, in order."""
    told = await NotificationRow.filter(account_id=account.id).order_by("id")
    steps = {step.id: step.action.value for step in await PartyOpinionStepRow.all()}
    return [steps[each.subject_id] for each in told]


async def pass_time(row: PartyOpinionRow, **time: int) -> None:
    """Let time pass for an opinion, and do what is due."""
    by = timedelta(**time)
    kept = await PartyOpinionRow.get(id=row.id)
    due_at = kept.due_at - by if kept.due_at else None
    await PartyOpinionRow.filter(id=row.id).update(created_at=kept.created_at - by, due_at=due_at)
    for job in await JobRow.filter(subject_id=row.id, done_at=None):
        await JobRow.filter(id=job.id).update(due_at=job.due_at - by)


async def test_an_opinion_goes_from_the_member_to_a_published_answer(branch: Branch) -> None:
    row = await submitted(branch)
    year = now().astimezone(CHINA).year
    assert (await see(branch, branch.member, row))["number"] == f"{year}-0001"
    assert await see(branch, branch.comrade, row) is None
    row = await assign(branch, row)
    row = await answer(branch, row)
    assert row.answered_at is not None
    assert row.state is S.ANSWERED
    found = await see(branch, branch.comrade, row)
    assert (found["answer"], found["published"], found["author"]) == ("下月增设", "MEMBERS", None)
    names = [branch.secretary.display_name, branch.officer.display_name]
    assert [
        (step["action"], step["officer"] and step["officer"]["displayName"]) for step in found["steps"]
    ] == [
        ("SUBMIT", None),
        ("ASSIGN", names[0]),
        ("ANSWER", names[1]),
    ]
    assert await see(branch, branch.neighbour, row) is None
    assert await inbox(branch.member) == ["ASSIGN", "ANSWER"]
    assert await inbox(branch.secretary) == ["SUBMIT"]
    assert await inbox(branch.officer) == ["ASSIGN"]
    acts = await AuditRow.filter(organisation_id=branch.id).order_by("number")
    assert [act.action for act in acts] == ["party.assignOpinion", "party.answerOpinion"]
    # Nothing is left for the clock.
    assert not await JobRow.filter(subject_id=row.id, done_at=None).exists()


async def test_numbers_are_dense_however_many_come_at_once(branch: Branch) -> None:
    rows = await asyncio.gather(
        *(submitted(branch, by=account) for account in (branch.member, branch.comrade) for _ in range(4))
    )
    assert sorted(row.number for row in rows) == list(range(1, 9))
    with pytest.raises(InvalidInput):
        await submitted(branch, R.PUBLIC, named=True)
    assert (await submitted(branch, by=branch.officer)).number == 9
    same = await branch.ctx(branch.member)
    one = await submitting.submit(same, branch_id=branch.id, draft=draft(), key="same")
    two = await submitting.submit(same, branch_id=branch.id, draft=draft(), key="same")
    assert (one.id, one.number) == (two.id, 10)
    # Each year begins anew.
    await PartyOpinionRow.all().update(year=2001)
    await PartyOpinionNumberRow.all().update(year=2001)
    assert (await submitted(branch)).number == 1


async def test_not_too_many_a_day(branch: Branch) -> None:
    for _ in range(OPINIONS_A_DAY):
        await submitted(branch)
    before = await everything(branch)
    with pytest.raises(RateLimited):
        await submitted(branch)
    assert await everything(branch) == before


@pytest.mark.parametrize("reach", R)
async def test_an_answer_goes_as_far_as_the_member_wants(branch: Branch, reach: PartyOpinionReach) -> None:
    world = branch.world
    row = await assigned(branch, reach)
    before = await everything(branch)
    for further in list(R)[list(R).index(reach) + 1 :]:
        with pytest.raises(InvalidInput):
            await answer(branch, row, further)
    assert await everything(branch) == before
    row = await answer(branch, row, reach)
    elsewhere = await world.neighbour(await world.community())
    readers = (branch.member, branch.officer, branch.comrade, branch.neighbour, branch.manager, elsewhere)
    seen = [await see(branch, account, row) is not None for account in readers]
    assert (
        seen
        == {
            R.PRIVATE: [True, True, False, False, False, False],
            R.MEMBERS: [True, True, True, False, False, False],
            R.PUBLIC: [True, True, True, True, True, False],
        }[reach]
    )
    # Whose it is the office knows, and the author.
    for account, knows in zip(readers, (True, True, False, False, False), strict=False):
        found = await see(branch, account, row)
        assert found is None or (found["author"] is not None) == knows
    lists = [
        len(
            (await branch.run(account, LIST, id=global_id("Organisation", branch.id)))["node"][
                "partyOpinions"
            ]["edges"]
        )
        for account in readers[:5]
    ]
    assert lists == [int(it) for it in seen[:5]]


async def test_members_learn_whose_it_is_where_the_author_wants_it(branch: Branch) -> None:
    row = await answer(branch, await assigned(branch, named=True))
    assert (await see(branch, branch.comrade, row))["author"] == {"displayName": branch.member.display_name}


async def test_an_answer_is_corrected_visibly(branch: Branch) -> None:
    row = await answer(branch, await assigned(branch))
    with pytest.raises(Conflict):
        await answering.answer(
            await branch.ctx(branch.officer), opinion_id=row.id, version=1, text="改", published=R.MEMBERS
        )
    after = await answer(branch, row, R.PRIVATE, branch.secretary)
    assert (after.answered_at, after.published) == (row.answered_at, R.PRIVATE)
    assert after.corrected_at is not None
    assert await see(branch, branch.comrade, row) is None
    assert [step["action"] for step in (await see(branch, branch.member, row))["steps"]][-1] == "CORRECT"


async def test_an_opinion_is_taken_back_and_its_number_stays_taken(branch: Branch) -> None:
    row = await assigned(branch)
    with pytest.raises(NotFound):
        await submitting.withdraw(await branch.ctx(branch.officer), opinion_id=row.id, version=row.version)
    member = await branch.ctx(branch.member)
    with pytest.raises(Conflict):
        await submitting.withdraw(member, opinion_id=row.id, version=1)
    after = await submitting.withdraw(member, opinion_id=row.id, version=row.version)
    assert after.state is S.WITHDRAWN
    assert not await JobRow.filter(subject_id=row.id, done_at=None).exists()
    with pytest.raises(Conflict):
        await answer(branch, after)
    assert (await submitted(branch)).number == 2


async def test_who_is_no_member_does_nothing(branch: Branch) -> None:
    row = await assigned(branch)
    before = await everything(branch)
    acts = await AuditRow.filter(community_id=branch.community.id).count()
    for account in (branch.neighbour, branch.manager):
        ctx = await branch.ctx(account)
        with pytest.raises(NotAllowed):
            await submitting.submit(ctx, branch_id=branch.id, draft=draft(), key=key())
        with pytest.raises(NotFound):
            await answer(branch, row, by=account)
        with pytest.raises(NotFound):
            await submitting.withdraw(ctx, opinion_id=row.id, version=row.version)
        with pytest.raises(NotFound):
            await answering.assign(
                ctx,
                opinion_id=row.id,
                version=row.version,
                assignee_id=branch.face(branch.officer),
                due_at=now(),
            )
    elsewhere = await branch.world.neighbour(await branch.world.community())
    with pytest.raises(NotFound):
        await submitted(branch, by=elsewhere)
    assert await everything(branch) == before
    assert await AuditRow.filter(community_id=branch.community.id).count() == acts


async def test_only_the_secretary_assigns_and_only_the_owner_answers(branch: Branch) -> None:
    world = branch.world
    row = await assigned(branch)
    other = await world.officer(branch.branch)
    before = await everything(branch)
    tries: list[tuple[AccountRow, type[DomainError]]] = [
        (branch.member, NotAllowed),
        (branch.officer, NotAllowed),
        (branch.comrade, NotFound),
    ]
    for account, error in tries:
        with pytest.raises(error):
            await answering.assign(
                await branch.ctx(account),
                opinion_id=row.id,
                version=row.version,
                assignee_id=branch.face(branch.officer),
                due_at=now() + timedelta(days=1),
            )
    for account in (branch.member, other):
        with pytest.raises(NotAllowed):
            await answer(branch, row, by=account)
    tried: list[tuple[AccountRow, datetime | None]] = [
        (branch.member, None),
        (branch.manager, None),
        (branch.officer, now() - timedelta(minutes=1)),
        (branch.officer, now() + timedelta(days=400)),
        (branch.officer, datetime(2099, 1, 1)),  # noqa: DTZ001 - without a zone
    ]
    for account, due_at in tried:
        with pytest.raises(InvalidInput):
            await assign(branch, row, account, due_at)
    assert await everything(branch) == before
    refused = await AuditRow.filter(community_id=branch.community.id, refused=True)
    assert [(entry.account_id, entry.action) for entry in refused] == [
        (branch.officer.id, "party.assignOpinion")
    ]


async def test_two_secretaries_do_not_overwrite_each_other(branch: Branch) -> None:
    row = await submitted(branch)
    await assign(branch, row)
    before = await everything(branch)
    with pytest.raises(Conflict):
        await assign(branch, row, branch.secretary)
    assert await everything(branch) == before


async def test_the_clock_reminds_and_escalates_once(branch: Branch) -> None:
    worker = Worker(branch.world.services)
    row = await submitted(branch)
    await pass_time(row, days=3)
    assert await worker.work()
    assert await inbox(branch.secretary) == ["SUBMIT", "REMIND"]
    row = await assign(branch, row)
    assert not await worker.work()
    await pass_time(row, days=4, hours=1)
    assert await worker.work()
    assert await inbox(branch.officer) == ["ASSIGN", "REMIND"]
    await pass_time(row, days=1)
    assert await worker.work()
    assert not await worker.work()
    assert await inbox(branch.officer) == ["ASSIGN", "REMIND", "ESCALATE"]
    assert await inbox(branch.secretary) == ["SUBMIT", "REMIND", "ESCALATE"]
    assert await inbox(branch.member) == ["ASSIGN"]
    # That is the office's; the member reads the rest.
    assert [step["action"] for step in (await see(branch, branch.member, row))["steps"]] == [
        "SUBMIT",
        "ASSIGN",
    ]
    found = await see(branch, branch.secretary, row)
    assert [step["action"] for step in found["steps"]] == ["SUBMIT", "REMIND", "ASSIGN", "REMIND", "ESCALATE"]
    assert found["escalatedAt"]
    # What the clock does is no change that somebody might overwrite.
    await answer(branch, row)


async def test_figures_are_the_secretarys(branch: Branch) -> None:
    late = await answer(branch, await assigned(branch))
    await PartyOpinionRow.filter(id=late.id).update(due_at=now() - timedelta(days=1), escalated_at=now())
    await answer(branch, await assigned(branch))
    taken = await submitted(branch)
    await submitting.withdraw(await branch.ctx(branch.member), opinion_id=taken.id, version=1)
    given = {
        "id": global_id("Organisation", branch.id),
        "since": (now() - timedelta(days=1)).isoformat(),
        "until": (now() + timedelta(days=1)).isoformat(),
    }
    found = (await branch.run(branch.secretary, FIGURES, **given))["node"]["partyOpinionFigures"]
    assert found == [
        {
            "topic": "ENVIRONMENT",
            "month": f"{now().astimezone(CHINA):%Y-%m}",
            "received": 3,
            "answered": 2,
            "answeredInTime": 1,
            "escalated": 1,
            "withdrawn": 1,
        }
    ]
    for account in (branch.officer, branch.member, branch.manager):
        assert (await branch.run(account, FIGURES, **given))["node"]["partyOpinionFigures"] is None
    wrong = {**given, "until": given["since"]}
    assert (await answered(await branch.ctx(branch.secretary), FIGURES, **wrong)).errors


async def test_members_hear_of_answers_and_others_of_nothing(branch: Branch) -> None:
    id = global_id("Organisation", branch.id)
    request = await branch.subscribe(branch.comrade, FOLLOW, id=id)
    private = await answer(branch, await assigned(branch, R.PRIVATE), R.PRIVATE)
    row = await answer(branch, await assigned(branch))
    events = [
        logged
        for logged in await branch.world.events(community_topic(branch.community.id))
        if request.stream.wants(logged.event)
    ]
    heard = {}
    for name in ("member", "officer", "comrade", "neighbour", "manager"):
        viewer = (await branch.ctx(getattr(branch, name))).viewer
        heard[name] = [
            (logged.event.kind, logged.event.thread)
            for logged in events
            if viewer.may_see(logged.event.audience)
        ]
    steps = [Kind.PARTY_OPINION_STEP, Kind.PARTY_OPINION_STEP, Kind.PARTY_OPINION_ANSWERED]
    assert heard["member"] == heard["officer"]
    assert heard["member"] == [(kind, it.id) for it in (private, row) for kind in steps]
    assert heard["comrade"] == [(Kind.PARTY_OPINION_ANSWERED, row.id)]
    assert heard["neighbour"] == heard["manager"] == []
    # Once for all who hear it: nothing in it depends on who asks.
    assert await sent(branch.world, FOLLOW, events[-1], id=id) == {
        "__typename": "PartyOpinionAnswered",
        "step": {"action": "ANSWER"},
        "opinion": {"number": f"{row.year}-0002", "answer": "下月增设"},
    }


async def test_what_may_be_seen_is_the_same_in_lists_and_streams(branch: Branch) -> None:
    rows = [
        await submitted(branch),
        await assigned(branch, R.PRIVATE),
        await answer(branch, await assigned(branch, R.PRIVATE), R.PRIVATE),
        await answer(branch, await assigned(branch)),
        await answer(branch, await assigned(branch, R.PUBLIC), R.PUBLIC),
    ]
    for account in (branch.member, branch.comrade, branch.officer, branch.neighbour, branch.manager):
        ctx = await branch.ctx(account)
        seen = await reading.visible_by_ids(ctx, [row.id for row in rows])
        assert [row is not None for row in seen] == [ctx.viewer.may_see(rules.audience(row)) for row in rows]
