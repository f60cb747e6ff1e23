"""Pictures and documents: what is kept of an upload, who may attach it, and whom a link lets see it."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psutil
import pytest
from PIL import Image, ImageCms, ImageDraw

from models.base import new_id, now
from models.identity import AccountRow, CommunityRow
from models.media import MediaKind, MediaRow
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed, NotFound, RateLimited, Unauthenticated
from resolvers.media import attaching, links, pictures, uploads
from resolvers.media.links import STEP_SECONDS, Variant
from resolvers.media.storage import Directory
from tests.clock import Clock
from tests.world import FakeStorage, World

PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
NAME = "ab" + 62 * "0"


def jpeg(
    size: tuple[int, int] = (60, 40),
    *,
    orientation: int | None = None,
    comment: bytes = b"",
    format: str = "JPEG",
) -> bytes:
    """A picture whose left half is red and whose right half is blue, with what a camera says beside it."""
    image = Image.new("RGB", size, "blue")
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill="red")
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    if orientation:
        exif[0x0112] = orientation
    out = BytesIO()
    image.save(out, format, exif=exif, **({"comment": comment} if comment else {}))
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def colour(image: Image.Image, at: tuple[int, int]) -> str:
    pixel = image.convert("RGB").getpixel(at)
    assert isinstance(pixel, tuple)
    return "red" if pixel[0] > pixel[2] else "blue"


# Encoding


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_only_the_pixels_survive(format: str) -> None:
    data = jpeg(format=format)
    assert b"SecretCamera" in data
    made = pictures.encode(data)
    for kept in (made.data, made.thumbnail):
        assert b"SecretCamera" not in kept
        image = opened(kept)
        assert not image.getexif()
        assert not {"exif", "comment", "icc_profile", "xmp"} & image.info.keys()
    assert (made.content_type, made.width, made.height) == ("image/jpeg", 60, 40)
    assert colour(opened(made.data), (5, 20)) == "red"


def test_a_comment_in_the_file_is_dropped() -> None:
    data = jpeg(comment=b"my address is 3-2-501")
    assert b"3-2-501" in data
    assert b"3-2-501" not in pictures.encode(data).data


def test_a_picture_is_turned_upright() -> None:
    """Orientation 6: the camera was turned, what was left is above."""
    made = pictures.encode(jpeg(orientation=6))
    image = opened(made.data)
    assert image.size == (made.width, made.height) == (40, 60)
    assert (colour(image, (20, 5)), colour(image, (20, 55))) == ("red", "blue")


def test_a_large_picture_is_made_smaller() -> None:
    made = pictures.encode(jpeg((5000, 2500)))
    assert (made.width, made.height) == (2048, 1024)
    assert max(opened(made.thumbnail).size) == 480


def test_transparency_stays() -> None:
    out = BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(out, "PNG")
    made = pictures.encode(out.getvalue())
    assert made.content_type == "image/webp"
    pixel: Any = opened(made.data).convert("RGBA").getpixel((5, 5))
    assert pixel[3] == 0


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_long_screenshot_stays_legible() -> None:
    made = pictures.encode(saved(Image.new("RGB", (1080, 12_000), "red"), "PNG"))
    assert (made.width, made.height) == (1080, 12_000)
    wide = pictures.encode(saved(Image.new("RGB", (8000, 2000), "red"), "JPEG"))
    assert (wide.width, wide.height) == (5120, 1280)


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (2, 2, b"6\0\0\0"),
        (7, 4, b"six\0"),
        (3, 1, b"\0\x4d\0\0"),
        (3, 2, b"\0\x06\0\x06"),
        (5, 1, b"\xff" * 4),
    ],
)
def test_a_malformed_orientation_turns_nothing_or_what_it_says(kind: int, count: int, value: bytes) -> None:
    entry = struct.pack(">HHI", 0x0112, kind, count) + value
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\0"
    made = pictures.encode(saved(opened(jpeg()), "JPEG", exif=exif))
    assert sorted((made.width, made.height)) == [40, 60]


def test_malformed_exif_is_passed_over() -> None:
    made = pictures.encode(saved(opened(jpeg()), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12"))
    assert (made.width, made.height) == (60, 40)


def test_grey_of_sixteen_bits_keeps_its_shades() -> None:
    made = pictures.encode(saved(Image.new("I;16", (40, 40), 0x8000), "PNG"))
    pixel = opened(made.data).convert("RGB").getpixel((20, 20))
    assert isinstance(pixel, tuple)
    assert all(abs(shade - 0x80) <= 2 for shade in pixel)


def test_colours_of_another_profile_are_brought_to_srgb() -> None:
    """A profile whose red and blue are exchanged: what it calls red is blue to look at."""
    exchanged = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = exchanged.find(b"rXYZ"), exchanged.find(b"bXYZ")
    exchanged[red : red + 4], exchanged[blue : blue + 4] = b"bXYZ", b"rXYZ"
    made = pictures.encode(saved(Image.new("RGB", (40, 40), "red"), "JPEG", icc_profile=bytes(exchanged)))
    assert colour(opened(made.data), (20, 20)) == "blue"
    broken = pictures.encode(saved(Image.new("RGB", (40, 40), "red"), "JPEG", icc_profile=b"none"))
    assert colour(opened(broken.data), (20, 20)) == "red"


@pytest.mark.parametrize(
    "data",
    [
        lambda: saved(Image.new("1", (10_000, 10_000)), "PNG"),
        lambda: saved(Image.new("I;16", (4_600, 4_600)), "PNG"),
        lambda: saved(Image.new("L", (8_000, 8_000)), "JPEG"),
    ],
)
def test_a_bomb_is_refused_before_it_is_decoded(data: Callable[[], bytes]) -> None:
    with pytest.raises(InvalidInput) as refused:
        pictures.encode(data())
    assert refused.value.fields == {"file": "Has too many pixels"}


def test_what_takes_more_memory_than_there_is_for_it_is_refused() -> None:
    """A progressive JPEG of four colours keeps eight bytes a pixel until its last pass."""
    data = saved(Image.new("CMYK", (7_700, 7_700)), "JPEG", progressive=True)
    before = psutil.Process().memory_info().rss
    with pytest.raises(InvalidInput) as refused:
        pictures.encode(data)
    assert refused.value.fields == {"file": "Is not a picture that can be read"}
    assert psutil.Process().memory_info().rss - before < 16 * 1024 * 1024
    assert pictures.encode(saved(Image.new("CMYK", (100, 100)), "JPEG", progressive=True)).width == 100


def test_decoding_sees_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever finds a hole in a decoder finds no key there."""
    program = tmp_path / "program.py"
    program.write_text("import os, sys; print('ok', len(os.environ.get('LINLI_KEYS', '')), 1, 1, 0)")
    monkeypatch.setattr(pictures, "PROGRAM", program)
    monkeypatch.setenv("LINLI_KEYS", "2026:secret")
    assert pictures.encode(b"").content_type == "0"


