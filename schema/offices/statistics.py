"""What offices achieve, in whole numbers."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.notices import NoticeCategory, Severity
from resolvers.offices import exports, statistics
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Building

SinceArg = Annotated[datetime, strawberry.argument(description="The beginning of the period.")]
UntilArg = Annotated[
    datetime, strawberry.argument(description="Its end, no longer part of it; at most three years later.")
]


@strawberry.type(
    description="What became of an office's notices: of all,"
    " or of those that one of the first four fields names."
    " A household is counted once for each notice."
)
class ReachFigures:
    category: NoticeCategory | None = strawberry.field(description="Those of this category.")
    severity: Severity | None = strawberry.field(description="Those of this severity.")
    building: Building | None = loaded(
        statistics.buildings_of, description="Those to households of this building."
    )
    month: str | None = strawberry.field(description="Those sent in this month of China, as in `2026-11`.")
    notices: int = strawberry.field(description="How many notices.")
    targeted: int = strawberry.field(description="Households that they were for.")
    delivered: int = strawberry.field(description="Households that they were delivered to.")
    seen: int = strawberry.field(description="Households that saw them.")
    acknowledged: int = strawberry.field(description="Households that acknowledged them.")
    in_person: int = strawberry.field(
        description="Households that were told in person and did not acknowledge."
    )
    reached: int = strawberry.field(description="`acknowledged` and `inPerson` together.")

    is_type_of = IsA(statistics.ReachFigures)


@strawberry.type(description="The reach of the notices that an office sent in a period.")
class NoticesReach:
    total: ReachFigures = strawberry.field(description="Of all.")
    by_category: list[ReachFigures] = strawberry.field(description="By category.")
    by_severity: list[ReachFigures] = strawberry.field(description="By severity.")
    by_building: list[ReachFigures] = strawberry.field(description="By building.")
    by_month: list[ReachFigures] = strawberry.field(description="By month, the oldest first.")

    is_type_of = IsA(statistics.NoticesReach)


@strawberry.type(description="What an office achieved in a period.")
class OfficeStatistics:
    since: datetime = strawberry.field(description="The beginning of the period.")
    until: datetime = strawberry.field(description="Its end, no longer part of it.")
    notices: NoticesReach | None = loaded(
        statistics.notices_of,
        description="How far its notices came; null for who may not see reach.",
        viewer=True,
    )
    notices_csv: str | None = loaded(
        exports.notices_of,
        description="The same as CSV, by category and building; null for who may not see reach.",
        viewer=True,
    )

    is_type_of = IsA(statistics.OfficeStatistics)


def period(since: SinceArg, until: UntilArg) -> tuple[datetime, datetime]:
    return since, until


@strawberry.type
class OrganisationStatistics:
    """What statistics add to an organisation."""

    statistics: OfficeStatistics | None = loaded(
        statistics.statistics_of,
        arguments=period,
        viewer=True,
        description="What it achieved in a period. For its officers and the residents' committee;"
        " null with an error for everyone else, whose attempt is recorded.",
    )
