"""Deliberation (小区议事): a topic, what residents say and think of it, the outcome, and what became of it.

Which phase allows what is one table, `ALLOWED`. Nothing else decides, so that what a client is offered and
what the server accepts are the same.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.base import CommunityTable, Table
from models.powers import Power, communities_with, has_power, has_power_in
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class DeliberationPhase(StrEnum):
    PROPOSED = "PROPOSED"
    DECLINED = "DECLINED"
    GATHERING = "GATHERING"
    DISCUSSION = "DISCUSSION"
    STATEMENTS = "STATEMENTS"
    OUTCOME = "OUTCOME"
    CLOSED = "CLOSED"


class StatementChoice(StrEnum):
    AGREE = "AGREE"
    DISAGREE = "DISAGREE"
    PASS = "PASS"  # noqa: S105 - a choice, no secret


class DeliberationAction(StrEnum):
    """What a step of a deliberation is."""

    PROPOSED = "PROPOSED"
    DECLINED = "DECLINED"
    CONVENED = "CONVENED"
    MOVED = "MOVED"
    MOVED_BACK = "MOVED_BACK"
    REMINDED = "REMINDED"
    OUTCOME_PUBLISHED = "OUTCOME_PUBLISHED"
    OUTCOME_REVISED = "OUTCOME_REVISED"
    EXECUTION_ADDED = "EXECUTION_ADDED"
    EXECUTION_CHANGED = "EXECUTION_CHANGED"
    EXECUTION_VERIFIED = "EXECUTION_VERIFIED"


class ExecutionKind(StrEnum):
    """What carries an outcome out."""

    ACTION = "ACTION"
    REQUEST = "REQUEST"
    MOTION = "MOTION"


class ExecutionState(StrEnum):
    PLANNED = "PLANNED"
    UNDER_WAY = "UNDER_WAY"
    DONE = "DONE"
    VERIFIED = "VERIFIED"
    ABANDONED = "ABANDONED"


class TimelineKind(StrEnum):
    """Of which part of the case an entry of its timeline tells."""

    POST = "POST"
    STEP = "STEP"
    REQUEST_STEP = "REQUEST_STEP"


P = DeliberationPhase

# From the first to the last; a deliberation that is not accepted never enters it.
COURSE = (P.GATHERING, P.DISCUSSION, P.STATEMENTS, P.OUTCOME, P.CLOSED)
UNACCEPTED = frozenset({P.PROPOSED, P.DECLINED})


class Act(StrEnum):
    COMMENT = "COMMENT"
    SUGGEST = "SUGGEST"
    VOTE = "VOTE"
    CONCLUDE = "CONCLUDE"
    EXECUTE = "EXECUTE"


ALLOWED: dict[DeliberationPhase, frozenset[Act]] = {
    P.PROPOSED: frozenset(),
    P.DECLINED: frozenset(),
    P.GATHERING: frozenset({Act.COMMENT, Act.SUGGEST}),
    P.DISCUSSION: frozenset({Act.COMMENT, Act.SUGGEST}),
    P.STATEMENTS: frozenset({Act.COMMENT, Act.SUGGEST, Act.VOTE}),
    P.OUTCOME: frozenset({Act.COMMENT, Act.CONCLUDE, Act.EXECUTE}),
    # What was decided is still carried out, and looked at.
    P.CLOSED: frozenset({Act.EXECUTE}),
}


# Of what the phases mean to time: when each begins by plan.
PLANNED: dict[DeliberationPhase, str] = {
    P.DISCUSSION: "discussion_at",
    P.STATEMENTS: "statements_at",
    P.OUTCOME: "outcome_at",
    P.CLOSED: "closes_at",
}

# Below so many votes nobody is told how they fell, and below so many participants there is no map.
FEWEST_PARTICIPANTS = 7


class DeliberationRow(CommunityTable):
    # Whoever holds this scope, the community or one estate, takes part.
    scope_id: UUID = fields.UUIDField()
    estate_id: UUID | None = fields.UUIDField(null=True, default=None)
    # The convenor, or whom it is proposed to.
    organisation_id: UUID = fields.UUIDField()
    # The residents' committee, which leads.
    overseer_id: UUID | None = fields.UUIDField(null=True, default=None)
    author_id: UUID = fields.UUIDField()
    # The complaint that it began with.
    post_id: UUID | None = fields.UUIDField(null=True, default=None, db_index=True)
    phase: DeliberationPhase = fields.CharEnumField(DeliberationPhase, max_length=12)
    phase_since: datetime = fields.DatetimeField()
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    discussion_at: datetime | None = fields.DatetimeField(null=True, default=None)
    statements_at: datetime | None = fields.DatetimeField(null=True, default=None)
    outcome_at: datetime | None = fields.DatetimeField(null=True, default=None)
    closes_at: datetime | None = fields.DatetimeField(null=True, default=None)
    comment_count: int = fields.IntField(default=0)
    like_count: int = fields.IntField(default=0)
    statement_count: int = fields.IntField(default=0)
    # Of statements ever made, hidden ones included, since each has a number.
    last_number: int = fields.IntField(default=0)
    vote_count: int = fields.IntField(default=0)
    participant_count: int = fields.IntField(default=0)
    step_count: int = fields.IntField(default=0)
    # When the opinions are computed next, while votes wait for it.
    analysis_due_at: datetime | None = fields.DatetimeField(null=True, default=None)
    outcome: str = fields.TextField(default="")
    outcome_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    outcome_published_at: datetime | None = fields.DatetimeField(null=True, default=None)
    outcome_version: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "deliberation"
        indexes = (
            ("community_id", "id"),
            ("community_id", "phase", "id"),
            ("organisation_id", "phase", "id"),
        )

    def allows(self, act: Act, moment: datetime) -> bool:
        """Whether the phase that the deliberation is in at `moment` allows this."""
        return act in ALLOWED[self.phase_at(moment)]

    def phase_at(self, moment: datetime) -> DeliberationPhase:
        """The phase by plan: exact to the instant, even if whoever moves it on is late."""
        if self.phase not in COURSE:
            return self.phase
        reached = self.phase
        for phase in COURSE[COURSE.index(self.phase) + 1 :]:
            begins = self.begins(phase)
            # Without an outcome nothing is closed by time.
            if begins is not None and begins <= moment and (phase is not P.CLOSED or self.outcome_version):
                reached = phase
        return reached

    def begins(self, phase: DeliberationPhase) -> datetime | None:
        """When a phase begins by plan."""
        begins: datetime | None = getattr(self, PLANNED[phase]) if phase in PLANNED else None
        return begins


class DeliberationStepRow(CommunityTable):
    """One step of a deliberation: append-only, numbered without gaps."""

    deliberation_id: UUID = fields.UUIDField()
    ordinal: int = fields.IntField()
    action: DeliberationAction = fields.CharEnumField(DeliberationAction, max_length=20)
    from_phase: DeliberationPhase | None = fields.CharEnumField(
        DeliberationPhase, max_length=12, null=True, default=None
    )
    to_phase: DeliberationPhase | None = fields.CharEnumField(
        DeliberationPhase, max_length=12, null=True, default=None
    )
    # Nobody, if the clock did it.
    actor_id: UUID | None = fields.UUIDField(null=True, default=None)
    item_id: UUID | None = fields.UUIDField(null=True, default=None)
    item_state: ExecutionState | None = fields.CharEnumField(
        ExecutionState, max_length=12, null=True, default=None
    )
    note: str = fields.TextField()

    class Meta:
        table = "deliberation_step"
        unique_together = (("deliberation_id", "ordinal"),)
        indexes = (("deliberation_id", "id"),)


class StatementRow(CommunityTable):
    deliberation_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    author_id: UUID = fields.UUIDField()
    body: str = fields.CharField(max_length=140)
    # A digest of the text without case, space and punctuation: who says the same again is told so.
    fingerprint: str = fields.CharField(max_length=64)
    agree_count: int = fields.IntField(default=0)
    disagree_count: int = fields.IntField(default=0)
    pass_count: int = fields.IntField(default=0)
    vote_count: int = fields.IntField(default=0)
    hidden_at: datetime | None = fields.DatetimeField(null=True, default=None)
    hidden_by_id: UUID | None = fields.UUIDField(null=True, default=None)
    hidden_reason: str = fields.CharField(max_length=300, default="")

    class Meta:
        table = "statement"
        unique_together = (("deliberation_id", "fingerprint"), ("deliberation_id", "number"))
        indexes = (("deliberation_id", "id"), ("deliberation_id", "vote_count", "id"))


class StatementVoteRow(Table):
    deliberation_id: UUID = fields.UUIDField()
    statement_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    choice: StatementChoice = fields.CharEnumField(StatementChoice, max_length=8)

    class Meta:
        table = "statement_vote"
        unique_together = (("statement_id", "account_id"),)
        indexes = (("deliberation_id", "account_id"),)


class AnalysisRow(CommunityTable):
    """The newest opinion map of a deliberation. Its result is JSON that holds no account."""

    deliberation_id: UUID = fields.UUIDField(unique=True)
    version: int = fields.IntField()
    computed_at: datetime = fields.DatetimeField()
    participant_count: int = fields.IntField()
    vote_count: int = fields.IntField()
    result: dict[str, Any] = fields.JSONTextField()

    class Meta:
        table = "opinion_analysis"


class PointRow(Table):
    """Where an account stands on the newest map: shown to nobody but itself."""

    deliberation_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    x: float = fields.FloatField()
    y: float = fields.FloatField()
    group_number: int = fields.IntField()

    class Meta:
        table = "opinion_point"
        unique_together = (("deliberation_id", "account_id"),)

    @property
    def group(self) -> int:
        return self.group_number


class CitationRow(Table):
    """A statement that an outcome cites, with the figures as they were then."""

    deliberation_id: UUID = fields.UUIDField()
    statement_id: UUID = fields.UUIDField()
    position: int = fields.IntField()
    agree_count: int = fields.IntField()
    disagree_count: int = fields.IntField()
    pass_count: int = fields.IntField()

    class Meta:
        table = "outcome_citation"
        unique_together = (("deliberation_id", "statement_id"),)


class ExecutionRow(CommunityTable):
    """Something that an outcome asks for: done by hand, or by a service request or a motion."""

    deliberation_id: UUID = fields.UUIDField()
    kind: ExecutionKind = fields.CharEnumField(ExecutionKind, max_length=8)
    # The service request or the motion.
    subject_id: UUID | None = fields.UUIDField(null=True, default=None)
    title: str = fields.CharField(max_length=80)
    organisation_id: UUID | None = fields.UUIDField(null=True, default=None)
    due_at: datetime | None = fields.DatetimeField(null=True, default=None)
    # Of a linked item the state is that of what it links to.
    state: ExecutionState = fields.CharEnumField(ExecutionState, max_length=12)
    note: str = fields.TextField(default="")
    confirmed_count: int = fields.IntField(default=0)
    disputed_count: int = fields.IntField(default=0)
    # Grows with each change but the verification, so that residents look at it anew.
    round: int = fields.IntField(default=1)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "execution_item"
        indexes = (("deliberation_id", "id"), ("subject_id",))


class ExecutionCheckRow(Table):
    """What a resident says of an item that is said to be done."""

    item_id: UUID = fields.UUIDField()
    round: int = fields.IntField()
    account_id: UUID = fields.UUIDField()
    confirmed: bool = fields.BooleanField()

    class Meta:
        table = "execution_check"
        unique_together = (("item_id", "round", "account_id"),)


@dataclass(slots=True)
class TimelineRow:
    """An entry of a case's timeline: when, and which step or post it is."""

    id: UUID
    at: datetime
    deliberation_id: UUID
    kind: TimelineKind


