"""Taking in an upload, reading its file, and forgetting what nothing shows any more."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from models.base import new_id, now
from models.media import MediaKind, MediaRow, can_upload
from models.messages import OF_RECORD, Message
from models.storage.rows import execute, select_one
from models.storage.tables import insert, one
from resolvers import identity, limits
from resolvers.context import Context, Services
from resolvers.errors import InvalidInput, NotAllowed, RateLimited
from resolvers.media import pictures
from resolvers.media.links import Variant, holds

PICTURE_BYTES = 12 * 1024 * 1024
DOCUMENT_BYTES = 20 * 1024 * 1024
PICTURE_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
DOCUMENT_TYPE = "application/pdf"
LONGEST_NAME = 120

UPLOADS_AN_HOUR = 60
# What an account may keep without showing it anywhere.
MOST_LOOSE = 40
MOST_LOOSE_BYTES = 100 * 1024 * 1024
LOOSE_LIVES = timedelta(days=1)
# So long a file that was just put is left alone, for whoever is about to name it.
PUT_LIVES = timedelta(hours=1)
SWEPT_AT_ONCE = 200

# Where the end of a PDF file must be said.
TRAILER = 2048


@dataclass(slots=True)
class UnattachedFile:
    number: int
    size: int


async def may_upload(ctx: Context, *, community_id: UUID) -> None:
    """Count an upload that is about to begin.

    Raises Unauthenticated, NotFound, NotAllowed (no member of the community), RateLimited.
    """
    account_id = ctx.account_id
    await identity.community_visible(ctx, community_id)
    if not can_upload(ctx.viewer, community_id):
        raise NotAllowed(Message("Only verified residents and officers of this community may upload"))
    held = await select_one(
        UnattachedFile,
        "SELECT count(*) AS number, coalesce(sum(size), 0) AS size FROM media"
        " WHERE uploader_id = ? AND loose_since IS NOT NULL",
        account_id,
    )
    if held and (held.number >= MOST_LOOSE or held.size >= MOST_LOOSE_BYTES):
        raise RateLimited(int(LOOSE_LIVES.total_seconds()))
    await limits.check_rate(ctx, "upload", UPLOADS_AN_HOUR, 3600)


async def keep(
    ctx: Context, *, community_id: UUID, content_type: str, data: bytes, name: str = ""
) -> MediaRow:
    """Keep what was uploaded: a picture encoded anew, a document as it is. Raises InvalidInput.

    The row comes first: a file that no row names would stay for ever.
    """
    media_id, account_id = new_id(), ctx.account_id
    thumbnail = None
    if content_type in PICTURE_TYPES:
        picture = await pictures.encoded(data)
        data, thumbnail, content_type = picture.data, picture.thumbnail, picture.content_type
        kind, name, width, height = MediaKind.PICTURE, "", picture.width, picture.height
    else:
        check_document(data)
        kind, name, width, height = MediaKind.DOCUMENT, file_name(name, ctx.language), 0, 0
    digest = sha256(data).hexdigest()
    await insert(
        MediaRow(
            id=media_id,
            community_id=community_id,
            uploader_id=account_id,
            kind=kind,
            digest=digest,
            content_type=content_type,
            name=name,
            size=len(data),
            width=width,
            height=height,
        )
    )
    if thumbnail is not None:
        await ctx.services.media.put(f"{digest}.thumbnail", thumbnail)
    await ctx.services.media.put(digest, data)
    row = await one(MediaRow, media_id)
    if row is None:
        raise InvalidInput(file=Message("The upload has expired; upload it again"))
    return row


def check_document(data: bytes) -> None:
    """Raises InvalidInput unless this is a PDF file, as far as its ends say."""
    if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-TRAILER:]:
        raise InvalidInput(file=Message("Is not a PDF file"))


def file_name(name: str, language: str = OF_RECORD) -> str:
    """What a document is saved as: a plain file name that ends with .pdf."""
    kept = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")
    kept = re.sub(r'[\\/:*?"<>|\s]+', " ", unicodedata.normalize("NFC", kept)).strip(" .")
    stem = kept[:-4] if kept.lower().endswith(".pdf") else kept
    nameless = Message("Document").in_language(language)
    return f"{stem[: LONGEST_NAME - 4].strip(' .') or nameless}.pdf"


async def file_of_link(
    services: Services, *, media_id: UUID, variant: Variant, expires: int, signed: str
) -> tuple[MediaRow, bytes] | None:
    """The file that a link leads to, or None if the link does not hold or the file is gone."""
    row = await one(MediaRow, media_id)
    if row is None or not holds(services.tokens, row.id, row.subject_id, variant, expires, signed):
        return None
    data = await services.media.get(stored_as(row.digest, variant))
    return None if data is None else (row, data)


def stored_as(digest: str, variant: Variant) -> str:
    return f"{digest}.thumbnail" if variant is Variant.THUMBNAIL else digest


async def sweep(services: Services) -> int:
    """Forget what has been attached to nothing for a day; returns how many uploads."""
    at = now()
    gone = await execute(
        "DELETE FROM media WHERE id IN (SELECT id FROM media WHERE loose_since < ?"
        f" ORDER BY loose_since LIMIT {SWEPT_AT_ONCE}) AND loose_since < ? RETURNING digest",
        at - LOOSE_LIVES,
        at - LOOSE_LIVES,
    )
    digests = {str(row["digest"]) for row in gone}
    kept = await execute("SELECT DISTINCT digest FROM media WHERE digest IN (?)", digests)
    for digest in digests - {str(row["digest"]) for row in kept}:
        for variant in Variant:
            await services.media.remove(stored_as(digest, variant), put_before=at - PUT_LIVES)
    return len(gone)
