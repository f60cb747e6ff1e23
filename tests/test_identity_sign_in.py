"""Signing in by code or password, and how often either may be tried."""

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from models.base import new_id, now
from models.identity import AccountRow, OneTimeCodeRow, RateCountRow, SessionEnd, SessionRow
from models.visibility import viewers
from resolvers.context import Context
from resolvers.errors import InvalidInput, RateLimited, Unauthenticated
from resolvers.identity import codes, sign_in
from resolvers.identity.accounts import account_of, masked_phones, update_profile
from resolvers.identity.sessions import open_session, viewer_of
from resolvers.limits import Limit
from subscriptions.events import STANDING, Kind
from tests.world import World

PHONE = "13900001111"


@pytest.fixture
async def ctx(world: World) -> Context:
    """Nobody, at a device with an address."""
    made = await world.context()
    made.address, made.device = "192.0.2.1", "phone"
    return made


def sent_code(world: World) -> str:
    found = re.search(r"\d{6}", world.sms.sent[-1][1])
    assert found
    return found[0]


async def signed_in(world: World, account: AccountRow) -> Context:
    """The account in a real session, which may be ended."""
    made = await open_session(world.services, account.id, "phone")
    return Context(world.services, (await viewers({account.id: made.session_id}))[account.id])


async def asked(ctx: Context, phone: str = PHONE, device: str | None = None) -> str:
    """A code is sent; the challenge to name with it."""
    return (await sign_in.request_code(ctx, phone=phone, device_token=device)).name


async def test_a_code_makes_an_account_once(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    assert world.sms.sent[-1][0] == "+86" + PHONE
    code = sent_code(world)
    first = await sign_in.with_code(
        ctx, challenge=challenge, phone="+86 " + PHONE, code=code, display_name=" 小王 "
    )
    assert first.account.display_name == "小王"
    viewer, _ = await viewer_of(world.services, first.access_token)
    assert viewer.account_id == first.account.id
    with pytest.raises(InvalidInput):
        await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=code)
    await RateCountRow.all().delete()
    challenge = await asked(ctx)
    again = await sign_in.with_code(
        ctx, challenge=challenge, phone=PHONE, code=sent_code(world), display_name="别人"
    )
    assert again.account.id == first.account.id
    assert again.account.display_name == "小王"
    assert await AccountRow.all().count() == 1


async def test_neither_phone_nor_code_is_kept_in_clear(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    code = sent_code(world)
    kept = await OneTimeCodeRow.get()
    assert code not in f"{kept.digest} {kept.phone_index}"
    made = await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=code)
    account = await AccountRow.get()
    assert PHONE not in f"{account.phone_sealed} {account.phone_index} {account.display_name}"
    assert await masked_phones(ctx, [made.account]) == ["139****1111"]


async def test_a_code_is_worthless_after_five_guesses(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    code = sent_code(world)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    guesses = [sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=wrong) for _ in range(5)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert all(isinstance(result, InvalidInput) for result in results)
    with pytest.raises(InvalidInput):
        await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=code)
    assert await AccountRow.all().count() == 0


