"""Pictures are encoded anew: upright, of bounded size, and without anything that was hidden in the file.

What a phone writes beside the pixels (the place, the time, the device) is personal, and what else a file
may hold is nobody's business. Only the pixels survive.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from resolvers.errors import InvalidInput

FORMATS = ("JPEG", "PNG", "WEBP")
# Of what is uploaded; checked by the header, before anything is decoded.
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 2048
THUMBNAIL_SIDE = 480
QUALITY = 85

# Pillow's own limit would only warn up to twice its value.
Image.MAX_IMAGE_PIXELS = None
# As many at once as memory is for: a decoded picture may take 200 MB.
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
    try:
        pixels = decoded(data)
    except (OSError, SyntaxError, ValueError, OverflowError, MemoryError, EOFError) as error:
        # Pillow says in many ways that a file is broken.
        raise InvalidInput(file="Is not a picture that can be read") from error
    pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    small = pixels.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    content_type = "image/webp" if pixels.mode == "RGBA" else "image/jpeg"
    return Encoded(written(pixels), written(small), content_type, pixels.width, pixels.height)


def decoded(data: bytes) -> Image.Image:
    """The first picture in a file, upright. Raises InvalidInput for one that is too large."""
    with Image.open(BytesIO(data), formats=FORMATS) as file:
        if file.width * file.height > MOST_PIXELS:
            raise InvalidInput(file="Has more than 50 million pixels")
        # A JPEG is decoded at a half, a quarter or an eighth of its size, if that is enough.
        file.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(file)
        return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def written(pixels: Image.Image) -> bytes:
    # A new image has none of what the file said beside its pixels.
    clean = Image.new(pixels.mode, pixels.size)
    clean.paste(pixels)
    out = BytesIO()
    if clean.mode == "RGBA":
        clean.save(out, "WEBP", quality=QUALITY, method=4)
    else:
        clean.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()
