"""Which language a client wants."""

import functools
import re

from models.messages import ENGLISH, OF_RECORD

# What follows "zh" where the characters are the traditional ones; a script says more than a region.
TRADITIONAL = ("hant", "tw", "hk", "mo")


def language_of(header: object) -> str:
    """One of the languages that there are, by an Accept-Language header (RFC 9110, 12.5.4).

    Who asks for none of them is answered in Chinese.
    """
    return _language_of(header) if isinstance(header, str) else OF_RECORD


@functools.lru_cache(maxsize=100)
def _language_of(header: str) -> str:
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")):
        tag, _, quality = part.partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", quality)
        language = _language(tag)
        if language and (not quality or weight):
            wanted.append((-float(weight[1]) if weight else -1.0, place, language))
    return min(wanted)[2] if wanted else OF_RECORD


def _language(tag: str) -> str | None:
    language, *parts = tag.strip().lower().split("-")
    if language != "zh":
        return ENGLISH if language == "en" else None
    traditional = parts[0] in TRADITIONAL if parts else False
    return "zh-Hant" if traditional else "zh-Hans"