async def test_a_code_is_worthless_after_five_minutes(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    await OneTimeCodeRow.all().update(expires_at=now() - timedelta(seconds=1))
    with pytest.raises(InvalidInput):
        await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
    assert await AccountRow.all().count() == 0


async def test_a_code_is_good_for_its_challenge_and_phone_only(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    code = sent_code(world)
    other = await asked(ctx, "13900002222")
    for named, phone in ((other, PHONE), (challenge, "13900002222"), (new_id().hex, PHONE), ("x", PHONE)):
        with pytest.raises(InvalidInput):
            await sign_in.with_code(ctx, challenge=named, phone=phone, code=code)
    assert await AccountRow.all().count() == 0
    await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=code)


async def test_of_two_uses_of_one_code_one_signs_in(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    code = sent_code(world)
    uses = [sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=code) for _ in range(2)]
    results = await asyncio.gather(*uses, return_exceptions=True)
    assert sum(isinstance(result, InvalidInput) for result in results) == 1
    assert await SessionRow.all().count() == 1


async def test_nobody_burns_a_stranger_s_code(world: World, ctx: Context) -> None:
    """Guesses at a phone's code, and new codes for it, leave the one that its owner has asked for."""
    mine = await asked(ctx)
    code = sent_code(world)
    stranger = replace(ctx, address="198.51.100.7")
    for _ in range(6):
        with pytest.raises(InvalidInput):
            await sign_in.with_code(stranger, challenge=new_id().hex, phone=PHONE, code="000000")
    theirs = await asked(stranger)
    for _ in range(6):
        with pytest.raises(InvalidInput):
            await sign_in.with_code(stranger, challenge=theirs, phone=PHONE, code="x")
    await sign_in.with_code(ctx, challenge=mine, phone=PHONE, code=code)
    assert await AccountRow.all().count() == 1


async def test_guesses_are_limited_for_an_address_and_right_ones_are_none(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "WRONG_GUESSES_PER_ADDRESS", Limit(3, 3600))
    for _ in range(4):
        challenge = await asked(ctx)
        await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
        await RateCountRow.filter(key__contains="code/").delete()
    challenge = await asked(ctx)
    for _ in range(3):
        with pytest.raises(InvalidInput):
            await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code="x")
    sessions = await SessionRow.all().count()
    with pytest.raises(RateLimited):
        await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
    assert await SessionRow.all().count() == sessions
    elsewhere = replace(ctx, address="198.51.100.7")
    await sign_in.with_code(elsewhere, challenge=challenge, phone=PHONE, code=sent_code(world))


async def test_codes_are_limited_for_a_phone_and_for_whoever_asks(world: World, ctx: Context) -> None:
    await asked(ctx)
    with pytest.raises(RateLimited) as error:
        await asked(ctx)
    assert 1 <= error.value.retry_after <= 120
    assert len(world.sms.sent) == 1
    # The phone's owner is at another address.
    await asked(replace(ctx, address="192.0.2.2"))
    for number in range(3, 31):
        await asked(replace(ctx, address=f"192.0.2.{number}"))
    with pytest.raises(RateLimited):
        await asked(replace(ctx, address="192.0.2.99"))
    assert len(world.sms.sent) == 30


async def test_a_device_that_has_signed_in_is_held_up_by_no_stranger(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "PASSWORDS_PER_PHONE", Limit(12, 3600))
    monkeypatch.setattr(codes, "PER_PHONE", (Limit(10, 3600),))
    challenge = await asked(ctx)
    made = await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
    assert made.device_token
    await sign_in.set_password(
        Context(world.services, (await viewers({made.account.id: made.session_id}))[made.account.id]),
        new="correct horse",
    )
    await RateCountRow.all().delete()
    for number in range(10, 24):
        stranger = replace(ctx, address=f"198.51.100.{number}")
        with suppress(RateLimited):
            await asked(stranger)
        with pytest.raises((InvalidInput, RateLimited)):
            await sign_in.with_password(stranger, phone=PHONE, password="x")
    for call in (
        sign_in.request_code(ctx, phone=PHONE),
        sign_in.with_password(ctx, phone=PHONE, password="correct horse"),
    ):
        with pytest.raises(RateLimited):
            await call
    challenge = await asked(ctx, device=made.device_token)
    token = made.device_token
    again = await sign_in.with_code(
        ctx, challenge=challenge, phone=PHONE, code=sent_code(world), device_token=token
    )
    assert again.device_token == token
    await sign_in.with_password(ctx, phone=PHONE, password="correct horse", device_token=token)
    # It is the phone's, and no other's; and it has limits of its own.
    for odd in (token[:-4] + "AAA=", "", "é", "x" * 500):
        with pytest.raises(RateLimited):
            await asked(ctx, device=odd)
    for _ in range(9):
        with pytest.raises(InvalidInput):
            await sign_in.with_password(ctx, phone=PHONE, password="x", device_token=token)
    with pytest.raises(RateLimited):
        await sign_in.with_password(ctx, phone=PHONE, password="correct horse", device_token=token)