LATEST = Order("latest-deliberations", ("id",))
STATEMENTS_BY_NUMBER = Order("statements", ("id",), descending=False)
NEXT_STATEMENTS = Order("next-statements", ("vote_count", "id"), descending=False)
STEPS = Order("deliberation-steps", ("id",), descending=False)
ITEMS = Order("execution-items", ("id",), descending=False)
TIMELINE = Order("case-timeline", ("at", "id"), descending=False)

# One case from the complaint to the verified result. Each entry has the scope that it may be seen with, or
# none if the deliberation's own is enough.
TIMELINE_ENTRIES = (
    "(SELECT s.id, s.created_at AS at, s.deliberation_id, 'STEP' AS kind, NULL AS scope_id"
    " FROM deliberation_step s"
    " UNION ALL SELECT p.id, p.created_at, d.id, 'POST', p.scope_id"
    " FROM deliberation d JOIN post p ON p.id = d.post_id WHERE p.deleted_at IS NULL"
    " UNION ALL SELECT q.id, q.created_at, x.deliberation_id, 'REQUEST_STEP', r.scope_id"
    " FROM execution_item x JOIN service_request r ON r.id = x.subject_id"
    " JOIN request_step q ON q.request_id = r.id WHERE x.kind = 'REQUEST' AND q.is_public)"
)


