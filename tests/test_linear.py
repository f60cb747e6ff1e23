"""Whatever reads people's texts does twice the work for twice the text, whatever the text is.

Work is counted, not timed: as the lines of Python that run. What a regular expression does in one line is not
seen; none of ours nests one repetition in another.
"""

import contextlib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from models.privacy import Keys
from models.search import bigrams
from models.storage.rows import containing
from resolvers.checks import check_text
from resolvers.errors import DomainError
from resolvers.identity.register import read_file
from resolvers.markdown import check_markdown, render
from resolvers.masking import mask
from tests.servers import throwaway_secrets

LENGTH = 1_500
SECRETS = throwaway_secrets()
KEYS = Keys.from_text(SECRETS["LINLI_KEYS"], SECRETS["LINLI_INDEX_KEY"])
HEAD = "estate,building,unit,number,area,name,document,phone,relation\n"

READERS: dict[str, Callable[[str], object]] = {
    "markdown": lambda text: render("body", text),
    "checked markdown": lambda text: check_markdown("body", text, 10 * LENGTH),
    "masking": mask,
    "checking": lambda text: check_text("body", text, 10 * LENGTH),
    "search": bigrams,
    "a part of a name": lambda text: containing("name", text),
    "register": lambda text: read_file(KEYS, HEAD + text),
}
UNITS = [
    *(
        "[",
        "![",
        "[a](",
        "[[]",
        "[](",
        "[\\",
        "[\n",
        "[]",
        "[a]: b\n",
        "![[]()",
        "*",
        "*a ",
        "_a*",
        "**x",
        "x** ",
    ),
    *(
        "`",
        "` `` ",
        "```\n",
        "<",
        "<a b=",
        "<!--",
        "&",
        "&#35;",
        ">",
        "> > a\n",
        "- ",
        "1. ",
        "# ",
        "\\",
        "media:",
    ),
    *("1", "1 ", "11-", "身份证号", "身份证号码是 ", "1234 5678 ", "X", "护照：", "\u0301", "👩‍", "\t", "\n"),
    *('"', '",', ",,,,,,,,\n", '"\n', "a,b,1,1,1,名,1,1,OWNER\n", "%", "_"),
]


def work(reader: Callable[[str], object], text: str) -> int:
    lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        with contextlib.suppress(DomainError):
            reader(text)
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("name", READERS)
def test_twice_the_text_is_twice_the_work(name: str) -> None:
    reader = READERS[name]
    for unit in UNITS:
        text = unit * (LENGTH // len(unit))
        once, twice = work(reader, text), work(reader, text * 2)
        assert twice <= 2.4 * once + 2_000, (unit, once, twice)
