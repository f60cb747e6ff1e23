"""Ids and places that mean something to the deployment alone: enciphered with a key of its own.

A neighbour's id must not be an account's id in disguise, nor a stream's cursor the number of what others
did. Enciphered they are as long as before, open again, and tell nothing without the key. AES on a single
block is that: a permutation of 16 bytes, another for each key, and so for each purpose.
"""

import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from models.privacy import Keys

P = ParamSpec("P")
R = TypeVar("R")

BLOCK = 16
PURPOSES_KEPT = 10_000

# Of this process: the deployment's, once they are known.
keys = Keys({"none": secrets.token_bytes(32)}, "none", secrets.token_bytes(32))
forgotten: list[Callable[[], None]] = []


def enciphered_with(given: Keys) -> None:
    """Encipher with the deployment's keys from now on: whatever was before means nothing any more."""
    global keys  # noqa: PLW0603 - one for the process, as its clock is
    keys = given
    for forget in forgotten:
        forget()


def remembered(most: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a function remember `most` of its results, as long as the keys stay the same."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(maxsize=most)(function)
        forgotten.append(cached.cache_clear)
        return cast(Callable[P, R], cached)

    return decorate


@remembered(PURPOSES_KEPT)
def ciphers(purpose: str) -> tuple[CipherContext, CipherContext]:
    cipher = Cipher(AES256(bytes.fromhex(keys.index("pseudonym", purpose))), ECB())  # noqa: S305 - one block
    return cipher.encryptor(), cipher.decryptor()


def enciphered(purpose: str, block: bytes) -> bytes:
    """16 bytes for 16 bytes, always the same for a purpose, and another for another."""
    return ciphers(purpose)[0].update(block)


def deciphered(purpose: str, block: bytes) -> bytes:
    """What was enciphered for `purpose`; of anything else 16 bytes that mean nothing."""
    return ciphers(purpose)[1].update(block)
