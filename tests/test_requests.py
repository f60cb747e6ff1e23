"""Service requests: reporting, handling, following, merging; who may, who sees, and who is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models import requests
from models.audit import AuditRow
from models.base import now
from models.notifications import NotificationRow
from models.posts import PostKind, PostRow, PostState
from models.requests import (
    ConfirmedBy,
    NoteVisibility,
    RequestAction,
    RequestBucket,
    RequestFollowerRow,
    RequestParty,
    RequestRow,
    RequestState,
    StepRow,
    TenureRow,
    WaitingFor,
)
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers import posts as feed
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.requests import board, following, opening, policies, queues, statistics
from resolvers.requests.board import RequestCriteria
from resolvers.requests.opening import Place, RequestDraft
from resolvers.requests.policies import Setting
from resolvers.requests.statistics import Period
from subscriptions.events import Kind, Logged, community_topic
from tests.requests_scene import Scene, scene_in, seconds_from_now
from tests.requests_scene import scene as scene
from tests.world import World, ids

pytestmark = pytest.mark.anyio

A, S = RequestAction, RequestState
PAGE = PageArgs(first=100)


async def happened(scene: Scene, kind: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind is kind
    ]


async def told(scene: Scene, account: Any) -> list[str]:
    """The actions that are in an account's inbox."""
    found = await NotificationRow.filter(account_id=account.id).order_by("id")
    steps = {step.id: step.action.value for step in await StepRow.all()}
    return [steps[entry.subject_id] for entry in found]


# Reporting


async def test_a_report_goes_to_the_office_of_its_category(scene: Scene) -> None:
    repair = await scene.submit("REPAIR", home_id=scene.home.id)
    complaint = await scene.submit("COMPLAINT")
    common = await scene.submit("COMMON_PARTS", area="东门岗亭")
    assert [row.office_id for row in (repair, complaint, common)] == [
        scene.property.id,
        scene.committee.id,
        scene.owners.id,
    ]
    assert [row.number for row in (repair, complaint, common)] == [1, 2, 3]
    assert (repair.home_id, repair.building_id, repair.estate_id) == (
        scene.home.id,
        scene.building.id,
        scene.estate.id,
    )
    assert repair.state is S.SUBMITTED
    assert repair.due_at == repair.accept_by
    assert 86_000 < seconds_from_now(repair.accept_by) <= 86_400
    assert await scene.jobs(repair) == ["REQUEST_ESCALATE", "REQUEST_REMIND"]
    assert await told(scene, scene.clerk) == ["SUBMIT"]
    assert await told(scene, scene.reporter) == []
    (step,) = await scene.steps(repair)
    assert (step.party, step.from_state, step.to_state, step.ordinal) == (
        RequestParty.REPORTER,
        None,
        S.SUBMITTED,
        1,
    )


async def test_a_report_sent_again_is_one_report(scene: Scene) -> None:
    ctx = await scene.world.context(scene.reporter)
    draft = RequestDraft("REPAIR", "灯坏了", "楼道灯坏了", Place())

    async def send() -> Any:
        return (await opening.submit(ctx, community_id=scene.community.id, draft=draft, key="k")).id

    assert await send() == await send()
    assert await RequestRow.all().count() == 1
    with pytest.raises(Conflict):
        await opening.submit(
            ctx, community_id=scene.community.id, draft=replace(draft, title="门坏了"), key="k"
        )


async def test_reports_at_once_are_numbered_without_gaps(scene: Scene) -> None:
    rows = await asyncio.gather(*(scene.submit() for _ in range(8)))
    assert sorted(row.number for row in rows) == list(range(1, 9))


async def test_who_may_not_report(scene: Scene, world: World) -> None:
    stranger = await world.account()
    with pytest.raises(NotFound):
        await scene.submit(by=stranger)
    with pytest.raises(NotFound):
        await scene.submit(by=await world.neighbour(await world.community()))
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("NOTHING", {}),
        ("REPAIR", {"home_id": (await world.home(scene.building)).id}),
        ("REPAIR", {"home_id": scene.home.id, "building_id": scene.building.id}),
        ("REPAIR", {"building_id": scene.home.id}),
    ]
    for category, place in wrong:
        with pytest.raises(InvalidInput):
            await scene.submit(category, **place)
    assert await RequestRow.all().count() == 0


