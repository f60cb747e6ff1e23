"""The event log: the outbox that live delivery reads, written in the mutation's own transaction."""

from datetime import datetime
from uuid import UUID

from models.base import now
from models.storage import fields
from models.storage.tables import Row


class TopicRow(Row):
    """A sequence of events without holes. `seq` is the last one given out."""

    name: str = fields.CharField(primary_key=True, max_length=80)
    seq: int = fields.BigIntField()
    # Events up to and including this one are no longer kept.
    trimmed: int = fields.BigIntField(default=0)

    class Meta:
        table = "topic"


class LoggedEventRow(Row):
    id: int = fields.BigIntField(primary_key=True)
    topic: str = fields.CharField(max_length=80)
    seq: int = fields.BigIntField()
    kind: str = fields.CharField(max_length=40)
    subject_id: UUID = fields.UUIDField()
    thread_id: UUID | None = fields.UUIDField(null=True, default=None)
    audience: list[str] = fields.JSONField()
    facts: dict[str, str] = fields.JSONField()
    at: datetime = fields.DatetimeField(default=now)

    class Meta:
        table = "event"
        unique_together = (("topic", "seq"),)
        indexes = (("topic", "thread_id", "seq"), ("at",))
