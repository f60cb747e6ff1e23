"""Another phone for an account: by who has both, or by two officers."""

import re
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import (
    AccountRow,
    CommunityRow,
    PhoneChangeRow,
    PhoneChangeStatus,
    ResidencyRow,
    SessionEnd,
    SessionRow,
)
from models.privacy import PHONE
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.visibility import viewers
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from resolvers.identity import phones
from resolvers.identity.addresses import organisations_by_id
from resolvers.identity.codes import Challenge
from resolvers.identity.sessions import open_session
from tests.world import World

NEW = "13900009999"


async def own(world: World, account: AccountRow) -> Context:
    made = await open_session(world.services, account.id, "phone")
    viewer = (await viewers({account.id: made.session_id}))[account.id]
    return Context(world.services, viewer, address="192.0.2.1", device="phone")


def phone_of(world: World, account: AccountRow) -> str:
    return world.services.keys.open(PHONE, account.phone_sealed)


def codes_sent(world: World) -> dict[str, str]:
    """The last code of each phone."""
    found = {phone: re.findall(r"\d{6}", text) for phone, text in world.sms.sent}
    return {phone: codes[0] for phone, codes in found.items() if codes}


async def current(account: AccountRow) -> AccountRow:
    return await AccountRow.get(id=account.id)


async def test_who_has_both_phones_changes_it(world: World) -> None:
    account = await world.account()
    old = phone_of(world, account)
    ctx, elsewhere = await own(world, account), await own(world, account)
    first, second = await phones.request_change(ctx, phone=NEW)
    codes = codes_sent(world)
    changed = await phones.change(
        ctx,
        phone=NEW,
        old_challenge=first.name,
        old_code=codes[old],
        new_challenge=second.name,
        new_code=codes["+86" + NEW],
    )
    assert phone_of(world, changed) == "+86" + NEW
    assert changed.phone_index == world.services.keys.index(PHONE, "+86" + NEW)
    assert (await SessionRow.get(id=elsewhere.viewer.session_id)).end is SessionEnd.PHONE_CHANGED
    assert (await SessionRow.get(id=ctx.viewer.session_id)).ended_at is None
    told = [(phone, text) for phone, text in world.sms.sent if "139****9999" in text]
    assert [phone for phone, _ in told] == [old, "+86" + NEW]