async def test_a_community_without_the_office_has_the_committee(world: World) -> None:
    community = await world.community()
    reporter = await world.neighbour(community)
    ctx = await world.context(reporter)
    draft = RequestDraft("REPAIR", "灯坏了", "楼道灯坏了", Place())
    with pytest.raises(InvalidInput):
        await opening.submit(ctx, community_id=community.id, draft=draft, key="a")
    committee = await world.organisation(community)
    row = await opening.submit(ctx, community_id=community.id, draft=draft, key="b")
    assert row.office_id == committee.id


# Handling


async def test_a_case_from_report_to_rating(scene: Scene) -> None:
    row = await scene.submit(home_id=scene.home.id)
    await following.set_following(await scene.world.context(scene.neighbour), request_id=row.id, on=True)
    row = await scene.row(row.id)
    row = await scene.act(scene.clerk, row, A.ACCEPT)
    row = await scene.act(scene.clerk, row, A.ASSIGN, assignee=scene.face(scene.colleague))
    assert row.assignee_id == scene.colleague.id
    row = await scene.act(scene.colleague, row, A.VISIT)
    row = await scene.act(scene.colleague, row, A.FINISH)
    assert row.due_at is None
    assert await scene.jobs(row) == ["REQUEST_CONFIRM", "REQUEST_REMIND_TO_CONFIRM"]
    row = await scene.act(scene.reporter, row, A.RETURN, "还是响")
    assert (row.state, row.done_at, row.confirm_by) == (S.RETURNED, None, None)
    row = await scene.act(scene.colleague, row, A.FINISH)
    row = await scene.act(scene.reporter, row, A.CONFIRM, "")
    assert row.confirmed_by is ConfirmedBy.REPORTER
    assert await scene.jobs(row) == []
    row = await scene.act(scene.reporter, row, A.RATE, "很快", rating=5)
    assert (row.state, row.rating, row.rating_comment) == (S.CONFIRMED, 5, "很快")
    expected = [
        "SUBMIT", "ACCEPT", "ASSIGN", "VISIT", "FINISH", "RETURN", "FINISH", "CONFIRM", "RATE",
    ]  # fmt: skip
    assert await scene.actions(row) == expected
    assert [step.ordinal for step in await scene.steps(row)] == list(range(1, 10))
    # The follower gets every step since, the reporter those of others.
    assert await told(scene, scene.neighbour) == expected[1:]
    assert await told(scene, scene.reporter) == ["ACCEPT", "ASSIGN", "VISIT", "FINISH", "FINISH"]
    assert await told(scene, scene.colleague) == ["SUBMIT", "ASSIGN", "RETURN"]
    assert len(await happened(scene, Kind.REQUEST_STEP)) == 9
    (tenure,) = await TenureRow.filter(request_id=row.id)
    assert (tenure.returns, tenure.rating, tenure.accepted_in_time, tenure.resolved_in_time) == (
        1,
        5,
        True,
        True,
    )
    audited = await AuditRow.filter(refused=False)
    assert sorted(entry.action for entry in audited) == sorted(
        f"request.{action}" for action in ("ACCEPT", "ASSIGN", "VISIT", "FINISH", "FINISH")
    )


async def test_the_second_clerk_gets_a_conflict(scene: Scene) -> None:
    read = await scene.submit()
    first = await scene.act(scene.clerk, read, A.ACCEPT)
    with pytest.raises(Conflict) as caught:
        await scene.act(scene.colleague, read, A.HAND_OVER, to_office_id=scene.owners.id)
    assert caught.value.current == read.id
    assert await scene.row(read.id) == first
    assert await scene.actions(read) == ["SUBMIT", "ACCEPT"]


async def test_of_clerks_at_once_one_is_first(scene: Scene) -> None:
    read = await scene.submit()

    async def accept(by: Any) -> bool:
        try:
            await scene.act(by, read, A.ACCEPT)
        except Conflict:
            return False
        return True

    done = await asyncio.gather(*(accept(by) for by in [scene.clerk, scene.colleague] * 4))
    assert sum(done) == 1
    assert await scene.actions(read) == ["SUBMIT", "ACCEPT"]


