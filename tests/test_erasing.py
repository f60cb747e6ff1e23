"""Who has moved out is known for a stated time; then what they were verified with is erased."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import AccountRow, ApplicationRow, HomeRow, Relation, ResidencyRow
from models.storage.rows import execute
from resolvers.identity import applications, erasing, residencies, unmasking
from resolvers.identity.unmasking import UnmaskedPerson
from tests.clock import Clock
from tests.clock import clock as clock
from tests.world import World

NAME, DOCUMENT = "欧阳锋", "E1234567"


@dataclass
class Place:
    """Homes of a community, and who decides who lives in them."""

    world: World
    home: HomeRow
    officer: AccountRow

    async def verified(self, account: AccountRow | None = None) -> ResidencyRow:
        """A residency that the office has approved, of who gave name and document."""
        row = await applications.apply(
            await self.world.context(account or await self.world.account()),
            home_id=self.home.id,
            relation=Relation.OWNER,
            real_name=NAME,
            document_number=DOCUMENT,
            evidence="",
            key=str(new_id()),
        )
        await applications.approve(
            await self.world.context(self.officer), application_id=row.id, version=row.version
        )
        (residency,) = await ResidencyRow.filter(account_id=row.account_id, home_id=self.home.id, until=None)
        return residency

    async def left(self, residency: ResidencyRow) -> None:
        await residencies.move_out(await self.world.context(self.officer), residency_id=residency.id)

    async def unmasked(self, **of: UUID) -> UnmaskedPerson:
        return await unmasking.unmask(await self.world.context(self.officer), reason="核对旧账", **of)


@pytest.fixture
async def place(world: World) -> Place:
    return await place_in(world)


async def place_in(world: World) -> Place:
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    return Place(world, home, await world.officer(await world.organisation(community)))


async def kept(account_id: UUID) -> tuple[bool, ...]:
    (row,) = await AccountRow.filter(id=account_id)
    return tuple(
        value is not None for value in (row.real_name_sealed, row.document_sealed, row.document_index)
    )


async def test_who_moved_out_is_known_for_two_years_and_then_erased(place: Place, clock: Clock) -> None:
    residency = await place.verified()
    (application,) = await ApplicationRow.filter(account_id=residency.account_id)
    await place.left(residency)
    clock.forward(days=729)
    assert await erasing.sweep(place.world.services) == 0
    assert (await place.unmasked(residency_id=residency.id)).real_name == NAME
    assert (await place.unmasked(application_id=application.id)).document_number == DOCUMENT
    clock.forward(days=2)
    # Nobody is shown it any more, even before it is erased.
    nothing = UnmaskedPerson(None, None, None, None)
    assert await place.unmasked(residency_id=residency.id) == nothing
    assert await place.unmasked(application_id=application.id) == nothing
    ctx = await place.world.context(place.officer)
    assert await unmasking.masked_names(ctx, [residency, application]) == [None, None]
    assert await kept(residency.account_id) == (True, True, True)
    assert await erasing.sweep(place.world.services) == 1
    assert await kept(residency.account_id) == (False, False, False)
    assert await erasing.sweep(place.world.services) == 0
    (act,) = await AuditRow.filter(action="erasePersonalData")
    assert (act.community_id, act.account_id, act.detail) == (
        place.home.community_id,
        None,
        "× 1",
    )


async def test_who_lives_elsewhere_is_known_there_and_no_more_here(place: Place, clock: Clock) -> None:
    elsewhere = await place_in(place.world)
    residency = await place.verified()
    (account,) = await AccountRow.filter(id=residency.account_id)
    await place.left(residency)
    other = await elsewhere.verified(account)
    clock.forward(days=731)
    assert await erasing.sweep(place.world.services) == 0
    assert await kept(account.id) == (True, True, True)
    assert (await place.unmasked(residency_id=residency.id)).real_name is None
    assert (await elsewhere.unmasked(residency_id=other.id)).real_name == NAME


async def test_who_comes_back_or_applies_again_is_not_erased(place: Place, clock: Clock) -> None:
    residency = await place.verified()
    (account,) = await AccountRow.filter(id=residency.account_id)
    await place.left(residency)
    clock.forward(days=731)
    await place.verified(account)
    assert await erasing.sweep(place.world.services) == 0
    # The old residency is of somebody who lives there.
    assert (await place.unmasked(residency_id=residency.id)).real_name == NAME


async def test_many_are_erased_in_batches(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "BATCH", 2)
    sealed = place.world.services.keys.seal("real-name", NAME)
    for _ in range(3):
        account = await place.world.resident(place.home)
        await execute("UPDATE account SET real_name_sealed = ? WHERE id = ?", sealed, account.id)
    await execute("UPDATE residency SET until = ?", now())
    clock.forward(days=731)
    assert [await erasing.sweep(place.world.services) for _ in range(3)] == [2, 1, 0]
