"""Sessions: one for each sign-in on a device, carried on by refresh tokens that work once.

A refresh token holds its session's id, 32 random bytes, and a proof that we made it. Of each session
the digests of its current and its previous token are kept.

- The current token gives its successor, which is always the same; the token becomes the previous one.
- The previous token gives the same successor for 30 seconds more: two tabs may refresh at once, and an
  answer that was lost on its way can be asked for again.
- Any other token that we made has been used before: somebody holds a copy. The session ends, and
  with it whatever either of the two got. So of a stolen token and its owner only one goes on, and
  only until the other comes.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from models.base import new_id, now
from models.identity import AccountRow, SessionEnd, SessionRow
from models.messages import Message
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, insert, one
from models.visibility import InSession, Viewer, viewer_in
from resolvers.context import Context, Services
from resolvers.errors import NotFound, Unauthenticated
from resolvers.identity.accounts import accounts_by_id
from resolvers.paging import pages
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work

# A session that is not refreshed for so long is over.
LIFETIME = timedelta(days=60)
GRACE = timedelta(seconds=30)
PURPOSE = "refresh-token"
SUCCESSION = "refresh-token-successor"
# Session id and random bytes; the proof follows.
BODY = 16 + 32
PROOF = 16


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session's credentials, which are shown this once."""

    account: AccountRow
    session_id: UUID
    access_token: str
    refresh_token: str
    expires_at: datetime
    # Of a sign-in: by which the device is told from strangers the next time.
    device_token: str | None = None


async def viewer_of(
    services: Services, token: str, find: Callable[[InSession], Awaitable[Viewer | None]] = viewer_in
) -> tuple[Viewer, datetime]:
    """Who holds this access token, as they stand now, and until when the token is good.

    `find` finds whoever is in a session.
    Raises Unauthenticated for a token that is not ours or has expired, and for an ended session.
    """
    read = services.tokens.read(token)
    viewer = await find((read.session_id, read.account_id))
    if viewer is None:
        raise Unauthenticated(Message("The session has ended; sign in again"))
    return viewer, read.expires_at


async def open_session(services: Services, account_id: UUID, device: str) -> SignedIn:
    """Sign `account_id` in on a device. The caller has made sure that it is the account's holder."""
    session_id = new_id()
    token = refresh_token(services, session_id)
    await insert(
        SessionRow(
            id=session_id,
            account_id=account_id,
            device=device[:120],
            refresh_digest=digest(token),
            expires_at=now() + LIFETIME,
        )
    )
    return await signed_in(services, account_id, session_id, token)


async def signed_in(services: Services, account_id: UUID, session_id: UUID, token: str) -> SignedIn:
    (account,) = await accounts_by_id([account_id])
    if account is None:
        raise Unauthenticated
    access = services.tokens.access_token(account_id, session_id)
    return SignedIn(account, session_id, access, token, services.tokens.read(access).expires_at)


async def refresh_session(ctx: Context, *, token: str) -> SignedIn:
    """A new pair of tokens for a refresh token, which then is used up.

    Raises Unauthenticated for a token that is not ours, and ends the session of one that was used
    before.
    """
    session_id = session_of(ctx.services, token)
    new = successor(ctx.services, session_id, token)
    at = now()
    found = await execute(
        "UPDATE session SET previous_digest = refresh_digest, refresh_digest = ?, refreshed_at = ?,"
        " expires_at = ? WHERE id = ? AND refresh_digest = ? AND ended_at IS NULL AND expires_at > ?"
        " RETURNING account_id",
        digest(new),
        at,
        at + LIFETIME,
        session_id,
        digest(token),
        at,
    ) or await execute(
        "SELECT account_id FROM session WHERE id = ? AND previous_digest = ? AND refresh_digest = ?"
        " AND device = ? AND refreshed_at > ? AND ended_at IS NULL AND expires_at > ?",
        session_id,
        digest(token),
        digest(new),
        ctx.device[:120],
        at - GRACE,
        at,
    )
    if not found:
        async with ctx.unit_of_work() as work:
            await end(work, Where("id = ?", (session_id,)), SessionEnd.REFRESH_TOKEN_REUSED)
        raise Unauthenticated(Message("The session has ended; sign in again"))
    return await signed_in(ctx.services, UUID(str(found[0]["account_id"])), session_id, new)


async def end_session(ctx: Context, *, session_id: UUID | None = None) -> SessionRow:
    """Sign out: of the session that asks, or of another of the same account.

    Raises NotFound for a session of another account. One that has ended already stays as it is.
    """
    wanted = session_id or ctx.viewer.session_id
    own = Where("id = ? AND account_id = ?", (wanted, ctx.account_id))
    async with ctx.unit_of_work() as work:
        await end(work, own, SessionEnd.SIGNED_OUT)
    row = await one(SessionRow, own)
    if row is None:
        raise NotFound
    return row


async def sign_out_everywhere(ctx: Context) -> int:
    """End all sessions of the account, the one that asks included; returns how many.

    Its calendar's address, which asks for no session, ends with them.
    """
    async with ctx.unit_of_work() as work:
        await execute("DELETE FROM calendar_feed WHERE account_id = ? RETURNING id", ctx.account_id)
        return await end(work, Where("account_id = ?", (ctx.account_id,)), SessionEnd.SIGNED_OUT_EVERYWHERE)


async def end(work: Work, which: Where, how: SessionEnd) -> int:
    """End the sessions that `which` names, and have every process close their connections."""
    ended = await select_ids(
        f'UPDATE session SET ended_at = ?, "end" = ? WHERE ({which.text}) AND ended_at IS NULL RETURNING id',
        now(),
        how,
        *which.params,
    )
    work.record(*(Event(STANDING, Kind.SESSION_ENDED, session_id) for session_id in ended))
    return len(ended)


async def sessions_of(
    _ctx: Context, accounts: Sequence[AccountRow], args: PageArgs
) -> list[Page[SessionRow]]:
    """Where each account is signed in, the newest first."""
    return await pages(
        SessionRow,
        [account.id for account in accounts],
        by="account_id",
        args=args,
        where=Where("t.ended_at IS NULL AND t.expires_at > ?", (now(),)),
    )


async def visible_sessions_by_id(ctx: Context, ids: Sequence[UUID]) -> list[SessionRow | None]:
    """The account's own sessions with these ids."""
    return await by_ids(SessionRow, ids, Where("t.account_id = ?", (ctx.viewer.account_id,)))


def refresh_token(services: Services, session_id: UUID) -> str:
    """A session's first."""
    return written(services, session_id.bytes + secrets.token_bytes(BODY - 16))


def successor(services: Services, session_id: UUID, token: str) -> str:
    """What follows a token: made of it and of our key, so that nothing has to be kept to give it again."""
    return written(services, session_id.bytes + bytes.fromhex(services.keys.index(SUCCESSION, token)))


def written(services: Services, body: bytes) -> str:
    return base64.urlsafe_b64encode(body + device_proof(services, body)).decode()


def session_of(services: Services, token: str) -> UUID:
    """The session that a refresh token is of. Raises Unauthenticated if we did not make it."""
    try:
        data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated(Message("The refresh token is not valid")) from error
    body = data[:BODY]
    if len(data) != BODY + PROOF or not hmac.compare_digest(data[BODY:], device_proof(services, body)):
        raise Unauthenticated(Message("The refresh token is not valid"))
    return UUID(bytes=body[:16])


def device_proof(services: Services, body: bytes) -> bytes:
    return bytes.fromhex(services.keys.index(PURPOSE, body.hex()))[:PROOF]


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
