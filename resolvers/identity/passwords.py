"""Passwords: hard to guess, hashed with argon2id, a few at a time and off the event loop."""

import asyncio
import functools
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from models.messages import Message
from resolvers.errors import InvalidInput

LEAST = 10
MOST = 128
# Of zxcvbn's 0 to 4: more than a hundred million guesses.
STRENGTH = 3
# What it looks at; its time grows faster than the length.
MEASURED = 72

hasher = PasswordHasher()
# Each hash takes 64 MiB: more at once would let sign-ins exhaust the memory.
threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def check_password(field: str, password: str, known: Sequence[str]) -> None:
    """Raises InvalidInput naming `field` for a password that is too short or too long, or that is soon
    guessed by whoever knows what is `known` of its owner.
    """
    if not LEAST <= len(password) <= MOST:
        raise InvalidInput(**{field: Message("{least} to {most} characters", least=LEAST, most=MOST)})
    if zxcvbn(password[:MEASURED], user_inputs=[text[:MEASURED] for text in known])["score"] < STRENGTH:
        raise InvalidInput(**{field: Message("Is too easily guessed; take several words or a longer one")})


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(threads, hasher.hash, password)


async def is_password(hashed: str | None, password: str) -> bool:
    """Whether `hashed` was made of `password`. Without a hash it is not, and takes as long to say."""
    return await asyncio.get_running_loop().run_in_executor(threads, verify, hashed, password)


def needs_rehash(hashed: str) -> bool:
    """Whether it was made with weaker settings than today's."""
    return hasher.check_needs_rehash(hashed)


def verify(hashed: str | None, password: str) -> bool:
    try:
        hasher.verify(hashed or nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


@functools.cache
def nobodys_hash() -> str:
    return hasher.hash(secrets.token_hex(16))
