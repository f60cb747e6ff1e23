"""Lessons of a party branch (党员课堂): items in an order, progress, quizzes and certificates."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.base import CommunityTable
from models.memberships import members_of
from models.party.members import PartyAbility, branches_with, of_branches_with_ability
from models.powers import Power
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer, held_by, public_of


class PartyLessonState(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


class PartyLessonAudience(StrEnum):
    MEMBERS = "MEMBERS"
    PUBLIC = "PUBLIC"


class PartyLessonItemKind(StrEnum):
    TEXT = "TEXT"
    DOCUMENT = "DOCUMENT"
    VIDEO = "VIDEO"
    QUIZ = "QUIZ"


class PartyLessonRow(CommunityTable):
    branch_id: UUID = fields.UUIDField(db_index=True)
    # Whoever holds this scope may see the lesson: the branch's office unless it is published.
    scope_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    audience: PartyLessonAudience = fields.CharEnumField(PartyLessonAudience, max_length=8)
    state: PartyLessonState = fields.CharEnumField(
        PartyLessonState, max_length=10, default=PartyLessonState.DRAFT
    )
    title: str = fields.CharField(max_length=80)
    summary: str = fields.CharField(max_length=500, default="")
    published_at: datetime | None = fields.DatetimeField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "party_lesson"


class PartyLessonItemRow(CommunityTable):
    lesson_id: UUID = fields.UUIDField(db_index=True)
    position: int = fields.IntField()
    kind: PartyLessonItemKind = fields.CharEnumField(PartyLessonItemKind, max_length=8)
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField(default="")
    url: str = fields.CharField(max_length=500, default="")
    required: bool = fields.BooleanField(default=True)
    # Of a quiz: what passes, how often one may try, and the questions with the key to them.
    pass_percent: int = fields.IntField(default=0)
    attempts: int = fields.IntField(default=0)
    questions: list[dict[str, Any]] = fields.JSONTextField(default="[]")
    # Raised by every change of the questions, so that no answer is to another question.
    revision: int = fields.IntField(default=1)
    removed_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "party_lesson_item"


class PartyLessonProgressRow(CommunityTable):
    """That somebody has finished an item."""

    lesson_id: UUID = fields.UUIDField()
    item_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()

    class Meta:
        table = "party_lesson_progress"
        unique_together = (("item_id", "account_id"),)
        indexes = (("lesson_id", "account_id"),)


class PartyQuizAttemptRow(CommunityTable):
    item_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    revision: int = fields.IntField()
    # For each question what was chosen, and whether that is right.
    answers: list[dict[str, Any]] = fields.JSONTextField()
    score: int = fields.IntField()
    total: int = fields.IntField()
    passed: bool = fields.BooleanField()

    class Meta:
        table = "party_quiz_attempt"
        unique_together = (("item_id", "account_id", "number"),)


class PartyLessonCompletionRow(CommunityTable):
    """That somebody has finished a lesson, with the number of the certificate."""

    branch_id: UUID = fields.UUIDField()
    lesson_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    number: str = fields.CharField(max_length=20, unique=True)
    # Whether the holder lets whoever has the number see the name.
    name_shown: bool = fields.BooleanField(default=False)

    class Meta:
        table = "party_lesson_completion"
        unique_together = (("lesson_id", "account_id"),)
        indexes = (("lesson_id", "id"),)


LESSONS = Order("party-lessons", ("id",))
COMPLETIONS = Order("party-completions", ("id",))


def scope_of(
    community_id: UUID, branch_id: UUID, audience: PartyLessonAudience, state: PartyLessonState
) -> UUID:
    """Who may see a lesson: of what is not published, the branch's office."""
    if state is not PartyLessonState.PUBLISHED:
        return branch_id
    return members_of(branch_id) if audience is PartyLessonAudience.MEMBERS else public_of(community_id)


def visible_to(viewer: Viewer) -> Where:
    """The lessons (as ``t``) whose audience the viewer is in."""
    return held_by(viewer)


def can_learn(viewer: Viewer, row: PartyLessonRow) -> bool:
    """May the viewer, who sees this lesson, finish items of it?"""
    return row.state is PartyLessonState.PUBLISHED and viewer.belongs_to(row.community_id)


def records_visible_to(viewer: Viewer) -> Where:
    """What (as ``t``, with a ``branch_id``) says of the branches whose records the viewer keeps."""
    kept = Where("t.branch_id IN (?)", (branches_with(viewer, Power.MANAGE_PARTY_MEMBERS),))
    return kept | of_branches_with_ability(viewer, PartyAbility.SEE_LESSON_RECORDS)


def completions_visible_to(viewer: Viewer) -> Where:
    """One's own certificates (as ``t``), and those of the branches whose records one keeps."""
    return Where("t.account_id = ?", (viewer.account_id,)) | records_visible_to(viewer)