async def test_one_code_is_not_enough(world: World) -> None:
    account = await world.account()
    old = phone_of(world, account)
    ctx = await own(world, account)
    first, second = await phones.request_change(ctx, phone=NEW)
    codes = codes_sent(world)
    for old_code, new_code, field in (
        ("x", codes["+86" + NEW], "oldCode"),
        (codes[old], "x", "newCode"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await phones.change(
                ctx,
                phone=NEW,
                old_challenge=first.name,
                old_code=old_code,
                new_challenge=second.name,
                new_code=new_code,
            )
        assert list(refused.value.fields) == [field]
        first, second = (await again(ctx, world)) if field == "oldCode" else (first, second)
        codes = codes_sent(world)
    assert await current(account) == account


async def again(ctx: Context, world: World) -> tuple[Challenge, Challenge]:
    """Asked for again from elsewhere, since a minute has not passed."""
    return await phones.request_change(replace(ctx, address="192.0.2.77"), phone=NEW)


async def test_a_phone_with_an_account_is_nobody_else_s(world: World) -> None:
    account, other = await world.account(), await world.account()
    ctx = await own(world, account)
    taken = phone_of(world, other)
    first, second = await phones.request_change(ctx, phone=taken)
    codes = codes_sent(world)
    with pytest.raises(Conflict):
        await phones.change(
            ctx,
            phone=taken,
            old_challenge=first.name,
            old_code=codes[phone_of(world, account)],
            new_challenge=second.name,
            new_code=codes[taken],
        )
    assert await current(account) == account
    assert await current(other) == other
    with pytest.raises(InvalidInput):
        await phones.request_change(ctx, phone=phone_of(world, account))


async def test_codes_for_a_change_are_limited_as_all_are(world: World) -> None:
    ctx = await own(world, await world.account())
    await phones.request_change(ctx, phone=NEW)
    with pytest.raises(RateLimited):
        await phones.request_change(ctx, phone=NEW)
    assert len(world.sms.sent) == 2


@dataclass
class Committee:
    world: World
    community: CommunityRow
    organisation_id: UUID
    residency_id: UUID
    resident: AccountRow
    officers: list[Context]

    async def audited(self) -> list[tuple[str, str]]:
        rows = await AuditRow.all().order_by("number")
        return [(row.action, row.detail) for row in rows if "PhoneChange" in row.action]


@pytest.fixture
async def committee(world: World) -> Committee:
    community = await world.community()
    organisation = await world.organisation(community, OrganisationKind.RESIDENTS_COMMITTEE)
    officers = [await world.context(await world.officer(organisation, Role.OFFICER)) for _ in range(2)]
    resident = await world.neighbour(community)
    residency = await ResidencyRow.get(account_id=resident.id)
    return Committee(world, community, organisation.id, residency.id, resident, officers)


async def proposed(it: Committee, phone: str = NEW) -> PhoneChangeRow:
    return await phones.propose_change(
        it.officers[0], residency_id=it.residency_id, phone=phone, reason="本人持身份证到场办理"
    )


async def test_two_officers_give_somebody_another_phone(committee: Committee) -> None:
    it = committee
    session = await own(it.world, it.resident)
    old = phone_of(it.world, it.resident)
    row = await proposed(it)
    assert await current(it.resident) == it.resident
    assert await phones.masked_phones(it.officers[1], [row]) == ["139****9999"]
    done = await phones.decide_change(it.officers[1], change_id=row.id, accept=True)
    assert (done.status, done.phone_sealed) == (PhoneChangeStatus.DONE, None)
    assert phone_of(it.world, await current(it.resident)) == "+86" + NEW
    assert (await SessionRow.get(id=session.viewer.session_id)).end is SessionEnd.PHONE_CHANGED
    assert [phone for phone, _ in it.world.sms.sent] == [old, "+86" + NEW]
    assert await it.audited() == [
        ("proposePhoneChange", "本人持身份证到场办理"),
        ("acceptPhoneChange", ""),
    ]
    with pytest.raises(Conflict):
        await phones.decide_change(it.officers[1], change_id=row.id, accept=False)


async def test_who_has_moved_out_meanwhile_keeps_the_phone(committee: Committee) -> None:
    it = committee
    row = await proposed(it)
    await ResidencyRow.filter(id=it.residency_id).update(until=now())
    with pytest.raises(Conflict):
        await phones.decide_change(it.officers[1], change_id=row.id, accept=True)
    assert (await PhoneChangeRow.get(id=row.id)).status is PhoneChangeStatus.PROPOSED
    assert await current(it.resident) == it.resident
    done = await phones.decide_change(it.officers[1], change_id=row.id, accept=False)
    assert (done.status, done.phone_sealed) == (PhoneChangeStatus.REFUSED, None)


async def test_a_refused_change_changes_nothing(committee: Committee) -> None:
    row = await proposed(committee)
    done = await phones.decide_change(committee.officers[1], change_id=row.id, accept=False)
    assert (done.status, done.phone_sealed) == (PhoneChangeStatus.REFUSED, None)
    assert await current(committee.resident) == committee.resident
    assert committee.world.sms.sent == []


async def test_nobody_does_it_alone_or_for_oneself(committee: Committee) -> None:
    it = committee
    row = await proposed(it)
    with pytest.raises(NotAllowed):
        await phones.decide_change(it.officers[0], change_id=row.id, accept=True)
    neighbour = await it.world.context(await it.world.neighbour(await it.world.community()))
    for stranger in (neighbour, await it.world.context(it.resident)):
        with pytest.raises(NotFound):
            await phones.decide_change(stranger, change_id=row.id, accept=True)
        with pytest.raises(NotFound):
            await phones.propose_change(stranger, residency_id=it.residency_id, phone=NEW, reason="我要换号")
    with pytest.raises(NotFound):
        await phones.propose_change(it.officers[0], residency_id=new_id(), phone=NEW, reason="没有此人")
    await ResidencyRow.filter(id=it.residency_id).update(until=now())
    with pytest.raises(NotAllowed):
        await proposed(it)
    assert await current(it.resident) == it.resident
    assert await PhoneChangeRow.all().count() == 1


async def test_a_taken_phone_leaves_the_proposal_open(committee: Committee) -> None:
    it = committee
    other = await it.world.account()
    row = await proposed(it, phone_of(it.world, other))
    with pytest.raises(Conflict):
        await phones.decide_change(it.officers[1], change_id=row.id, accept=True)
    assert (await PhoneChangeRow.get(id=row.id)).status is PhoneChangeStatus.PROPOSED
    assert await current(it.resident) == it.resident


async def test_who_waits_is_for_the_committee_and_looking_is_kept(committee: Committee) -> None:
    it = committee
    row = await proposed(it)
    (organisation,) = await organisations_by_id(it.officers[1], [it.organisation_id])
    assert organisation
    (page,) = await phones.changes_of(it.officers[1], [organisation], PageArgs(first=5))
    assert [change.id for change in page.items] == [row.id]
    assert ("phoneChanges", "") in [(entry.action, entry.detail) for entry in await AuditRow.all()]
    clerk = await it.world.context(
        await it.world.officer(
            await it.world.organisation(it.community, OrganisationKind.PROPERTY_COMPANY), Role.ADMIN
        )
    )
    with pytest.raises(NotAllowed):
        await phones.changes_of(clerk, [organisation], PageArgs(first=5))
    assert await phones.changes_by_id(clerk, [row.id]) == [None]
