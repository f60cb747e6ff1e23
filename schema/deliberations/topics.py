"""Deliberations, their steps, their outcome and what became of it, as clients see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from models import deliberations as rules
from models.base import now
from models.deliberations import (
    Act,
    CitationRow,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
    DeliberationStepRow,
    ExecutionKind,
    ExecutionRow,
    ExecutionState,
    TimelineKind,
    TimelineRow,
)
from models.identity import CommunityRow
from models.powers import Power, has_power_in
from resolvers import comments as discussion
from resolvers.context import Context
from resolvers.deliberations import analysis, executions, outcomes, topics
from resolvers.deliberations import statements as saying
from resolvers.deliberations import steps as record
from resolvers.deliberations import timeline as cases
from resolvers.identity import around
from schema.comments import Commented
from schema.connections import Connection, connection
from schema.deliberations.opinions import OpinionMap
from schema.deliberations.statements import Statement, StatementTally
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded, permitted
from schema.identity import Estate, Neighbour
from schema.likes import Liked
from schema.links import Community, Organisation, Post
from schema.node import Node, fetch_all, fetched_by, global_id, key_of

described(
    DeliberationPhase,
    "How far a deliberation is.",
    PROPOSED="A resident has asked an organisation to convene it.",
    DECLINED="The organisation has refused, with a reason.",
    GATHERING="征集: what is it about, and what should be talked of? Comments and statements.",
    DISCUSSION="讨论: comments and statements.",
    STATEMENTS="表态: residents vote on statements, and may add some.",
    OUTCOME="结果: the convenor writes what comes of it, and it is carried out.",
    CLOSED="Closed; what was decided is still carried out and looked at.",
)
described(
    DeliberationAction,
    "What a step of a deliberation is.",
    PROPOSED="A resident proposed it.",
    DECLINED="The organisation declined it.",
    CONVENED="It was opened.",
    MOVED="It went on to another phase.",
    MOVED_BACK="The convenor brought it back to an earlier phase.",
    REMINDED="Its time was over, and the convenor was reminded of the outcome.",
    OUTCOME_PUBLISHED="The convenor published the outcome.",
    OUTCOME_REVISED="The convenor published a new version of the outcome.",
    EXECUTION_ADDED="Something to be done was added.",
    EXECUTION_CHANGED="What is to be done is in another state.",
    EXECUTION_VERIFIED="Residents found it done.",
)
described(
    ExecutionKind,
    "What carries an outcome out.",
    ACTION="Somebody does it.",
    REQUEST="A service request.",
    MOTION="A vote of the owners.",
)
described(
    ExecutionState,
    "How far something is that is to be done.",
    PLANNED="Not begun.",
    UNDER_WAY="Begun.",
    DONE="Said to be done.",
    VERIFIED="Found done by residents, or confirmed by who reported it.",
    ABANDONED="Given up, with a reason.",
)
described(
    TimelineKind,
    "What an entry of a case's timeline is.",
    POST="The post that it began with.",
    STEP="A step of the deliberation.",
    REQUEST_STEP="A public step of a service request that it led to.",
)

TIMELINE_TYPES = {
    TimelineKind.POST: "Post",
    TimelineKind.STEP: "DeliberationStep",
    TimelineKind.REQUEST_STEP: "RequestStep",
}
LINK_TYPES = {ExecutionKind.REQUEST: "ServiceRequest", ExecutionKind.MOTION: "Motion"}


async def entries_of(ctx: Context, rows: Sequence[TimelineRow]) -> list[Any]:
    """What each entry is, fetched by one call a type, None where the viewer may not see it."""
    return await fetch_all(ctx, [global_id(TIMELINE_TYPES[row.kind], row.id) for row in rows])


async def links_of(ctx: Context, items: Sequence[ExecutionRow]) -> list[Any]:
    """The service request or motion that each is, as far as the viewer may see it."""
    return await fetch_all(
        ctx,
        [global_id(LINK_TYPES[item.kind], item.subject_id) if item.subject_id else "" for item in items],
    )


@fetched_by(executions.visible_by_ids)
@strawberry.type(description="Something that an outcome asks for.")
class ExecutionItem(Node):
    kind: ExecutionKind = strawberry.field(description="What carries it out.")
    title: str = strawberry.field(description="What is to be done, 1 to 80 characters.")
    note: str = strawberry.field(description="What was said at the last change; may be empty.")
    due_at: datetime | None = strawberry.field(description="Until when, if that was said.")
    created_at: datetime = strawberry.field(description="When it was added.")
    confirmed_count: int = strawberry.field(description="How many residents find it done.")
    disputed_count: int = strawberry.field(description="How many residents find it not done.")
    version: int = strawberry.field(description="Grows with each change; `setExecutionState` asks for it.")
    state: ExecutionState = loaded(
        executions.states_of, description="How far it is; of a service request or a motion, how far that is."
    )
    subject: Node | None = loaded(
        links_of, viewer=True, description="The service request or motion, if the viewer may see it."
    )
    organisation: Organisation | None = loaded(
        around.organisations, description="The office in charge, if that was said."
    )
    deliberation: "Deliberation" = loaded(executions.deliberations_of, description="What it came of.")
    viewer_check: bool | None = loaded(
        executions.viewer_checks_of,
        viewer=True,
        description="Whether the viewer finds it done; null if that was not said.",
    )

    is_type_of = IsA(ExecutionRow)


@fetched_by(record.visible_by_ids)
@strawberry.type(description="A step of a deliberation. Steps are never changed or taken away.")
class DeliberationStep(Node):
    ordinal: int = strawberry.field(description="Its number, from 1, without gaps.")
    action: DeliberationAction = strawberry.field(description="What it is.")
    created_at: datetime = strawberry.field(description="When it was.")
    from_phase: DeliberationPhase | None = strawberry.field(description="The phase before, if it changed.")
    to_phase: DeliberationPhase | None = strawberry.field(description="The phase after, if it changed.")
    item_state: ExecutionState | None = strawberry.field(description="The state that the item came into.")
    note: str = strawberry.field(description="Why, in the words of who did it; may be empty.")
    actor: Neighbour | None = loaded(record.actors_of, description="Who did it; null for the clock.")
    item: ExecutionItem | None = loaded(
        executions.items_of_steps, description="What is to be done, if it is about that."
    )

    is_type_of = IsA(DeliberationStepRow)


@strawberry.type(description="An entry of a case's timeline.")
class TimelineEntry:
    at: datetime = strawberry.field(description="When it happened.")
    kind: TimelineKind = strawberry.field(description="What it is.")
    subject: Node | None = loaded(
        entries_of, viewer=True, description="The post, or the step, as far as the viewer may see it."
    )

    is_type_of = IsA(TimelineRow)


@strawberry.type(description="A statement that an outcome cites, with the votes that it had then.")
class OutcomeCitation:
    statement: Statement | None = loaded(
        saying.statements_named, description="The statement; null if it has been hidden since."
    )

    @strawberry.field(description="How its votes fell when it was cited; null below seven votes.")
    @staticmethod
    def tally(root: strawberry.Parent[CitationRow]) -> StatementTally | None:
        votes = root.agree_count + root.disagree_count + root.pass_count
        if votes < rules.FEWEST_PARTICIPANTS:
            return None
        return StatementTally(agree=root.agree_count, disagree=root.disagree_count, passed=root.pass_count)


@strawberry.type(description="What the convenor concludes.")
class DeliberationOutcome:
    @strawberry.field(description="The text, 1 to 10,000 characters.")
    @staticmethod
    def body(root: strawberry.Parent[DeliberationRow]) -> str:
        return root.outcome

    @strawberry.field(description="Grows with each new text; `publishOutcome` asks for it.")
    @staticmethod
    def version(root: strawberry.Parent[DeliberationRow]) -> int:
        return root.outcome_version

    @strawberry.field(description="When this text was published.")
    @staticmethod
    def published_at(root: strawberry.Parent[DeliberationRow]) -> datetime | None:
        return root.outcome_published_at

    author: Neighbour | None = loaded(outcomes.writers_of, description="Who wrote it.")
    citations: list[OutcomeCitation] = loaded(outcomes.citations_of, description="What it cites, in order.")


def shown_or_hidden(
    hidden: Annotated[
        bool,
        strawberry.argument(
            description="Those that were hidden instead: one's own, and for the convenor and moderators all."
        ),
    ] = False,
) -> tuple[bool]:
    return (hidden,)


@fetched_by(topics.visible_by_ids)
@strawberry.type(
    description="小区议事: a topic that residents discuss and vote on in statements,"
    " with an outcome that is tracked."
)
class Deliberation(Commented, Liked):
    title: str = strawberry.field(description="What it is about, in 1 to 80 characters.")
    body: str = strawberry.field(description="What it is about, in 1 to 5,000 characters.")
    phase: DeliberationPhase = strawberry.field(description="How far it is.")
    phase_since: datetime = strawberry.field(description="Since when.")
    discussion_at: datetime | None = strawberry.field(description="When the discussion begins, if planned.")
    statements_at: datetime | None = strawberry.field(description="When the voting begins, if planned.")
    outcome_at: datetime | None = strawberry.field(
        description="When the voting ends, if planned: to the instant."
    )
    closes_at: datetime | None = strawberry.field(
        description="When it closes, if planned; without an outcome the convenor is reminded instead."
    )
    comment_count: int = strawberry.field(description="How many comments it has, tombstones aside.")
    statement_count: int = strawberry.field(description="How many statements there are.")
    vote_count: int = strawberry.field(description="How many votes on statements there are.")
    participant_count: int = strawberry.field(description="How many residents have voted.")
    version: int = strawberry.field(description="Grows with each change of text, plan, phase or outcome.")
    created_at: datetime = strawberry.field(description="When it was convened or proposed.")
    community: Community = loaded(around.communities, description="Where.")
    estate: Estate | None = loaded(
        around.estates, description="The estate it is for; null for the community."
    )
    organisation: Organisation = loaded(around.organisations, description="Who convenes it, or was asked to.")
    author: Neighbour = loaded(discussion.authors_of, description="Who opened it, or proposed it.")
    post: Post | None = loaded(
        topics.posts_of, viewer=True, description="The post that it began with, if the viewer may see it."
    )
    opinion_map: OpinionMap | None = loaded(
        analysis.maps_of,
        description="Who thinks alike and what all share; null while fewer than seven have voted enough.",
    )
    viewer_can_vote: bool = loaded(
        saying.residents_among, viewer=True, description="Whether the viewer may vote on statements now."
    )
    viewer_statements_left: int = loaded(
        saying.remaining_of, viewer=True, description="How many statements the viewer has not voted on."
    )
    outcome: DeliberationOutcome | None = strawberry.field(
        resolver=lambda root: root if root.outcome_version else None,
        description="What came of it; null until the convenor has written that.",
    )
    statements: Connection[Statement] = connection(
        saying.statements_of, arguments=shown_or_hidden, viewer=True, description="Its statements, by number."
    )
    next_statements: Connection[Statement] = connection(
        saying.next_statements_of,
        viewer=True,
        description="The statements that the viewer has not voted on, those with the fewest votes first."
        " A vote takes a statement off the list, so a client asks for the first ones again.",
    )
    steps: Connection[DeliberationStep] = connection(
        record.steps_of, description="Everything that was done with it, in order."
    )
    execution: Connection[ExecutionItem] = connection(
        executions.items_of, description="What is done about its outcome, in the order in which it was added."
    )
    timeline: Connection[TimelineEntry] = connection(
        cases.timelines_of,
        viewer=True,
        description="The whole case, oldest first: the post that it began with, its steps,"
        " and the public steps of the service requests that it led to.",
    )
    viewer_can_lead: bool = permitted(
        rules.can_lead, description="Whether the viewer may accept, move and conclude it."
    )

    @strawberry.field(description="Whether the viewer may add a statement now.", metadata=VIEWER)
    @staticmethod
    def viewer_can_suggest(root: strawberry.Parent[DeliberationRow], info: Info) -> bool:
        return rules.can_suggest(info.context.viewer, root) and root.allows(Act.SUGGEST, now())

    @strawberry.field(description="Whether the viewer may comment now.", metadata=VIEWER)
    @staticmethod
    def viewer_can_comment(root: strawberry.Parent[DeliberationRow], info: Info) -> bool:
        return rules.can_propose(info.context.viewer, root.community_id) and root.allows(Act.COMMENT, now())

    @strawberry.field(description="Whether the viewer may hide statements.", metadata=VIEWER)
    @staticmethod
    def viewer_can_hide(root: strawberry.Parent[DeliberationRow], info: Info) -> bool:
        return rules.can_hide(info.context.viewer, root)

    is_type_of = IsA(DeliberationRow)


def in_phases(
    phases: Annotated[
        list[DeliberationPhase] | None, strawberry.argument(description="Only in these phases.")
    ] = None,
    estate: Annotated[strawberry.ID | None, strawberry.argument(description="Only for this estate.")] = None,
) -> tuple[frozenset[DeliberationPhase] | None, UUID | None]:
    key = None if estate is None else key_of("estate", estate, "Estate")
    return None if phases is None else frozenset(phases), key


@strawberry.type
class CommunityDeliberations:
    """What deliberation adds to a community."""

    deliberations: Connection[Deliberation] = connection(
        topics.deliberations_of,
        arguments=in_phases,
        viewer=True,
        description="Its deliberations that the viewer may see, the newest first."
        " A proposal is seen by its author and the organisation asked.",
    )

    @strawberry.field(
        description="Whether the viewer may convene deliberations here, for one of its organisations.",
        metadata=VIEWER,
    )
    @staticmethod
    def viewer_can_convene(root: strawberry.Parent[CommunityRow], info: Info) -> bool:
        return has_power_in(info.context.viewer, root.id, Power.CONVENE)


@strawberry.type
class PostDeliberations:
    """What deliberation adds to a post."""

    deliberations: Connection["Deliberation"] = connection(
        topics.deliberations_of_posts,
        viewer=True,
        description="The deliberations that began with it, the newest first.",
    )
