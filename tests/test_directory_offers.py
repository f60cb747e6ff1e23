"""Offers: they begin and end by themselves, and are seen where their entry is."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.base import now
from models.directory.entries import EntryRow
from models.directory.licences import LicenceRow
from models.directory.offers import OfferRow
from models.identity import AccountRow
from resolvers.directory import offers
from resolvers.directory.offers import OfferDraft
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from subscriptions.events import Kind, Logged, community_topic
from tests.directory_scene import PAGE, Scene, new_key
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def draft(start: timedelta = -HOUR, end: timedelta = HOUR, **more: Any) -> OfferDraft:
    said: dict[str, Any] = {"title": "第二碗半价", "body": "工作日下午", "price_fen": 600}
    return OfferDraft(**{**said, **more}, starts_at=now() + start, ends_at=now() + end)


async def offer(scene: Scene, entry: EntryRow, said: OfferDraft, by: AccountRow | None = None) -> OfferRow:
    ctx = await scene.world.context(by or scene.merchant)
    return await offers.create(ctx, entry_id=entry.id, draft=said, key=new_key())


async def seen(scene: Scene, by: AccountRow) -> list[str]:
    ctx = await scene.world.context(by)
    (page,) = await offers.offers_in(ctx, [scene.community], PAGE)
    return [row.title for row in page.items]


async def happened(scene: Scene, *kinds: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind in kinds
    ]


async def public(scene: Scene, logged: Logged) -> bool:
    return (await scene.world.context(scene.resident)).viewer.may_see(logged.event.audience)


async def shift(moment: datetime, **columns: timedelta) -> None:
    await OfferRow.all().update(**{name: moment + by for name, by in columns.items()})


async def test_an_offer_that_holds_is_seen_and_told_at_once(scene: Scene) -> None:
    row = await offer(scene, await scene.licensed_entry(), draft())
    assert row.price_fen == 600
    assert await seen(scene, scene.resident) == ["第二碗半价"]
    assert await seen(scene, scene.stranger) == []
    (published,) = await happened(scene, Kind.OFFER_PUBLISHED)
    assert await public(scene, published)
    assert await offers.offers_of_events(await scene.world.context(scene.resident), [published]) == [row]


async def test_an_offer_begins_and_ends_by_itself(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await offer(scene, entry, draft(HOUR, 2 * HOUR))
    assert await seen(scene, scene.resident) == []
    (early,) = await happened(scene, Kind.OFFER_PUBLISHED)
    assert not await public(scene, early)
    with pytest.raises(NotFound):
        await offers.visible(await scene.world.context(scene.resident), row.id)
    merchant = await scene.world.context(scene.merchant)
    (page,) = await offers.offers_of(merchant, [entry], PAGE)
    assert [it.id for it in page.items] == [row.id]

    await shift(now(), starts_at=-HOUR, ends_at=HOUR)
    assert await seen(scene, scene.resident) == ["第二碗半价"]
    await scene.hurry(offers.BEGIN)
    _, begun = await happened(scene, Kind.OFFER_PUBLISHED)
    assert await public(scene, begun)

    await shift(now(), ends_at=-timedelta(seconds=1))
    # The query's own condition: no job has run.
    assert await seen(scene, scene.resident) == []
    await scene.hurry(offers.END)
    (ended,) = await happened(scene, Kind.OFFER_ENDED)
    assert await public(scene, ended)
    assert await offers.offers_of_events(await scene.world.context(scene.resident), [begun]) == [None]


async def test_an_offer_goes_with_its_entry(scene: Scene) -> None:
    await offer(scene, await scene.licensed_entry(), draft())
    await LicenceRow.all().update(expires_at=now())
    assert await seen(scene, scene.resident) == []
    assert await seen(scene, scene.merchant) == []


async def test_an_edit_and_a_withdrawal(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await offer(scene, entry, draft())
    ctx = await scene.world.context(scene.merchant)
    edited = await offers.edit(ctx, offer_id=row.id, version=1, draft=draft(title="买一送一", price_fen=None))
    assert (edited.title, edited.price_fen, edited.version) == ("买一送一", None, 2)
    with pytest.raises(Conflict):
        await offers.edit(ctx, offer_id=row.id, version=1, draft=draft())
    # What is put off is over for now.
    later = await offers.edit(ctx, offer_id=row.id, version=2, draft=draft(HOUR, 2 * HOUR))
    assert await seen(scene, scene.resident) == []
    (put_off,) = await happened(scene, Kind.OFFER_ENDED)
    assert await public(scene, put_off)
    withdrawn = await offers.withdraw(ctx, offer_id=row.id, version=later.version)
    assert withdrawn.withdrawn_at is not None
    with pytest.raises(Conflict):
        await offers.withdraw(ctx, offer_id=row.id, version=withdrawn.version)
    await scene.hurry(offers.BEGIN)
    assert len(await happened(scene, Kind.OFFER_PUBLISHED)) == 1


async def test_who_keeps_no_entry_offers_nothing(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await offer(scene, entry, draft())
    for by in (scene.resident, scene.clerk):
        ctx = await scene.world.context(by)
        with pytest.raises(NotAllowed):
            await offer(scene, entry, draft(), by)
        with pytest.raises(NotAllowed):
            await offers.withdraw(ctx, offer_id=row.id, version=1)
    with pytest.raises(NotFound):
        await offer(scene, entry, draft(), scene.stranger)
    assert await OfferRow.all().count() == 1
    assert (await OfferRow.get()).version == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"body": ""}, "body"),
        ({"price_fen": -1}, "priceFen"),
        ({"price_fen": 2**31 - 1}, "priceFen"),
        ({"end": -HOUR / 2}, "validUntil"),
        ({"start": 2 * HOUR}, "validUntil"),
        ({"end": timedelta(days=400)}, "validUntil"),
    ],
)
async def test_what_cannot_be_offered(scene: Scene, change: dict[str, Any], field: str) -> None:
    entry = await scene.licensed_entry()
    with pytest.raises(InvalidInput) as refused:
        await offer(scene, entry, draft(**change))
    assert list(refused.value.fields) == [field]
    assert not await OfferRow.exists()


async def test_a_retry_makes_one_offer(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    ctx = await scene.world.context(scene.merchant)
    said, key = draft(), new_key()
    once = await offers.create(ctx, entry_id=entry.id, draft=said, key=key)
    assert await offers.create(ctx, entry_id=entry.id, draft=said, key=key) == once
    assert await OfferRow.all().count() == 1
