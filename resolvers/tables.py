"""Tables to take away: CSV as spreadsheets read it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from models.messages import Message, in_language

# By which spreadsheets know that a file is UTF-8.
BYTE_ORDER_MARK = "\ufeff"
# What spreadsheets compute, the full-width signs of Chinese keyboards included; they pass over what is blank.
COMPUTED = re.compile(r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")
BEIJING = timedelta(hours=8)


def table(language: str, heads: Sequence[Message], rows: Iterable[Sequence[object]]) -> str:
    """CSV with `heads` and with the messages in `rows` in `language`."""
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow([head.in_language(language) for head in heads])
    writer.writerows([spreadsheet_safe(in_language(cell, language)) for cell in row] for row in rows)
    return text.getvalue()


def spreadsheet_safe(cell: object) -> object:
    """The cell as a spreadsheet shows it, and never as a formula that it runs."""
    return f"'{cell}" if isinstance(cell, str) and COMPUTED.match(cell) else cell


def beijing_time(moment: datetime) -> str:
    return (moment + BEIJING).strftime("%Y-%m-%d %H:%M")
