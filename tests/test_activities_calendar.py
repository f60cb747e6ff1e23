"""The calendar of one's sign-ups, at its secret address."""

from pathlib import Path
from typing import Any

import httpx
import icalendar
import pytest

from models.activities import ActivityAudience, CalendarFeedRow
from models.base import now
from models.identity import AccountRow
from models.memberships import MembershipRow
from resolvers.activities import calendar
from resolvers.errors import NotFound, RateLimited, Unauthenticated
from resolvers.identity.sessions import sign_out_everywhere
from resolvers.limits import Limit
from schema.application import Application
from schema.settings import Settings
from tests.activity_scene import HOUR, Scene
from tests.activity_scene import scene as scene
from tests.servers import throwaway_secrets


async def address(scene: Scene, account: AccountRow) -> str:
    """The token of the account's new address."""
    _, path = await calendar.renew(await scene.ctx(account))
    assert path.startswith("/calendar/")
    return path.removeprefix("/calendar/").removesuffix(".ics")


async def events(scene: Scene, token: str) -> dict[str, Any]:
    """The entries at an address, by their titles."""
    read = await calendar.read(await scene.world.context(), token)
    found = icalendar.Calendar.from_ical(read.text)
    return {str(event["summary"]): event for event in found.walk("VEVENT")}


async def test_a_calendar_holds_ones_own_sign_ups(scene: Scene) -> None:
    one, two = await scene.neighbours(2)
    film = await scene.hold(title="电影, 露天;夜场", description="第一行\n第二行", capacity=1)
    talk = await scene.hold(title="讲座", capacity=1, online_url="https://example.org/talk")
    await scene.hold(title="别人的")
    for account, row in ((one, film), (two, talk), (one, talk)):
        await scene.sign_up(account, row)
    found = await events(scene, await address(scene, one))
    assert found.keys() == {"电影, 露天;夜场", "讲座"}
    event = found["电影, 露天;夜场"]
    assert (event["status"], event["sequence"], str(event["description"])) == (
        "CONFIRMED",
        0,
        "第一行\n第二行",
    )
    assert event.decoded("dtstart") == film.starts_at
    assert event.decoded("dtend") == film.ends_at
    assert str(event["location"]) == "广场"
    # Who waits is not told where it is online.
    assert found["讲座"]["status"] == "TENTATIVE"
    assert "url" not in found["讲座"]
    await scene.leave(two, talk)
    event = (await events(scene, await address(scene, one)))["讲座"]
    assert (event["status"], event["sequence"], str(event["url"])) == (
        "CONFIRMED",
        1,
        "https://example.org/talk",
    )


async def test_what_is_edited_or_called_off_is_told_to_calendars(scene: Scene) -> None:
    account, other = await scene.neighbours(2)
    row = await scene.hold()
    await scene.sign_up(account, row)
    token = await address(scene, account)
    first = await calendar.read(await scene.world.context(), token)
    # Whatever others do changes nothing in it.
    await scene.sign_up(other, row)
    assert await calendar.read(await scene.world.context(), token) == first
    uid = (await events(scene, token))["露天电影"]["uid"]
    await scene.edit(row, place="活动室")
    second = await calendar.read(await scene.world.context(), token)
    assert second.tag != first.tag
    await scene.cancel(row)
    event = (await events(scene, token))["露天电影"]
    assert (event["uid"], event["status"], event["sequence"]) == (uid, "CANCELLED", 2)
    assert str(event["description"]) == "下大雨"
    assert other.display_name.encode() not in second.text


async def test_what_one_signs_off_from_is_cancelled_and_what_is_long_over_gone(scene: Scene) -> None:
    account = await scene.neighbour()
    left, over = await scene.hold(title="不去了"), await scene.hold(title="早过了")
    for row in (left, over):
        await scene.sign_up(account, row)
    await scene.leave(account, left)
    await scene.begin(over, calendar.KEPT + 3 * HOUR)
    found = await events(scene, await address(scene, account))
    assert found.keys() == {"不去了"}
    assert (found["不去了"]["status"], found["不去了"]["sequence"]) == ("CANCELLED", 1)


async def test_who_is_no_longer_a_member_reads_no_longer_of_what_members_do(scene: Scene) -> None:
    member = await scene.member()
    row = await scene.hold(by=scene.secretary, host=scene.branch, audience=ActivityAudience.MEMBERS)
    await scene.sign_up(member, row)
    token = await address(scene, member)
    assert await events(scene, token)
    await MembershipRow.filter(account_id=member.id).update(left_at=now())
    assert await events(scene, token) == {}


async def test_an_address_is_replaced_and_taken_away(scene: Scene) -> None:
    account = await scene.neighbour()
    old = await address(scene, account)
    (kept,) = await CalendarFeedRow.all()
    assert old not in kept.token_index
    new = await address(scene, account)
    assert await CalendarFeedRow.all().count() == 1
    with pytest.raises(NotFound):
        await events(scene, old)
    assert await events(scene, new) == {}
    ctx = await scene.ctx(account)
    assert (await calendar.feeds_of(ctx, [account]))[0] is not None
    for _ in range(2):
        await calendar.revoke(ctx)
    assert await calendar.feeds_of(ctx, [account]) == [None]
    with pytest.raises(NotFound):
        await events(scene, new)
    nobody = await scene.world.context()
    for act in (calendar.renew(nobody), calendar.revoke(nobody)):
        with pytest.raises(Unauthenticated):
            await act


async def test_an_address_ends_with_all_sessions(scene: Scene) -> None:
    account, other = await scene.neighbour(), await scene.neighbour()
    token, others = await address(scene, account), await address(scene, other)
    ctx = await scene.ctx(account)
    assert await sign_out_everywhere(ctx) == 0
    assert await calendar.feeds_of(ctx, [account]) == [None]
    with pytest.raises(NotFound):
        await events(scene, token)
    await events(scene, others)


async def test_an_address_is_read_so_often(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await address(scene, await scene.neighbour())
    monkeypatch.setattr(calendar, "READS_OF_ONE", Limit(2, 3600))
    for _ in range(2):
        await events(scene, token)
    with pytest.raises(RateLimited):
        await events(scene, token)


async def test_the_route(scene: Scene, database_url: str, tmp_path: Path) -> None:
    """Over HTTP, of a server with the world's keys; nothing is said of who asks."""
    settings = Settings.from_environment(
        {"LINLI_DATA_DIR": str(tmp_path), "LINLI_DATABASE_URL": database_url, **throwaway_secrets()}
    )
    made = Application(settings)
    made.services = scene.world.services
    account = await scene.neighbour()
    await scene.sign_up(account, await scene.hold())
    path = f"/calendar/{await address(scene, account)}.ics"
    transport = httpx.ASGITransport(made.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://linli") as http:
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.content.startswith(b"BEGIN:VCALENDAR")
        tag = answer.headers["etag"]
        same = await http.get(path, headers={"if-none-match": f'"other", W/{tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        assert (await http.get("/calendar/guess.ics")).status_code == 404
        assert (await http.post(path)).status_code == 405
