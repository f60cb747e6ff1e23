"""Access tokens: short-lived, signed, and worth nothing once their session has ended."""

import hmac
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
from resolvers.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "linli"
AUDIENCE = "linli-api"
LIFETIME = timedelta(minutes=10)
SHORTEST_SECRET = 32
MOST_KNOWN = 20_000


class LookedAt(HMACAlgorithm):
    """HMAC with a key that was looked at once. PyJWT would look for each token whether it is another kind
    of key, which takes half as long again as all the rest."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key


SIGNED = jwt.PyJWS(algorithms=[ALGORITHM])
SIGNED.unregister_algorithm(ALGORITHM)
SIGNED.register_algorithm(ALGORITHM, LookedAt(LookedAt.SHA256))


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

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_SECRET:
            raise ValueError(f"The token secret has at least {SHORTEST_SECRET} bytes")
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(self.key)
        except jwt.InvalidKeyError as error:
            raise ValueError("The token secret is a key of another kind") from error

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
            claims = claims_of(SIGNED.decode(token, self.key, [ALGORITHM]))
            # Not "iat": a token that another process has just issued comes from the future if its clock
            # is ahead.
            found = AccessToken(
                account_id=pgproto.UUID(claims["sub"]),
                session_id=pgproto.UUID(claims["sid"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (
            jwt.InvalidTokenError,
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            OverflowError,
        ) as error:
            raise Unauthenticated("The access token is not valid") from error
        if found.expires_at <= now():
            raise Unauthenticated("The access token has expired; refresh the session")
        return found


def claims_of(payload: bytes) -> Any:
    """What a payload claims. Raises jwt.InvalidTokenError for one that is for something else."""
    claims = orjson.loads(payload)
    if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE:
        raise jwt.InvalidTokenError("It is for something else")
    return claims
