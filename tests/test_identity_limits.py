"""How often something may be done: windows that slide, and what counts as one client."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models.base import now
from models.identity import RateCountRow
from resolvers import limits
from resolvers.errors import RateLimited
from resolvers.limits import Limit, check, check_address
from subscriptions.addresses import origin
from tests.clock import Clock
from tests.world import World

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def clock(clock: Clock) -> Clock:
    clock.stand(BEGIN)
    return clock


async def allowed(key: str, *some: Limit) -> bool:
    try:
        await check(key, *some)
    except RateLimited:
        return False
    return True


async def test_once_a_minute_is_not_twice_around_the_full_minute(world: World, clock: Clock) -> None:
    clock.forward(seconds=59)
    assert await allowed("k", Limit(1, 60))
    clock.forward(seconds=2)
    assert not await allowed("k", Limit(1, 60))
    assert await allowed("other", Limit(1, 60))


async def test_waiting_as_long_as_told_is_enough(world: World, clock: Clock) -> None:
    limit = Limit(5, 60)
    for begin in (0, 7, 31, 59):
        clock.stand(BEGIN + timedelta(seconds=begin))
        key = f"k{begin}"
        for _ in range(5):
            await check(key, limit)
        for _ in range(5):
            with pytest.raises(RateLimited) as error:
                await check(key, limit)
            clock.forward(seconds=error.value.retry_after)
            await check(key, limit)


async def test_what_is_refused_does_not_count(world: World, clock: Clock) -> None:
    await check("k", Limit(1, 60))
    for _ in range(50):
        assert not await allowed("k", Limit(1, 60))
    clock.forward(seconds=120)
    assert await allowed("k", Limit(1, 60))


async def test_all_at_once_are_counted(world: World) -> None:
    results = await asyncio.gather(*(allowed("k", Limit(5, 3600)) for _ in range(20)))
    assert 1 <= sum(results) <= 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ],
)
def test_what_one_client_can_choose_from_is_one_client(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


async def test_a_client_without_an_address_is_not_counted(world: World) -> None:
    ctx = await world.context()
    for _ in range(3):
        await check_address(ctx, "code", Limit(1, 60))
    assert await RateCountRow.all().count() == 0


async def test_old_windows_are_forgotten(world: World) -> None:
    await check("k", Limit(1, 60))
    await limits.sweep()
    assert await RateCountRow.all().count() == 1
    await RateCountRow.all().update(created_at=now() - timedelta(days=3))
    await limits.sweep()
    assert await RateCountRow.all().count() == 0
