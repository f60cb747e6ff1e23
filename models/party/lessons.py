"""Lessons of a party branch (党员课堂): items in an order, progress, quizzes and certificates."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import CommunityTable
from models.memberships import members_of
from models.organisations import Power
from models.party.members import PartyAbility, branches_with, of_branches_with_ability
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


class PartyLesson(CommunityTable):
    branch_id = fields.UUIDField(db_index=True)
    # Whoever holds this scope may see the lesson: the branch's office unless it is published.
    scope_id = fields.UUIDField()
    author_id = fields.UUIDField()
    audience = fields.CharEnumField(PartyLessonAudience, max_length=8)
    state = fields.CharEnumField(PartyLessonState, max_length=10, default=PartyLessonState.DRAFT)
    title = fields.CharField(max_length=80)
    summary = fields.CharField(max_length=500, default="")
    published_at = fields.DatetimeField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "party_lesson"


class PartyLessonItem(CommunityTable):
    lesson_id = fields.UUIDField(db_index=True)
    position = fields.IntField()
    kind = fields.CharEnumField(PartyLessonItemKind, max_length=8)
    title = fields.CharField(max_length=80)
    body = fields.TextField(default="")
    url = fields.CharField(max_length=500, default="")
    required = fields.BooleanField(default=True)
    # Of a quiz: what passes, how often one may try, and the questions with the key to them.
    pass_percent = fields.IntField(default=0)
    attempts = fields.IntField(default=0)
    questions = fields.TextField(default="[]")
    # Raised by every change of the questions, so that no answer is to another question.
    revision = fields.IntField(default=1)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "party_lesson_item"


class PartyLessonProgress(CommunityTable):
    """That somebody has finished an item."""

    lesson_id = fields.UUIDField()
    item_id = fields.UUIDField()
    account_id = fields.UUIDField()

    class Meta:
        table = "party_lesson_progress"
        unique_together = (("item_id", "account_id"),)
        indexes = (("lesson_id", "account_id"),)


class PartyQuizAttempt(CommunityTable):
    item_id = fields.UUIDField()
    account_id = fields.UUIDField()
    number = fields.IntField()
    revision = fields.IntField()
    # For each question what was chosen, and whether that is right.
    answers = fields.TextField()
    score = fields.IntField()
    total = fields.IntField()
    passed = fields.BooleanField()

    class Meta:
        table = "party_quiz_attempt"
        unique_together = (("item_id", "account_id", "number"),)


class PartyLessonCompletion(CommunityTable):
    """That somebody has finished a lesson, with the number of the certificate."""

    branch_id = fields.UUIDField()
    lesson_id = fields.UUIDField()
    account_id = fields.UUIDField()
    number = fields.CharField(max_length=20, unique=True)
    # Whether the holder lets whoever has the number see the name.
    name_shown = fields.BooleanField(default=False)

    class Meta:
        table = "party_lesson_completion"
        unique_together = (("lesson_id", "account_id"),)
        indexes = (("lesson_id", "id"),)


@dataclass(slots=True)
class PartyLessonRow:
    id: UUID
    community_id: UUID
    branch_id: UUID
    scope_id: UUID
    author_id: UUID
    audience: PartyLessonAudience
    state: PartyLessonState
    title: str
    summary: str
    created_at: datetime
    published_at: datetime | None
    version: int


@dataclass(slots=True)
class PartyLessonItemRow:
    id: UUID
    community_id: UUID
    lesson_id: UUID
    position: int
    kind: PartyLessonItemKind
    title: str
    body: str
    url: str
    required: bool
    pass_percent: int
    attempts: int
    questions: list[dict[str, Any]]
    revision: int


@dataclass(slots=True)
class PartyQuizAttemptRow:
    id: UUID
    item_id: UUID
    account_id: UUID
    number: int
    revision: int
    answers: list[dict[str, Any]]
    score: int
    total: int
    passed: bool
    created_at: datetime


@dataclass(slots=True)
class PartyLessonCompletionRow:
    id: UUID
    community_id: UUID
    branch_id: UUID
    lesson_id: UUID
    account_id: UUID
    number: str
    name_shown: bool
    created_at: datetime


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
