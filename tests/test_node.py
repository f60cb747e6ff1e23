"""schema.node: ids of ours are read, and nothing else is a fault."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.errors import InvalidInput
from schema.node import global_id, key_of, type_and_key


@given(key=st.uuids(), name=st.from_regex(r"[A-Z][A-Za-z]{0,30}", fullmatch=True))
def test_ids_hold_their_type_and_key(key: UUID, name: str) -> None:
    value = global_id(name, key)
    assert value.isascii()
    assert type_and_key(value) == (name, key)
    assert key_of("postId", value, "Other", name) == key


@given(value=st.one_of(st.text(), st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())))
def test_other_texts_are_no_ids(value: str) -> None:
    assert type_and_key(value) is None
    with pytest.raises(InvalidInput) as caught:
        key_of("postId", value, "Post")
    assert list(caught.value.fields) == ["postId"]


def test_the_id_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidInput):
        key_of("postId", global_id("Notice", UUID(int=1)), "Post", "Comment")
