"""How offices answer, resolve and satisfy: whole numbers, and no person in them.

What counts is an office's time with a case (`RequestTenure`), from the moment in which it received it; a case
that was handed over counts for both. A period holds what was received in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.messages import Message
from models.organisations import OrganisationRow
from models.powers import Power, has_power
from models.requests import PolicyRow
from models.roles import OrganisationKind
from models.storage.rows import Where, select
from resolvers import audit, identity
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.requests import policies
from resolvers.tables import table


@dataclass(frozen=True, slots=True)
class Period:
    """What is counted: received in [since, until), and, if given, of one building or one category."""

    since: datetime
    until: datetime
    building_id: UUID | None = None
    category: str | None = None


@dataclass(slots=True)
class Figures:
    """Counts of cases, and times in whole seconds (of an even number of times the median is the mean of
    the middle two, rounded down)."""

    organisation_id: UUID
    category: str | None = None
    building_id: UUID | None = None
    received: int = 0
    accepted: int = 0
    accepted_in_time: int = 0
    resolved: int = 0
    resolved_in_time: int = 0
    returned: int = 0
    escalated: int = 0
    accept_total: int = 0
    accept_median: int | None = None
    resolve_total: int = 0
    resolve_median: int | None = None
    rating_sum: int = 0
    rating_count: int = 0

    @property
    def accept_mean(self) -> int | None:
        return self.accept_total // self.accepted if self.accepted else None

    @property
    def resolve_mean(self) -> int | None:
        return self.resolve_total // self.resolved if self.resolved else None


@dataclass(slots=True)
class Statistics:
    """What an office is asked for, and what all of it comes to."""

    organisation: OrganisationRow
    period: Period
    total: Figures


def may_see(ctx: Context, row: OrganisationRow) -> bool:
    """Its own officers may, and the residents' committee, which leads all offices but party branches."""
    return has_power(ctx.viewer, row.id, Power.SEE_REQUEST_STATISTICS) or (
        row.kind is not OrganisationKind.PARTY_BRANCH
        and any(
            has_power(ctx.viewer, office.organisation_id, Power.SEE_REQUEST_STATISTICS)
            for office in ctx.viewer.offices_of(row.community_id, OrganisationKind.RESIDENTS_COMMITTEE)
        )
    )


async def statistics_of(
    ctx: Context, organisations: Sequence[OrganisationRow], period: Period
) -> list[Statistics | None]:
    """The statistics of each office, None for who may not see them. Raises InvalidInput."""
    if period.until <= period.since:
        raise InvalidInput(until=Message("Must be later than since"))
    seen = [row for row in organisations if may_see(ctx, row)]
    found = {row.organisation_id: row for row in await figures(seen, period)}
    return [
        Statistics(row, period, found.get(row.id) or Figures(row.id)) if row in seen else None
        for row in organisations
    ]


async def by_category(_ctx: Context, parents: Sequence[Statistics]) -> list[list[Figures]]:
    return await split(parents, "category")


async def by_building(_ctx: Context, parents: Sequence[Statistics]) -> list[list[Figures]]:
    return await split(parents, "building_id")


async def split(parents: Sequence[Statistics], *keys: str) -> list[list[Figures]]:
    """The same apart by category, by building, or both; one statement for each period asked for."""
    found: dict[tuple[UUID, Period], list[Figures]] = {}
    for period in dict.fromkeys(parent.period for parent in parents):
        rows = [parent.organisation for parent in parents if parent.period == period]
        for figure in await figures(rows, period, *keys):
            found.setdefault((figure.organisation_id, period), []).append(figure)
    return [found.get((parent.organisation.id, parent.period), []) for parent in parents]


