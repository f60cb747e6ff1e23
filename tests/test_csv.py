"""resolvers.tables: what a spreadsheet would compute is shown instead."""

import csv
import io

import pytest

from models.messages import Message
from resolvers.tables import BYTE_ORDER_MARK, spreadsheet_safe, table


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
@pytest.mark.parametrize(
    "before", ["", " ", "\t", "\r\n", "\n", "\u3000", "\u00a0", "\u200b", "\ufeff", " \n\t "]
)
def test_no_cell_is_computed(sign: str, before: str) -> None:
    cell = f"{before}{sign}1+1"
    assert spreadsheet_safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["\tx", "\rx", "\nx"])
def test_a_cell_that_begins_with_a_break_is_text(cell: str) -> None:
    assert spreadsheet_safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "3-2-501", "张三", "a=b", " x", 7, -7, None])
def test_everything_else_stays(cell: object) -> None:
    assert spreadsheet_safe(cell) == cell


def test_a_table_begins_with_the_mark_and_is_read_back() -> None:
    text = table("en", [Message("Home")], [["=1+1"], ["\n＝2"], ['a,"b']])
    assert text.startswith(BYTE_ORDER_MARK)
    _, *rows = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=""))
    assert rows == [["'=1+1"], ["'\n＝2"], ['a,"b']]
