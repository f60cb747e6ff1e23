"""What can be done with deliberations."""

from datetime import datetime

import strawberry

from models.deliberations import (
    LATEST,
    STATEMENTS_BY_NUMBER,
    DeliberationPhase,
    DeliberationRow,
    ExecutionKind,
    ExecutionRow,
    ExecutionState,
    StatementChoice,
    StatementRow,
)
from resolvers.deliberations import executions, outcomes, phases, statements, topics
from resolvers.deliberations.executions import Item
from resolvers.deliberations.topics import Plan, Topic
from resolvers.paging import edge_cursor
from schema.connections import Edge
from schema.deliberations.statements import Statement
from schema.deliberations.topics import Deliberation, ExecutionItem
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

DELIBERATION_ID = "The deliberation."
VERSION = "The version that was read."
NOW = "As it is now."


@strawberry.input(
    description="When the phases to come begin, one after the other; left out, when the convenor says so."
)
class DeliberationPlanInput:
    discussion_at: datetime | None = strawberry.field(default=None, description="When the discussion begins.")
    statements_at: datetime | None = strawberry.field(default=None, description="When the voting begins.")
    outcome_at: datetime | None = strawberry.field(
        default=None, description="When the voting ends, to the instant."
    )
    closes_at: datetime | None = strawberry.field(
        default=None, description="When it closes, if it has an outcome by then."
    )


def plan_of(plan: DeliberationPlanInput | None) -> Plan:
    if plan is None:
        return Plan()
    return Plan(plan.discussion_at, plan.statements_at, plan.outcome_at, plan.closes_at)


@strawberry.input(description="What to convene.")
class ConveneDeliberationInput:
    organisation_id: strawberry.ID = strawberry.field(description="In whose name.")
    title: str = strawberry.field(description="What it is about, 1 to 80 characters.")
    body: str = strawberry.field(description="What it is about, 1 to 5,000 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    estate_id: strawberry.ID | None = strawberry.field(
        default=None, description="The estate it is for; left out, the whole community."
    )
    post_id: strawberry.ID | None = strawberry.field(
        default=None, description="The post that it begins with."
    )
    plan: DeliberationPlanInput | None = strawberry.field(default=None, description="When the phases begin.")


@strawberry.input(description="What to propose to an organisation.")
class ProposeDeliberationInput:
    organisation_id: strawberry.ID = strawberry.field(description="Who shall convene it.")
    title: str = strawberry.field(description="What it is about, 1 to 80 characters.")
    body: str = strawberry.field(description="What it is about, 1 to 5,000 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    estate_id: strawberry.ID | None = strawberry.field(
        default=None, description="The estate it is for, one's own; left out, the whole community."
    )
    post_id: strawberry.ID | None = strawberry.field(
        default=None, description="The post that it begins with."
    )


def topic_of(input: ConveneDeliberationInput | ProposeDeliberationInput) -> Topic:
    return Topic(
        title=input.title,
        body=input.body,
        estate_id=key_of("estateId", input.estate_id, "Estate") if input.estate_id else None,
        post_id=key_of("postId", input.post_id, "Post") if input.post_id else None,
    )


@strawberry.input(description="Which proposal to accept.")
class AcceptDeliberationInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    version: int = strawberry.field(description=VERSION)
    plan: DeliberationPlanInput | None = strawberry.field(default=None, description="When the phases begin.")


@strawberry.input(description="Which proposal to decline.")
class DeclineDeliberationInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    version: int = strawberry.field(description=VERSION)
    reason: str = strawberry.field(description="The message to its author, 4 to 300 characters.")


@strawberry.input(description="What a deliberation is about, in other words.")
class EditDeliberationInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    version: int = strawberry.field(description=VERSION)
    title: str = strawberry.field(description="1 to 80 characters.")
    body: str = strawberry.field(description="1 to 5,000 characters.")


@strawberry.input(description="When the phases to come begin.")
class PlanDeliberationInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    version: int = strawberry.field(description=VERSION)
    plan: DeliberationPlanInput = strawberry.field(
        description="All times to come; what is left out has none."
    )


@strawberry.input(description="To which phase to bring a deliberation.")
class MoveDeliberationInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    version: int = strawberry.field(description=VERSION)
    phase: DeliberationPhase = strawberry.field(description="GATHERING to CLOSED.")
    reason: str = strawberry.field(
        default="",
        description="Why, up to 300 characters; at least 4 to go back, or to close without an outcome.",
    )


