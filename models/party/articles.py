"""News (党建新闻) and open affairs (党务公开) of a party branch.

What an article is at a moment follows from its times alone: nothing has to happen for a planned one to
appear, for its comments to close, or for an affair to be archived. `STATES` says it in SQL, `state_at` in
memory, and a test holds the two together.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, now
from models.party.audience import BranchAudience, can_publish, of_own_office
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class ArticleKind(StrEnum):
    NEWS = "NEWS"
    AFFAIR = "AFFAIR"


class AffairCategory(StrEnum):
    ORGANISATION = "ORGANISATION"
    ADMISSION = "ADMISSION"
    DUES = "DUES"
    DECISION = "DECISION"
    APPOINTMENT = "APPOINTMENT"
    DISCIPLINE = "DISCIPLINE"
    WORK = "WORK"


class ArticleState(StrEnum):
    DRAFT = "DRAFT"
    PLANNED = "PLANNED"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"
    WITHDRAWN = "WITHDRAWN"


class ArticleRow(CommunityTable):
    # Whoever holds this scope may see it once it is published.
    scope_id: UUID = fields.UUIDField()
    audience: BranchAudience = fields.CharEnumField(BranchAudience, max_length=8)
    branch_id: UUID = fields.UUIDField()
    author_id: UUID = fields.UUIDField()
    kind: ArticleKind = fields.CharEnumField(ArticleKind, max_length=8)
    category: AffairCategory | None = fields.CharEnumField(
        AffairCategory, max_length=12, null=True, default=None
    )
    title: str = fields.CharField(max_length=80)
    # Markdown, and the HTML that it makes, in which pictures have no address yet.
    body: str = fields.TextField()
    html: str = fields.TextField()
    cover_id: UUID | None = fields.UUIDField(null=True, default=None)
    publish_at: datetime | None = fields.DatetimeField(null=True, default=None)
    comments_from: datetime | None = fields.DatetimeField(null=True, default=None)
    comments_until: datetime | None = fields.DatetimeField(null=True, default=None)
    withdrawn_at: datetime | None = fields.DatetimeField(null=True, default=None)
    edited_at: datetime | None = fields.DatetimeField(null=True, default=None)
    # Its place in lists: when it is published, and before that is planned, when it was begun.
    listed_at: datetime = fields.DatetimeField(default=now)
    # Its card in the feed, below which its comments are.
    post_id: UUID | None = fields.UUIDField(null=True, default=None)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "party_article"
        indexes = (("branch_id", "kind", "listed_at", "id"),)

    def state_at(self, moment: datetime) -> ArticleState:
        if self.withdrawn_at is not None:
            return ArticleState.WITHDRAWN
        if self.publish_at is None:
            return ArticleState.DRAFT
        if moment < self.publish_at:
            return ArticleState.PLANNED
        if self.comments_until is not None and self.comments_until <= moment:
            return ArticleState.ARCHIVED
        return ArticleState.PUBLISHED

    def takes_comments_at(self, moment: datetime) -> bool:
        """Whether comments are taken: on news always, on an affair in its period only."""
        if self.state_at(moment) is not ArticleState.PUBLISHED:
            return False
        if self.kind is ArticleKind.NEWS:
            return True
        begun = self.comments_from is None or self.comments_from <= moment
        return self.comments_until is not None and begun


LISTED = Order("party-articles", ("listed_at", "id"))

ALIVE = Where("t.withdrawn_at IS NULL")


def comments_closed_by(moment: datetime) -> Where:
    return Where("t.comments_until <= ?", (moment,))


# What an article must fulfil to be in a state at a moment; as `ArticleRow.state_at`.
STATES: dict[ArticleState, Callable[[datetime], Where]] = {
    ArticleState.DRAFT: lambda _moment: ALIVE & Where("t.publish_at IS NULL"),
    ArticleState.PLANNED: lambda moment: ALIVE & Where("t.publish_at > ?", (moment,)),
    ArticleState.PUBLISHED: lambda moment: (
        published(moment) & (Where("t.comments_until IS NULL") | Where("t.comments_until > ?", (moment,)))
    ),
    ArticleState.ARCHIVED: lambda moment: published(moment) & comments_closed_by(moment),
    ArticleState.WITHDRAWN: lambda _moment: Where("t.withdrawn_at IS NOT NULL"),
}


def published(moment: datetime) -> Where:
    """The articles (as ``t``) that are out, archived ones included."""
    return ALIVE & Where("t.publish_at <= ?", (moment,))


def in_states(states: Iterable[ArticleState], moment: datetime) -> Where:
    found = NOTHING
    for state in dict.fromkeys(states):
        found |= STATES[state](moment)
    return found


def visible_to(viewer: Viewer) -> Where:
    """The articles (as ``t``) that are out and whose audience the viewer is in; to its office, all."""
    return (published(now()) & held_by(viewer)) | of_own_office(viewer)


def can_read_history(viewer: Viewer, row: ArticleRow) -> bool:
    """May the viewer read what this article said before it was edited?"""
    return can_publish(viewer, row.branch_id)
