"""Pictures are encoded anew: upright, of bounded size, and without anything that was hidden in the file.

What a phone writes beside the pixels (the place, the time, the device) is personal, and what else a file
may hold is nobody's business. Only the pixels survive. A process of its own does it (`encoding`).
"""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from models.messages import Message
from resolvers.errors import InvalidInput

PROGRAM = Path(__file__).with_name("encoding.py")
# Of waiting for it; its computing time has a limit of its own.
SECONDS = 30.0
# As many at once as memory is for.
threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pictures")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as it is kept."""

    data: bytes
    thumbnail: bytes
    content_type: str
    width: int
    height: int


async def encoded(data: bytes) -> Encoded:
    """The picture in `data`, encoded anew. Raises InvalidInput for what is none, or too large a one."""
    return await asyncio.get_running_loop().run_in_executor(threads, encode, data)


def encode(data: bytes) -> Encoded:
    # Isolated, and without the environment: that holds the secrets.
    command = [sys.executable, "-I", str(PROGRAM)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, env={}, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise InvalidInput(file=Message("Takes too long to be read")) from None
    head, _, body = done.stdout.partition(b"\n")
    match head.split():
        case [b"ok", content_type, width, height, length]:
            at = int(length)
            return Encoded(body[:at], body[at:], content_type.decode(), int(width), int(height))
        case [b"large"]:
            raise InvalidInput(file=Message("Has too many pixels"))
        case _:
            # Broken, or its limits of memory and time have ended it.
            raise InvalidInput(file=Message("Is not a picture that can be read"))
