"""Erasing what accounts were verified with, once there is no reason left to keep it."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from models.audit import Act
from models.base import now
from models.identity import FORMER_RESIDENTS_KNOWN
from models.storage.rows import select, select_ids
from resolvers.context import Services
from subscriptions.work import unit_of_work

BATCH = 200
NO_REASON = (
    "real_name_sealed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM residency r WHERE r.account_id = account.id"
    " AND (r.until IS NULL OR r.until > ?)) AND NOT EXISTS (SELECT 1 FROM residency_application p"
    " WHERE p.account_id = account.id AND p.status = 'PENDING')"
)


@dataclass(slots=True)
class LastHome:
    account_id: UUID
    community_id: UUID


async def sweep(services: Services) -> int:
    """Erase the names and documents of who moved out long ago and lives or applies nowhere; returns how many.

    At most `BATCH` at a time. The log of each community in which they lived says how many they were.
    """
    before = now() - FORMER_RESIDENTS_KNOWN
    former = await select_ids(
        "SELECT id FROM account WHERE id IN (SELECT account_id FROM residency WHERE until <= ?)"
        f" AND {NO_REASON} ORDER BY id LIMIT {BATCH}",
        before,
        before,
    )
    if not former:
        return 0
    async with unit_of_work(services.live) as work:
        # Behind their row locks, so that of an application at the same time it is seen what becomes of it.
        await select_ids("UPDATE account SET language = language WHERE id IN (?) RETURNING id", former)
        erased = await select_ids(
            "UPDATE account SET real_name_sealed = NULL, document_sealed = NULL, document_index = NULL"
            f" WHERE id IN (?) AND {NO_REASON} RETURNING id",
            former,
            before,
        )
        homes = await select(
            LastHome,
            "SELECT DISTINCT account_id, community_id FROM residency WHERE account_id IN (?)",
            erased,
        )
        for community_id, number in Counter(home.community_id for home in homes).items():
            work.audit(Act(action="erasePersonalData", community_id=community_id, detail=f"× {number}"))
    return len(erased)
