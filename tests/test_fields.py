"""schema.fields: siblings are loaded together, and each gets its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from schema.fields import Info, load


@dataclass(slots=True)
class Row:
    """Mutable, so without a hash, as the rows are."""

    number: int


class Batch:
    def __init__(self) -> None:
        self.calls: list[tuple[list[int], tuple[Any, ...]]] = []

    async def __call__(self, _ctx: Any, rows: Sequence[Row], *args: Any) -> list[int]:
        self.calls.append(([row.number for row in rows], args))
        return [10 * row.number for row in rows]


def operation() -> Info:
    return cast(Info, SimpleNamespace(context=SimpleNamespace(memo={})))


async def test_siblings_are_loaded_in_one_call_and_in_their_order() -> None:
    info, batch = operation(), Batch()
    rows = [Row(number) for number in (3, 1, 2, 1)]
    assert await asyncio.gather(*(load(info, batch, row) for row in rows)) == [30, 10, 20, 10]
    assert batch.calls == [([3, 1, 2, 1], ())]


async def test_a_parent_is_loaded_once_in_an_operation() -> None:
    info, batch, row = operation(), Batch(), Row(1)
    assert [await load(info, batch, row) for _ in range(3)] == [10, 10, 10]
    assert await load(operation(), batch, row) == 10
    assert len(batch.calls) == 2


async def test_arguments_tell_calls_apart() -> None:
    info, batch, row = operation(), Batch(), Row(1)
    await asyncio.gather(
        load(info, batch, row, "a"), load(info, batch, row, "b"), load(info, batch, Row(2), "a")
    )
    assert batch.calls == [([1, 2], ("a",)), ([1], ("b",))]


async def test_a_parent_that_is_gone_lends_its_identity_to_nobody() -> None:
    """CPython gives the next object the memory, and so the id, of the one before."""
    info, batch = operation(), Batch()
    assert [await load(info, batch, Row(number)) for number in range(200)] == [10 * n for n in range(200)]