async def test_an_act_sent_again_is_one_act(scene: Scene) -> None:
    read = await scene.submit()
    once = await scene.act(scene.clerk, read, A.ACCEPT, key="once")
    again = await scene.act(scene.clerk, read, A.ACCEPT, key="once")
    assert once == again
    await scene.act(scene.clerk, once, A.NOTE, key="note")
    await scene.act(scene.clerk, once, A.NOTE, key="note")
    assert await scene.actions(read) == ["SUBMIT", "ACCEPT", "NOTE"]


async def test_who_may_not_act(scene: Scene) -> None:
    row = await scene.submit()
    for by, action in (
        (scene.neighbour, A.ACCEPT),
        (scene.owner, A.ACCEPT),
        (scene.reporter, A.ACCEPT),
        (scene.clerk, A.WITHDRAW),
        (scene.neighbour, A.NOTE),
        # The committee leads, and yet takes no case before it is escalated.
        (scene.manager, A.HAND_OVER),
    ):
        with pytest.raises(NotAllowed):
            await scene.act(by, row, action)
    assert await scene.actions(row) == ["SUBMIT"]
    assert await AuditRow.filter(refused=True).count() == 6


async def test_reasons_are_given_and_not_kept_from_the_reporter(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT)
    for action in (A.WAIT, A.FINISH):
        with pytest.raises(InvalidInput):
            await scene.act(scene.clerk, row, action, " ")
        with pytest.raises(InvalidInput):
            await scene.act(scene.clerk, row, action, visibility=NoteVisibility.OFFICES)
    with pytest.raises(InvalidInput):
        await scene.act(scene.clerk, row, A.NOTE, "字" * 1001)
    with pytest.raises(InvalidInput):
        await scene.act(scene.clerk, row, A.ASSIGN, assignee=scene.face(scene.owner))
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT"]


# Hand-over


async def test_a_case_handed_over_is_whose_who_takes_it(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT)
    for office in (scene.property.id, scene.community.id):
        with pytest.raises(InvalidInput):
            await scene.act(scene.clerk, row, A.HAND_OVER, to_office_id=office)
    row = await scene.act(scene.clerk, row, A.HAND_OVER, to_office_id=scene.owners.id)
    assert (row.office_id, row.offered_to_id, row.holder_id) == (
        scene.property.id,
        scene.owners.id,
        scene.owners.id,
    )
    row = await scene.act(scene.owner, row, A.TAKE_OVER)
    assert (row.office_id, row.offered_to_id, row.holder_id) == (scene.owners.id, None, scene.owners.id)
    with pytest.raises(NotAllowed):
        await scene.act(scene.clerk, row, A.FINISH)
    tenures = await TenureRow.filter(request_id=row.id).order_by("id")
    assert [(tenure.organisation_id, tenure.ended_at is None) for tenure in tenures] == [
        (scene.property.id, False),
        (scene.owners.id, True),
    ]


async def test_a_refused_case_goes_to_the_committee(scene: Scene) -> None:
    row = await scene.submit()
    row = await scene.act(scene.clerk, row, A.HAND_OVER, to_office_id=scene.owners.id)
    row = await scene.act(scene.owner, row, A.REFUSE, "不归我们管")
    assert (row.state, row.office_id, row.offered_to_id) == (S.SUBMITTED, scene.committee.id, None)
    row = await scene.act(scene.manager, row, A.ACCEPT)
    assert row.state is S.ACCEPTED


async def test_a_case_taken_back_keeps_its_deadline(scene: Scene) -> None:
    before = await scene.through(await scene.submit(), A.ACCEPT)
    offered = await scene.act(scene.clerk, before, A.HAND_OVER, to_office_id=scene.owners.id)
    assert offered.due_at == offered.accept_by
    row = await scene.act(scene.clerk, offered, A.RECALL)
    assert (row.state, row.holder_id, row.resolve_by) == (S.ACCEPTED, scene.property.id, before.resolve_by)
    assert row.due_at == before.due_at
    assert await TenureRow.filter(request_id=row.id).count() == 1


# Following and merging


