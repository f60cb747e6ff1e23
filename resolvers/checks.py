"""Checks of what clients send; each returns the value to keep or raises InvalidInput."""

import unicodedata

from models.messages import Message
from resolvers.errors import InvalidInput

KEPT_CONTROLS = frozenset("\n\t")


def check_text(field: str, text: str, most: int, *, least: int = 1) -> str:
    """`text` without surrounding space, in Unicode's NFC, `least` to `most` characters long.

    Raises InvalidInput for any other length, and for control characters and lone surrogates, which
    no database keeps and no screen shows.
    """
    # Cut off what is far too long before normalising it.
    if len(text) > 4 * most + 100:
        raise InvalidInput(**{field: Message("At most {most} characters", most=most)})
    if any(is_unprintable(character) for character in text):
        raise InvalidInput(**{field: Message("Holds characters that are not text")})
    kept = unicodedata.normalize("NFC", text).strip()
    if len(kept) < least:
        short = Message("At least {least} characters", least=least)
        raise InvalidInput(**{field: Message("Must not be empty") if least == 1 else short})
    if len(kept) > most:
        raise InvalidInput(**{field: Message("At most {most} characters", most=most)})
    return kept


def is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in KEPT_CONTROLS