def gif() -> bytes:
    out = BytesIO()
    Image.new("RGB", (10, 10)).save(out, "GIF")
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        PDF,
        gif(),
        jpeg()[:400],
        b"\x89PNG\r\n\x1a\n" + 100 * b"\0",
        b"RIFF\xff\xff\xff\xffWEBPVP8X" + 50 * b"\xff",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        pictures.encode(data)
    assert refused.value.fields == {"file": "Is not a picture that can be read"}


# Storing


async def test_files_are_kept_by_name_and_forgotten(tmp_path: Path) -> None:
    storage = Directory(tmp_path / "media")
    assert await storage.get(NAME) is None
    await storage.put(NAME, b"first")
    await storage.put(NAME, b"first")
    assert await storage.get(NAME) == b"first"
    assert [path.name for path in (tmp_path / "media" / "ab").iterdir()] == [NAME]
    await storage.remove(NAME, put_before=now() - timedelta(hours=1))
    assert await storage.get(NAME) == b"first"
    await storage.remove(NAME, put_before=now() + timedelta(hours=1))
    assert await storage.get(NAME) is None
    await storage.remove(NAME, put_before=now())


@pytest.mark.parametrize("name", ["../secret", NAME + "/..", NAME.upper(), NAME + "\n", "", f"{NAME}.exe"])
async def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name of a file"):
        await Directory(tmp_path).get(name)


# Uploading


@pytest.fixture
async def neighbour(world: World, community: CommunityRow) -> AccountRow:
    return await world.neighbour(community)


def files(world: World) -> dict[str, bytes]:
    storage = world.services.media
    assert isinstance(storage, FakeStorage)
    return storage.files


