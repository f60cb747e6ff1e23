"""Signing in: by a code sent to the phone, or by a password."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from models import privacy
from models.base import new_id, now
from models.identity import OneTimeCodeRow, SessionEnd
from models.messages import Message
from models.storage.rows import Where, execute, select_one
from resolvers.context import Context, Services
from resolvers.errors import InvalidInput
from resolvers.identity.accounts import account_of, check_display_name
from resolvers.identity.passwords import MOST, check_password, hash_password, is_password, needs_rehash
from resolvers.identity.sessions import SignedIn, end, open_session
from resolvers.limits import Limit, check, check_address

CODE_LIFETIME = timedelta(minutes=5)
ATTEMPTS = 5
# Having signed in so recently is as good as knowing the password.
FRESH = timedelta(minutes=10)

CODES_PER_PHONE = (Limit(1, 60), Limit(5, 3600))
CODES_PER_ADDRESS = Limit(20, 3600)
PASSWORDS_PER_PHONE = Limit(10, 900)
PASSWORDS_PER_ADDRESS = Limit(60, 3600)

logger = structlog.get_logger("linli.sign_in")


@dataclass(slots=True)
class StoredCode:
    id: UUID
    password_hash: str | None


@dataclass(slots=True)
class Started:
    created_at: datetime


async def request_code(ctx: Context, *, phone: str) -> datetime:
    """Send a code to the phone, whether or not it has an account; returns until when it is good.

    A new code makes the phone's earlier ones worthless. Raises InvalidInput, RateLimited.
    """
    normal = check_phone("phone", phone)
    index = ctx.services.keys.index(privacy.PHONE, normal)
    await check_address(ctx, "code", CODES_PER_ADDRESS)
    await check(f"code/{index}", *CODES_PER_PHONE)
    code = f"{secrets.randbelow(10**6):06}"
    code_id = new_id()
    expires_at = now() + CODE_LIFETIME
    async with ctx.unit_of_work():
        await execute("DELETE FROM one_time_code WHERE phone_index = ?", index)
        await OneTimeCodeRow.create(
            id=code_id, phone_index=index, digest=code_digest(ctx, code_id, code), expires_at=expires_at
        )
    text = f"【邻里】验证码 {code}，5 分钟内有效。请勿告诉他人。"
    try:
        await ctx.services.sms.send(normal, text)
    except OSError:
        # The answer stays the same; the operator reads the log, and the resident asks again.
        logger.exception("sms_not_sent", code_id=str(code_id))
    return expires_at


async def with_code(ctx: Context, *, phone: str, code: str, display_name: str | None = None) -> SignedIn:
    """Sign in with the phone's newest code; the first time this makes the account.

    Raises InvalidInput for a code that is wrong, too old, used, or was guessed at five times.
    """
    normal = check_phone("phone", phone)
    name = check_display_name(display_name) if display_name else None
    keys = ctx.services.keys
    index = keys.index(privacy.PHONE, normal)
    wrong = InvalidInput(code=Message("Is not the code, or no longer good; ask for a new one"))
    # Counted before it is compared and for good, so that guesses at the same time count too.
    tried = await execute(
        "UPDATE one_time_code SET attempts = attempts + 1 WHERE phone_index = ? AND attempts < ?"
        " AND used_at IS NULL AND expires_at > ? RETURNING id, digest",
        index,
        ATTEMPTS,
        now(),
    )
    matching: list[Any] = [
        row["id"]
        for row in tried
        if hmac.compare_digest(row["digest"], code_digest(ctx, UUID(str(row["id"])), code.strip()))
    ]
    if not matching:
        raise wrong
    async with ctx.unit_of_work():
        if not await execute(
            "UPDATE one_time_code SET used_at = ? WHERE id IN (?) AND used_at IS NULL RETURNING id",
            now(),
            matching,
        ):
            raise wrong
        account_id = await account_with(ctx.services, normal, name)
        return await open_session(ctx.services, account_id, ctx.device)


async def account_with(services: Services, phone: str, display_name: str | None = None) -> UUID:
    """The id of the account with this phone (in its normal spelling), made if there is none yet."""
    keys = services.keys
    index = keys.index(privacy.PHONE, phone)
    found = await execute(
        "INSERT INTO account (id, created_at, phone_index, phone_sealed, display_name, language)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (phone_index) DO NOTHING RETURNING id",
        new_id(),
        now(),
        index,
        keys.seal(privacy.PHONE, phone),
        display_name or f"邻居{secrets.randbelow(10**4):04}",
        "zh-Hans",
    ) or await execute("SELECT id FROM account WHERE phone_index = ?", index)
    return UUID(str(found[0]["id"]))


async def with_password(ctx: Context, *, phone: str, password: str) -> SignedIn:
    """Sign in with the password. Raises InvalidInput without saying which of the two is wrong."""
    normal = check_phone("phone", phone)
    index = ctx.services.keys.index(privacy.PHONE, normal)
    await check_address(ctx, "password", PASSWORDS_PER_ADDRESS)
    await check(f"password/{index}", PASSWORDS_PER_PHONE)
    account = await stored_code(index)
    hashed = account.password_hash if account else None
    if not await is_password(hashed, password[: MOST + 1]) or account is None or hashed is None:
        raise InvalidInput(password=Message("Phone or password is wrong"))
    if needs_rehash(hashed):
        await execute(
            "UPDATE account SET password_hash = ? WHERE id = ? AND password_hash = ?",
            await hash_password(password),
            account.id,
            hashed,
        )
    return await open_session(ctx.services, account.id, ctx.device)


async def set_password(ctx: Context, *, new: str, current: str | None = None) -> None:
    """Set or change the password, and end the account's other sessions.

    Raises InvalidInput unless the session is at most ten minutes old or `current` is the password.
    """
    account = await account_of(ctx)
    phone = ctx.services.keys.open(privacy.PHONE, account.phone_sealed)
    known = [phone, phone.removeprefix("+86"), account.display_name, "linli", "邻里"]
    check_password("newPassword", new, known)
    # Also without `current`: each hash takes the place of somebody's sign-in.
    await check(f"password/{account.id}", PASSWORDS_PER_PHONE)
    if current is not None:
        if not await is_password(account.password_hash, current[: MOST + 1]):
            raise InvalidInput(currentPassword=Message("Is not the password"))
    elif not await is_fresh(ctx):
        raise InvalidInput(currentPassword=Message("Give it, or sign in with a code first"))
    hashed = await hash_password(new)
    async with ctx.unit_of_work() as work:
        await execute("UPDATE account SET password_hash = ? WHERE id = ?", hashed, account.id)
        others = Where("account_id = ?", (account.id,))
        if ctx.viewer.session_id:
            others &= Where("id <> ?", (ctx.viewer.session_id,))
        await end(work, others, SessionEnd.PASSWORD_CHANGED)


async def is_fresh(ctx: Context) -> bool:
    session = await select_one(
        Started, "SELECT created_at FROM session WHERE id = ? AND ended_at IS NULL", ctx.viewer.session_id
    )
    return session is not None and session.created_at > now() - FRESH


async def stored_code(phone_index: str) -> StoredCode | None:
    return await select_one(
        StoredCode, "SELECT id, password_hash FROM account WHERE phone_index = ?", phone_index
    )


async def sweep() -> None:
    """Forget codes that are no longer good."""
    await execute("DELETE FROM one_time_code WHERE expires_at < ?", now())


def check_phone(field: str, phone: str) -> str:
    """The phone in its normal spelling. Raises InvalidInput."""
    try:
        return privacy.normal_phone(phone)
    except privacy.Misspelt as error:
        raise InvalidInput(**{field: error.message}) from error


def code_digest(ctx: Context, code_id: UUID, code: str) -> str:
    return ctx.services.keys.index("sign-in-code", f"{code_id}/{code}")
