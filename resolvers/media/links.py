"""Addresses of files, signed and good for some minutes.

A page shows a picture with an address only, without a token. So the query that may see a thing gives its
pictures addresses that prove it. A link holds for what the file was attached to when it was made, and dies
when it is taken out of that.
"""

import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum
from hashlib import sha256
from urllib.parse import urlencode
from uuid import UUID

from models.base import now
from resolvers.tokens import Tokens

# Links made within a step are the same, so that clients cache what they lead to; one lives one to two steps.
STEP_SECONDS = 10 * 60


class Variant(StrEnum):
    FULL = "full"
    THUMBNAIL = "thumbnail"


def link(tokens: Tokens, media_id: UUID, subject_id: UUID | None, variant: Variant = Variant.FULL) -> str:
    """The address of a file, relative to the server."""
    expires = (int(now().timestamp()) // STEP_SECONDS + 2) * STEP_SECONDS
    query = {
        "v": variant.value,
        "e": str(expires),
        "s": signature(tokens, media_id, subject_id, variant, expires),
    }
    return f"/media/{media_id.hex}?{urlencode(query)}"


def holds(
    tokens: Tokens, media_id: UUID, subject_id: UUID | None, variant: Variant, expires: int, signed: str
) -> bool:
    """Whether we signed this, for a file that is still attached to the same, and its time is not over."""
    ours = signature(tokens, media_id, subject_id, variant, expires)
    return hmac.compare_digest(ours.encode(), signed.encode(errors="replace")) and now().timestamp() < expires


def signature(tokens: Tokens, media_id: UUID, subject_id: UUID | None, variant: Variant, expires: int) -> str:
    text = f"{media_id.hex}/{subject_id.hex if subject_id else ''}/{variant.value}/{expires}"
    digest = hmac.new(tokens.derived("media links"), text.encode(), sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