async def test_following_is_counted_once(scene: Scene) -> None:
    row = await scene.submit()
    ctx = await scene.world.context(scene.neighbour)
    for on, expected in ((True, 1), (True, 1), (False, 0), (False, 0), (True, 1)):
        row = await following.set_following(ctx, request_id=row.id, on=on)
        assert row.follower_count == expected
    # Who reported it is told anyway.
    own = await following.set_following(await scene.world.context(scene.reporter), request_id=row.id, on=True)
    assert own.follower_count == 1
    assert len(await happened(scene, Kind.REQUEST_FOLLOWED)) == 3


async def test_duplicates_take_their_followers_along(scene: Scene, world: World) -> None:
    other = await world.resident(await world.home(scene.building))
    third = await world.resident(await world.home(scene.building))
    target = await scene.submit()
    duplicate = await scene.submit(by=scene.neighbour)
    lesser = await scene.submit(by=third)
    for account, row in (
        (other, target),
        (other, duplicate),
        (third, duplicate),
        (scene.reporter, duplicate),
    ):
        await following.set_following(await world.context(account), request_id=row.id, on=True)
    lesser = await scene.act(scene.clerk, lesser, A.MERGE, into_id=duplicate.id)
    duplicate = await scene.row(duplicate.id)
    duplicate = await scene.act(scene.clerk, duplicate, A.MERGE, into_id=target.id)
    assert (duplicate.state, duplicate.duplicate_of_id) == (S.DUPLICATE, target.id)
    assert (await scene.row(lesser.id)).duplicate_of_id == target.id
    target = await scene.row(target.id)
    followers = set(await following.all_of(target.id))
    assert followers == {scene.neighbour.id, other.id, third.id}
    assert target.follower_count == 3
    assert await scene.actions(target) == ["SUBMIT", "ABSORB"]
    (_, absorbed) = await scene.steps(target)
    assert absorbed.linked_request_id == duplicate.id
    # Its reporter says that it is another matter: it lives on.
    back = await scene.act(scene.neighbour, duplicate, A.RETURN, "不是一回事")
    assert (back.state, back.duplicate_of_id, back.closed_at) == (S.RETURNED, None, None)


async def test_what_cannot_be_merged(scene: Scene, world: World) -> None:
    row = await scene.submit()
    closed = await scene.through(await scene.submit(), A.WITHDRAW)
    elsewhere = await scene_in(world)
    private = await scene.submit("GOVERNMENT", by=scene.neighbour)
    for target in (row.id, (await elsewhere.submit()).id, private.id):
        with pytest.raises(InvalidInput):
            await scene.act(scene.clerk, row, A.MERGE, into_id=target)
    with pytest.raises(Conflict):
        await scene.act(scene.clerk, row, A.MERGE, into_id=closed.id)
    assert (await scene.row(row.id)).state is S.SUBMITTED
    assert await RequestFollowerRow.all().count() == 0


async def test_two_cases_merged_into_each_other_leave_one(scene: Scene) -> None:
    first, second = await scene.submit(), await scene.submit()

    async def merge(row: Any, into: Any) -> bool:
        try:
            await scene.act(scene.clerk, row, A.MERGE, into_id=into.id)
        except Conflict:
            return False
        return True

    done = await asyncio.gather(merge(first, second), merge(second, first))
    assert sum(done) == 1
    states = sorted([(await scene.row(row.id)).state.value for row in (first, second)])
    assert states == ["DUPLICATE", "SUBMITTED"]


async def test_following_while_merging(scene: Scene, world: World) -> None:
    """Neither waits for the other for ever, and nobody is counted twice or lost."""
    target, duplicate = await scene.submit(), await scene.submit(by=scene.neighbour)
    others = [await world.resident(await world.home(scene.building)) for _ in range(4)]
    for account in others:
        await following.set_following(await world.context(account), request_id=duplicate.id, on=True)
    contexts = [await world.context(account) for account in others]
    await asyncio.gather(
        *(following.set_following(ctx, request_id=target.id, on=True) for ctx in contexts[:2]),
        scene.act(scene.clerk, duplicate, A.MERGE, into_id=target.id),
        *(following.set_following(ctx, request_id=target.id, on=True) for ctx in contexts[2:]),
    )
    assert (await scene.row(target.id)).follower_count == 5
    assert len(await following.all_of(target.id)) == 5


