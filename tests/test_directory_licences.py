"""Merchants' licences: nothing of a merchant is seen without one that is approved and valid."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import now
from models.directory.hours import CHINA
from models.directory.licences import (
    LicenceAction,
    LicenceRow,
    LicenceState,
    LicenceStepRow,
    expiry,
    last_day,
)
from models.notifications import NotificationRow
from models.privacy import LICENCE, rotate
from resolvers.directory import licences, listing
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from subscriptions.events import Kind, Logged, community_topic
from tests.directory_scene import PAGE, Scene, a_year_from_now
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio


async def happened(scene: Scene, kind: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind is kind
    ]


async def told(scene: Scene, account: Any) -> list[LicenceAction]:
    """The steps in an account's inbox."""
    subjects = [entry.subject_id for entry in await NotificationRow.filter(account_id=account.id)]
    return [step.action for step in await LicenceStepRow.filter(id__in=subjects).order_by("id")]


def test_a_licence_holds_to_the_end_of_its_last_day_in_china() -> None:
    moment = expiry(date(2026, 12, 31))
    assert moment.isoformat() == "2027-01-01T00:00:00+08:00"
    assert last_day(moment) == date(2026, 12, 31)


async def test_a_merchant_is_seen_once_the_committee_has_approved(scene: Scene) -> None:
    entry = await scene.publish(await scene.create())
    assert await scene.names(scene.resident) == []
    # Who decides sees what it is about.
    assert await listing.visible(await scene.world.context(scene.clerk), entry.id) == entry
    (published,) = await happened(scene, Kind.ENTRY_PUBLISHED)
    assert published.event.audience == {scene.shop.id}

    licence = await scene.submit()
    assert licence.state is LicenceState.PENDING
    assert await scene.names(scene.resident) == []
    licence = await scene.decide(licence)
    assert licence.state is LicenceState.APPROVED
    assert await scene.names(scene.resident) == ["老张面馆"]
    _, live = await happened(scene, Kind.ENTRY_PUBLISHED)
    assert (await scene.world.context(scene.resident)).viewer.may_see(live.event.audience)
    (row,) = await scene.directory(scene.resident)
    ctx = await scene.world.context(scene.resident)
    assert await listing.licensed_until(ctx, [row]) == [a_year_from_now()]
    assert await told(scene, scene.merchant) == [LicenceAction.APPROVE]
    actions = [it.action for it in await AuditRow.filter(action__startswith="licence").order_by("number")]
    assert actions == ["licence.submit", "licence.approve"]


async def test_a_refusal_needs_a_reason_and_changes_nothing_that_is_seen(scene: Scene) -> None:
    await scene.publish(await scene.create())
    licence = await scene.submit()
    with pytest.raises(InvalidInput):
        await scene.decide(licence, approve=False, reason=" ")
    rejected = await scene.decide(licence, approve=False, reason="照片不清楚")
    assert rejected.state is LicenceState.REJECTED
    assert await scene.names(scene.resident) == []
    assert await told(scene, scene.merchant) == [LicenceAction.REJECT]
    with pytest.raises(Conflict):
        await scene.decide(licence)
    # And the merchant may try again.
    assert (await scene.decide(await scene.submit())).state is LicenceState.APPROVED


async def test_a_revoked_licence_hides_at_once(scene: Scene) -> None:
    await scene.licensed_entry()
    licence = await LicenceRow.get()
    ctx = await scene.world.context(scene.clerk)
    await licences.revoke(ctx, licence_id=licence.id, version=licence.version, reason="食品安全事故")
    assert await scene.names(scene.resident) == []
    (gone,) = await happened(scene, Kind.ENTRY_WITHDRAWN)
    assert (await scene.world.context(scene.resident)).viewer.may_see(gone.event.audience)


