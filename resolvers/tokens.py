"""Access tokens: short-lived, signed, and worth nothing once their session has ended."""

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
import orjson
from asyncpg.pgproto import pgproto
from jwt.algorithms import HMACAlgorithm

from models.base import now
from models.messages import Message
from resolvers.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "linli"
AUDIENCE = "linli-api"
LIFETIME = timedelta(minutes=10)
SHORTEST_SECRET = 32
MOST_KNOWN = 20_000


# Of all our tokens: the header, which says how they are signed, and a dot.
HEADER = jwt.encode({}, secrets.token_bytes(SHORTEST_SECRET), ALGORITHM).partition(".")[0] + "."


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says: whose it is, of which session, and until when."""

    account_id: UUID
    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """Signs and reads access tokens.

    Raises ValueError for a secret shorter than 32 bytes, with which tokens could be forged, and for one
    that is a key of another kind.
    """

    secret: str | bytes
    lifetime: timedelta = LIFETIME
    # What was read before, so that a signature is checked once and not for every request with it.
    known: dict[str, AccessToken] = field(default_factory=dict, compare=False)
    # Of nothing yet: what it makes of the key is not made again for every token.
    mac: hmac.HMAC = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_SECRET:
            raise ValueError(f"The token secret has at least {SHORTEST_SECRET} bytes")
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(self.key)
        except jwt.InvalidKeyError as error:
            raise ValueError("The token secret is a key of another kind") from error
        object.__setattr__(self, "mac", hmac.new(self.key, digestmod=sha256))

    @property
    def key(self) -> bytes:
        return self.secret.encode() if isinstance(self.secret, str) else self.secret

    def derived(self, purpose: str) -> bytes:
        """A key for signing something else, from which nobody learns this one."""
        return hmac.new(self.key, purpose.encode(), sha256).digest()

    def access_token(self, account_id: UUID, session_id: UUID) -> str:
        """A new token, good for `lifetime` from now."""
        issued = now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(account_id),
            "sid": str(session_id),
            "iat": issued,
            "exp": issued + self.lifetime,
        }
        return jwt.encode(claims, self.secret, ALGORITHM)

    def read(self, token: str) -> AccessToken:
        """What `token` says. Raises Unauthenticated if it is not ours or no longer good.

        Whether the session still stands is not known here: resolvers.identity.viewer_of asks.
        """
        if (known := self.known.get(token)) is not None and now() < known.expires_at:
            return known
        found = self._read(token)
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[token] = found
        return found

    def _read(self, token: str) -> AccessToken:
        try:
            claims = claims_of(payload_of(token, self.mac))
            # Not "iat": a token that another process has just issued comes from the future if its clock
            # is ahead.
            found = AccessToken(
                account_id=pgproto.UUID(claims["sub"]),
                session_id=pgproto.UUID(claims["sid"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise Unauthenticated(Message("The access token is not valid")) from error
        if found.expires_at <= now():
            raise Unauthenticated(Message("The access token has expired; refresh the session"))
        return found


def payload_of(token: str, mac: hmac.HMAC) -> bytes:
    """What a token that we have signed holds (RFC 7515, section 5.2); `mac` is keyed. Raises ValueError.

    There is one header that it may have: how a token is verified is not for the token to say. And nothing
    of it is read before it is known to be ours. A library that reads tokens of all kinds takes five times as
    long, which counts when thousands connect anew.
    """
    signed, _, signature = token.rpartition(".")
    mac = mac.copy()
    mac.update(signed.encode("ascii"))
    wanted = base64.urlsafe_b64encode(mac.digest()).rstrip(b"=")
    if not hmac.compare_digest(wanted, signature.encode("ascii")) or not signed.startswith(HEADER):
        raise ValueError("It is not ours")
    return base64.urlsafe_b64decode(signed[len(HEADER) :] + "==")


def claims_of(payload: bytes) -> Any:
    """What a payload claims. Raises ValueError for one that is for something else."""
    claims = orjson.loads(payload)
    if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE:
        raise ValueError("It is for something else")
    return claims