async def test_a_device_s_token_is_worth_nothing_for_another_phone(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    made = await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
    await asked(ctx, "13900002222")
    with pytest.raises(RateLimited):
        await asked(ctx, "13900002222", device=made.device_token)


async def test_an_evening_of_sign_ups_behind_one_address_is_served(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codes that are used are no sender's of many; those that nobody reads are."""
    monkeypatch.setattr(codes, "PER_ADDRESS", Limit(5, 3600))
    for number in range(20):
        phone = f"1390{number:03}2222"
        challenge = await asked(ctx, phone)
        await sign_in.with_code(ctx, challenge=challenge, phone=phone, code=sent_code(world))
    for number in range(5):
        await asked(ctx, f"1380{number:03}2222")
    with pytest.raises(RateLimited):
        await asked(ctx, "13700003333")
    assert len(world.sms.sent) == 25


async def test_a_customer_s_whole_network_is_one_sender(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "PER_ADDRESS", Limit(2, 3600))
    for number in range(10):
        await asked(replace(ctx, address=f"2001:db8:1:{number:x}::1"), f"1390{number:03}2222")
    with pytest.raises(RateLimited):
        await asked(replace(ctx, address="2001:db8:1:ff::1"), "13900003333")
    await asked(replace(ctx, address="2001:db8:2::1"), "13900003333")


async def test_what_codes_cost_is_bounded(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for foreign in ("+4915112345678", "+88213300655", "+8525551234"):
        with pytest.raises(InvalidInput) as error:
            await asked(ctx, foreign)
        assert list(error.value.fields) == ["phone"]
    abroad = replace(ctx, services=replace(world.services, sms_countries=("86", "852"), sms_an_hour=4))
    await asked(abroad, "+8525551234")
    monkeypatch.setattr(codes, "PER_PREFIX", Limit(2, 3600))
    for number in range(2):
        await asked(ctx, f"1390000222{number}")
    with pytest.raises(RateLimited):
        await asked(ctx, "13900002229")
    await asked(abroad, "13900012229")
    with pytest.raises(RateLimited):
        await asked(abroad, "13900022229")
    assert len(world.sms.sent) == 4


async def test_what_is_no_phone_is_refused(world: World, ctx: Context) -> None:
    with pytest.raises(InvalidInput) as error:
        await sign_in.request_code(ctx, phone="12345")
    assert list(error.value.fields) == ["phone"]
    assert world.sms.sent == []


async def test_an_unreachable_gateway_changes_no_answer(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_phone: str, _text: str) -> None:
        raise OSError("no route")

    monkeypatch.setattr(world.sms, "send", fail)
    assert (await sign_in.request_code(ctx, phone=PHONE)).expires_at > now()


async def test_a_password_signs_in(world: World, ctx: Context) -> None:
    account = await world.account()
    phone = world.services.keys.open("phone", account.phone_sealed)
    own = await signed_in(world, account)
    other = await signed_in(world, account)
    await sign_in.set_password(own, new="correct horse")
    assert (await AccountRow.get()).password_hash != "correct horse"
    ended = [event.event.subject for event in await world.events(STANDING)]
    assert ended == [other.viewer.session_id]
    assert (await SessionRow.get(id=other.viewer.session_id)).end is SessionEnd.PASSWORD_CHANGED
    assert (await SessionRow.get(id=own.viewer.session_id)).ended_at is None
    made = await sign_in.with_password(ctx, phone=phone, password="correct horse")
    assert made.account.id == account.id


async def test_a_wrong_password_and_an_unknown_phone_answer_the_same(world: World, ctx: Context) -> None:
    account = await world.account()
    phone = world.services.keys.open("phone", account.phone_sealed)
    await sign_in.set_password(await signed_in(world, account), new="correct horse")
    sessions = await SessionRow.all().count()
    answers = set()
    for number, word in ((phone, "wrong horse"), (PHONE, "correct horse")):
        with pytest.raises(InvalidInput) as error:
            await sign_in.with_password(ctx, phone=number, password=word)
        answers.add(str(error.value.fields))
    assert len(answers) == 1
    assert await SessionRow.all().count() == sessions


async def test_passwords_cannot_be_tried_without_end(
    world: World, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def quickly(_hashed: str | None, _password: str) -> bool:
        return False

    monkeypatch.setattr(sign_in, "is_password", quickly)
    for _ in range(10):
        with pytest.raises(InvalidInput):
            await sign_in.with_password(ctx, phone=PHONE, password="x")
    with pytest.raises(RateLimited):
        await sign_in.with_password(ctx, phone=PHONE, password="x")


async def test_an_old_session_needs_the_current_password(world: World) -> None:
    account = await world.account()
    ctx = await signed_in(world, account)
    await sign_in.set_password(ctx, new="correct horse")
    await SessionRow.all().update(created_at=now() - timedelta(hours=1))
    before = (await AccountRow.get()).password_hash
    for current in (None, "wrong horse"):
        with pytest.raises(InvalidInput) as error:
            await sign_in.set_password(ctx, new="battery staple", current=current)
        assert list(error.value.fields) == ["currentPassword"]
    assert (await AccountRow.get()).password_hash == before
    await sign_in.set_password(ctx, new="battery staple", current="correct horse")
    assert (await AccountRow.get()).password_hash != before


@pytest.mark.parametrize(
    "password",
    [
        "q9!vB7#xL",
        "          ",
        "1234567890",
        "password12",
        "qwertyuiop",
        "小区小区小区小区小区",
        "老马老马老马老马老马",
        "{phone}",
        "{phone}ab",
        "x" * 129,
    ],
)
async def test_a_password_that_is_soon_guessed_is_refused(world: World, password: str) -> None:
    account = await world.account("老马")
    ctx = await signed_in(world, account)
    phone = world.services.keys.open("phone", account.phone_sealed).removeprefix("+86")
    with pytest.raises(InvalidInput) as error:
        await sign_in.set_password(ctx, new=password.format(phone=phone))
    assert list(error.value.fields) == ["newPassword"]
    assert (await AccountRow.get()).password_hash is None


async def test_a_profile_changes_in_part(world: World) -> None:
    ctx = await signed_in(world, await world.account("老名字"))
    changed = await update_profile(ctx, display_name="新名字")
    assert (changed.display_name, changed.language) == ("新名字", "zh-Hans")
    changed = await update_profile(ctx, language="en")
    assert (changed.display_name, changed.language) == ("新名字", "en")
    for wrong in ({"display_name": "两\n行"}, {"display_name": "长" * 31}, {"language": "tlh"}):
        with pytest.raises(InvalidInput):
            await update_profile(ctx, **wrong)
    assert await account_of(ctx) == changed


async def test_nobody_has_no_profile(ctx: Context) -> None:
    with pytest.raises(Unauthenticated):
        await update_profile(ctx, display_name="名字")
    with pytest.raises(Unauthenticated):
        await sign_in.set_password(ctx, new="correct horse")


async def test_old_codes_are_forgotten(world: World, ctx: Context) -> None:
    await sign_in.request_code(ctx, phone=PHONE)
    await codes.sweep()
    assert await OneTimeCodeRow.all().count() == 1
    await OneTimeCodeRow.all().update(expires_at=now() - timedelta(seconds=1))
    await codes.sweep()
    assert await OneTimeCodeRow.all().count() == 0


async def test_signing_in_for_the_first_time_is_no_change_of_standing(world: World, ctx: Context) -> None:
    challenge = await asked(ctx)
    await sign_in.with_code(ctx, challenge=challenge, phone=PHONE, code=sent_code(world))
    kinds = [event.event.kind for event in await world.events(STANDING)]
    assert Kind.SESSION_ENDED not in kinds
