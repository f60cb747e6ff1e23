"""One-time codes: sent to a phone, and good for whoever asked for them.

Each request is a challenge of its own, with its own code: whoever asks for codes of a stranger's phone, or
guesses at them, burns none that the stranger has asked for. What may be sent is limited for the phone and
whoever asks, for the phone, for the address, for the phones that begin alike and for the deployment; a device
that has signed in with the phone before is held up by no stranger.
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from models import privacy
from models.base import new_id, now
from models.identity import OneTimeCodeRow
from models.messages import Message
from models.storage.rows import Where, execute
from models.storage.tables import insert, update
from resolvers import limits
from resolvers.context import Context, Services
from resolvers.errors import InvalidInput
from resolvers.limits import Limit

LIFETIME = timedelta(minutes=5)
ATTEMPTS = 5

# Of one phone: by one address, and by all strangers.
PER_PHONE_AND_ADDRESS = (Limit(1, 60), Limit(5, 3600))
PER_PHONE = (Limit(30, 3600), Limit(100, 86_400))
# Of codes that were not used: a hall full of people who sign up shares one address, as a carrier's phones do.
PER_ADDRESS = Limit(60, 3600)
# Of phones that differ in the last four digits only: numbers that are dialled for the money are rented so.
PER_PREFIX = Limit(200, 3600)
DEVICE = (Limit(1, 60), Limit(10, 3600))
WRONG_GUESSES_PER_ADDRESS = Limit(100, 3600)

logger = structlog.get_logger("linli.codes")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code that was sent: `name` must be given with it, until `expires_at`."""

    id: UUID
    expires_at: datetime

    @property
    def name(self) -> str:
        return self.id.hex


async def send(ctx: Context, *, phone: str, device_token: str | None = None) -> Challenge:
    """Send a code to the phone (in its normal spelling), whether or not it has an account.

    Raises InvalidInput for a country that the deployment sends nothing to, RateLimited.
    """
    index = ctx.services.keys.index(privacy.PHONE, phone)
    if not phone.startswith(tuple(f"+{country}" for country in ctx.services.sms_countries)):
        raise InvalidInput(phone=Message("Codes are not sent to phones of this country"))
    device = recognised(ctx.services, index, device_token)
    if device:
        await limits.check(f"code-device/{device}", *DEVICE)
    else:
        await limits.check_address(ctx, "code", PER_ADDRESS)
        await limits.check_address(ctx, f"code/{index}", *PER_PHONE_AND_ADDRESS)
        await limits.check(f"code/{index}", *PER_PHONE)
    await limits.check(f"code-prefix/{ctx.services.keys.index('phone-prefix', phone[:-4])}", PER_PREFIX)
    await limits.check("code-all", Limit(ctx.services.sms_an_hour, 3600))
    code = f"{secrets.randbelow(10**6):06}"
    challenge = Challenge(new_id(), now() + LIFETIME)
    await insert(
        OneTimeCodeRow(
            id=challenge.id,
            phone_index=index,
            digest=digest(ctx, challenge.id, code),
            expires_at=challenge.expires_at,
        )
    )
    text = Message(
        "[Linli] Your code is {code}, good for {minutes} minutes. Tell it to nobody.",
        code=code,
        minutes=int(LIFETIME.total_seconds()) // 60,
    )
    try:
        await ctx.services.sms.send(phone, text.in_language(ctx.language))
    except OSError:
        # The answer stays the same; the operator reads the log, and the resident asks again.
        logger.exception("sms_not_sent", code_id=str(challenge.id))
    return challenge


async def spend(ctx: Context, field: str, *, challenge: str, phone: str, code: str) -> None:
    """Use up a code, in the caller's unit of work or outside of one: it works once.

    Raises InvalidInput naming `field` for a code that is wrong, too old, used, another phone's or was guessed
    at five times; RateLimited for an address that guesses too often.
    """
    wrong = InvalidInput(**{field: Message("Is not the code, or no longer good; ask for a new one")})
    await limits.check_address(ctx, "guess", WRONG_GUESSES_PER_ADDRESS)
    try:
        challenge_id = UUID(challenge)
    except ValueError:
        raise wrong from None
    index = ctx.services.keys.index(privacy.PHONE, phone)
    # Counted before it is compared and for good, so that guesses at the same time count too.
    tried = await execute(
        "UPDATE one_time_code SET attempts = attempts + 1 WHERE id = ? AND phone_index = ? AND attempts < ?"
        " AND used_at IS NULL AND expires_at > ? RETURNING digest",
        challenge_id,
        index,
        ATTEMPTS,
        now(),
    )
    if not tried or not hmac.compare_digest(tried[0]["digest"], digest(ctx, challenge_id, code.strip())):
        raise wrong
    if not await update(OneTimeCodeRow, Where("id = ? AND used_at IS NULL", (challenge_id,)), used_at=now()):
        raise wrong
    # Whoever reads the phone's messages is no sender of many, and has not guessed.
    await limits.uncount_address(ctx, "guess", WRONG_GUESSES_PER_ADDRESS)
    await limits.uncount_address(ctx, "code", PER_ADDRESS)


async def sweep() -> None:
    """Forget codes that are no longer good."""
    await execute("DELETE FROM one_time_code WHERE expires_at < ?", now())


def digest(ctx: Context, challenge_id: UUID, code: str) -> str:
    return ctx.services.keys.index("sign-in-code", f"{challenge_id}/{code}")


# Devices

NAME_BYTES = 16


def device_token(services: Services, phone_index: str, given: str | None = None) -> str:
    """What a device shows later to be told from strangers: `given` if that does already."""
    if given and recognised(services, phone_index, given):
        return given
    name = secrets.token_bytes(NAME_BYTES)
    return base64.urlsafe_b64encode(name + proof(services, phone_index, name)).decode()


def recognised(services: Services, phone_index: str, token: str | None) -> str | None:
    """The name of the device, if it has signed in with this phone before. It gives no other right."""
    try:
        data = base64.b64decode((token or "")[:200].encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    name = data[:NAME_BYTES]
    if len(name) < NAME_BYTES or not hmac.compare_digest(
        data[NAME_BYTES:], proof(services, phone_index, name)
    ):
        return None
    return name.hex()


def proof(services: Services, phone_index: str, name: bytes) -> bytes:
    return bytes.fromhex(services.keys.index("device", f"{phone_index}/{name.hex()}"))[:NAME_BYTES]
