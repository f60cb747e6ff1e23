"""Signing in: by a code sent to the phone, or by a password."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from models import privacy
from models.base import now
from models.identity import AccountRow, SessionEnd
from models.messages import OF_RECORD, Message
from models.storage.rows import Where, select_one
from models.storage.tables import insert, update
from resolvers.context import Context, Services
from resolvers.errors import InvalidInput
from resolvers.existing import existing
from resolvers.identity import codes
from resolvers.identity.accounts import account_of, check_display_name
from resolvers.identity.codes import Challenge
from resolvers.identity.passwords import MOST, check_password, hash_password, is_password, needs_rehash
from resolvers.identity.sessions import SignedIn, end, open_session
from resolvers.limits import Limit, check, check_address

# Having signed in so recently is as good as knowing the password.
FRESH = timedelta(minutes=10)

# Of one phone: by one address, by all strangers, and by a device that has signed in with it before.
PASSWORDS_PER_PHONE_AND_ADDRESS = Limit(10, 900)
PASSWORDS_PER_PHONE = Limit(100, 3600)
PASSWORDS_PER_DEVICE = Limit(10, 900)
PASSWORDS_PER_ADDRESS = Limit(60, 3600)


@dataclass(slots=True)
class Holder:
    id: UUID
    password_hash: str | None


@dataclass(slots=True)
class Started:
    created_at: datetime


async def request_code(ctx: Context, *, phone: str, device_token: str | None = None) -> Challenge:
    """Send a code to the phone, whether or not it has an account. Raises InvalidInput, RateLimited."""
    return await codes.send(ctx, phone=check_phone("phone", phone), device_token=device_token)


async def with_code(
    ctx: Context,
    *,
    challenge: str,
    phone: str,
    code: str,
    display_name: str | None = None,
    device_token: str | None = None,
) -> SignedIn:
    """Sign in with the code of a challenge; the first time this makes the account.

    Raises InvalidInput for a code that is wrong, too old, used, or was guessed at five times; RateLimited.
    """
    normal = check_phone("phone", phone)
    name = check_display_name(display_name) if display_name else None
    await codes.spend(ctx, "code", challenge=challenge, phone=normal, code=code)
    async with ctx.unit_of_work():
        account_id = await account_with(ctx.services, normal, name, ctx.language)
        return await signed_in_at_device(ctx, account_id, phone=normal, given=device_token)


async def signed_in_at_device(ctx: Context, account_id: UUID, *, phone: str, given: str | None) -> SignedIn:
    made = await open_session(ctx.services, account_id, ctx.device)
    index = ctx.services.keys.index(privacy.PHONE, phone)
    return replace(made, device_token=codes.device_token(ctx.services, index, given))


async def account_with(
    services: Services, phone: str, display_name: str | None = None, language: str = OF_RECORD
) -> UUID:
    """The id of the account with this phone (in its normal spelling), made if there is none yet."""
    keys = services.keys
    index = keys.index(privacy.PHONE, phone)
    number = f"{secrets.randbelow(10**4):04}"
    nameless = Message("Neighbour {number}", number=number)
    account = AccountRow(
        phone_index=index,
        phone_sealed=keys.seal(privacy.PHONE, phone),
        display_name=display_name or nameless.in_language(language),
        language=language,
    )
    if not await insert(account, "(phone_index) DO NOTHING"):
        account = await existing(AccountRow, Where("t.phone_index = ?", (index,)))
    return account.id


async def with_password(
    ctx: Context, *, phone: str, password: str, device_token: str | None = None
) -> SignedIn:
    """Sign in with the password. Raises RateLimited, and InvalidInput without saying which is wrong."""
    normal = check_phone("phone", phone)
    index = ctx.services.keys.index(privacy.PHONE, normal)
    if device := codes.recognised(ctx.services, index, device_token):
        await check(f"password-device/{device}", PASSWORDS_PER_DEVICE)
    else:
        await check_address(ctx, "password", PASSWORDS_PER_ADDRESS)
        await check_address(ctx, f"password/{index}", PASSWORDS_PER_PHONE_AND_ADDRESS)
        await check(f"password/{index}", PASSWORDS_PER_PHONE)
    account = await holder_of(index)
    hashed = account.password_hash if account else None
    if not await is_password(hashed, password[: MOST + 1]) or account is None or hashed is None:
        raise InvalidInput(password=Message("Phone or password is wrong"))
    if needs_rehash(hashed):
        await update(
            AccountRow,
            Where("id = ? AND password_hash = ?", (account.id, hashed)),
            password_hash=await hash_password(password),
        )
    return await signed_in_at_device(ctx, account.id, phone=normal, given=device_token)


async def set_password(ctx: Context, *, new: str, current: str | None = None) -> None:
    """Set or change the password, and end the account's other sessions.

    Raises RateLimited, and InvalidInput unless the session is at most ten minutes old or `current` is the
    password.
    """
    account = await account_of(ctx)
    phone = ctx.services.keys.open(privacy.PHONE, account.phone_sealed)
    known = [phone, phone.removeprefix("+86"), account.display_name, "linli", "邻里"]
    check_password("newPassword", new, known)
    # Also without `current`: each hash takes the place of somebody's sign-in.
    await check(f"password/{account.id}", PASSWORDS_PER_DEVICE)
    if current is not None:
        if not await is_password(account.password_hash, current[: MOST + 1]):
            raise InvalidInput(currentPassword=Message("Is not the password"))
    elif not await is_fresh(ctx):
        raise InvalidInput(currentPassword=Message("Give the current password, or sign in with a code first"))
    hashed = await hash_password(new)
    async with ctx.unit_of_work() as work:
        await update(AccountRow, account.id, password_hash=hashed)
        others = Where("account_id = ?", (account.id,))
        if ctx.viewer.session_id:
            others &= Where("id <> ?", (ctx.viewer.session_id,))
        await end(work, others, SessionEnd.PASSWORD_CHANGED)


async def is_fresh(ctx: Context) -> bool:
    session = await select_one(
        Started, "SELECT created_at FROM session WHERE id = ? AND ended_at IS NULL", ctx.viewer.session_id
    )
    return session is not None and session.created_at > now() - FRESH


async def holder_of(phone_index: str) -> Holder | None:
    return await select_one(
        Holder, "SELECT id, password_hash FROM account WHERE phone_index = ?", phone_index
    )


def check_phone(field: str, phone: str) -> str:
    """The phone in its normal spelling. Raises InvalidInput."""
    try:
        return privacy.normal_phone(phone)
    except privacy.Misspelt as error:
        raise InvalidInput(**{field: error.message}) from error