# Who sees what


async def test_the_board_shows_no_person(scene: Scene) -> None:
    row = await scene.submit(home_id=scene.home.id)
    hidden = await scene.act(scene.clerk, row, A.ACCEPT, "门禁密码 2580", visibility=NoteVisibility.REPORTER)
    await scene.act(scene.clerk, hidden, A.NOTE, "业主难缠", visibility=NoteVisibility.OFFICES)
    await scene.act(scene.reporter, hidden, A.NOTE, "晚上在家")
    for account, sees, notes in (
        (scene.reporter, True, ["", "门禁密码 2580", "晚上在家"]),
        (scene.colleague, True, ["", "门禁密码 2580", "业主难缠", "晚上在家"]),
        (scene.manager, True, ["", "门禁密码 2580", "业主难缠", "晚上在家"]),
        (scene.neighbour, False, ["", None]),
        (scene.owner, False, ["", None]),
    ):
        ctx = await scene.world.context(account)
        (found,) = await board.visible_by_ids(ctx, [row.id])
        assert found is not None
        assert [face is not None for face in await board.reporters_of(ctx, [found])] == [sees]
        assert [home is not None for home in await board.homes_of(ctx, [found])] == [sees]
        assert [phone is not None for phone in await board.contacts_of(ctx, [found])] == [sees]
        (page,) = await board.steps_of(ctx, [found], PAGE)
        assert await board.notes_of(ctx, page.items) == notes
        by_id = await board.steps_visible_by_ids(ctx, ids(await scene.steps(row)))
        assert [step for step in by_id if step is not None] == page.items
    (phone,) = await board.contacts_of(await scene.world.context(scene.clerk), [row])
    assert phone is not None
    assert "****" in phone


async def test_what_is_personal_is_off_the_board(scene: Scene, world: World) -> None:
    row = await scene.submit("GOVERNMENT")
    strangers = [scene.neighbour, scene.owner, scene.clerk, await world.account(), None]
    for account in strangers:
        ctx = await world.context(account)
        assert await board.visible_by_ids(ctx, [row.id]) == [None]
    for account in (scene.reporter, scene.manager):
        assert (await board.visible(await world.context(account), row.id)).id == row.id
    with pytest.raises(NotFound):
        await following.set_following(await world.context(scene.neighbour), request_id=row.id, on=True)


async def test_events_reach_who_may_see(scene: Scene, world: World) -> None:
    """The audience of each event and the visibility of its step in queries are one rule."""
    row = await scene.submit()
    private = await scene.submit("GOVERNMENT")
    for visibility in NoteVisibility:
        await scene.act(scene.clerk, row, A.NOTE, visibility=visibility)
    row = await scene.act(scene.clerk, row, A.HAND_OVER, to_office_id=scene.owners.id)
    await scene.act(scene.owner, row, A.NOTE, visibility=NoteVisibility.OFFICES)
    await scene.act(scene.manager, private, A.ACCEPT)
    events = await happened(scene, Kind.REQUEST_STEP)
    assert len(events) == 8
    people = [
        scene.reporter, scene.neighbour, scene.clerk, scene.owner, scene.manager, await world.account(),
    ]  # fmt: skip
    for account in people:
        ctx = await world.context(account)
        seen = await board.steps_visible_by_ids(ctx, [logged.event.subject for logged in events])
        for logged, step in zip(events, seen, strict=True):
            if step is not None and not step.is_public and account is scene.owner:
                # It was offered the case later, and reads in its history what was noted before.
                continue
            assert ctx.viewer.may_see(logged.event.audience) == (step is not None)