async def test_an_expired_licence_hides_by_itself_and_the_clock_tells_of_it(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    await scene.hurry(licences.REMIND)
    assert await told(scene, scene.merchant) == [LicenceAction.APPROVE, LicenceAction.REMIND]
    moment = now() - timedelta(seconds=1)
    await LicenceRow.all().update(expires_at=moment)
    # The query's own condition: no job has run.
    assert await scene.names(scene.resident) == []
    with pytest.raises(NotFound):
        await listing.visible(await scene.world.context(scene.resident), entry.id)
    await scene.hurry(licences.EXPIRE)
    (gone,) = await happened(scene, Kind.ENTRY_WITHDRAWN)
    assert gone.event.subject == entry.id
    assert (await told(scene, scene.merchant))[-1] is LicenceAction.EXPIRE


async def test_who_does_not_check_licences_decides_nothing(scene: Scene) -> None:
    licence = await scene.submit()
    ctx = await scene.world.context(scene.merchant)
    with pytest.raises(NotAllowed):
        await scene.decide(licence, by=scene.merchant)
    with pytest.raises(NotAllowed):
        await licences.unmask(ctx, licence_id=licence.id, reason="想看一下")
    # To others there is no such licence.
    for by in (scene.resident, scene.stranger, await scene.world.officer(scene.company)):
        with pytest.raises(NotFound):
            await scene.decide(licence, by=by)
    with pytest.raises(NotAllowed):
        await scene.submit(by=scene.clerk)
    assert (await LicenceRow.get()).state is LicenceState.PENDING
    assert await LicenceStepRow.all().count() == 1
    assert await AuditRow.filter(refused=True).count() == 3


async def test_the_number_is_sealed_shown_masked_and_in_clear_with_a_reason(scene: Scene) -> None:
    licence = await scene.submit()
    assert "0123456" not in (await LicenceRow.get()).number_sealed
    ctx = await scene.world.context(scene.clerk)
    assert await licences.masked_numbers(ctx, [licence]) == ["J*************56"]
    number = await licences.unmask(ctx, licence_id=licence.id, reason="核对登记系统")
    assert number == "JY13301060123456"
    entry = await AuditRow.get(action="licence.unmask")
    assert entry.detail == "核对登记系统"
    # Sealed like all personal data: new keys reach it.
    assert await rotate(scene.world.services.keys) == 0
    assert scene.world.services.keys.open(LICENCE, licence.number_sealed) == number


async def test_one_licence_is_checked_at_a_time_also_when_many_are_submitted_at_once(scene: Scene) -> None:
    found = await asyncio.gather(*(scene.submit() for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(it, BaseException) for it in found) == 1
    assert all(isinstance(it, Conflict) for it in found if isinstance(it, BaseException))
    assert await LicenceRow.all().count() == 1


@pytest.mark.parametrize("days", [-1, 120 * 366])
async def test_a_licence_that_is_over_or_endless_is_refused(scene: Scene, days: int) -> None:
    with pytest.raises(InvalidInput):
        await scene.submit(until=now().astimezone(CHINA).date() + timedelta(days=days))
    assert not await LicenceRow.exists()


async def test_lists_of_licences_are_the_merchants_and_the_committees(scene: Scene) -> None:
    licence = await scene.submit()
    for by, seen in (
        (scene.clerk, [licence.id]),
        (scene.merchant, [licence.id]),
        (scene.resident, []),
        (scene.stranger, []),
    ):
        ctx = await scene.world.context(by)
        (page,) = await licences.licences_of_communities(ctx, [scene.community], LicenceState.PENDING, PAGE)
        assert [it.id for it in page.items] == seen
        (page,) = await licences.licences_of_merchants(ctx, [scene.shop], PAGE)
        assert [it.id for it in page.items] == seen
        (step,) = await LicenceStepRow.all()
        (found,) = await licences.steps_visible_by_ids(ctx, [step.id])
        assert (found is not None) == bool(seen)
    (event,) = await happened(scene, Kind.LICENCE_STEP)
    for by, sees in (
        (scene.clerk, True),
        (scene.admin, True),
        (scene.merchant, True),
        (scene.resident, False),
    ):
        assert (await scene.world.context(by)).viewer.may_see(event.event.audience) == sees
    with pytest.raises(NotAllowed):
        await licences.followable(await scene.world.context(scene.resident), scene.committee.id)
    with pytest.raises(NotFound):
        await licences.followable(await scene.world.context(scene.stranger), scene.committee.id)
