"""Another phone for an account: by who has both, or, for who has lost the old one, by two officers.

The phone is what one signs in with. So the account's other sessions end with the change, and both phones are
told of it.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog

from models import privacy
from models.base import now
from models.identity import (
    AccountRow,
    NeighbourRow,
    PhoneChangeRow,
    PhoneChangeStatus,
    ResidencyRow,
    SessionEnd,
    phone_change_visible_to,
)
from models.messages import Message
from models.organisations import OrganisationRow
from models.powers import Power, has_power, has_power_in
from models.privacy import mask_phone
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import Where, execute
from models.storage.tables import by_ids, insert, update
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked, only
from resolvers.identity import codes, sessions
from resolvers.identity.accounts import account_of
from resolvers.identity.codes import Challenge
from resolvers.identity.faces import neighbours
from resolvers.identity.residencies import refusal
from resolvers.identity.sign_in import check_phone
from resolvers.paging import pages
from subscriptions.work import Work

logger = structlog.get_logger("linli.phones")


# By who has both


async def request_change(ctx: Context, *, phone: str) -> tuple[Challenge, Challenge]:
    """Send a code to the account's phone and one to `phone`.

    Raises Unauthenticated, InvalidInput, RateLimited.
    """
    account = await account_of(ctx)
    new = check_phone("phone", phone)
    old = ctx.services.keys.open(privacy.PHONE, account.phone_sealed)
    if new == old:
        raise InvalidInput(phone=Message("Is the account's phone already"))
    return await codes.send(ctx, phone=old), await codes.send(ctx, phone=new)


async def change(
    ctx: Context, *, phone: str, old_challenge: str, old_code: str, new_challenge: str, new_code: str
) -> AccountRow:
    """Give the account another phone, with the codes that both were sent.

    Raises Unauthenticated, RateLimited, InvalidInput for a code that is not good, Conflict if the phone has
    another account.
    """
    account = await account_of(ctx)
    new = check_phone("phone", phone)
    old = ctx.services.keys.open(privacy.PHONE, account.phone_sealed)
    # The new one first: its owner's code is not used up by who has lost the old phone.
    await codes.spend(ctx, "newCode", challenge=new_challenge, phone=new, code=new_code)
    await codes.spend(ctx, "oldCode", challenge=old_challenge, phone=old, code=old_code)
    async with ctx.unit_of_work() as work:
        await put(ctx, work, account, new, kept_session=ctx.viewer.session_id)
    await tell(ctx, old, new)
    return await account_of(ctx)


# By two officers


async def propose_change(ctx: Context, *, residency_id: UUID, phone: str, reason: str) -> PhoneChangeRow:
    """Propose that a resident's account gets another phone; another officer decides.

    Raises Unauthenticated, InvalidInput, NotFound, NotAllowed.
    """
    officer_id = ctx.account_id
    new = check_phone("phone", phone)
    reason = check_text("reason", reason, 300, least=4)
    residency = await existing(ResidencyRow, residency_id)
    if not has_power_in(ctx.viewer, residency.community_id, Power.VERIFY_RESIDENTS):
        raise await refusal(ctx, "proposePhoneChange", residency)
    if residency.until is not None or residency.account_id == officer_id:
        raise NotAllowed(Message("Only the phone of another who lives there now may be changed"))
    row = PhoneChangeRow(
        community_id=residency.community_id,
        account_id=residency.account_id,
        residency_id=residency.id,
        phone_sealed=ctx.services.keys.seal(privacy.PHONE, new),
        reason=reason,
        proposed_by_id=officer_id,
    )
    async with ctx.unit_of_work():
        await insert(row)
        await audit.record(ctx, "proposePhoneChange", row, power=Power.VERIFY_RESIDENTS, detail=reason)
    return row


async def decide_change(ctx: Context, *, change_id: UUID, accept: bool) -> PhoneChangeRow:
    """Carry a proposed change out, or refuse it: another officer than who proposed it, and not for oneself.

    Raises Unauthenticated, NotFound, NotAllowed, and Conflict if it is decided, the resident has moved out or
    the phone has another account.
    """
    officer_id = ctx.account_id
    row = only(await changes_by_id(ctx, [change_id]))
    if officer_id in (row.proposed_by_id, row.account_id):
        raise NotAllowed(Message("Another officer decides about this change"))
    told: tuple[str, str] | None = None
    async with ctx.unit_of_work() as work:
        row = await locked(PhoneChangeRow, row.id)
        if row.status is not PhoneChangeStatus.PROPOSED or row.phone_sealed is None:
            raise Conflict(Message("It has been decided meanwhile"), row)
        if accept:
            if (await existing(ResidencyRow, row.residency_id)).until is not None:
                raise Conflict(Message("The resident has moved out meanwhile"), row)
            account = await existing(AccountRow, row.account_id)
            keys = ctx.services.keys
            told = keys.open(privacy.PHONE, account.phone_sealed), keys.open(privacy.PHONE, row.phone_sealed)
            await put(ctx, work, account, told[1], kept_session=None)
        await update(
            PhoneChangeRow,
            Where("t.id = ?", (row.id,)),
            status=PhoneChangeStatus.DONE if accept else PhoneChangeStatus.REFUSED,
            decided_by_id=officer_id,
            decided_at=now(),
            phone_sealed=None,
        )
        action = "acceptPhoneChange" if accept else "refusePhoneChange"
        await audit.record(ctx, action, row, power=Power.VERIFY_RESIDENTS)
    if told:
        await tell(ctx, *told)
    return await existing(PhoneChangeRow, row.id)


async def put(
    ctx: Context, work: Work, account: AccountRow, phone: str, *, kept_session: UUID | None
) -> None:
    """In the caller's unit of work: the account has this phone, and its sessions end but one."""
    index = ctx.services.keys.index(privacy.PHONE, phone)
    changed = await execute(
        "UPDATE account SET phone_index = ?, phone_sealed = ? WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM account a WHERE a.phone_index = ?) RETURNING id",
        index,
        ctx.services.keys.seal(privacy.PHONE, phone),
        account.id,
        index,
    )
    if not changed:
        raise Conflict(Message("This phone has an account of its own"))
    others = Where("account_id = ?", (account.id,))
    if kept_session:
        others &= Where("id <> ?", (kept_session,))
    await sessions.end(work, others, SessionEnd.PHONE_CHANGED)