async def test_the_board_filters(scene: Scene) -> None:
    lift = await scene.submit(building_id=scene.building.id)
    tree = await scene.submit("ENVIRONMENT", by=scene.neighbour, estate_id=scene.estate.id)
    await scene.submit("GOVERNMENT", by=scene.neighbour)
    done = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH, A.CONFIRM)
    await scene.later(tree, days=2)
    await following.set_following(await scene.world.context(scene.neighbour), request_id=lift.id, on=True)
    ctx = await scene.world.context(scene.neighbour)
    ours = scene.community

    async def found(wanted: RequestCriteria) -> list[Any]:
        (page,) = await board.board_of(ctx, [ours], wanted, PAGE)
        return ids(page.items)

    own = await RequestRow.get(category="GOVERNMENT")
    assert await found(RequestCriteria()) == [done.id, own.id, tree.id, lift.id]
    assert await found(RequestCriteria(building_id=scene.building.id)) == [lift.id]
    assert await found(RequestCriteria(categories=frozenset({"ENVIRONMENT"}))) == [tree.id]
    assert await found(RequestCriteria(overdue=True)) == [tree.id]
    assert await found(RequestCriteria(overdue=False)) == [done.id, own.id, lift.id]
    assert await found(RequestCriteria(open=False)) == [done.id]
    assert await found(RequestCriteria(states=frozenset({S.SUBMITTED}), mine=True)) == [own.id, tree.id]
    assert await found(RequestCriteria(followed=True)) == [lift.id]
    assert await found(RequestCriteria(office_id=scene.committee.id)) == [own.id]


# A complaint of the feed


async def test_a_complaint_becomes_a_case_in_its_thread(scene: Scene) -> None:
    author = await scene.world.context(scene.reporter)
    post = await feed.create_post(
        author, community_id=scene.community.id, kind=PostKind.COMPLAINT, body="狗没拴绳", key="dogs"
    )
    clerk = await scene.world.context(scene.clerk)

    async def make(ctx: Any, key: str) -> Any:
        return await opening.open_from_post(
            ctx, post_id=post.id, category="SAFETY", title="遛狗不拴绳", place=Place(), key=key
        )

    with pytest.raises(NotAllowed):
        await make(await scene.world.context(scene.neighbour), "a")
    row = await make(clerk, "b")
    assert (row.reporter_id, row.office_id, row.estate_id, row.body) == (
        scene.reporter.id,
        scene.property.id,
        scene.estate.id,
        "狗没拴绳",
    )
    assert (await make(clerk, "b")).id == row.id
    with pytest.raises(Conflict) as caught:
        await make(await scene.world.context(scene.manager), "c")
    assert caught.value.current == row.id
    assert await told(scene, scene.reporter) == ["SUBMIT"]
    row = await scene.through(row, A.ACCEPT, A.FINISH, A.CONFIRM)
    assert (await PostRow.get(id=post.id)).state is PostState.RESOLVED
    row = await scene.through(row, A.RETURN)
    assert (await PostRow.get(id=post.id)).state is PostState.OPEN
    assert {logged.event.thread for logged in await happened(scene, Kind.REQUEST_STEP)} == {post.id}
    (found,) = await board.requests_of_posts(clerk, [post])
    assert found == row
    talk = await feed.create_post(
        author, community_id=scene.community.id, kind=PostKind.TALK, body="天气不错", key="talk"
    )
    with pytest.raises(InvalidInput):
        await opening.open_from_post(
            clerk, post_id=talk.id, category="SAFETY", title="天气", place=Place(), key="d"
        )


async def test_of_two_clerks_who_open_a_post_one_does(scene: Scene) -> None:
    post = await feed.create_post(
        await scene.world.context(scene.reporter),
        community_id=scene.community.id,
        kind=PostKind.COMPLAINT,
        body="狗没拴绳",
        key="dogs",
    )

    async def make(by: Any) -> Any:
        ctx = await scene.world.context(by)
        try:
            return await opening.open_from_post(
                ctx, post_id=post.id, category="SAFETY", title="狗", place=Place(), key=str(by.id)
            )
        except Conflict as error:
            return error.current

    made = await asyncio.gather(make(scene.clerk), make(scene.colleague), make(scene.manager))
    (row,) = await RequestRow.all()
    assert sorted(type(each).__name__ for each in made) == ["RequestRow", "UUID", "UUID"]
    assert {getattr(each, "id", each) for each in made} == {row.id}


# Policies


def setting(**changes: Any) -> Setting:
    return replace(
        Setting(
            name="报修",
            office_kind=OrganisationKind.PROPERTY_COMPANY,
            accept_seconds=600,
            resolve_seconds=3600,
            remind_seconds=300,
            confirm_seconds=7200,
            confirm_remind_seconds=3600,
            reopen_seconds=0,
            on_board=True,
        ),
        **changes,
    )


