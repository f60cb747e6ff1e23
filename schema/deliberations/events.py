"""What happens in a deliberation, live. Its comments are in `commentEvents`."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers.deliberations import analysis, executions, steps, topics
from resolvers.deliberations import statements as saying
from schema.comments import AfterCursor
from schema.deliberations.opinions import OpinionMap
from schema.deliberations.statements import Statement
from schema.deliberations.topics import Deliberation, DeliberationStep, ExecutionItem
from schema.fields import Info, loaded
from schema.likes import CountersChanged
from schema.node import key_of
from schema.streams import Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

NOW = "As it is now."


@strawberry.type(description="A deliberation was convened or proposed, moved, concluded, or carried on.")
class DeliberationStepped:
    is_type_of = of_kind(Kind.DELIBERATION_STEP)
    step: DeliberationStep | None = loaded(steps.steps_of_events, description="What was done.")
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@strawberry.type(description="A deliberation's text or plan was changed.")
class DeliberationEdited:
    is_type_of = of_kind(Kind.DELIBERATION_EDITED)
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@strawberry.type(
    description="More statements, votes or participants. Of several such events a client that lags may get"
    " only the last."
)
class DeliberationParticipationChanged:
    is_type_of = of_kind(Kind.DELIBERATION_PARTICIPATION)
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@strawberry.type(description="A statement was made.")
class StatementAdded:
    is_type_of = of_kind(Kind.STATEMENT_ADDED)
    statement: Statement | None = loaded(
        saying.statements_of_events, description="The statement; null if it is hidden."
    )


@strawberry.type(description="A statement was hidden, or shown again.")
class StatementChanged:
    is_type_of = of_kind(Kind.STATEMENT_CHANGED)
    statement: Statement | None = loaded(
        saying.statements_of_events, description="As it is now; null if it is hidden."
    )
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@strawberry.type(
    description="The opinion map was computed anew. Of several such events a client that lags may get only"
    " the last."
)
class OpinionMapChanged:
    is_type_of = of_kind(Kind.OPINIONS_ANALYSED)
    opinion_map: OpinionMap | None = loaded(
        analysis.maps_of_events, description="As it is now; null if too few are left on it."
    )
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@strawberry.type(
    description="Residents said whether something is done, or the service request or motion that it is has"
    " changed."
)
class ExecutionItemChecked:
    is_type_of = of_kind(Kind.EXECUTION_CHECKED)
    item: ExecutionItem | None = loaded(executions.items_of_events, description=NOW)


DeliberationEvent = Annotated[
    DeliberationStepped
    | DeliberationEdited
    | DeliberationParticipationChanged
    | StatementAdded
    | StatementChanged
    | OpinionMapChanged
    | ExecutionItemChecked
    | CountersChanged
    | StreamOpened
    | StreamReset,
    strawberry.union("DeliberationEvent", description="What happens in a deliberation."),
]
DELIBERATION_KINDS = frozenset(
    {
        Kind.DELIBERATION_STEP,
        Kind.DELIBERATION_EDITED,
        Kind.DELIBERATION_PARTICIPATION,
        Kind.STATEMENT_ADDED,
        Kind.STATEMENT_CHANGED,
        Kind.OPINIONS_ANALYSED,
        Kind.EXECUTION_CHECKED,
    }
)


@strawberry.type
class DeliberationsSubscription:
    @strawberry.subscription(
        description="What happens in a deliberation: phases, statements, participation, the opinion map,"
        " the outcome"
        " and what is done about it. Its comments are in `commentEvents`."
    )
    async def deliberation_events(
        self,
        info: Info,
        deliberation_id: Annotated[strawberry.ID, strawberry.argument(description="The deliberation.")],
        after: AfterCursor = None,
    ) -> AsyncGenerator[Envelope[DeliberationEvent], None]:
        key = key_of("deliberationId", deliberation_id, "Deliberation")
        row, requires = await topics.followable(info.context, key)
        stream = Stream(
            topic=community_topic(row.community_id),
            kinds=DELIBERATION_KINDS | {Kind.COUNTERS_CHANGED},
            requires=requires,
            thread=row.id,
        )
        return follow(stream, after)  # type: ignore[no-any-return]
