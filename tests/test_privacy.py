"""Personal data at rest: sealed for one purpose, found by a keyed hash, shown masked, re-sealed."""

import asyncio
import base64
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import privacy
from models.identity import AccountRow, ApplicationRow, ApplicationStatus, Relation
from models.privacy import Keys, Unsealable, rotate
from models.storage import rows
from tests.world import World, throwaway_keys

KEYS = throwaway_keys()


def renewed(keys: Keys, name: str = "new") -> Keys:
    """The same keys with another current one."""
    return Keys({**keys.keys, name: secrets.token_bytes(32)}, name, keys.index_key)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = KEYS.seal("phone", text)
    assert KEYS.open("phone", sealed) == text
    assert sealed.startswith("v1.test.")


def test_sealing_twice_gives_different_texts() -> None:
    assert KEYS.seal("phone", "1") != KEYS.seal("phone", "1")


def test_a_text_sealed_for_another_purpose_does_not_open() -> None:
    with pytest.raises(Unsealable):
        KEYS.open("real-name", KEYS.seal("phone", "+8613800138000"))


def test_a_changed_character_anywhere_does_not_open() -> None:
    sealed = KEYS.seal("phone", "+8613800138000")
    for place in range(len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(Unsealable):
            KEYS.open("phone", sealed[:place] + other + sealed[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "v1", "v1.test.", "v1.test.***", "v1.gone.AAAA", "v2.test.AAAA", "密文"]
)
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(Unsealable):
        KEYS.open("phone", text)


def test_an_index_depends_on_key_and_purpose() -> None:
    index = KEYS.index("phone", "1")
    assert len(index) == 64
    assert index == KEYS.index("phone", "1")
    assert index not in (KEYS.index("document", "1"), throwaway_keys().index("phone", "1"))


def test_keys_refuse_what_is_no_key() -> None:
    good = secrets.token_bytes(32)
    for keys, current, index in (
        ({"a": good}, "b", good),
        ({"a": good[:31]}, "a", good),
        ({"a.b": good}, "a.b", good),
        ({"a": good}, "a", good[:31]),
    ):
        with pytest.raises(ValueError, match="key"):
            Keys(keys, current, index)


def test_keys_are_read_from_text_and_never_shown() -> None:
    first, second, index = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(3))
    keys = Keys.from_text(f"b:{second},a:{first}", index)
    assert keys.current == "b"
    assert set(keys.keys) == {"a", "b"}
    assert first not in repr(keys)
    with pytest.raises(ValueError, match="base64") as error:
        Keys.from_text("a:secret!", index)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("13800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        ("８６13800138000", "+8613800138000"),
        ("+1 (415) 555-0100", "+14155550100"),
    ],
)
def test_a_phone_has_one_spelling(text: str, normal: str) -> None:
    assert privacy.normal_phone(text) == normal


@pytest.mark.parametrize(
    "text", ["", "12800138000", "1380013800", "+8612800138000", "4155550100", "电话", "+0123456"]
)
def test_what_is_no_phone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="phone"):
        privacy.normal_phone(text)


def test_the_check_digit_of_an_identity_number_counts() -> None:
    # The standard's own example.
    assert privacy.normal_document("11010519491231002x") == "11010519491231002X"
    for digit in "0123456789":
        with pytest.raises(ValueError, match="identity number"):
            privacy.normal_document(f"11010519491231002{digit}")
    with pytest.raises(ValueError, match="identity number"):
        privacy.normal_document("110105194913310021")


@pytest.mark.parametrize("text", ["E12345678", "h-1234567", "(12345)"])
def test_other_documents_have_5_to_20_letters_and_digits(text: str) -> None:
    assert privacy.normal_document(text).isalnum()


@pytest.mark.parametrize("text", ["1234", "A" * 21, "证件12345", ""])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="5 to 20"):
        privacy.normal_document(text)


def test_masks_hide_most() -> None:
    assert privacy.mask_name("张三丰") == "张**"
    assert privacy.mask_name("张") == "张*"
    assert privacy.mask_phone("+8613800138000") == "138****8000"
    assert privacy.mask_phone("+14155550100") == "+14****00"
    assert privacy.mask_document("11010519491231002X") == "1***************2X"
    assert privacy.mask_document("A1234") == "*****"


def test_names_compare_whatever_their_spaces_and_dots() -> None:
    assert privacy.normal_name("张 三") == privacy.normal_name("张三")
    assert privacy.normal_name("阿依古丽•买买提") == privacy.normal_name("阿依古丽·买买提")
    assert privacy.normal_name("John  Smith") == privacy.normal_name("JOHN SMITH")
    assert privacy.normal_name("张三") != privacy.normal_name("张三丰")


async def test_rotation_seals_everything_anew(world: World) -> None:
    keys = world.services.keys
    accounts = [await world.account() for _ in range(3)]
    home = await world.home(await world.building(await world.estate(await world.community())))
    application = await ApplicationRow.create(
        community_id=home.community_id,
        account_id=accounts[0].id,
        home_id=home.id,
        relation=Relation.OWNER,
        status=ApplicationStatus.PENDING,
        real_name_sealed=keys.seal("real-name", "张三"),
        evidence_sealed=keys.seal("evidence", "证"),
    )
    new = renewed(keys)
    assert await rotate(new) == 5
    assert await rotate(new) == 0
    only_new = Keys({"new": new.keys["new"]}, "new", new.index_key)
    for account in accounts:
        await account.refresh_from_db()
        assert only_new.open("phone", account.phone_sealed).startswith("+86138")
    await application.refresh_from_db()
    assert application.real_name_sealed
    assert only_new.open("real-name", application.real_name_sealed) == "张三"
    assert application.document_sealed is None


async def test_rotation_goes_on_where_it_broke_off(world: World) -> None:
    keys = world.services.keys
    first, broken, last = [await world.account() for _ in range(3)]
    good = broken.phone_sealed
    await AccountRow.filter(id=broken.id).update(phone_sealed=throwaway_keys().seal("phone", "x"))
    new = renewed(keys)
    with pytest.raises(Unsealable):
        await rotate(new)
    await AccountRow.filter(id=broken.id).update(phone_sealed=good)
    await rotate(new)
    for account in (first, broken, last):
        await account.refresh_from_db()
        assert account.phone_sealed.startswith("v1.new.")


async def test_a_write_during_rotation_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await world.account()
    new = renewed(world.services.keys)
    select = rows.select
    written = new.seal("phone", "+8613999999999")

    async def read_and_then_written(*args: Any) -> object:
        found: list[object] = await select(*args)
        if found:
            await AccountRow.filter(id=account.id).update(phone_sealed=written)
        return found

    monkeypatch.setattr(privacy, "select", read_and_then_written)
    await asyncio.wait_for(rotate(new), 20)
    await account.refresh_from_db()
    assert new.open("phone", account.phone_sealed) == "+8613999999999"
