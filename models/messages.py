"""What is said to people, in their language.

The code speaks English. A message is known by its English text with named places, as gettext has it; the
catalogues beside this module (``locale/``) hold the Chinese, and ``make messages`` brings into them what the
code says that they lack.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from babel.messages.pofile import read_po

ENGLISH = "en"
LANGUAGES = ("zh-Hans", "zh-Hant", ENGLISH)
# Of what is written down once for everybody: official notices and the audit log.
OF_RECORD = "zh-Hans"

LOCALE = Path(__file__).parent / "locale"


class Message(str):
    """A text for people: in English as it stands, in any other language from its id and its values.

    A value that is a message itself (a kind, a severity) is put into the same language.
    """

    __slots__ = ("id", "values")

    id: str
    values: Mapping[str, object]

    def __new__(cls, id: str, /, **values: object) -> Self:
        message = super().__new__(cls, id.format_map(values) if values else id)
        message.id = id
        message.values = values
        return message

    def in_language(self, language: str) -> str:
        if language == ENGLISH:
            return str(self)
        text = catalogue(language).get(self.id, self.id)
        return text.format_map(in_language(self.values, language)) if self.values else text


class BadValue(ValueError):
    """Something given cannot be accepted; `message` says why, and never repeats it."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def in_language(value: Any, language: str) -> Any:
    """The value with every message in it, as far as it consists of mappings, in `language`."""
    if isinstance(value, Message):
        return value.in_language(language)
    if isinstance(value, Mapping):
        return {name: in_language(part, language) for name, part in value.items()}
    return value


@functools.cache
def catalogue(language: str) -> Mapping[str, str]:
    """From the ids of messages to their texts in one of LANGUAGES but English."""
    path = LOCALE / language.replace("-", "_") / "LC_MESSAGES" / "linli.po"
    with path.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file, abort_invalid=True) if entry.id}
