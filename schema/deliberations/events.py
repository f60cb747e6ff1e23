"""What happens in a deliberation, live. Its comments are in `commentEvents`."""

from typing import Annotated

import strawberry

from resolvers.deliberations import analysis, executions, steps, topics
from resolvers.deliberations import statements as saying
from schema.deliberations.opinions import OpinionMap
from schema.deliberations.statements import Statement
from schema.deliberations.topics import Deliberation, DeliberationStep, ExecutionItem
from schema.fields import Info, loaded
from schema.likes import CountersChanged
from schema.node import key_of
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

NOW = "As it is now."


@event(Kind.DELIBERATION_STEP, "A deliberation was convened or proposed, moved, concluded, or carried on.")
class DeliberationStepped:
    step: DeliberationStep | None = loaded(steps.steps_of_events, description="What was done.")
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@event(Kind.DELIBERATION_EDITED, "A deliberation's text or plan was changed.")
class DeliberationEdited:
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@event(
    Kind.DELIBERATION_PARTICIPATION,
    "The number of statements, votes or participants has changed."
    " Of several such events a client that lags may get only the last.",
)
class DeliberationParticipationChanged:
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@event(Kind.STATEMENT_ADDED, "A statement was made.")
class StatementAdded:
    statement: Statement | None = loaded(
        saying.statements_of_events, description="The statement; null if it is hidden."
    )


@event(Kind.STATEMENT_CHANGED, "A statement was hidden, or shown again.")
class StatementChanged:
    statement: Statement | None = loaded(
        saying.statements_of_events, description="As it is now; null if it is hidden."
    )
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@event(
    Kind.OPINIONS_ANALYSED,
    "The opinion map was computed again. Of several such events a client that lags may get only the last.",
)
class OpinionMapChanged:
    opinion_map: OpinionMap | None = loaded(
        analysis.maps_of_events, description="As it is now; null if too few are left on it."
    )
    deliberation: Deliberation | None = loaded(topics.deliberations_of_events, description=NOW)


@event(
    Kind.EXECUTION_CHECKED,
    "Residents said whether something is done, or the service request or motion that it is has changed.",
)
class ExecutionItemChecked:
    item: ExecutionItem | None = loaded(executions.items_of_events, description=NOW)


DELIBERATION_EVENTS = Events(
    "DeliberationEvent",
    DeliberationStepped,
    DeliberationEdited,
    DeliberationParticipationChanged,
    StatementAdded,
    StatementChanged,
    OpinionMapChanged,
    ExecutionItemChecked,
    CountersChanged,
    description="What happens in a deliberation.",
)


@strawberry.type
class DeliberationsSubscription:
    @DELIBERATION_EVENTS.subscription
    async def deliberation_events(
        self,
        info: Info,
        deliberation_id: Annotated[strawberry.ID, strawberry.argument(description="The deliberation.")],
    ) -> Stream:
        """What happens in a deliberation: phases, statements, participation, the opinion map, the
        outcome and what is done about it. Its comments are in `commentEvents`.
        """
        key = key_of("deliberationId", deliberation_id, "Deliberation")
        row, requires = await topics.followable(info.context, key)
        return Stream(
            topic=community_topic(row.community_id),
            kinds=DELIBERATION_EVENTS.kinds,
            requires=requires,
            thread=row.id,
        )