async def uploaded(ctx: Context, community: CommunityRow, data: bytes | None = None) -> MediaRow:
    await uploads.may_upload(ctx, community_id=community.id)
    return await uploads.keep(ctx, community_id=community.id, content_type="image/jpeg", data=data or jpeg())


async def test_an_upload_is_kept_under_its_content(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    ctx = await world.context(neighbour)
    row, again = await uploaded(ctx, community), await uploaded(ctx, community)
    assert row.id != again.id
    assert row.digest == again.digest
    assert files(world).keys() == {row.digest, f"{row.digest}.thumbnail"}
    assert (row.kind, row.width, row.height, row.subject_id) == (MediaKind.PICTURE, 60, 40, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("会议纪要.pdf", "会议纪要.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ('a"b\r\nSet-Cookie: x.PDF', "a bSet-Cookie x.pdf"),
        ("", "文件.pdf"),
        ("长" * 300, "长" * 116 + ".pdf"),
    ],
)
async def test_a_document_is_kept_as_it_is(
    world: World, community: CommunityRow, neighbour: AccountRow, given: str, kept: str
) -> None:
    ctx = await world.context(neighbour)
    row = await uploads.keep(
        ctx, community_id=community.id, content_type="application/pdf", data=PDF, name=given
    )
    assert (row.kind, row.name, row.size) == (MediaKind.DOCUMENT, kept, len(PDF))
    assert files(world) == {row.digest: PDF}


async def test_a_document_that_is_none_leaves_nothing(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    ctx = await world.context(neighbour)
    for data in (b"<html>", b"%PDF-1.7 cut off", jpeg()):
        with pytest.raises(InvalidInput):
            await uploads.keep(ctx, community_id=community.id, content_type="application/pdf", data=data)
    assert not files(world)
    assert not await MediaRow.exists()


async def test_only_members_of_the_community_upload(world: World, community: CommunityRow) -> None:
    stranger = await world.neighbour(await world.community())
    with pytest.raises(Unauthenticated):
        await uploads.may_upload(await world.context(), community_id=community.id)
    with pytest.raises(NotFound):
        await uploads.may_upload(await world.context(stranger), community_id=community.id)
    applicant = await world.account()
    with pytest.raises((NotFound, NotAllowed)):
        await uploads.may_upload(await world.context(applicant), community_id=community.id)


async def test_what_nobody_shows_is_bounded(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    ctx = await world.context(neighbour)
    row = await uploaded(ctx, community)
    await MediaRow.filter(id=row.id).update(size=uploads.MOST_LOOSE_BYTES)
    with pytest.raises(RateLimited):
        await uploads.may_upload(ctx, community_id=community.id)
    # What is shown does not count.
    await attaching.attach(ctx, community_id=community.id, subject_id=new_id(), wanted=[("coverId", row.id)])
    for _ in range(uploads.UPLOADS_AN_HOUR - 1):
        await uploads.may_upload(ctx, community_id=community.id)
    with pytest.raises(RateLimited):
        await uploads.may_upload(ctx, community_id=community.id)


async def test_the_sweep_forgets_what_nothing_shows(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    ctx = await world.context(neighbour)
    old, shared, shown = [await uploaded(ctx, community, jpeg((60, 40 + n))) for n in (0, 1, 2)]
    fresh = await uploaded(ctx, community, jpeg((60, 41)))
    assert shared.digest == fresh.digest
    await attaching.attach(ctx, community_id=community.id, subject_id=new_id(), wanted=[("body", shown.id)])
    long_ago = now() - uploads.LOOSE_LIVES - timedelta(minutes=1)
    await MediaRow.filter(id__in=[old.id, shared.id]).update(loose_since=long_ago)
    storage = world.services.media
    assert isinstance(storage, FakeStorage)
    storage.put_at = dict.fromkeys(storage.put_at, long_ago)
    assert await uploads.sweep(world.services) == 2
    assert {row.id for row in await MediaRow.all()} == {fresh.id, shown.id}
    assert old.digest not in storage.files
    assert f"{old.digest}.thumbnail" not in storage.files
    assert {fresh.digest, shown.digest} <= storage.files.keys()
    assert await uploads.sweep(world.services) == 0


async def test_a_file_that_was_just_put_outlives_the_sweep(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    """Somebody uploads the same at this moment, and has not named it yet."""
    row = await uploaded(await world.context(neighbour), community)
    await MediaRow.filter(id=row.id).update(loose_since=now() - 2 * uploads.LOOSE_LIVES)
    assert await uploads.sweep(world.services) == 1
    assert row.digest in files(world)


# Attaching


async def test_only_ones_own_loose_uploads_are_attached(
    world: World, community: CommunityRow, neighbour: AccountRow
) -> None:
    ctx = await world.context(neighbour)
    other = await world.context(await world.neighbour(community))
    row = await uploaded(ctx, community)
    document = await uploads.keep(ctx, community_id=community.id, content_type="application/pdf", data=PDF)
    subject, another = new_id(), new_id()

    async def refused(by: Context, subject_id: UUID, media_id: UUID, community_id: UUID) -> None:
        with pytest.raises(InvalidInput) as error:
            async with by.unit_of_work():
                await attaching.attach(
                    by,
                    community_id=community_id,
                    subject_id=subject_id,
                    wanted=[("coverId", media_id)],
                )
        assert error.value.fields == {"coverId": "There is no such upload of yours"}

    await refused(other, subject, row.id, community.id)
    await refused(ctx, subject, row.id, (await world.community()).id)
    await refused(ctx, subject, document.id, community.id)
    await refused(ctx, subject, new_id(), community.id)
    assert not await MediaRow.filter(subject_id__isnull=False).exists()

    await attaching.attach(ctx, community_id=community.id, subject_id=subject, wanted=[("coverId", row.id)])
    await refused(ctx, another, row.id, community.id)
    # Whoever may change the subject keeps what it shows.
    await attaching.attach(other, community_id=community.id, subject_id=subject, wanted=[("coverId", row.id)])
    assert (await MediaRow.get(id=row.id)).loose_since is None
    await attaching.attach(other, community_id=community.id, subject_id=subject, wanted=[])
    loose = await MediaRow.get(id=row.id)
    assert (loose.subject_id, loose.loose_since is None) == (None, False)


# Links


def parts(address: str) -> tuple[Variant, int, str]:
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return Variant(query["v"]), int(query["e"]), query["s"]


async def test_a_link_holds_for_one_file_shown_by_one_thing_for_a_while(
    world: World, community: CommunityRow, neighbour: AccountRow, clock: Clock
) -> None:
    ctx = await world.context(neighbour)
    row, other = await uploaded(ctx, community), await uploaded(ctx, community, jpeg((50, 50)))
    subject = new_id()
    await attaching.attach(ctx, community_id=community.id, subject_id=subject, wanted=[("coverId", row.id)])
    tokens = world.services.tokens
    variant, expires, signed = parts(links.link(tokens, row.id, subject))
    good: dict[str, Any] = {"media_id": row.id, "variant": variant, "expires": expires, "signed": signed}

    async def leads_somewhere(**changed: Any) -> bool:
        return await uploads.file_of_link(world.services, **{**good, **changed}) is not None

    assert await leads_somewhere()
    assert not await leads_somewhere(media_id=other.id)
    assert not await leads_somewhere(media_id=new_id())
    assert not await leads_somewhere(variant=Variant.THUMBNAIL)
    assert not await leads_somewhere(expires=expires + 1)
    for forged in ("", signed[:-1], signed.swapcase(), "\ud800", "签名"):
        assert not await leads_somewhere(signed=forged)
    # Another deployment's key signs otherwise.
    assert parts(links.link(World().services.tokens, row.id, subject))[2] != signed

    clock.stand(datetime.fromtimestamp(expires, UTC))
    assert not await leads_somewhere()
    clock.reset()
    assert await leads_somewhere()
    # Taken out of what showed it, the address is good for nothing.
    await attaching.release(subject)
    assert not await leads_somewhere()


def test_links_of_one_moment_are_the_same(world: World, clock: Clock) -> None:
    tokens, key = world.services.tokens, new_id()
    start = 1_000_000 * STEP_SECONDS
    clock.stand(datetime.fromtimestamp(start, UTC))
    first = links.link(tokens, key, None)
    clock.stand(datetime.fromtimestamp(start + STEP_SECONDS - 1, UTC))
    assert links.link(tokens, key, None) == first
    assert parts(first)[1] == start + 2 * STEP_SECONDS
