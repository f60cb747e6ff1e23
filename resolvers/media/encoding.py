"""A program of its own, run for each picture: reads a file on standard input, writes it encoded anew.

What strangers send is decoded here and not in the serving process: whatever memory and time it takes has a
limit, is given back, and a fault in a decoder meets no key and no database. It imports nothing of ours.

The answer is one line, then the bytes: ``ok CONTENT_TYPE WIDTH HEIGHT LENGTH`` with the picture, LENGTH
bytes long, and its thumbnail; ``large`` or ``broken`` with nothing.
"""

import contextlib
import os
import resource
import sys
from io import BytesIO

from PIL import Image, ImageCms
from PIL.Image import Transpose

FORMATS = ("JPEG", "PNG", "WEBP")
# By the header, before anything is decoded. A JPEG can be decoded at a fraction of its size, others cannot.
MOST_PIXELS = {"JPEG": 60_000_000, "PNG": 20_000_000, "WEBP": 20_000_000}
LONGEST_SIDE = 2048
# A screenshot of a long page stays legible: it is bounded by its width.
LONG = 3
LONG_SHORT_SIDE = 1280
LONG_LONGEST_SIDE = 16_000
THUMBNAIL_SIDE = 480
QUALITY = 85

MEMORY_BYTES = 512 * 1024 * 1024
CPU_SECONDS = 10
# Whoever is served comes first.
NICENESS = 10

ORIENTATION = 0x0112
# EXIF 2.32, 4.6.4: where the first row and column are, as what brings them to the top left.
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

# Pillow's own limit would only warn up to twice its value.
Image.MAX_IMAGE_PIXELS = None


class TooLarge(Exception):
    """More pixels than are decoded."""


def limit_itself() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    os.nice(NICENESS)


def decoded(data: bytes) -> Image.Image:
    """The first picture in a file, upright, in sRGB, of bounded size. Raises TooLarge and Pillow's errors."""
    with Image.open(BytesIO(data), formats=FORMATS) as file:
        if file.width * file.height > MOST_PIXELS[file.format or "PNG"]:
            raise TooLarge
        turn = turn_of(file)
        # At a half, a quarter or an eighth of its size, if that is enough.
        file.draft("RGB", bounds(file.width, file.height))
        made = in_colours(file)
    # First by whole numbers: a filter over all pixels would take three more copies of them.
    made.thumbnail(bounds(made.width, made.height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return made.transpose(turn) if turn is not None else made


def turn_of(file: Image.Image) -> Transpose | None:
    """How a camera says that it was held; what is malformed says nothing."""
    with contextlib.suppress(Exception):
        return TURNS.get(file.getexif().get(ORIENTATION, 1))
    return None


def bounds(width: int, height: int) -> tuple[int, int]:
    short, long = sorted((width, height))
    if long <= LONG * short:
        return LONGEST_SIDE, LONGEST_SIDE
    longest = min(LONG_LONGEST_SIDE, max(LONGEST_SIDE, long * LONG_SHORT_SIDE // max(short, 1)))
    return (LONG_SHORT_SIDE, longest) if width < height else (longest, LONG_SHORT_SIDE)


def in_colours(file: Image.Image) -> Image.Image:
    """The pixels in sRGB, with their transparency if there is any."""
    mode = "RGBA" if file.has_transparency_data else "RGB"
    if file.mode.startswith("I"):
        # Sixteen bits of grey.
        return file.point(lambda value: value * (1 / 256)).convert("L").convert(mode)
    profile = file.info.get("icc_profile")
    if profile and mode == "RGB":
        # A profile that is broken or of another kind of picture says nothing.
        with contextlib.suppress(Exception):
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            turned = ImageCms.profileToProfile(file, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if turned is not None:
                return turned
    file.load()
    return file.copy() if file.mode == mode else file.convert(mode)


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


def answer(data: bytes) -> bytes:
    try:
        pixels = decoded(data)
        small = pixels.copy()
        small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
        picture, thumbnail = written(pixels), written(small)
    except TooLarge:
        return b"large\n"
    except Exception:
        # Pillow says in many ways that a file is broken.
        return b"broken\n"
    content_type = "image/webp" if pixels.mode == "RGBA" else "image/jpeg"
    head = f"ok {content_type} {pixels.width} {pixels.height} {len(picture)}\n"
    return head.encode() + picture + thumbnail


if __name__ == "__main__":
    limit_itself()
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))