@strawberry.input(description="A new statement.")
class AddStatementInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    body: str = strawberry.field(description="1 to 140 characters, one thought.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="What the viewer thinks of a statement.")
class VoteOnStatementInput:
    statement_id: strawberry.ID = strawberry.field(description="The statement.")
    choice: StatementChoice = strawberry.field(description="What the viewer thinks of it.")


@strawberry.input(description="Whether a statement is hidden.")
class SetStatementHiddenInput:
    statement_id: strawberry.ID = strawberry.field(description="The statement.")
    hidden: bool = strawberry.field(description="True to hide it, false to show it again.")
    reason: str = strawberry.field(
        description="Why, 4 to 300 characters; its author is told when it is hidden."
    )


@strawberry.input(description="What comes of a deliberation.")
class PublishOutcomeInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    body: str = strawberry.field(description="1 to 10,000 characters.")
    cited_statement_ids: list[strawberry.ID] = strawberry.field(
        description="The statements that it rests on, in order, 50 at most."
    )
    version: int = strawberry.field(description="The outcome's version that was read, 0 for none yet.")


@strawberry.input(description="Something that an outcome asks for.")
class AddExecutionItemInput:
    deliberation_id: strawberry.ID = strawberry.field(description=DELIBERATION_ID)
    title: str = strawberry.field(description="What is to be done, 1 to 80 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    subject_id: strawberry.ID | None = strawberry.field(
        default=None, description="The service request or the motion that it is, if it is one."
    )
    organisation_id: strawberry.ID | None = strawberry.field(
        default=None, description="The office in charge."
    )
    due_at: datetime | None = strawberry.field(default=None, description="Until when.")


@strawberry.input(description="How far something is that is to be done.")
class SetExecutionStateInput:
    execution_item_id: strawberry.ID = strawberry.field(description="What is to be done.")
    state: ExecutionState = strawberry.field(description="How far it is; VERIFIED only residents say.")
    version: int = strawberry.field(description=VERSION)
    note: str = strawberry.field(
        default="", description="What was done, up to 1,000 characters; at least 4 to give it up."
    )


@strawberry.input(description="Whether something is done.")
class CheckExecutionItemInput:
    execution_item_id: strawberry.ID = strawberry.field(description="What is said to be done.")
    confirmed: bool = strawberry.field(description="Whether the viewer finds it done.")


@payload("The deliberation is open.")
class ConveneDeliberationPayload:
    deliberation_edge: Edge[DeliberationRow] = shown(Edge[Deliberation], "The edge to put into lists.")


@payload("The deliberation is proposed.")
class ProposeDeliberationPayload:
    deliberation_edge: Edge[DeliberationRow] = shown(Edge[Deliberation], "The edge to put into lists.")


@payload("The proposal is accepted, and open.")
class AcceptDeliberationPayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("The proposal is declined.")
class DeclineDeliberationPayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("The text is replaced.")
class EditDeliberationPayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("The plan is kept.")
class PlanDeliberationPayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("The deliberation is in the phase asked for.")
class MoveDeliberationPayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("The statement is there to be voted on.")
class AddStatementPayload:
    statement_edge: Edge[StatementRow] = shown(Edge[Statement], "The edge to put into the statements.")


@payload("The vote counts.")
class VoteOnStatementPayload:
    statement: StatementRow = shown(Statement, NOW)
    deliberation: DeliberationRow | None = shown(Deliberation, "What it is part of, with its counts.")


@payload("The statement is hidden, or not, as asked for.")
class SetStatementHiddenPayload:
    statement: StatementRow = shown(Statement, NOW)


@payload("The outcome is published.")
class PublishOutcomePayload:
    deliberation: DeliberationRow = shown(Deliberation, NOW)


@payload("It is to be done.")
class AddExecutionItemPayload:
    item: ExecutionRow = shown(ExecutionItem, NOW)


@payload("It is in the state asked for.")
class SetExecutionStatePayload:
    item: ExecutionRow = shown(ExecutionItem, NOW)


@payload("What the viewer finds is counted.")
class CheckExecutionItemPayload:
    item: ExecutionRow = shown(ExecutionItem, NOW)


LINKS = {"ServiceRequest": ExecutionKind.REQUEST, "Motion": ExecutionKind.MOTION}


def item_of(input: AddExecutionItemInput) -> Item:
    kind, subject = ExecutionKind.ACTION, None
    if input.subject_id:
        subject = key_of("subjectId", input.subject_id, *LINKS)
        found = type_and_key(input.subject_id)
        kind = LINKS[found[0]] if found else kind
    office = input.organisation_id
    return Item(
        title=input.title,
        kind=kind,
        subject_id=subject,
        organisation_id=key_of("organisationId", office, "Organisation") if office else None,
        due_at=input.due_at,
    )


@strawberry.type
class DeliberationsMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def convene_deliberation(
        self, info: Info, input: ConveneDeliberationInput
    ) -> ConveneDeliberationPayload:
        """Open a deliberation in the name of an organisation. For officers who convene."""
        row = await topics.convene(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            topic=topic_of(input),
            key=input.idempotency_key,
            plan=plan_of(input.plan),
        )
        return ConveneDeliberationPayload(deliberation_edge=Edge(node=row, cursor=edge_cursor(LATEST, row)))

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def propose_deliberation(
        self, info: Info, input: ProposeDeliberationInput
    ) -> ProposeDeliberationPayload:
        """Ask an organisation to convene a deliberation. For residents and officers of the
        community; five a day.
        """
        row = await topics.propose(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            topic=topic_of(input),
            key=input.idempotency_key,
        )
        return ProposeDeliberationPayload(deliberation_edge=Edge(node=row, cursor=edge_cursor(LATEST, row)))

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def accept_deliberation(
        self, info: Info, input: AcceptDeliberationInput
    ) -> AcceptDeliberationPayload:
        """Open a proposed deliberation. For officers of the organisation asked."""
        row = await topics.accept(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            plan=plan_of(input.plan),
        )
        return AcceptDeliberationPayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def decline_deliberation(
        self, info: Info, input: DeclineDeliberationInput
    ) -> DeclineDeliberationPayload:
        """Decline a proposed deliberation. For officers of the organisation asked."""
        row = await topics.decline(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            reason=input.reason,
        )
        return DeclineDeliberationPayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def edit_deliberation(self, info: Info, input: EditDeliberationInput) -> EditDeliberationPayload:
        """Put into other words what a deliberation is about. For the convenor; what it said before
        is kept.
        """
        row = await topics.edit(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            title=input.title,
            body=input.body,
        )
        return EditDeliberationPayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def plan_deliberation(self, info: Info, input: PlanDeliberationInput) -> PlanDeliberationPayload:
        """Say when the phases to come begin. For the convenor."""
        row = await topics.set_plan(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            plan=plan_of(input.plan),
        )
        return PlanDeliberationPayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def move_deliberation(self, info: Info, input: MoveDeliberationInput) -> MoveDeliberationPayload:
        """Bring a deliberation to another phase: on, or back with a reason. For the convenor."""
        row = await phases.move(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            phase=input.phase,
            version=input.version,
            reason=input.reason,
        )
        return MoveDeliberationPayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def add_statement(self, info: Info, input: AddStatementInput) -> AddStatementPayload:
        """Make a statement for others to vote on. For residents whom the deliberation is for, and
        the convenor; 20 an hour. What somebody has said already is a Conflict with that statement.
        """
        row = await statements.add(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            body=input.body,
            key=input.idempotency_key,
        )
        return AddStatementPayload(
            statement_edge=Edge(node=row, cursor=edge_cursor(STATEMENTS_BY_NUMBER, row))
        )

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def vote_on_statement(self, info: Info, input: VoteOnStatementInput) -> VoteOnStatementPayload:
        """Agree with a statement, disagree, or pass; again to change that, as long as the voting
        lasts. For verified residents whom the deliberation is for.
        """
        row = await statements.vote(
            info.context,
            statement_id=key_of("statementId", input.statement_id, "Statement"),
            choice=input.choice,
        )
        (deliberation,) = await statements.deliberations_of(info.context, [row])
        return VoteOnStatementPayload(statement=row, deliberation=deliberation)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def set_statement_hidden(
        self, info: Info, input: SetStatementHiddenInput
    ) -> SetStatementHiddenPayload:
        """Take a statement out of the deliberation, or back in. For the convenor and for moderators."""
        row = await statements.set_hidden(
            info.context,
            statement_id=key_of("statementId", input.statement_id, "Statement"),
            hidden=input.hidden,
            reason=input.reason,
        )
        return SetStatementHiddenPayload(statement=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def publish_outcome(self, info: Info, input: PublishOutcomeInput) -> PublishOutcomePayload:
        """Write what comes of a deliberation, or rewrite it. For the convenor, in the phase OUTCOME."""
        row = await outcomes.publish(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            body=input.body,
            cited=[key_of("citedStatementIds", cited, "Statement") for cited in input.cited_statement_ids],
            version=input.version,
        )
        return PublishOutcomePayload(deliberation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def add_execution_item(self, info: Info, input: AddExecutionItemInput) -> AddExecutionItemPayload:
        """Add to what is done about an outcome: an action, a service request or a motion. For the
        convenor.
        """
        row = await executions.add(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            item=item_of(input),
            key=input.idempotency_key,
        )
        return AddExecutionItemPayload(item=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def set_execution_state(
        self, info: Info, input: SetExecutionStateInput
    ) -> SetExecutionStatePayload:
        """Say how far something is. For the convenor and the office in charge; a service request or
        a motion has its own states.
        """
        row = await executions.set_state(
            info.context,
            item_id=key_of("executionItemId", input.execution_item_id, "ExecutionItem"),
            state=input.state,
            note=input.note,
            version=input.version,
        )
        return SetExecutionStatePayload(item=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def check_execution_item(
        self, info: Info, input: CheckExecutionItemInput
    ) -> CheckExecutionItemPayload:
        """Say whether something that is said to be done is done. For verified residents whom the
        deliberation is for. Three who find it done, and more than do not, verify it; three who do
        not, and more than do, send it back.
        """
        row = await executions.check(
            info.context,
            item_id=key_of("executionItemId", input.execution_item_id, "ExecutionItem"),
            confirmed=input.confirmed,
        )
        return CheckExecutionItemPayload(item=row)
