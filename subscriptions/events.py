"""What can happen, as the event log keeps it and streams select it.

An event says that something happened to a subject; it carries no text and no person, since what a
subscriber receives is read, with permission, when it is delivered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.base import InCommunity


class Kind(StrEnum):
    POST_CREATED = "POST_CREATED"
    POST_CHANGED = "POST_CHANGED"
    POST_DELETED = "POST_DELETED"
    POST_MATCHED = "POST_MATCHED"
    COUNTERS_CHANGED = "COUNTERS_CHANGED"
    COMMENT_ADDED = "COMMENT_ADDED"
    COMMENT_CHANGED = "COMMENT_CHANGED"
    COMMENT_DELETED = "COMMENT_DELETED"
    NOTICE_PUBLISHED = "NOTICE_PUBLISHED"
    NOTICE_UPDATED = "NOTICE_UPDATED"
    NOTICE_CANCELLED = "NOTICE_CANCELLED"
    REACH_CHANGED = "REACH_CHANGED"
    MOTION_ANNOUNCED = "MOTION_ANNOUNCED"
    MOTION_OPENED = "MOTION_OPENED"
    MOTION_EXTENDED = "MOTION_EXTENDED"
    MOTION_CLOSED = "MOTION_CLOSED"
    MOTION_WITHDRAWN = "MOTION_WITHDRAWN"
    PARTICIPATION_CHANGED = "PARTICIPATION_CHANGED"
    BALLOT_CONFLICT = "BALLOT_CONFLICT"
    REQUEST_STEP = "REQUEST_STEP"
    REQUEST_FOLLOWED = "REQUEST_FOLLOWED"
    REQUEST_QUEUED = "REQUEST_QUEUED"
    DELIBERATION_STEP = "DELIBERATION_STEP"
    DELIBERATION_EDITED = "DELIBERATION_EDITED"
    DELIBERATION_PARTICIPATION = "DELIBERATION_PARTICIPATION"
    STATEMENT_ADDED = "STATEMENT_ADDED"
    STATEMENT_CHANGED = "STATEMENT_CHANGED"
    OPINIONS_ANALYSED = "OPINIONS_ANALYSED"
    EXECUTION_CHECKED = "EXECUTION_CHECKED"
    GROUP_CHANGED = "GROUP_CHANGED"
    GROUP_DISSOLVED = "GROUP_DISSOLVED"
    JOIN_REQUEST_CHANGED = "JOIN_REQUEST_CHANGED"
    PARTY_APPLICATION_CHANGED = "PARTY_APPLICATION_CHANGED"
    PARTY_MEMBER_CHANGED = "PARTY_MEMBER_CHANGED"
    BRANCH_PUBLISHED = "BRANCH_PUBLISHED"
    BRANCH_CHANGED = "BRANCH_CHANGED"
    BRANCH_WITHDRAWN = "BRANCH_WITHDRAWN"
    PIONEER_THANKED = "PIONEER_THANKED"
    PARTY_LESSON_PUBLISHED = "PARTY_LESSON_PUBLISHED"
    PARTY_LESSON_CHANGED = "PARTY_LESSON_CHANGED"
    PARTY_LESSON_WITHDRAWN = "PARTY_LESSON_WITHDRAWN"
    PARTY_LESSON_COMPLETED = "PARTY_LESSON_COMPLETED"
    PARTY_OPINION_STEP = "PARTY_OPINION_STEP"
    PARTY_OPINION_ANSWERED = "PARTY_OPINION_ANSWERED"
    ENTRY_PUBLISHED = "ENTRY_PUBLISHED"
    ENTRY_CHANGED = "ENTRY_CHANGED"
    ENTRY_WITHDRAWN = "ENTRY_WITHDRAWN"
    LICENCE_STEP = "LICENCE_STEP"
    SLOT_CHANGED = "SLOT_CHANGED"
    OFFER_PUBLISHED = "OFFER_PUBLISHED"
    OFFER_CHANGED = "OFFER_CHANGED"
    OFFER_ENDED = "OFFER_ENDED"
    ENTRY_RATED = "ENTRY_RATED"
    RATING_CHANGED = "RATING_CHANGED"
    BOOKING_STEP = "BOOKING_STEP"
    OFFICE_BOOKING = "OFFICE_BOOKING"
    ACTIVITY_PUBLISHED = "ACTIVITY_PUBLISHED"
    ACTIVITY_CHANGED = "ACTIVITY_CHANGED"
    ACTIVITY_CANCELLED = "ACTIVITY_CANCELLED"
    ACTIVITY_COUNTED = "ACTIVITY_COUNTED"
    ACTIVITY_SIGN_UP = "ACTIVITY_SIGN_UP"
    NOTIFICATION_ADDED = "NOTIFICATION_ADDED"
    NOTIFICATIONS_READ = "NOTIFICATIONS_READ"
    # Not for clients: they tell every process to look at its connections again.
    STANDING_CHANGED = "STANDING_CHANGED"
    SESSION_ENDED = "SESSION_ENDED"


# Of these only the newest about a subject matters: it is read anew at delivery.
CONFLATED = frozenset(
    {
        Kind.PARTICIPATION_CHANGED,
        Kind.COUNTERS_CHANGED,
        Kind.REACH_CHANGED,
        Kind.REQUEST_FOLLOWED,
        Kind.SLOT_CHANGED,
        Kind.ENTRY_RATED,
        Kind.DELIBERATION_PARTICIPATION,
        Kind.OPINIONS_ANALYSED,
        Kind.EXECUTION_CHECKED,
        Kind.PIONEER_THANKED,
        Kind.GROUP_CHANGED,
        Kind.ACTIVITY_COUNTED,
    }
)

# Of these it is noted which households' clients they were written to.
ACCOUNTED = frozenset({Kind.NOTICE_PUBLISHED, Kind.NOTICE_UPDATED})

# The topic of STANDING_CHANGED and SESSION_ENDED, which every process follows.
STANDING = "standing"


def community_topic(community_id: UUID) -> str:
    """The one sequence of all that happens in a community, but for reach."""
    return f"community:{community_id}"


def reach_topic(notice_id: UUID) -> str:
    """A sequence of its own, so that thousands of acknowledgements delay no comment."""
    return f"reach:{notice_id}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    topic     the sequence it belongs to
    subject   the id of what it happened to
    audience  scope ids: whoever holds one of them may know of it (models.visibility)
    thread    the post or notice below which it happened, for streams of one thread
    facts     what streams filter by: names to strings, never personal
    """

    topic: str
    kind: Kind
    subject: UUID
    audience: frozenset[UUID] = frozenset()
    thread: UUID | None = None
    facts: dict[str, str] = field(default_factory=dict)


def event_about(
    kind: Kind,
    row: InCommunity,
    audience: Iterable[UUID],
    *,
    subject: UUID | None = None,
    thread: UUID | None = None,
    facts: dict[str, str] | None = None,
) -> Event:
    """What happened in a community to a row, or to `subject`."""
    topic = community_topic(row.community_id)
    return Event(topic, kind, subject or row.id, frozenset(audience), thread, facts or {})


@dataclass(frozen=True, slots=True)
class Logged:
    """An event at its place in its topic."""

    seq: int
    at: datetime
    event: Event

    def fact(self, name: str) -> Any:
        return self.event.facts.get(name)
