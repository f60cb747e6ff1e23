"""Access tokens: short-lived, signed, and worth nothing once their session has ended."""

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt
from asyncpg.pgproto import pgproto

from models.base import now
from resolvers.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "linli"
AUDIENCE = "linli-api"
LIFETIME = timedelta(minutes=10)
SHORTEST_SECRET = 32
MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says: whose it is, of which session, and until when."""

    account_id: UUID
    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """Signs and reads access tokens.

    Raises ValueError for a secret shorter than 32 bytes, with which tokens could be forged.
    """

    secret: str | bytes
    lifetime: timedelta = LIFETIME
    # What was read before, so that a signature is checked once and not for every request with it.
    known: dict[str, AccessToken] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_SECRET:
            raise ValueError(f"The token secret has at least {SHORTEST_SECRET} bytes")

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
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # A token that another process has just issued comes from the future if its clock is ahead.
                options={"require": ["exp", "iat", "sub", "sid"], "verify_iat": False},
            )
            return AccessToken(
                account_id=pgproto.UUID(claims["sub"]),
                session_id=pgproto.UUID(claims["sid"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The access token has expired; refresh the session") from error
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as error:
            raise Unauthenticated("The access token is not valid") from error
