"""Ratings: one of each resident, exact figures however many rate at once, one reply, and what is hidden."""

import asyncio
from fractions import Fraction
from typing import Any

import pytest

from models.audit import AuditRow
from models.directory.entries import EntryRow
from models.directory.ratings import RatingRow
from models.identity import AccountRow
from models.notifications import NotificationRow
from models.organisations import AppointmentRow
from models.roles import Role
from resolvers.directory import listing, ratings
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from subscriptions.events import Kind, Logged, community_topic
from tests.directory_scene import PAGE, Scene
from tests.directory_scene import scene as scene

pytestmark = pytest.mark.anyio


async def rate(
    scene: Scene, entry: EntryRow, stars: int, by: AccountRow | None = None, body: str = "面很筋道"
) -> RatingRow:
    ctx = await scene.world.context(by or scene.resident)
    return await ratings.rate(ctx, entry_id=entry.id, stars=stars, body=body)


async def reply(
    scene: Scene, row: RatingRow, body: str = "谢谢光临", by: AccountRow | None = None
) -> RatingRow:
    ctx = await scene.world.context(by or scene.merchant)
    return await ratings.reply(ctx, rating_id=row.id, version=row.version, body=body)


async def hide(scene: Scene, row: RatingRow, hidden: bool = True, by: AccountRow | None = None) -> RatingRow:
    ctx = await scene.world.context(by or scene.clerk)
    return await ratings.set_hidden(
        ctx, rating_id=row.id, version=row.version, hidden=hidden, reason="辱骂他人"
    )


async def figures(scene: Scene, entry: EntryRow) -> tuple[int, int]:
    row = await listing.visible(await scene.world.context(scene.resident), entry.id)
    return row.rating_sum, row.rating_count


async def seen(scene: Scene, entry: EntryRow, by: AccountRow) -> list[int]:
    (page,) = await ratings.ratings_of(await scene.world.context(by), [entry], PAGE)
    return [row.stars for row in page.items]


async def happened(scene: Scene, kind: Kind) -> list[Logged]:
    return [
        logged
        for logged in await scene.world.events(community_topic(scene.community.id))
        if logged.event.kind is kind
    ]


