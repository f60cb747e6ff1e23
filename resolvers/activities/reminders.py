"""What the clock does: those who come are reminded a day before, and an hour before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from models.activities import ActivityRow, ActivityStatus, ActivityUpdateKind, SignUpRow, SignUpState
from models.base import now
from models.storage.rows import Where
from models.storage.tables import every
from models.visibility import NOBODY
from resolvers import jobs
from resolvers.activities import sign_ups
from resolvers.context import Context, Services
from resolvers.existing import locked
from subscriptions.work import Work

BEFORE = {
    "ACTIVITY_REMIND_DAY": timedelta(days=1),
    "ACTIVITY_REMIND_HOUR": timedelta(hours=1),
}


async def schedule(row: ActivityRow, at: datetime) -> None:
    """Have those who will come reminded, as far as there is time for it."""
    for kind, before in BEFORE.items():
        if row.starts_at - before > at:
            await jobs.schedule(kind, row.id, row.starts_at - before)


async def unschedule_reminders(activity_ids: Sequence[UUID]) -> None:
    """Have nobody reminded. Call it before locking: a job locks itself and then its activity."""
    for activity_id in activity_ids:
        await jobs.unschedule(activity_id, *BEFORE)


@jobs.does("ACTIVITY_REMIND_DAY")
@jobs.does("ACTIVITY_REMIND_HOUR")
async def remind(services: Services, work: Work, activity_id: UUID) -> None:
    """Remind those who come, unless it is cancelled or has begun; who only waits is not."""
    row = await locked(ActivityRow, activity_id)
    if row.status is not ActivityStatus.SCHEDULED or now() >= row.starts_at:
        return
    coming = await every(SignUpRow, Where("t.activity_id = ? AND t.state = ?", (row.id, SignUpState.GOING)))
    await sign_ups.send_update(
        work,
        Context(services, NOBODY),
        row,
        ActivityUpdateKind.REMINDER,
        [sign_up.account_id for sign_up in coming],
    )
