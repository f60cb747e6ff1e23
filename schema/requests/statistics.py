"""How an office answers, resolves and satisfies, as clients see it."""

import strawberry

from resolvers.identity import around
from resolvers.requests import statistics
from resolvers.requests.statistics import Figures, Statistics
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Building


@strawberry.interface(
    description="How an office answered, resolved and satisfied:"
    " counts of requests that it received in the period, and times in whole seconds."
)
class RequestFigures:
    received: int = strawberry.field(description="How many the office received.")
    accepted: int = strawberry.field(description="Of these, how many it accepted.")
    accepted_in_time: int = strawberry.field(description="Of these, how many in time.")
    resolved: int = strawberry.field(description="How many it resolved, as things stand.")
    resolved_in_time: int = strawberry.field(description="Of these, how many in time.")
    returned: int = strawberry.field(description="How many were returned at least once.")
    escalated: int = strawberry.field(description="How many were escalated at least once.")
    accept_mean: int | None = strawberry.field(description="Seconds to accept, mean, rounded down.")
    accept_median: int | None = strawberry.field(description="Seconds to accept, median, rounded down.")
    resolve_mean: int | None = strawberry.field(
        description="Seconds to resolve in which the clock ran, mean, rounded down."
    )
    resolve_median: int | None = strawberry.field(
        description="Seconds to resolve in which the clock ran, median, rounded down."
    )
    rating_sum: int = strawberry.field(description="The sum of all ratings, 1 to 5 each.")
    rating_count: int = strawberry.field(description="How many ratings there are.")


@strawberry.type(description="The figures of one category or of one building.")
class RequestFiguresPart(RequestFigures):
    category: str | None = strawberry.field(description="The category, if apart by it.")
    building: Building | None = loaded(
        around.buildings, description="The building, if apart by it; null for other places."
    )

    is_type_of = IsA(Figures)


@strawberry.type(description="The figures of one office in one period.")
class RequestStatistics:
    total: RequestFiguresPart = strawberry.field(description="All together.")
    by_category: list[RequestFiguresPart] = loaded(
        statistics.by_category, viewer=True, description="Apart by category."
    )
    by_building: list[RequestFiguresPart] = loaded(
        statistics.by_building, viewer=True, description="Apart by building."
    )
    csv: str = loaded(
        statistics.exports_of,
        viewer=True,
        description="Apart by category and building, as CSV; no personal data.",
    )

    is_type_of = IsA(Statistics)
