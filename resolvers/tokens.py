"""Access tokens: short-lived, signed, and worth nothing once their session has ended."""

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt
from asyncpg.pgproto import pgproto
from jwt.algorithms import HMACAlgorithm

from models.base import now
from models.messages import Message
from models.remembered import Remembered
from resolvers.errors import Unauthenticated

ALGORITHM = "HS256"
ISSUER = "linli"
AUDIENCE = "linli-api"
LIFETIME = timedelta(minutes=10)
SHORTEST_SECRET = 32
MOST_KNOWN = 20_000


# Of all our tokens: the header, which says how they are signed, and a dot.
HEADER = jwt.encode({}, secrets.token_bytes(SHORTEST_SECRET), ALGORITHM).partition(".")[0] + "."

# "iat" is not looked at: what a process has issued whose clock is ahead comes from the future.
READER = jwt.PyJWT({"require": ["exp", "sub", "sid"], "strict_aud": True, "verify_iat": False})


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
    known: Remembered[str, AccessToken] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_SECRET:
            raise ValueError(f"The token secret has at least {SHORTEST_SECRET} bytes")
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(self.key)
        except jwt.InvalidKeyError as error:
            raise ValueError("The token secret is a key of another kind") from error
        object.__setattr__(self, "known", Remembered(self._read, MOST_KNOWN))

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
        found = self.known[token]
        if found.expires_at <= now():
            raise Unauthenticated(Message("The access token has expired; refresh the session"))
        return found

    def _read(self, token: str) -> AccessToken:
        try:
            said = READER.decode_complete(
                token, self.key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER
            )
            signature = base64.urlsafe_b64encode(said["signature"]).rstrip(b"=").decode()
            # As we write it and in no other spelling, of which the same claims could have many.
            if not token.startswith(HEADER) or not token.endswith(f".{signature}"):
                raise ValueError("It is not ours")  # noqa: TRY301 -- told as what PyJWT raises
            claims = said["payload"]
            return AccessToken(
                account_id=pgproto.UUID(claims["sub"]),
                session_id=pgproto.UUID(claims["sid"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(Message("The access token has expired; refresh the session")) from error
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise Unauthenticated(Message("The access token is not valid")) from error
