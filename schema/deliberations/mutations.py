"""What can be done with deliberations."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.deliberations import (
    LATEST,
    STATEMENTS_BY_NUMBER,
    DeliberationPhase,
    ExecutionKind,
    ExecutionState,
    StatementChoice,
)
from resolvers.deliberations import executions, outcomes, phases, statements, topics
from resolvers.deliberations.executions import Item
from resolvers.deliberations.topics import Plan, Topic
from resolvers.paging import edge_cursor
from schema.connections import Edge
from schema.deliberations.statements import Statement
from schema.deliberations.topics import Deliberation, ExecutionItem
from schema.fields import Info
from schema.node import key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited, answering_problems

DELIBERATION_ID = "The deliberation."
VERSION = "The version that was read."
NOW = "As it is now."
KEY = (
    "Chosen by the client, 1 to 64 characters: sent again with the same input it gives the same result, and"
    " nothing"
    " happens twice."
)
INPUT = strawberry.argument(description="What to do.")


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
    idempotency_key: str = strawberry.field(description=KEY)
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
    idempotency_key: str = strawberry.field(description=KEY)
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
    reason: str = strawberry.field(description="What its author is told, 4 to 300 characters.")


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
    idempotency_key: str = strawberry.field(description=KEY)


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
    idempotency_key: str = strawberry.field(description=KEY)
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


@strawberry.type(description="The deliberation is open.")
class ConveneDeliberationPayload:
    deliberation_edge: Edge[Deliberation] = strawberry.field(description="The edge to put into lists.")


@strawberry.type(description="The deliberation is proposed.")
class ProposeDeliberationPayload:
    deliberation_edge: Edge[Deliberation] = strawberry.field(description="The edge to put into lists.")


@strawberry.type(description="The proposal is accepted, and open.")
class AcceptDeliberationPayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="The proposal is declined.")
class DeclineDeliberationPayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="The text is replaced.")
class EditDeliberationPayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="The plan is kept.")
class PlanDeliberationPayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="The deliberation is in the phase asked for.")
class MoveDeliberationPayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="The statement is there to be voted on.")
class AddStatementPayload:
    statement_edge: Edge[Statement] = strawberry.field(description="The edge to put into the statements.")


@strawberry.type(description="The vote counts.")
class VoteOnStatementPayload:
    statement: Statement = strawberry.field(description=NOW)
    deliberation: Deliberation = strawberry.field(description="What it is part of, with its counts.")


@strawberry.type(description="The statement is hidden, or not, as asked for.")
class SetStatementHiddenPayload:
    statement: Statement = strawberry.field(description=NOW)


@strawberry.type(description="The outcome is published.")
class PublishOutcomePayload:
    deliberation: Deliberation = strawberry.field(description=NOW)


@strawberry.type(description="It is to be done.")
class AddExecutionItemPayload:
    item: ExecutionItem = strawberry.field(description=NOW)


@strawberry.type(description="It is in the state asked for.")
class SetExecutionStatePayload:
    item: ExecutionItem = strawberry.field(description=NOW)


@strawberry.type(description="What the viewer finds is counted.")
class CheckExecutionItemPayload:
    item: ExecutionItem = strawberry.field(description=NOW)


ConveneDeliberationResult = Annotated[
    ConveneDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("ConveneDeliberationResult", description="What came of `conveneDeliberation`."),
]
ProposeDeliberationResult = Annotated[
    ProposeDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict | RateLimited,
    strawberry.union("ProposeDeliberationResult", description="What came of `proposeDeliberation`."),
]
AcceptDeliberationResult = Annotated[
    AcceptDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("AcceptDeliberationResult", description="What came of `acceptDeliberation`."),
]
DeclineDeliberationResult = Annotated[
    DeclineDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("DeclineDeliberationResult", description="What came of `declineDeliberation`."),
]
EditDeliberationResult = Annotated[
    EditDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("EditDeliberationResult", description="What came of `editDeliberation`."),
]
PlanDeliberationResult = Annotated[
    PlanDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("PlanDeliberationResult", description="What came of `planDeliberation`."),
]
MoveDeliberationResult = Annotated[
    MoveDeliberationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("MoveDeliberationResult", description="What came of `moveDeliberation`."),
]
AddStatementResult = Annotated[
    AddStatementPayload | InvalidInput | NotAllowed | NotFound | Conflict | RateLimited,
    strawberry.union("AddStatementResult", description="What came of `addStatement`."),
]
VoteOnStatementResult = Annotated[
    VoteOnStatementPayload | InvalidInput | NotAllowed | NotFound | RateLimited,
    strawberry.union("VoteOnStatementResult", description="What came of `voteOnStatement`."),
]
SetStatementHiddenResult = Annotated[
    SetStatementHiddenPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("SetStatementHiddenResult", description="What came of `setStatementHidden`."),
]
PublishOutcomeResult = Annotated[
    PublishOutcomePayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("PublishOutcomeResult", description="What came of `publishOutcome`."),
]
AddExecutionItemResult = Annotated[
    AddExecutionItemPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("AddExecutionItemResult", description="What came of `addExecutionItem`."),
]
SetExecutionStateResult = Annotated[
    SetExecutionStatePayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("SetExecutionStateResult", description="What came of `setExecutionState`."),
]
CheckExecutionItemResult = Annotated[
    CheckExecutionItemPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("CheckExecutionItemResult", description="What came of `checkExecutionItem`."),
]

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
    @strawberry.mutation(
        description="Open a deliberation in the name of an organisation. For officers who convene."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def convene_deliberation(
        self, info: Info, input: Annotated[ConveneDeliberationInput, INPUT]
    ) -> ConveneDeliberationResult:
        row: Any = await topics.convene(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            topic=topic_of(input),
            key=input.idempotency_key,
            plan=plan_of(input.plan),
        )
        return ConveneDeliberationPayload(deliberation_edge=Edge(node=row, cursor=edge_cursor(LATEST, row)))

    @strawberry.mutation(
        description="Ask an organisation to convene a deliberation. For residents and officers of the"
        " community; five"
        " a day."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def propose_deliberation(
        self, info: Info, input: Annotated[ProposeDeliberationInput, INPUT]
    ) -> ProposeDeliberationResult:
        row: Any = await topics.propose(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            topic=topic_of(input),
            key=input.idempotency_key,
        )
        return ProposeDeliberationPayload(deliberation_edge=Edge(node=row, cursor=edge_cursor(LATEST, row)))

    @strawberry.mutation(description="Open a proposed deliberation. For officers of the organisation asked.")
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def accept_deliberation(
        self, info: Info, input: Annotated[AcceptDeliberationInput, INPUT]
    ) -> AcceptDeliberationResult:
        row: Any = await topics.accept(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            plan=plan_of(input.plan),
        )
        return AcceptDeliberationPayload(deliberation=row)

    @strawberry.mutation(
        description="Decline a proposed deliberation. For officers of the organisation asked."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def decline_deliberation(
        self, info: Info, input: Annotated[DeclineDeliberationInput, INPUT]
    ) -> DeclineDeliberationResult:
        row: Any = await topics.decline(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            reason=input.reason,
        )
        return DeclineDeliberationPayload(deliberation=row)

    @strawberry.mutation(
        description="Put into other words what a deliberation is about. For the convenor; what it said"
        " before is kept."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def edit_deliberation(
        self, info: Info, input: Annotated[EditDeliberationInput, INPUT]
    ) -> EditDeliberationResult:
        row: Any = await topics.edit(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            title=input.title,
            body=input.body,
        )
        return EditDeliberationPayload(deliberation=row)

    @strawberry.mutation(description="Say when the phases to come begin. For the convenor.")
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def plan_deliberation(
        self, info: Info, input: Annotated[PlanDeliberationInput, INPUT]
    ) -> PlanDeliberationResult:
        row: Any = await topics.set_plan(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            version=input.version,
            plan=plan_of(input.plan),
        )
        return PlanDeliberationPayload(deliberation=row)

    @strawberry.mutation(
        description="Bring a deliberation to another phase: on, or back with a reason. For the convenor."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def move_deliberation(
        self, info: Info, input: Annotated[MoveDeliberationInput, INPUT]
    ) -> MoveDeliberationResult:
        row: Any = await phases.move(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            phase=input.phase,
            version=input.version,
            reason=input.reason,
        )
        return MoveDeliberationPayload(deliberation=row)

    @strawberry.mutation(
        description="Make a statement for others to vote on. For residents whom the deliberation is for,"
        " and the"
        " convenor; 20 an hour. What somebody has said already is a Conflict with that statement."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def add_statement(
        self, info: Info, input: Annotated[AddStatementInput, INPUT]
    ) -> AddStatementResult:
        row: Any = await statements.add(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            body=input.body,
            key=input.idempotency_key,
        )
        return AddStatementPayload(
            statement_edge=Edge(node=row, cursor=edge_cursor(STATEMENTS_BY_NUMBER, row))
        )

    @strawberry.mutation(
        description="Agree with a statement, disagree, or pass; again to change that, as long as the voting"
        " lasts. For"
        " verified residents whom the deliberation is for."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def vote_on_statement(
        self, info: Info, input: Annotated[VoteOnStatementInput, INPUT]
    ) -> VoteOnStatementResult:
        row: Any = await statements.vote(
            info.context,
            statement_id=key_of("statementId", input.statement_id, "Statement"),
            choice=input.choice,
        )
        (deliberation,) = await statements.deliberations_of(info.context, [row])
        return VoteOnStatementPayload(statement=row, deliberation=deliberation)  # type: ignore[arg-type]

    @strawberry.mutation(
        description="Take a statement out of the deliberation, or back in. For the convenor and for"
        " moderators."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def set_statement_hidden(
        self, info: Info, input: Annotated[SetStatementHiddenInput, INPUT]
    ) -> SetStatementHiddenResult:
        row: Any = await statements.set_hidden(
            info.context,
            statement_id=key_of("statementId", input.statement_id, "Statement"),
            hidden=input.hidden,
            reason=input.reason,
        )
        return SetStatementHiddenPayload(statement=row)

    @strawberry.mutation(
        description="Write what comes of a deliberation, or write it anew. For the convenor, in the phase"
        " OUTCOME."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def publish_outcome(
        self, info: Info, input: Annotated[PublishOutcomeInput, INPUT]
    ) -> PublishOutcomeResult:
        row: Any = await outcomes.publish(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            body=input.body,
            cited=[key_of("citedStatementIds", cited, "Statement") for cited in input.cited_statement_ids],
            version=input.version,
        )
        return PublishOutcomePayload(deliberation=row)

    @strawberry.mutation(
        description="Add to what is done about an outcome: an action, a service request or a motion. For"
        " the convenor."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def add_execution_item(
        self, info: Info, input: Annotated[AddExecutionItemInput, INPUT]
    ) -> AddExecutionItemResult:
        row: Any = await executions.add(
            info.context,
            deliberation_id=key_of("deliberationId", input.deliberation_id, "Deliberation"),
            item=item_of(input),
            key=input.idempotency_key,
        )
        return AddExecutionItemPayload(item=row)

    @strawberry.mutation(
        description="Say how far something is. For the convenor and the office in charge; a service request"
        " or a motion"
        " has its own states."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def set_execution_state(
        self, info: Info, input: Annotated[SetExecutionStateInput, INPUT]
    ) -> SetExecutionStateResult:
        row: Any = await executions.set_state(
            info.context,
            item_id=key_of("executionItemId", input.execution_item_id, "ExecutionItem"),
            state=input.state,
            note=input.note,
            version=input.version,
        )
        return SetExecutionStatePayload(item=row)

    @strawberry.mutation(
        description="Say whether something that is said to be done is done. For verified residents whom the"
        " deliberation is for. Three who find it done, and more than do not, verify it; three who do not,"
        " and more"
        " than do, send it back."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def check_execution_item(
        self, info: Info, input: Annotated[CheckExecutionItemInput, INPUT]
    ) -> CheckExecutionItemResult:
        row: Any = await executions.check(
            info.context,
            item_id=key_of("executionItemId", input.execution_item_id, "ExecutionItem"),
            confirmed=input.confirmed,
        )
        return CheckExecutionItemPayload(item=row)