async def test_a_policy_holds_for_new_cases(scene: Scene) -> None:
    before = await scene.submit()
    ctx = await scene.world.context(scene.manager)
    row = await policies.set_policy(
        ctx, community_id=scene.community.id, code="REPAIR", setting=setting(), version=1
    )
    assert row.version == 2
    after = await scene.submit()
    assert 590 < seconds_from_now(after.accept_by) <= 600
    assert await policies.policies_around(ctx, [before, after]) != [row, row]
    with pytest.raises(Conflict):
        await policies.set_policy(
            ctx, community_id=scene.community.id, code="REPAIR", setting=setting(), version=1
        )
    await policies.set_policy(
        ctx, community_id=scene.community.id, code="PARKING", setting=setting(name="停车"), version=0
    )
    assert (await scene.submit("PARKING")).category == "PARKING"
    (found,) = await policies.policies_of(ctx, [scene.community])
    assert {policy.code: policy.version for policy in found} == {
        **dict.fromkeys(requests.DEFAULTS, 1),
        "REPAIR": 2,
        "PARKING": 1,
    }
    await policies.set_policy(
        ctx, community_id=scene.community.id, code="PARKING", setting=setting(retired=True), version=1
    )
    with pytest.raises(InvalidInput):
        await scene.submit("PARKING")
    assert await AuditRow.filter(action="setRequestPolicy", refused=False).count() == 3


async def test_only_the_committees_administrator_sets_policies(scene: Scene, world: World) -> None:
    officer = await world.officer(scene.committee, Role.OFFICER)
    for account in (scene.clerk, officer, scene.reporter):
        with pytest.raises(NotAllowed):
            await policies.set_policy(
                await world.context(account),
                community_id=scene.community.id,
                code="REPAIR",
                setting=setting(),
                version=1,
            )
    assert await AuditRow.filter(action="setRequestPolicy", refused=True).count() == 3
    manager = await world.context(scene.manager)
    for code, wrong in (
        ("repair", {}),
        ("REPAIR", {"accept_seconds": 7200}),
        ("REPAIR", {"remind_seconds": 600}),
        ("REPAIR", {"confirm_remind_seconds": 7200}),
        ("REPAIR", {"office_kind": OrganisationKind.MERCHANT}),
        ("REPAIR", {"accept_seconds": 0}),
        ("REPAIR", {"name": " "}),
    ):
        with pytest.raises(InvalidInput):
            await policies.set_policy(
                manager, community_id=scene.community.id, code=code, setting=setting(**wrong), version=1
            )


# Queues and statistics


async def test_a_queue_has_its_buckets(scene: Scene) -> None:
    fresh = await scene.submit()
    late = await scene.submit()
    await scene.later(late, days=2)
    accepted = await scene.through(await scene.submit(), A.ACCEPT)
    waiting = await scene.through(await scene.submit(), A.ACCEPT)
    waiting = await scene.act(scene.clerk, waiting, A.WAIT, waiting_for=WaitingFor.PARTS)
    returned = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH, A.RETURN)
    done = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH)
    over = await scene.submit()
    over = await scene.act(scene.clerk, over, A.HAND_OVER, to_office_id=scene.owners.id)
    await scene.through(await scene.submit(), A.WITHDRAW)
    await scene.work()
    expected = {
        RequestBucket.TO_ACCEPT: [fresh, late],
        RequestBucket.HANDED_OVER_TO_US: [],
        RequestBucket.IN_HAND: [accepted],
        RequestBucket.WAITING: [waiting],
        RequestBucket.RETURNED: [returned],
        RequestBucket.OVERDUE: [late],
        RequestBucket.HANDED_OVER: [over],
        RequestBucket.TO_CONFIRM: [done],
        RequestBucket.ESCALATED: [],
    }
    offices = [scene.property, scene.owners]
    ctx = await scene.world.context(scene.clerk)
    for bucket, rows in expected.items():
        (page, other) = await queues.queue_of(ctx, offices, bucket, False, PAGE)
        assert (bucket, ids(page.items)) == (bucket, ids(rows))
        assert other.items == []
    (counts, unseen) = await queues.counts_of(ctx, offices)
    assert unseen is None
    assert counts is not None
    assert {bucket: getattr(counts, bucket.value.lower()) for bucket in expected} == {
        bucket: len(rows) for bucket, rows in expected.items()
    }
    owners = await scene.world.context(scene.owner)
    (page,) = await queues.queue_of(owners, offices[1:], RequestBucket.HANDED_OVER_TO_US, False, PAGE)
    assert ids(page.items) == [over.id]
    manager = await scene.world.context(scene.manager)
    committee = [scene.committee]
    (page,) = await queues.queue_of(manager, committee, RequestBucket.ESCALATED, False, PAGE)
    assert ids(page.items) == [late.id]
    (counts,) = await queues.counts_of(manager, committee)
    assert counts is not None
    assert (counts.escalated, counts.to_accept) == (1, 0)
    (page,) = await queues.queue_of(ctx, offices[:1], RequestBucket.IN_HAND, True, PAGE)
    assert page.items == []
    await scene.act(scene.clerk, accepted, A.ASSIGN)
    (page,) = await queues.queue_of(ctx, offices[:1], RequestBucket.IN_HAND, True, PAGE)
    assert ids(page.items) == [accepted.id]