async def tell(ctx: Context, old: str, new: str) -> None:
    """Tell both phones. Whether a message arrives undoes nothing."""
    text = Message(
        "[Linli] The phone of your account is now {phone}. If this is not your doing, tell the residents'"
        " committee at once.",
        phone=mask_phone(new),
    ).in_language(ctx.language)
    for phone in (old, new):
        try:
            await ctx.services.sms.send(phone, text)
        except OSError:
            logger.exception("sms_not_sent")


# Reading


async def changes_by_id(ctx: Context, ids: Sequence[UUID]) -> list[PhoneChangeRow | None]:
    """The changes with these ids that the viewer may see."""
    return await by_ids(PhoneChangeRow, ids, phone_change_visible_to(ctx.viewer))


async def check_may_see(ctx: Context, organisation: OrganisationRow) -> None:
    """Raises NotAllowed, and keeps the attempt, if the viewer does not verify residents for it."""
    if not has_power(ctx.viewer, organisation.id, Power.VERIFY_RESIDENTS):
        message = Message("Only officers of the residents' committee may see changes of phones")
        raise await audit.refuse(ctx, "phoneChanges", message, organisation)


async def changes_of(
    ctx: Context, organisations: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[PhoneChangeRow]]:
    """The changes that wait for a second officer of each organisation, the oldest first.

    Raises NotAllowed, and keeps the attempt, if the viewer does not verify residents for one of them.
    """
    for organisation in organisations:
        await check_may_see(ctx, organisation)
    await audit.note_reading(ctx, "phoneChanges", organisations)
    return await pages(
        PhoneChangeRow,
        [organisation.community_id for organisation in organisations],
        by="community_id",
        args=args,
        where=phone_change_visible_to(ctx.viewer) & Where("t.status = ?", (PhoneChangeStatus.PROPOSED,)),
        order=OLDEST,
    )


async def proposers_of(ctx: Context, rows: Sequence[PhoneChangeRow]) -> list[NeighbourRow]:
    return await neighbours(ctx, [(row.proposed_by_id, row.community_id) for row in rows])


async def residencies_of(_ctx: Context, rows: Sequence[PhoneChangeRow]) -> list[ResidencyRow | None]:
    return await by_ids(ResidencyRow, [row.residency_id for row in rows])


async def masked_phones(ctx: Context, rows: Sequence[PhoneChangeRow]) -> list[str | None]:
    """The new phones, masked; None once it is decided."""
    keys = ctx.services.keys
    return [
        mask_phone(keys.open(privacy.PHONE, row.phone_sealed)) if row.phone_sealed else None for row in rows
    ]