async def test_a_resident_rates_once_and_may_change_it(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await rate(scene, entry, 3)
    assert await figures(scene, entry) == (3, 1)
    again = await rate(scene, entry, 5, body="换了师傅,好多了")
    assert (again.id, again.stars, again.version) == (row.id, 5, 2)
    assert again.edited_at is not None
    assert await figures(scene, entry) == (5, 1)
    assert await rate(scene, entry, 5, body="换了师傅,好多了") == again
    await rate(scene, entry, 4, scene.neighbour)
    assert await figures(scene, entry) == (9, 2)
    assert await seen(scene, entry, scene.resident) == [4, 5]
    assert len(await happened(scene, Kind.ENTRY_RATED)) == 3
    viewer = (await scene.world.context(scene.neighbour)).viewer
    (*_, live) = await happened(scene, Kind.RATING_CHANGED)
    assert viewer.may_see(live.event.audience)
    assert not (await scene.world.context(scene.stranger)).viewer.may_see(live.event.audience)


def test_the_average_is_a_fraction() -> None:
    def of(stars: int, count: int) -> str | None:
        class Row:
            rating_sum = stars
            rating_count = count

        row: Any = Row()
        return ratings.average(row)

    assert of(0, 0) is None
    assert of(13, 3) == "13/3"
    assert of(10, 4) == "5/2"
    assert of(9, 3) == "3/1"
    assert Fraction(of(13, 3) or "0") == Fraction(13, 3)


async def test_the_figures_are_exact_however_many_rate_at_once(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    people = [await scene.world.resident(scene.home) for _ in range(10)]
    stars = [1 + number % 5 for number in range(30)]
    await asyncio.gather(*(rate(scene, entry, found, people[n % 10]) for n, found in enumerate(stars)))
    kept = [rating.stars for rating in await RatingRow.all()]
    assert len(kept) == 10
    assert await figures(scene, entry) == (sum(kept), 10)


async def test_only_verified_residents_rate_and_nobody_the_own_shop(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    for by in (scene.clerk, scene.merchant):
        with pytest.raises(NotAllowed):
            await rate(scene, entry, 5, by)
    # The merchant who lives here does not either.
    both = await scene.world.resident(scene.home)
    await AppointmentRow.create(
        community_id=scene.community.id, organisation_id=scene.shop.id, account_id=both.id, role=Role.OFFICER
    )
    with pytest.raises(NotAllowed):
        await rate(scene, entry, 5, both)
    with pytest.raises(NotFound):
        await rate(scene, entry, 1, scene.stranger)
    office = await scene.office_entry()
    with pytest.raises(InvalidInput):
        await rate(scene, office, 1)
    for stars in (0, 6):
        with pytest.raises(InvalidInput):
            await rate(scene, entry, stars)
    assert not await RatingRow.exists()
    assert await figures(scene, entry) == (0, 0)


async def test_the_merchant_answers_once_and_may_change_it(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await rate(scene, entry, 2)
    for by in (scene.neighbour, scene.clerk, scene.resident):
        with pytest.raises(NotAllowed):
            await reply(scene, row, by=by)
    assert (await RatingRow.get()).reply is None
    answered = await reply(scene, row)
    assert (answered.reply, answered.stars) == ("谢谢光临", 2)
    (told,) = await NotificationRow.filter(account_id=scene.resident.id)
    assert (told.kind, told.subject_id) == ("RATING", row.id)
    with pytest.raises(Conflict):
        await reply(scene, row, "旧的")
    await reply(scene, answered, "抱歉,下次免费加面")
    assert await NotificationRow.filter(account_id=scene.resident.id).count() == 1
    assert (await RatingRow.get()).reply == "抱歉,下次免费加面"


async def test_an_answer_is_to_what_was_read(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await rate(scene, entry, 5)
    await rate(scene, entry, 1, body="变味了")
    with pytest.raises(Conflict) as refused:
        await reply(scene, row)
    assert refused.value.current == row.id
    assert (await RatingRow.get()).reply is None


async def test_what_is_hidden_counts_for_nothing_and_its_author_is_told(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await rate(scene, entry, 1, body="骂人的话")
    await rate(scene, entry, 5, scene.neighbour)
    with pytest.raises(NotAllowed):
        await hide(scene, row, by=scene.merchant)
    assert await figures(scene, entry) == (6, 2)
    hidden = await hide(scene, row)
    assert hidden.hidden_reason == "辱骂他人"
    assert await figures(scene, entry) == (5, 1)
    assert await seen(scene, entry, scene.neighbour) == [5]
    assert await seen(scene, entry, scene.merchant) == [5]
    # Who wrote it and who hides still see it.
    assert await seen(scene, entry, scene.resident) == [5, 1]
    assert await seen(scene, entry, scene.clerk) == [5, 1]
    (*_, live) = await happened(scene, Kind.RATING_CHANGED)
    assert await ratings.ratings_of_events(await scene.world.context(scene.clerk), [live]) == [None]
    assert await NotificationRow.filter(account_id=scene.resident.id).count() == 1
    assert await hide(scene, hidden) == hidden

    # Changed while hidden, it goes on counting for nothing, and then for what it says.
    changed = await rate(scene, entry, 3)
    assert await figures(scene, entry) == (5, 1)
    await hide(scene, changed, hidden=False)
    assert await figures(scene, entry) == (8, 2)
    actions = [it.action for it in await AuditRow.filter(action__startswith="rating", refused=False)]
    assert sorted(actions) == ["rating.hide", "rating.show"]


async def test_ratings_are_for_members(scene: Scene) -> None:
    entry = await scene.licensed_entry()
    row = await rate(scene, entry, 4)
    ctx = await scene.world.context(scene.stranger)
    assert await ratings.visible_by_ids(ctx, [row.id]) == [None]
    (page,) = await ratings.ratings_of(ctx, [entry], PAGE)
    assert page.items == []
    with pytest.raises(NotFound):
        await hide(scene, row, by=scene.stranger)
    assert (await EntryRow.get()).rating_count == 1
