"""Who was there: codes, check-in by hand, and the list that organisers take along."""

import csv
import io
from uuid import UUID

import pytest

from models.activities import CheckInBy, SignUpState
from models.audit import AuditRow
from models.base import now
from models.storage.paging import PageArgs
from models.storage.rows import execute
from resolvers.activities import attendance, reading
from resolvers.errors import InvalidInput, NotAllowed, NotFound, RateLimited
from resolvers.tables import BYTE_ORDER_MARK
from tests.activity_scene import HOUR, Scene
from tests.activity_scene import scene as scene
from tests.clock import Clock


async def code(scene: Scene, activity_id: UUID) -> str:
    ctx = await scene.ctx(scene.officer)
    (row,) = [await reading.visible(ctx, activity_id)]
    (shown,) = await attendance.codes_of(ctx, [row])
    assert shown is not None
    assert shown.until > now()
    return shown.code


async def test_the_code_checks_in_who_has_a_seat(scene: Scene) -> None:
    going, waiting, away = await scene.neighbours(3)
    row = await scene.hold(capacity=1)
    await scene.sign_up(going, row)
    await scene.sign_up(waiting, row)
    with pytest.raises(NotAllowed):
        await attendance.check_in(await scene.ctx(going), activity_id=row.id, code="000000")
    await scene.begin(row)
    shown = await code(scene, row.id)
    for account in (waiting, away):
        with pytest.raises(NotAllowed):
            await attendance.check_in(await scene.ctx(account), activity_id=row.id, code=shown)
    for _ in range(2):
        done = await attendance.check_in(await scene.ctx(going), activity_id=row.id, code=f" {shown}")
        assert done.checked_in_by is CheckInBy.CODE
    assert (await scene.row(row.id)).checked_in_count == 1
    await scene.counters(row)


async def test_codes_change_and_the_one_before_is_good_for_a_while(scene: Scene, clock: Clock) -> None:
    account, row = await scene.neighbour(), await scene.hold()
    await scene.sign_up(account, row)
    await scene.begin(row)
    shown, begun = await code(scene, row.id), now()
    other = await scene.hold()
    await scene.begin(other)
    assert len({shown, await code(scene, other.id)}) == 2

    clock.stand(begun + 2 * attendance.ROTATES)
    with pytest.raises(InvalidInput):
        await attendance.check_in(await scene.ctx(account), activity_id=row.id, code=shown)
    assert (await scene.row(row.id)).checked_in_count == 0
    clock.stand(begun + attendance.ROTATES)
    await attendance.check_in(await scene.ctx(account), activity_id=row.id, code=shown)
    assert (await scene.row(row.id)).checked_in_count == 1


async def test_guessing_is_slow(scene: Scene) -> None:
    account, row = await scene.neighbour(), await scene.hold()
    await scene.sign_up(account, row)
    await scene.begin(row)
    for _ in range(5):
        with pytest.raises(InvalidInput):
            await attendance.check_in(await scene.ctx(account), activity_id=row.id, code="nonono")
    with pytest.raises(RateLimited):
        await attendance.check_in(
            await scene.ctx(account), activity_id=row.id, code=await code(scene, row.id)
        )
    assert (await scene.row(row.id)).checked_in_count == 0


async def test_only_organisers_see_codes_and_lists(scene: Scene) -> None:
    account, row = await scene.neighbour(), await scene.hold(online_url="https://example.org/room")
    await scene.sign_up(account, row)
    await scene.begin(row)
    waiting = frozenset({SignUpState.GOING})
    for person, sees in ((account, False), (scene.secretary, False), (scene.officer, True)):
        ctx = await scene.ctx(person)
        found = await reading.visible(ctx, row.id)
        assert bool((await attendance.codes_of(ctx, [found]))[0]) is sees
        assert bool((await attendance.lists_of(ctx, [found]))[0]) is sees
        (page,) = await reading.sign_ups_of(ctx, [found], waiting, PageArgs(first=5))
        assert bool(page.items) is sees
        (url,) = await reading.online_urls_of(ctx, [found])
        # Whoever has a seat is shown the address too.
        assert bool(url) is (sees or person is account)


async def test_organisers_check_in_by_hand(scene: Scene) -> None:
    account, row = await scene.neighbour(), await scene.hold()
    sign_up = await scene.sign_up(account, row)
    officer = await scene.ctx(scene.officer)
    with pytest.raises(NotAllowed):
        await attendance.set_attendance(officer, sign_up_id=sign_up.id, attended=True)
    await scene.begin(row)
    for person, error in ((account, NotAllowed), (scene.secretary, NotFound)):
        with pytest.raises(error):
            await attendance.set_attendance(await scene.ctx(person), sign_up_id=sign_up.id, attended=True)
    assert (await scene.row(row.id)).checked_in_count == 0
    for attended in (True, True, False, True):
        done = await attendance.set_attendance(officer, sign_up_id=sign_up.id, attended=attended)
        assert done.checked_in_by is (CheckInBy.ORGANISER if attended else None)
    assert (await scene.row(row.id)).checked_in_count == 1
    entries = await AuditRow.filter(action="activity.attendance", refused=False)
    assert [entry.detail for entry in entries] == ["true", "false", "true"]


async def test_who_did_not_come_is_counted_when_it_is_over(scene: Scene) -> None:
    people, row = await scene.neighbours(3), await scene.hold()
    sign_ups = [await scene.sign_up(account, row) for account in people]
    await scene.begin(row)
    officer = await scene.ctx(scene.officer)
    await attendance.set_attendance(officer, sign_up_id=sign_ups[0].id, attended=True)
    assert attendance.no_shows(await reading.visible(officer, row.id)) is None
    await scene.begin(row, 3 * HOUR)
    assert attendance.no_shows(await reading.visible(officer, row.id)) == 2


async def test_the_list_names_people_as_neighbours_know_them(scene: Scene) -> None:
    one, two, gone = await scene.neighbours(3)
    await execute("UPDATE account SET display_name = '=1+1' WHERE id = ? RETURNING id", one.id)
    row = await scene.hold(capacity=2, most_companions=1)
    await scene.sign_up(one, row, 1)
    await scene.sign_up(two, row)
    await scene.sign_up(gone, row)
    await scene.leave(gone, row)
    officer = await scene.ctx(scene.officer)
    (text,) = await attendance.lists_of(officer, [await reading.visible(officer, row.id)])
    assert text is not None
    head, *lines = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)))
    assert head[0] == "昵称"
    assert [(line[0], line[2], line[3]) for line in lines] == [
        ("'=1+1", "已报名", "1"),
        (two.display_name, "候补", "0"),
    ]
