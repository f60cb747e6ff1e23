"""Personal data at rest: sealed with AES-256-GCM, found again by a keyed hash, shown masked.

A sealed text is ``v1.<key id>.<base64url of nonce and ciphertext>``. The purpose (``phone``,
``document`` …) is authenticated with it, so that a sealed phone number put in the place of a sealed
name does not open. Texts are filled up to multiples of 256 bytes first (ISO/IEC 7816-4), so that the
length of a sealed name, number or choice tells nothing. The key that an index is made with cannot be
changed without reading every sealed value again; sealing keys can be, at any time, by `rotate`.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tortoise.transactions import in_transaction

from models.messages import BadValue, Message
from models.storage.rows import execute, select

VERSION = "v1"
NONCE = 12
BLOCK = 256
KEY_ID = re.compile(r"[A-Za-z0-9]{1,20}")

# What sealed texts are for. The purpose is part of each: renaming one makes its texts unreadable.
PHONE = "phone"
REAL_NAME = "real-name"
DOCUMENT = "document"
EVIDENCE = "evidence"
BALLOT = "ballot"
PARTY = "party"
VISIT = "visit"
LICENCE = "licence"

# Every column that holds sealed text, with its purpose.
SEALED_COLUMNS = (
    ("account", "phone_sealed", PHONE),
    ("account", "real_name_sealed", REAL_NAME),
    ("account", "document_sealed", DOCUMENT),
    ("residency_application", "real_name_sealed", REAL_NAME),
    ("residency_application", "document_sealed", DOCUMENT),
    ("residency_application", "evidence_sealed", EVIDENCE),
    ("household_entry", "real_name_sealed", REAL_NAME),
    ("phone_change", "phone_sealed", PHONE),
    ("office_invitation", "phone_sealed", PHONE),
    ("paper_ballot", "choices_sealed", BALLOT),
    ("vote_proxy", "evidence_sealed", EVIDENCE),
    ("party_application", "statement_sealed", PARTY),
    ("party_application", "reason_sealed", PARTY),
    ("party_member", "end_reason_sealed", PARTY),
    ("home_visit", "notes_sealed", VISIT),
    ("merchant_licence", "number_sealed", LICENCE),
)
BATCH = 500


class Unsealable(Exception):
    """The text was not sealed by us for this purpose, was tampered with, or its key is gone."""


class Misspelt(BadValue):
    """What somebody typed cannot be what it should be."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The secrets that personal data is sealed and indexed with.

    keys       key id → 32 bytes; old ones stay until `rotate` has left nothing sealed with them
    current    the id of the key that new texts are sealed with
    index_key  at least 32 bytes, for the keyed hashes

    Raises ValueError for keys of another size, odd ids, or a current key that is not there.
    """

    keys: Mapping[str, bytes]
    current: str
    index_key: bytes
    ciphers: dict[str, AESGCM] = field(init=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError("The current key is not among the keys")
        if any(not KEY_ID.fullmatch(name) or len(key) != 32 for name, key in self.keys.items()):
            raise ValueError("A sealing key has 32 bytes and an id of 1 to 20 letters and digits")
        if len(self.index_key) < 32:
            raise ValueError("The index key has at least 32 bytes")
        object.__setattr__(self, "ciphers", {name: AESGCM(key) for name, key in self.keys.items()})

    @classmethod
    def from_text(cls, keys: str, index_key: str) -> "Keys":
        """Keys as an environment holds them: ``id:base64,id:base64`` (the first is current) and base64.

        Raises ValueError, which never repeats any of it.
        """
        try:
            pairs = [pair.strip().partition(":") for pair in keys.split(",")]
            found = {name: base64.b64decode(text, validate=True) for name, _, text in pairs}
            index = base64.b64decode(index_key, validate=True)
        except ValueError:
            raise ValueError("Keys are written as id:base64,id:base64 and the index key as base64") from None
        return cls(found, pairs[0][0], index)

    def seal(self, purpose: str, text: str) -> str:
        """`text`, unreadable without the current key, and unusable for any other purpose."""
        nonce = os.urandom(NONCE)
        filled = text.encode() + b"\x80"
        filled += bytes(-len(filled) % BLOCK)
        sealed = nonce + self.ciphers[self.current].encrypt(nonce, filled, purpose.encode())
        return f"{VERSION}.{self.current}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, purpose: str, sealed: str) -> str:
        """What was sealed for `purpose`. Raises Unsealable."""
        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        cipher = self.ciphers.get(key_id)
        if version != VERSION or cipher is None:
            raise Unsealable("Sealed with a key that is not at hand")
        try:
            data = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            filled = cipher.decrypt(data[:NONCE], data[NONCE:], purpose.encode())
            return filled.rstrip(b"\0")[:-1].decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise Unsealable("Not sealed for this purpose, or tampered with") from error

    def index(self, purpose: str, text: str) -> str:
        """A keyed hash of 64 hex digits, by which equal texts of one purpose find each other."""
        return hmac.new(self.index_key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Sealed:
    id: UUID
    text: str


async def rotate(keys: Keys) -> int:
    """Seal everything that another key sealed anew with the current one; returns how many texts.

    A value that is written meanwhile is left as it is written; a run that breaks off is taken up by
    the next. Raises Unsealable, having kept what it has done, at a text whose key is gone.
    """
    done = 0
    prefix = f"{VERSION}.{keys.current}."
    for table, column, purpose in SEALED_COLUMNS:
        after = UUID(int=0)
        while rows := await select(
            Sealed,
            f"SELECT id, {column} AS text FROM {table} WHERE {column} IS NOT NULL"
            f" AND substr({column}, 1, {len(prefix)}) <> ? AND id > ? ORDER BY id LIMIT {BATCH}",
            prefix,
            after,
        ):
            async with in_transaction():
                for row in rows:
                    done += len(
                        await execute(
                            f"UPDATE {table} SET {column} = ? WHERE id = ? AND {column} = ? RETURNING id",
                            keys.seal(purpose, keys.open(purpose, row.text)),
                            row.id,
                            row.text,
                        )
                    )
            after = rows[-1].id
    return done


def normal_phone(text: str) -> str:
    """The one spelling of a phone number (E.164): ``+8613800138000``. Raises Misspelt.

    Without a country code it is a mobile number of mainland China.
    """
    digits = re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", text[:60]))
    digits = re.sub(r"^00", "+", digits)
    if re.fullmatch(r"(\+?86)?1[3-9][0-9]{9}", digits):
        return "+86" + digits[-11:]
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) and not digits.startswith("+86"):
        return digits
    raise Misspelt(Message("Is not a mobile phone number"))


def normal_document(text: str) -> str:
    """The one spelling of an identity document's number. Raises Misspelt.

    A Chinese resident identity number must have a date and the right check digit (GB 11643); any
    other document's number has 5 to 20 letters and digits.
    """
    number = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text[:60])).upper()
    if re.fullmatch(r"[0-9]{17}[0-9X]", number):
        if not is_resident_number(number):
            raise Misspelt(Message("Is not a valid identity number"))
        return number
    if re.fullmatch(r"[A-Z0-9]{5,20}", number):
        return number
    raise Misspelt(Message("Must have 5 to 20 letters and digits"))


def is_resident_number(number: str) -> bool:
    """Whether these 18 characters hold a date of birth and end with their check digit."""
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    weighted = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(number[:17]))
    return number[17] == "10X98765432"[weighted % 11]


def normal_name(text: str) -> str:
    """A person's name as it is compared: one spelling of letters, dots and spaces."""
    name = unicodedata.normalize("NFKC", text).replace("•", "·").replace("・", "·")
    # Spaces mean nothing between Chinese characters and separate names elsewhere.
    name = re.sub(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])", "", name)
    return re.sub(r"\s+", " ", name).strip().casefold()


def mask_name(name: str) -> str:
    """``张三丰`` → ``张**``."""
    return name[:1] + "*" * max(len(name) - 1, 1)


def mask_phone(phone: str) -> str:
    """``+8613800138000`` → ``138****8000``; another country's keeps its last two digits."""
    local = phone.removeprefix("+86")
    return f"{local[:3]}****{local[-4:]}" if local != phone else f"{phone[:3]}****{phone[-2:]}"


def mask_document(number: str) -> str:
    """The first character and the last two, as far as that leaves most of it hidden."""
    return number[:1] + "*" * (len(number) - 3) + number[-2:] if len(number) > 8 else "*" * len(number)