# Who may see and do what


def visible_to(viewer: Viewer) -> Where:
    """The deliberations (as ``t``) of the viewer's scopes and offices; a proposal is its author's, too."""
    if viewer.account_id is None:
        return NOTHING
    accepted = Where("t.phase NOT IN (?)", (sorted(UNACCEPTED),)) & held_by(viewer)
    own = Where("t.phase IN (?)", (sorted(UNACCEPTED),)) & Where("t.author_id = ?", (viewer.account_id,))
    return accepted | own | held_by(viewer, "t.organisation_id") | held_by(viewer, "t.overseer_id")


def audience(row: DeliberationRow) -> frozenset[UUID]:
    """Whoever may see the deliberation: the same as `visible_to`, for the event log."""
    offices = {row.organisation_id} | ({row.overseer_id} if row.overseer_id else set())
    return frozenset(offices | {row.author_id if row.phase in UNACCEPTED else row.scope_id})


def statement_visible_to(viewer: Viewer) -> Where:
    """The statements (as ``t``) of deliberations that the viewer may see.

    A hidden one is seen by its author, and by whoever may hide.
    """
    if viewer.account_id is None:
        return NOTHING
    seen = visible_to(viewer)
    below = seen.text.replace("t.", "d.")
    offices = tuple(office for office in viewer.offices if has_power(viewer, office, Power.CONVENE))
    shown = (
        Where("t.hidden_at IS NULL")
        | Where("t.author_id = ?", (viewer.account_id,))
        | Where("t.community_id IN (?)", (communities_with(viewer, Power.MODERATE),))
        | Where(
            "EXISTS (SELECT 1 FROM deliberation c WHERE c.id = t.deliberation_id"
            " AND c.organisation_id IN (?))",
            (offices,),
        )
    )
    return shown & Where(
        f"EXISTS (SELECT 1 FROM deliberation d WHERE d.id = t.deliberation_id AND ({below}))", seen.params
    )


def can_convene(viewer: Viewer, organisation_id: UUID) -> bool:
    """May the viewer convene deliberations in the name of this organisation?"""
    return has_power(viewer, organisation_id, Power.CONVENE)


def can_propose(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer propose a topic for deliberation in this community?"""
    return viewer.belongs_to(community_id)


def can_lead(viewer: Viewer, row: DeliberationRow) -> bool:
    """May the viewer accept, move, and conclude this deliberation?"""
    return has_power(viewer, row.organisation_id, Power.CONVENE)


def can_suggest(viewer: Viewer, row: DeliberationRow) -> bool:
    """May the viewer add statements, if the phase allows it?"""
    return row.scope_id in viewer.scopes or can_lead(viewer, row)


def can_hide(viewer: Viewer, row: DeliberationRow) -> bool:
    """May the viewer hide statements of this deliberation?"""
    return can_lead(viewer, row) or has_power_in(viewer, row.community_id, Power.MODERATE)


def can_know_author(viewer: Viewer, statement: StatementRow) -> bool:
    """May the viewer know who made a statement?"""
    return viewer.account_id == statement.author_id or has_power_in(
        viewer, statement.community_id, Power.MODERATE
    )
