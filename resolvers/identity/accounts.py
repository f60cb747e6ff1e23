"""The signed-in account itself."""

import re
from collections.abc import Sequence
from uuid import UUID

from models.identity import AccountRow, CommunityRow
from models.messages import LANGUAGES, Message
from models.privacy import PHONE, mask_phone
from models.storage.tables import by_ids, update
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput, Unauthenticated
from resolvers.identity.addresses import communities_by_id

# What nobody sees or what turns the text around: with it one name looks like another, or like none. The
# joiners that emoji are made of (U+200C, U+200D) stay.
DISGUISE = re.compile(
    "[\u00ad\u061c\u115f\u1160\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
)


async def account_of(ctx: Context) -> AccountRow:
    """The account that is signed in. Raises Unauthenticated."""
    (found,) = await accounts_by_id([ctx.account_id])
    if found is None:
        raise Unauthenticated
    return found


async def accounts_by_id(ids: Sequence[UUID]) -> list[AccountRow | None]:
    return await by_ids(AccountRow, ids)


async def own_account_by_id(ctx: Context, ids: Sequence[UUID]) -> list[AccountRow | None]:
    """The signed-in account, where its id is asked for."""
    own = [id if id == ctx.viewer.account_id else None for id in ids]
    found = {row.id: row for row in await accounts_by_id([id for id in own if id]) if row}
    return [found.get(id) if id else None for id in own]


async def update_profile(
    ctx: Context, *, display_name: str | None = None, language: str | None = None
) -> AccountRow:
    """Change the name that neighbours see or the language, leaving what is not given.

    Raises InvalidInput.
    """
    account = await account_of(ctx)
    name = check_display_name(display_name) if display_name is not None else account.display_name
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(language=Message("Must be one of {languages}", languages=", ".join(LANGUAGES)))
    async with ctx.unit_of_work():
        await update(AccountRow, account.id, display_name=name, language=language or account.language)
    return await account_of(ctx)


async def masked_phones(ctx: Context, accounts: Sequence[AccountRow]) -> list[str]:
    """Each account's phone, masked."""
    keys = ctx.services.keys
    return [mask_phone(keys.open(PHONE, account.phone_sealed)) for account in accounts]


async def communities_of(ctx: Context, accounts: Sequence[AccountRow]) -> list[list[CommunityRow]]:
    """The communities that the signed-in account takes part in, in the order of their names."""
    known = await communities_by_id(ctx, list(ctx.viewer.communities))
    rows = sorted((row for row in known if row), key=lambda row: (row.name, row.id))
    return [rows for _ in accounts]


def check_display_name(name: str) -> str:
    """A name to be seen under: one line of 1 to 30 characters. Raises InvalidInput."""
    kept = check_text("displayName", name, 30)
    if "\n" in kept or "\t" in kept:
        raise InvalidInput(displayName=Message("Must be one line"))
    if DISGUISE.search(kept):
        raise InvalidInput(displayName=Message("Holds characters that are not text"))
    return kept
