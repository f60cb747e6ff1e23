"""Opinions in numbers, for the secretary: by topic and by month, whole numbers and no person in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from models.messages import Message
from models.organisations import OrganisationRow
from models.party import opinions as rules
from models.party.opinions import PartyOpinionTopic
from models.storage.rows import dialect, select
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import InvalidInput

LONGEST_PERIOD = timedelta(days=3 * 366)


@dataclass(slots=True)
class Figures:
    """Of the opinions of one topic and month: how many were received, and what became of these."""

    branch_id: UUID
    topic: PartyOpinionTopic
    month: str
    received: int
    answered: int
    answered_in_time: int
    escalated: int
    withdrawn: int


async def figures_of(
    ctx: Context, branches: Sequence[OrganisationRow], since: datetime, until: datetime
) -> list[list[Figures] | None]:
    """The figures of each branch, received in [since, until); None for who may not see them.

    Months are those of China. Raises InvalidInput.
    """
    audit.check_moments(since=since, until=until)
    if until <= since:
        raise InvalidInput(until=Message("Must be later than since"))
    if until - since > LONGEST_PERIOD:
        raise InvalidInput(until=Message("At most three years"))
    seen = {branch.id for branch in branches if rules.can_assign(ctx.viewer, branch.id)}
    month = (
        "to_char(t.created_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')"
        if dialect() == "postgres"
        else "strftime('%Y-%m', t.created_at, '+8 hours')"
    )
    rows = await select(
        Figures,
        f"SELECT t.branch_id, t.topic, {month} AS month, count(*) AS received,"
        " count(t.answered_at) AS answered,"
        " count(CASE WHEN t.answered_at <= t.due_at THEN 1 END) AS answered_in_time,"
        " count(t.escalated_at) AS escalated,"
        " count(CASE WHEN t.state = 'WITHDRAWN' THEN 1 END) AS withdrawn"
        " FROM party_opinion t WHERE t.branch_id IN (?) AND t.created_at >= ? AND t.created_at < ?"
        f" GROUP BY t.branch_id, t.topic, {month} ORDER BY month, t.topic",
        seen,
        since,
        until,
    )
    return [
        [row for row in rows if row.branch_id == branch.id] if branch.id in seen else None
        for branch in branches
    ]
