"""Thousands of residents, each with a home and a session, in few statements."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from models.base import new_id, now
from models.identity import (
    AccountRow,
    ApplicationRow,
    BuildingRow,
    HomeRow,
    Relation,
    ResidencyRow,
    SessionRow,
)
from models.privacy import Keys
from resolvers.tokens import Tokens

BATCH = 500


async def move_in(
    keys: Keys,
    tokens: Tokens,
    buildings: Sequence[BuildingRow],
    number: int,
    *,
    first: int = 0,
    verified: bool = True,
) -> list[str]:
    """Access tokens of so many new residents, or of people who have only applied; numbered from `first`."""
    found: list[str] = []
    for start in range(first, first + number, BATCH):
        numbers = range(start, min(start + BATCH, first + number))
        accounts = [account(keys, n) for n in numbers]
        homes = [home(buildings[n % len(buildings)], n) for n in numbers]
        sessions = [session(each) for each in accounts]
        await AccountRow.bulk_create(accounts)
        await HomeRow.bulk_create(homes)
        await SessionRow.bulk_create(sessions)
        held: list[dict[str, Any]] = [
            {"community_id": h.community_id, "account_id": a.id, "home_id": h.id, "relation": Relation.OWNER}
            for a, h in zip(accounts, homes, strict=True)
        ]
        if verified:
            await ResidencyRow.bulk_create(ResidencyRow(**each) for each in held)
        else:
            await ApplicationRow.bulk_create(ApplicationRow(**each) for each in held)
        found += [tokens.access_token(a.id, s.id) for a, s in zip(accounts, sessions, strict=True)]
    return found


def account(keys: Keys, number: int) -> AccountRow:
    phone = f"+86139{number:08d}"
    return AccountRow(
        id=new_id(),
        phone_index=keys.index("phone", phone),
        phone_sealed=keys.seal("phone", phone),
        display_name=f"邻居{number}",
    )


def home(building: BuildingRow, number: int) -> HomeRow:
    return HomeRow(
        id=new_id(),
        community_id=building.community_id,
        building_id=building.id,
        unit="1",
        number=str(number),
        area_cm2=900_000,
    )


def session(account: AccountRow) -> SessionRow:
    return SessionRow(
        id=new_id(),
        account_id=account.id,
        device="crowd",
        refresh_digest=secrets.token_hex(32),
        expires_at=now() + timedelta(days=1),
    )
