"""Activities: who holds them and for whom, seats and the queue for them, what people are told."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.activities import (
    ActivityAudience,
    ActivityKind,
    ActivityRow,
    ActivityStatus,
    HostKind,
    SignUpRow,
    SignUpState,
)
from models.audit import AuditRow
from models.base import new_id, now
from models.groups import GroupAccess
from models.identity import AccountRow, ResidencyRow
from models.jobs import JobRow
from models.memberships import MembershipRow, members_of
from models.roles import Role
from models.storage.paging import PageArgs
from models.visibility import public_of
from resolvers.activities import hosts, organising, reading, reminders, sign_ups
from resolvers.activities.drafts import ActivityDraft
from resolvers.activities.reading import ActivityCriteria
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited, Unauthenticated
from resolvers.groups import founding
from resolvers.groups.founding import GroupDraft as GroupDraft
from resolvers.jobs import Worker
from subscriptions.events import Kind
from tests.activity_scene import DAY, HOUR, Scene
from tests.activity_scene import scene as scene

PAGE = PageArgs(first=100)


# Holding


async def test_an_office_announces_an_activity_once(scene: Scene) -> None:
    row = await scene.hold(title="  露天电影 ")
    assert (row.title, row.scope_id, row.status) == ("露天电影", scene.community.id, ActivityStatus.SCHEDULED)
    assert row.sign_up_closes_at == row.starts_at
    (logged,) = await scene.events()
    assert (logged.event.kind, logged.event.subject) == (Kind.ACTIVITY_PUBLISHED, row.id)
    assert logged.event.audience == {scene.community.id}
    (entry,) = await AuditRow.filter(action="activity.create")
    assert (entry.subject_id, entry.organisation_id, entry.refused) == (row.id, scene.committee.id, False)


async def test_a_retried_announcement_is_one_activity(scene: Scene) -> None:
    starts_at = now() + DAY
    rows = await asyncio.gather(*(scene.hold(key="k", starts_at=starts_at) for _ in range(3)))
    assert len({row.id for row in rows}) == await ActivityRow.all().count() == 1
    with pytest.raises(Conflict):
        await scene.hold(key="k", starts_at=starts_at, title="别的")


async def test_only_who_hosts_announces(scene: Scene) -> None:
    neighbour = await scene.neighbour()
    grid_worker = await scene.world.officer(scene.committee, Role.GRID_WORKER)
    for account in (neighbour, grid_worker, scene.secretary):
        with pytest.raises(NotAllowed):
            await scene.hold(by=account)
    stranger = await scene.world.neighbour(await scene.world.community())
    with pytest.raises(NotFound):
        await scene.hold(by=stranger)
    with pytest.raises(Unauthenticated):
        await organising.cancel(await scene.world.context(), activity_id=new_id(), version=1, reason="x")
    assert await ActivityRow.all().count() == 0
    assert await scene.events() == []
    assert await AuditRow.filter(action="activity.create", refused=True).count() == 3


@pytest.mark.parametrize(
    ("field", "draft"),
    [
        ("title", {"title": " "}),
        ("title", {"title": "长" * 81}),
        ("place", {"place": ""}),
        ("onlineUrl", {"online_url": "http://example.org"}),
        ("onlineUrl", {"online_url": "https:// example.org"}),
        ("onlineUrl", {"online_url": "https://[x"}),
        ("startsAt", {"starts_at": now() - HOUR}),
        ("startsAt", {"starts_at": now().replace(tzinfo=None) + DAY}),
        ("startsAt", {"starts_at": now() + 1000 * DAY}),
        ("endsAt", {"ends_at": now()}),
        ("endsAt", {"ends_at": now() + 60 * DAY}),
        ("signUpClosesAt", {"sign_up_closes_at": now() - HOUR}),
        ("signUpClosesAt", {"sign_up_closes_at": now() + 30 * DAY}),
        ("capacity", {"capacity": 0}),
        ("capacity", {"capacity": 2, "most_companions": 2}),
        ("mostCompanions", {"most_companions": 21}),
        ("audience", {"audience": ActivityAudience.MEMBERS}),
    ],
)
async def test_what_is_no_activity_is_refused(scene: Scene, field: str, draft: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        await scene.hold(**draft)
    assert list(caught.value.fields) == [field]
    assert await ActivityRow.all().count() == 0


async def test_who_sees_which(scene: Scene) -> None:
    member, neighbour = await scene.member(), await scene.neighbour()
    verified_elsewhere = await scene.world.neighbour(await scene.world.community())
    branch: dict[str, Any] = {"by": scene.secretary, "host": scene.branch, "kind": ActivityKind.PARTY}
    inner = await scene.hold(**branch, audience=ActivityAudience.MEMBERS)
    near = await scene.hold(**branch)
    public = await scene.hold(audience=ActivityAudience.PUBLIC)
    assert inner.scope_id == members_of(scene.branch.id)
    assert public.scope_id == public_of(scene.community.id)
    for account, seen in (
        (member, [inner, near, public]),
        (scene.secretary, [inner, near, public]),
        (neighbour, [near, public]),
        # The committee is no member of the branch.
        (scene.officer, [near, public]),
        (verified_elsewhere, []),
    ):
        ctx = await scene.ctx(account)
        ids = [inner.id, near.id, public.id]
        assert [row and row.id for row in await reading.visible_by_ids(ctx, ids)] == [
            id if id in {row.id for row in seen} else None for id in ids
        ]
        (page,) = await reading.activities_of(ctx, [scene.community], ActivityCriteria(now()), PAGE)
        assert {row.id for row in page.items} == {row.id for row in seen}
    with pytest.raises(NotFound):
        await scene.sign_up(neighbour, inner)
    assert (await scene.sign_up(member, inner)).state is SignUpState.GOING
    # What only members may know of only they are told live.
    for logged in await scene.events():
        if logged.event.subject == inner.id:
            assert logged.event.audience in ({inner.scope_id}, {member.id})


async def test_lists_know_the_past_kinds_hosts_and_mine(scene: Scene) -> None:
    neighbour = await scene.neighbour()
    late = await scene.hold(starts_at=now() + 3 * DAY)
    soon = await scene.hold(starts_at=now() + DAY, kind=ActivityKind.SPORT)
    over = await scene.hold(starts_at=now() + 2 * DAY)
    theirs = await scene.hold(by=scene.secretary, host=scene.branch, starts_at=now() + 4 * DAY)
    await scene.begin(over, 5 * HOUR)
    await scene.sign_up(neighbour, late)
    ctx = await scene.ctx(neighbour)

    async def listed(**wanted: Any) -> list[UUID]:
        (page,) = await reading.activities_of(ctx, [scene.community], ActivityCriteria(now(), **wanted), PAGE)
        return [row.id for row in page.items]

    assert await listed() == [soon.id, late.id, theirs.id]
    assert await listed(coming=False) == [over.id]
    assert await listed(kinds=frozenset({ActivityKind.SPORT})) == [soon.id]
    assert await listed(host_id=scene.branch.id) == [theirs.id]
    assert await listed(mine=True) == [late.id]


# Seats


async def test_seats_are_given_in_order_and_companions_take_some(scene: Scene) -> None:
    one, two, three, four = await scene.neighbours(4)
    row = await scene.hold(capacity=4, most_companions=2)
    assert (await scene.sign_up(one, row, 1)).state is SignUpState.GOING
    assert (await scene.sign_up(two, row, 2)).state is SignUpState.WAITING
    # There would be seats for one, but somebody waits already.
    assert (await scene.sign_up(three, row)).state is SignUpState.WAITING
    assert await scene.counters(row) == (2, 1, 2)
    await scene.sign_up(four, row)
    await scene.leave(one, row)
    assert await scene.states(row, [one, two, three, four]) == "cggw"
    assert await scene.counters(row) == (4, 2, 1)
    assert await scene.told(two) == await scene.told(three) == [("MOVED_UP", "")]
    assert await scene.told(one) == await scene.told(four) == []
    places = await reading.waiting_places_of(
        await scene.ctx(four), await reading.own_sign_ups(await scene.ctx(four), [row.id])
    )
    assert places == [1]


async def test_to_sign_up_again_changes_nothing(scene: Scene) -> None:
    one, two = await scene.neighbours(2)
    row = await scene.hold(capacity=1)
    first = await scene.sign_up(one, row, key="same")
    await scene.sign_up(two, row)
    seen = len(await scene.events())
    assert (await scene.sign_up(one, row, key="same")).number == first.number
    assert (await scene.sign_up(one, row)).number == first.number
    assert len(await scene.events()) == seen
    # A retry that comes late does not sign up again who has signed off.
    await scene.leave(one, row)
    assert (await scene.sign_up(one, row, key="same")).state is SignUpState.CANCELLED
    assert await scene.states(row, [one, two]) == "cg"
    # Who comes back goes to the end.
    assert (await scene.sign_up(one, row)).state is SignUpState.WAITING
    with pytest.raises(Conflict):
        await scene.sign_up(one, row, 1, key="same")


async def test_fewer_companions_make_room_and_more_need_it(scene: Scene) -> None:
    one, two, three = await scene.neighbours(3)
    row = await scene.hold(capacity=3, most_companions=2)
    await scene.sign_up(one, row, 2)
    await scene.sign_up(two, row, 1)
    await scene.sign_up(three, row)
    await scene.sign_up(one, row, 1)
    assert await scene.states(row, [one, two, three]) == "gww"
    await scene.sign_up(two, row)
    # The first who waits fits now; the next does not.
    assert await scene.states(row, [one, two, three]) == "ggw"
    for account in (one, three):
        with pytest.raises(Conflict):
            await scene.sign_up(account, row, 2)
    with pytest.raises(InvalidInput):
        await scene.sign_up(one, row, 3)
    assert await scene.counters(row) == (3, 2, 1)


async def test_more_seats_let_people_move_up(scene: Scene) -> None:
    people = await scene.neighbours(4)
    row = await scene.hold(capacity=1)
    for account in people:
        await scene.sign_up(account, row)
    row = await scene.edit(row, capacity=3)
    assert await scene.states(row, people) == "gggw"
    with pytest.raises(InvalidInput):
        await scene.edit(row, capacity=2)
    await scene.edit(row, capacity=None)
    assert await scene.states(row, people) == "gggg"
    assert await scene.counters(row) == (4, 4, 0)
    # Of more seats nobody is told but who has one now.
    assert [await scene.told(account) for account in people] == [[], *[[("MOVED_UP", "")]] * 3]


async def test_a_capacity_keeps_room_for_the_largest_party_that_waits(scene: Scene) -> None:
    one, two = await scene.neighbours(2)
    row = await scene.hold(capacity=3, most_companions=2)
    await scene.sign_up(one, row)
    await scene.sign_up(two, row, 2)
    with pytest.raises(InvalidInput):
        await scene.edit(row, capacity=2, most_companions=0)
    assert (await scene.row(row.id)).capacity == 3


async def test_who_has_moved_away_gets_no_seat(scene: Scene) -> None:
    one, gone, three = await scene.neighbours(3)
    row = await scene.hold(capacity=1)
    for account in (one, gone, three):
        await scene.sign_up(account, row)
    await ResidencyRow.filter(account_id=gone.id).update(until=now())
    await scene.leave(one, row)
    assert await scene.states(row, [one, gone, three]) == "ccg"
    assert await scene.told(gone) == []
    assert await scene.counters(row) == (1, 1, 0)


async def test_one_signs_up_within_the_hours(scene: Scene) -> None:
    account = await scene.neighbour()
    row = await scene.hold(sign_up_opens_at=now() + HOUR)
    with pytest.raises(NotAllowed):
        await scene.sign_up(account, row)
    await ActivityRow.filter(id=row.id).update(sign_up_opens_at=now() - DAY, sign_up_closes_at=now())
    with pytest.raises(NotAllowed):
        await scene.sign_up(account, row)
    row = await scene.hold()
    await scene.cancel(row)
    with pytest.raises(NotAllowed):
        await scene.sign_up(account, row)
    assert await SignUpRow.all().count() == 0
    with pytest.raises(NotFound):
        await scene.leave(account, row)
    row = await scene.hold()
    await scene.sign_up(account, row)
    await scene.begin(row)
    with pytest.raises(NotAllowed):
        await scene.leave(account, row)
    assert await scene.states(row, [account]) == "g"


async def test_who_may_only_look_does_not_sign_up(scene: Scene) -> None:
    row = await scene.hold(audience=ActivityAudience.PUBLIC)
    visitor = await scene.world.neighbour(scene.community)
    await ResidencyRow.filter(account_id=visitor.id).update(until=now())
    assert (await reading.visible(await scene.ctx(visitor), row.id)).id == row.id
    with pytest.raises(NotAllowed):
        await scene.sign_up(visitor, row)
    assert await scene.counters(row) == (0, 0, 0)


async def test_sign_ups_are_limited_in_number(scene: Scene) -> None:
    account, row = await scene.neighbour(), await scene.hold()
    for _ in range(sign_ups.SIGN_UPS_A_MINUTE):
        await scene.sign_up(account, row)
    with pytest.raises(RateLimited):
        await scene.sign_up(account, row)


async def test_a_crowd_at_once_fills_the_seats_and_no_more(scene: Scene) -> None:
    people = await scene.neighbours(12)
    row = await scene.hold(capacity=5, most_companions=1)
    await asyncio.gather(*(scene.sign_up(account, row, n % 2) for n, account in enumerate(people)))
    taken, _, waiting = await scene.counters(row)
    assert taken <= 5
    assert waiting
    await asyncio.gather(*(scene.leave(account, row) for account in people[:6]))
    taken, going, waiting = await scene.counters(row)
    assert (taken, going + waiting) == (min(5, taken), 6)
    numbers = {it.number: it.state for it in await SignUpRow.filter(activity_id=row.id)}
    states = [state for _, state in sorted(numbers.items()) if state is not SignUpState.CANCELLED]
    assert states == sorted(states)


# Telling


async def test_people_are_told_of_another_time_or_place(scene: Scene) -> None:
    going, waiting, away = await scene.neighbours(3)
    row = await scene.hold(capacity=1)
    for account in (going, waiting):
        await scene.sign_up(account, row)
    row = await scene.edit(row, title="电影之夜")
    assert await scene.told(going) == []
    moved = row.starts_at + DAY
    after = await scene.edit(row, starts_at=moved, ends_at=moved + HOUR, place="活动室")
    assert (after.version, after.sequence, after.starts_at) == (row.version + 1, row.sequence + 1, moved)
    # What closed at the start still does.
    assert after.sign_up_closes_at == moved
    assert await scene.told(going) == await scene.told(waiting) == [("CHANGED", "")]
    assert await scene.told(away) == []
    assert {job.due_at for job in await JobRow.filter(subject_id=row.id)} == {
        moved - before for before in reminders.BEFORE.values()
    }
    kinds = [logged.event.kind for logged in await scene.events()]
    assert kinds.count(Kind.ACTIVITY_CHANGED) == 2


async def test_two_who_edit_collide(scene: Scene) -> None:
    row = await scene.hold()
    ctx = await scene.ctx(scene.officer)
    await organising.edit(ctx, activity_id=row.id, version=1, changes={"title": "一"})
    with pytest.raises(Conflict) as caught:
        await organising.edit(ctx, activity_id=row.id, version=1, changes={"title": "二"})
    assert caught.value.current == row.id
    with pytest.raises(Conflict):
        await organising.cancel(ctx, activity_id=row.id, version=1, reason="x")
    found = await scene.row(row.id)
    assert (found.title, found.version, found.status) == ("一", 2, ActivityStatus.SCHEDULED)
    with pytest.raises(InvalidInput):
        await organising.edit(
            ctx, activity_id=row.id, version=2, changes={"starts_at": now().replace(tzinfo=None)}
        )


async def test_only_organisers_edit_and_cancel(scene: Scene) -> None:
    neighbour, row = await scene.neighbour(), await scene.hold()
    for account in (neighbour, scene.secretary):
        ctx = await scene.ctx(account)
        with pytest.raises(NotAllowed):
            await organising.edit(ctx, activity_id=row.id, version=1, changes={"title": "一"})
        with pytest.raises(NotAllowed):
            await organising.cancel(ctx, activity_id=row.id, version=1, reason="x")
    found = await scene.row(row.id)
    assert (found.title, found.status, found.version) == (row.title, ActivityStatus.SCHEDULED, 1)
    assert await AuditRow.filter(refused=True).count() == 4


async def test_everyone_is_told_when_it_is_called_off(scene: Scene) -> None:
    going, waiting, left = await scene.neighbours(3)
    row = await scene.hold(capacity=1)
    for account in (going, waiting, left):
        await scene.sign_up(account, row)
    await scene.leave(left, row)
    row = await scene.cancel(row)
    assert (row.status, row.cancel_reason, row.sequence) == (ActivityStatus.CANCELLED, "下大雨", 1)
    assert await scene.told(going) == await scene.told(waiting) == [("CANCELLED", "下大雨")]
    assert await scene.told(left) == []
    assert await JobRow.filter(subject_id=row.id).count() == 0
    # Nobody moves up any more.
    await scene.leave(going, row)
    assert await scene.states(row, [going, waiting]) == "cw"
    for doing in (scene.cancel(row), scene.edit(row, title="x")):
        with pytest.raises(NotAllowed):
            await doing
    (entry,) = await AuditRow.filter(action="activity.cancel")
    assert (entry.subject_id, entry.detail) == (row.id, "下大雨")


async def test_own_sign_ups_are_told_to_their_owner_only(scene: Scene) -> None:
    one, two = await scene.neighbours(2)
    row = await scene.hold(capacity=1)
    await scene.sign_up(one, row)
    await scene.sign_up(two, row)
    await scene.leave(one, row)
    signed = [it.event for it in await scene.events() if it.event.kind is Kind.ACTIVITY_SIGN_UP]
    assert [event.audience for event in signed] == [{one.id}, {two.id}, {one.id}, {two.id}]
    assert all(str(account.id) not in str(event.facts) for event in signed for account in (one, two))


# Reminding


async def test_who_comes_is_reminded_twice(scene: Scene) -> None:
    going, waiting = await scene.neighbours(2)
    row = await scene.hold(capacity=1)
    await scene.sign_up(going, row)
    await scene.sign_up(waiting, row)
    for kind in reminders.BEFORE:
        await scene.pass_to(kind)
        await scene.pass_to(kind)
    assert await scene.told(going) == [("REMINDER", ""), ("REMINDER", "")]
    assert await scene.told(waiting) == []


async def test_what_is_over_or_called_off_reminds_nobody(scene: Scene) -> None:
    account = await scene.neighbour()
    begun, off = await scene.hold(), await scene.hold()
    for row in (begun, off):
        await scene.sign_up(account, row)
    await scene.begin(begun)
    await ActivityRow.filter(id=off.id).update(status=ActivityStatus.CANCELLED)
    for kind in reminders.BEFORE:
        await scene.pass_to(kind)
    assert await scene.told(account) == []
    assert await JobRow.filter(done_at=None).count() == 0


async def test_what_begins_soon_has_fewer_reminders(scene: Scene) -> None:
    row = await scene.hold(starts_at=now() + timedelta(hours=3))
    assert [job.kind for job in await JobRow.filter(subject_id=row.id)] == ["ACTIVITY_REMIND_HOUR"]


async def test_workers_at_once_remind_once_and_a_dead_one_not_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, row = await scene.neighbour(), await scene.hold()
    await scene.sign_up(account, row)
    (job,) = await JobRow.filter(subject_id=row.id, kind="ACTIVITY_REMIND_DAY")
    await JobRow.filter(id=job.id).update(due_at=now())
    told = sign_ups.send_update

    async def killed(*_args: Any, **_more: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(sign_ups, "send_update", killed)
    await Worker(scene.world.services).work()
    assert await scene.told(account) == []
    monkeypatch.setattr(sign_ups, "send_update", told)
    await JobRow.filter(id=job.id).update(due_at=now())
    workers = [Worker(scene.world.services) for _ in range(3)]
    await asyncio.gather(*(worker.work() for worker in workers))
    await asyncio.gather(*(worker.work() for worker in workers))
    assert await scene.told(account) == [("REMINDER", "")]


# Groups


@pytest.mark.parametrize("access", list(GroupAccess))
async def test_who_looks_after_a_group_holds_its_activities(scene: Scene, access: GroupAccess) -> None:
    owner, member, neighbour = await scene.neighbours(3)
    group = await founding.found(
        await scene.ctx(owner),
        community_id=scene.community.id,
        draft=GroupDraft("猫友", "晒猫", access),
        key="group",
    )
    await MembershipRow.create(community_id=scene.community.id, host_id=group.id, account_id=member.id)
    starts_at = now() + DAY

    async def hold(by: AccountRow, audience: ActivityAudience) -> ActivityRow:
        return await organising.create(
            await scene.ctx(by),
            host_kind=HostKind.GROUP,
            host_id=group.id,
            draft=ActivityDraft(
                kind=ActivityKind.OTHER,
                title="领养日",
                place="车棚",
                starts_at=starts_at,
                ends_at=starts_at + HOUR,
                audience=audience,
            ),
            key=f"{by.id} {audience}"[:64],
        )

    row = await hold(owner, ActivityAudience.MEMBERS)
    assert row.scope_id == members_of(group.id)
    with pytest.raises(NotAllowed):
        await hold(member, ActivityAudience.MEMBERS)
    with pytest.raises(InvalidInput):
        await hold(owner, ActivityAudience.PUBLIC)
    if access is GroupAccess.CLOSED:
        with pytest.raises(InvalidInput):
            await hold(owner, ActivityAudience.NEIGHBOURS)
    else:
        near = await hold(owner, ActivityAudience.NEIGHBOURS)
        assert (await hosts.hosts_of(await scene.ctx(neighbour), [near]))[0].id == group.id
    assert (await scene.sign_up(member, row)).state is SignUpState.GOING
    with pytest.raises(NotFound):
        await scene.sign_up(neighbour, row)
    (page,) = await reading.sign_ups_of(
        await scene.ctx(owner), [row], frozenset({SignUpState.GOING}), PageArgs(first=5)
    )
    assert [it.account_id for it in page.items] == [member.id]
    assert await scene.counters(row) == (1, 1, 0)
