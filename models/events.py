"""The event log: the outbox that live delivery reads, written in the mutation's own transaction."""

from tortoise import fields
from tortoise.models import Model

from models.base import now


class Topic(Model):
    """A sequence of events without holes. `seq` is the last one given out."""

    name = fields.CharField(primary_key=True, max_length=80)
    seq = fields.BigIntField()
    # Events up to and including this one are no longer kept.
    trimmed = fields.BigIntField(default=0)

    class Meta:
        table = "topic"


class LoggedEvent(Model):
    id = fields.BigIntField(primary_key=True)
    topic = fields.CharField(max_length=80)
    seq = fields.BigIntField()
    kind = fields.CharField(max_length=40)
    subject_id = fields.UUIDField()
    thread_id = fields.UUIDField(null=True)
    audience = fields.JSONField[list[str]]()
    facts = fields.JSONField[dict[str, str]]()
    at = fields.DatetimeField(default=now)

    class Meta:
        table = "event"
        unique_together = (("topic", "seq"),)
        indexes = (("topic", "thread_id", "seq"), ("at",))
