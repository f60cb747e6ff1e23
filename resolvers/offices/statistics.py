"""How far an office's notices came: whole numbers, and no person in them.

A period holds the notices that were sent in it, updates too, each of which went out to its households anew.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from models.identity import BuildingRow
from models.messages import Message
from models.notices import NoticeCategory, Severity
from models.organisations import OrganisationRow
from models.powers import Power, has_power
from models.roles import OrganisationKind
from models.storage.rows import dialect, select
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.identity.addresses import buildings_by_id

LONGEST_PERIOD = timedelta(days=3 * 366)


@dataclass(slots=True)
class OfficeStatistics:
    """An office and the period [since, until) that is asked for."""

    organisation: OrganisationRow
    since: datetime
    until: datetime


class Axis(StrEnum):
    TOTAL = "TOTAL"
    CATEGORY = "CATEGORY"
    SEVERITY = "SEVERITY"
    BUILDING = "BUILDING"
    MONTH = "MONTH"


@dataclass(slots=True)
class ReachFigures:
    """What became of notices. `key` says of which: a category, a severity, a building's id, a month."""

    organisation_id: UUID
    axis: Axis
    key: str | None
    notices: int = 0
    targeted: int = 0
    delivered: int = 0
    seen: int = 0
    acknowledged: int = 0
    in_person: int = 0

    @property
    def reached(self) -> int:
        return self.acknowledged + self.in_person

    @property
    def category(self) -> NoticeCategory | None:
        return NoticeCategory(self.key) if self.key and self.axis is Axis.CATEGORY else None

    @property
    def severity(self) -> Severity | None:
        return Severity(self.key) if self.key and self.axis is Axis.SEVERITY else None

    @property
    def month(self) -> str | None:
        return self.key if self.axis is Axis.MONTH else None


@dataclass(slots=True)
class NoticesReach:
    """The notices of an office in a period, and the same along each axis."""

    office: OfficeStatistics
    total: ReachFigures
    by_category: list[ReachFigures]
    by_severity: list[ReachFigures]
    by_building: list[ReachFigures]
    by_month: list[ReachFigures]


def may_see(ctx: Context, row: OrganisationRow, power: Power) -> bool:
    """Its own officers may, and the residents' committee, which leads all offices but party branches."""
    return has_power(ctx.viewer, row.id, power) or (
        row.kind is not OrganisationKind.PARTY_BRANCH
        and any(
            has_power(ctx.viewer, office.organisation_id, power)
            for office in ctx.viewer.offices_of(row.community_id, OrganisationKind.RESIDENTS_COMMITTEE)
        )
    )


async def statistics_of(
    ctx: Context, organisations: Sequence[OrganisationRow], since: datetime, until: datetime
) -> list[OfficeStatistics]:
    """The statistics of each office. Raises InvalidInput; NotAllowed, and keeps the attempt."""
    since, until = check_period(since, until)
    for row in organisations:
        if not any(may_see(ctx, row, power) for power in (Power.SEE_REACH, Power.SEE_REQUEST_STATISTICS)):
            raise await audit.refuse(
                ctx,
                "statistics",
                Message("Only the office itself and the residents' committee see its statistics"),
                row,
            )
    return [OfficeStatistics(row, since, until) for row in organisations]


def check_period(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The period in UTC. Raises InvalidInput."""
    for field, moment in (("since", since), ("until", until)):
        if moment.tzinfo is None:
            raise InvalidInput(**{field: Message("Needs a time zone")})
    if until <= since:
        raise InvalidInput(until=Message("Must be later than since"))
    if until - since > LONGEST_PERIOD:
        raise InvalidInput(until=Message("At most three years"))
    return since.astimezone(UTC), until.astimezone(UTC)


async def notices_of(ctx: Context, parents: Sequence[OfficeStatistics]) -> list[NoticesReach | None]:
    """The reach of each office's notices, None for who may not see it. One statement a period."""
    seen = [row for row in parents if may_see(ctx, row.organisation, Power.SEE_REACH)]
    figures: dict[tuple[UUID, datetime, datetime], list[ReachFigures]] = defaultdict(list)
    for since, until in dict.fromkeys((row.since, row.until) for row in seen):
        offices = {row.organisation.id for row in seen if (row.since, row.until) == (since, until)}
        for found in await reach_figures(offices, since, until):
            figures[found.organisation_id, since, until].append(found)
    return [
        sorted_out(row, figures[row.organisation.id, row.since, row.until]) if row in seen else None
        for row in parents
    ]


def sorted_out(office: OfficeStatistics, figures: Sequence[ReachFigures]) -> NoticesReach:
    def along(axis: Axis) -> list[ReachFigures]:
        return [row for row in figures if row.axis is axis]

    total = along(Axis.TOTAL) or [ReachFigures(office.organisation.id, Axis.TOTAL, None)]
    return NoticesReach(
        office,
        total[0],
        sorted(
            along(Axis.CATEGORY), key=lambda row: list(NoticeCategory).index(NoticeCategory(row.key or ""))
        ),
        sorted(along(Axis.SEVERITY), key=lambda row: Severity(row.key or "").rank),
        along(Axis.BUILDING),
        along(Axis.MONTH),
    )


AXES = {
    Axis.TOTAL: "NULL",
    Axis.CATEGORY: "category",
    Axis.SEVERITY: "severity",
    Axis.BUILDING: "CAST(building_id AS text)",
    Axis.MONTH: "month",
}
SUMS = ", ".join(
    f"SUM({name}) AS {name}" for name in ("targeted", "delivered", "seen", "acknowledged", "in_person")
)


def sent_notices() -> str:
    """The notices of some offices in a period, once for each building that they went to.

    Months are those of China, which has one time zone and no summer time.
    """
    month = (
        "to_char(n.created_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')"
        if dialect() == "postgres"
        else "strftime('%Y-%m', n.created_at, '+8 hours')"
    )
    return (
        f"SELECT n.id, n.organisation_id, n.category, n.severity, {month} AS month, b.building_id,"
        " coalesce(b.targeted, 0) AS targeted, coalesce(b.delivered, 0) AS delivered,"
        " coalesce(b.seen, 0) AS seen, coalesce(b.acknowledged, 0) AS acknowledged,"
        " coalesce(b.in_person, 0) AS in_person FROM notice n"
        " LEFT JOIN building_reach b ON b.notice_id = n.id"
        " WHERE n.organisation_id IN (?) AND n.created_at >= ? AND n.created_at < ?"
    )


async def reach_figures(offices: set[UUID], since: datetime, until: datetime) -> list[ReachFigures]:
    """The figures of these offices along every axis."""
    parts = [
        f"SELECT organisation_id, '{axis.value}' AS axis, {key} AS key, COUNT(DISTINCT id) AS notices, {SUMS}"
        f" FROM sent{' WHERE building_id IS NOT NULL' if axis is Axis.BUILDING else ''}"
        f" GROUP BY organisation_id{'' if axis is Axis.TOTAL else f', {key}'}"
        for axis, key in AXES.items()
    ]
    return await select(
        ReachFigures,
        f"WITH sent AS ({sent_notices()}) {' UNION ALL '.join(parts)} ORDER BY axis, key",
        offices,
        since,
        until,
    )


async def buildings_of(ctx: Context, rows: Sequence[ReachFigures]) -> list[BuildingRow | None]:
    """The building that each figure is about."""
    ids = [UUID(row.key) if row.axis is Axis.BUILDING and row.key else None for row in rows]
    return await buildings_by_id(ctx, ids)
