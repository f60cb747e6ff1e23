"""Numbers of documents and bank cards in what people write are masked before the text is stored.

Whoever found a licence copies its number into a post, and whoever lost a card theirs. The owner
recognises the last digits; nobody else needs the rest. Telephone numbers stay: people want to be
called.
"""

import re

# How much stays readable at the end.
SHOWN = 2

# Letters and digits in half and full width; \d has the digits of both.
EDGE = r"(?<![0-9A-Za-z０-９Ａ-Ｚａ-ｚ]){}(?![0-9A-Za-z０-９Ａ-Ｚａ-ｚ])"
GAP = r"[ 　\-–—·.]?"
PHONE = re.compile(r"(?:[+＋]?86)?1[3-9]\d{9}")


def at_word_edges(pattern: str) -> re.Pattern[str]:
    return re.compile(EDGE.format(f"(?:{pattern})"))


# Resident identity cards (which are driving-licence numbers too), with or without gaps, in 18 and in the
# old 15 digits, and whatever else has 16 to 19 digits in a row, as bank cards have.
IDENTITY = at_word_edges(rf"\d{{6}}{GAP}(?:19|20|１９|２０)\d{{2}}{GAP}\d{{4}}{GAP}\d{{3}}[\dXxＸｘ]")
OLD_IDENTITY = at_word_edges(r"\d{8}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}")
LONG = at_word_edges(r"\d{16,19}|\d{17}[XxＸｘ]")
# Cards as they are printed, in fours: only if the check digit agrees, since years come in fours as well.
CARD = at_word_edges(rf"\d{{4}}(?:{GAP}\d{{4}}){{3}}(?:{GAP}\d{{1,3}})?")
# Passports, and permits for Hong Kong, Macau and Taiwan.
PASSPORT = at_word_edges(r"[EeＥ][A-Za-z]\d{7}|[DEGHMPSdeghmpsＤＥＧＨＭＰＳ]\d{8}|[HMhm]\d{10}")
# Whatever follows the name of a document.
NAMED = re.compile(
    r"((?:身份证|护照|驾驶证|驾照|行驶证|社保卡|医保卡|军官证|通行证|银行卡|储蓄卡|证件|档案)"
    r"(?:号码|编号|号)?(?:是|为)?[\s:：]*)([0-9０-９A-Za-z]{7,20})(?![0-9０-９A-Za-z])"
)


def mask(text: str) -> str:
    """`text` with all but the last digits of document and bank-card numbers replaced by ``*``."""
    for pattern in (IDENTITY, OLD_IDENTITY, LONG, PASSPORT):
        text = pattern.sub(lambda found: stars(found[0]), text)
    text = CARD.sub(lambda found: stars(found[0]) if is_card(found[0]) else found[0], text)
    return NAMED.sub(lambda found: found[1] + (found[2] if is_spared(found[2]) else stars(found[2])), text)


def stars(number: str) -> str:
    return "*" * (len(number) - SHOWN) + number[-SHOWN:]


def is_spared(word: str) -> bool:
    return PHONE.fullmatch(word) is not None or not any(character.isdecimal() for character in word)


def is_card(number: str) -> bool:
    """Whether the check digit (Luhn's) agrees."""
    digits = [int(character) for character in reversed(number) if character.isdecimal()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