async def figures(organisations: Sequence[OrganisationRow], period: Period, *keys: str) -> list[Figures]:
    """The figures of each office, apart by `keys`, in their order; by one statement."""
    if not organisations:
        return []
    where = Where("n.received_at >= ? AND n.received_at < ?", (period.since, period.until))
    if period.building_id is not None:
        where &= Where("r.building_id = ?", (period.building_id,))
    if period.category is not None:
        where &= Where("r.category = ?", (period.category,))
    group = ", ".join(("organisation_id", *keys))
    category = "category" if "category" in keys else "NULL AS category"
    building = "building_id" if "building_id" in keys else "NULL AS building_id"
    return await select(
        Figures,
        # Ranked by each time, so that the median is the row in the middle, or the two.
        "WITH counted AS (SELECT n.organisation_id, r.category, r.building_id, n.accept_seconds,"
        " n.accepted_in_time, n.resolve_seconds, n.resolved_in_time, n.returns, n.escalations, n.rating"
        " FROM request_tenure n JOIN service_request r ON r.id = n.request_id"
        f" WHERE n.organisation_id IN (?) AND {where.text}), ranked AS (SELECT counted.*,"
        f" ROW_NUMBER() OVER (PARTITION BY {group}, accept_seconds IS NULL ORDER BY accept_seconds) AS ai,"
        f" COUNT(accept_seconds) OVER (PARTITION BY {group}) AS an,"
        f" ROW_NUMBER() OVER (PARTITION BY {group}, resolve_seconds IS NULL ORDER BY resolve_seconds) AS ri,"
        f" COUNT(resolve_seconds) OVER (PARTITION BY {group}) AS rn FROM counted)"
        f" SELECT organisation_id, {category}, {building}, COUNT(*) AS received,"
        " COUNT(accept_seconds) AS accepted,"
        " COUNT(CASE WHEN accepted_in_time THEN 1 END) AS accepted_in_time,"
        " COUNT(resolve_seconds) AS resolved,"
        " COUNT(CASE WHEN resolved_in_time THEN 1 END) AS resolved_in_time,"
        " COUNT(CASE WHEN returns > 0 THEN 1 END) AS returned,"
        " COUNT(CASE WHEN escalations > 0 THEN 1 END) AS escalated,"
        f" {total('accept_seconds')} AS accept_total,"
        f" {median('accept_seconds', 'ai', 'an')} AS accept_median,"
        f" {total('resolve_seconds')} AS resolve_total,"
        f" {median('resolve_seconds', 'ri', 'rn')} AS resolve_median,"
        f" {total('rating')} AS rating_sum, COUNT(rating) AS rating_count"
        f" FROM ranked GROUP BY {group} ORDER BY {group}",
        [row.id for row in organisations],
        *where.params,
    )


def total(column: str) -> str:
    return f"CAST(COALESCE(SUM({column}), 0) AS bigint)"


def median(column: str, rank: str, count: str) -> str:
    """Built of the names above only."""
    lower = f"MAX(CASE WHEN {column} IS NOT NULL AND {rank} = ({count} + 1) / 2 THEN {column} END)"
    upper = f"MAX(CASE WHEN {column} IS NOT NULL AND {rank} = ({count} + 2) / 2 THEN {column} END)"
    return f"CAST(({lower} + {upper}) / 2 AS bigint)"


# Export

COLUMNS = {
    "received": Message("Received"),
    "accepted": Message("Accepted"),
    "accepted_in_time": Message("Accepted in time"),
    "resolved": Message("Resolved"),
    "resolved_in_time": Message("Resolved in time"),
    "returned": Message("Returned"),
    "escalated": Message("Escalated"),
    "accept_mean": Message("Mean time to accept (seconds)"),
    "accept_median": Message("Median time to accept (seconds)"),
    "resolve_mean": Message("Mean time to resolve (seconds)"),
    "resolve_median": Message("Median time to resolve (seconds)"),
    "rating_sum": Message("Sum of ratings"),
    "rating_count": Message("Ratings"),
}
HEADS = (Message("Category"), Message("Building"), *COLUMNS.values())


async def exports_of(ctx: Context, parents: Sequence[Statistics]) -> list[str]:
    """Each as CSV, apart by category and building: no person is in it."""
    await audit.note_reading(ctx, "requestsCsv", [parent.organisation for parent in parents])
    found = await split(parents, "category", "building_id")
    wanted = {row.building_id for rows in found for row in rows if row.building_id}
    names = {
        row.id: row.name for row in await identity.buildings_by_id(ctx, sorted(wanted)) if row is not None
    }
    current = await policies.newest([parent.organisation.community_id for parent in parents])
    return [
        table(ctx.language, HEADS, lines(rows, names, current[parent.organisation.community_id]))
        for parent, rows in zip(parents, found, strict=True)
    ]


def lines(
    rows: Sequence[Figures], buildings: Mapping[UUID, str], categories: Sequence[PolicyRow]
) -> Iterator[list[object]]:
    names = {policy.code: policy.name for policy in categories}
    for row in rows:
        category = row.category and names.get(row.category, row.category)
        building = row.building_id and buildings.get(row.building_id)
        yield [category, building, *(getattr(row, name) for name in COLUMNS)]