async def test_statistics_are_whole_numbers(scene: Scene) -> None:
    for hours in (1, 2, 30):
        row = await scene.submit(building_id=scene.building.id)
        await scene.later(row, hours=hours)
        row = await scene.through(await scene.row(row.id), A.ACCEPT)
        await scene.later(row, hours=hours)
        if hours < 30:
            row = await scene.through(await scene.row(row.id), A.FINISH)
            # While the reporter thinks about it nobody's clock runs.
            await scene.later(row, hours=5)
            row = await scene.through(await scene.row(row.id), A.RETURN)
            row = await scene.through(row, A.FINISH, A.CONFIRM)
            await scene.act(scene.reporter, row, A.RATE, rating=3 + hours)
    row = await scene.submit("SAFETY")
    await scene.act(scene.clerk, row, A.HAND_OVER, to_office_id=scene.owners.id)
    since = now() - timedelta(days=30)
    period = Period(since, now())
    ctx = await scene.world.context(scene.manager)
    offices = [scene.property, scene.owners]
    (found, other) = await statistics.statistics_of(ctx, offices, period)
    assert found is not None
    assert other is not None
    total = found.total
    assert (total.received, total.accepted, total.accepted_in_time) == (4, 3, 2)
    assert (total.resolved, total.resolved_in_time, total.returned) == (2, 2, 2)
    assert (total.accept_median, total.accept_mean) == (7200, (1 + 2 + 30) * 3600 // 3)
    assert (total.resolve_median, total.resolve_mean) == (3 * 3600, 3 * 3600)
    assert (total.rating_sum, total.rating_count) == (9, 2)
    assert (other.total.received, other.total.accepted, other.total.accept_mean) == (1, 0, None)
    (parts, _) = await statistics.by_category(ctx, [found, other])
    assert [(part.category, part.received) for part in parts] == [("REPAIR", 3), ("SAFETY", 1)]
    (parts, _) = await statistics.by_building(ctx, [found, other])
    assert {part.building_id: part.received for part in parts} == {scene.building.id: 3, None: 1}
    (text, _) = await statistics.exports_of(ctx, [found, other])
    lines = text.split("\r\n")
    assert lines[0].startswith("\ufeff类别,楼栋,收件数,已受理,")
    assert f"报修,{scene.building.name},3,3,2,2,2,2,0,{11 * 3600},7200,10800,10800,9,2" in lines
    assert scene.reporter.display_name not in text
    # Its own officers see it, others' do not.
    clerk = await scene.world.context(scene.clerk)
    assert [each is None for each in await statistics.statistics_of(clerk, offices, period)] == [False, True]
    neighbour = await scene.world.context(scene.neighbour)
    assert await statistics.statistics_of(neighbour, offices, period) == [None, None]
    only = replace(period, category="SAFETY")
    (found, _) = await statistics.statistics_of(ctx, offices, only)
    assert found is not None
    assert found.total.received == 1
    with pytest.raises(DomainError):
        await statistics.statistics_of(ctx, offices, Period(now(), since))
