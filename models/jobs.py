"""Work to be done later: rows, so that a killed process loses none."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import Table


class Job(Table):
    """One thing to do when it is due. A job that is done or given up stays as a record."""

    kind = fields.CharField(max_length=40)
    subject_id = fields.UUIDField()
    due_at = fields.DatetimeField()
    # Whoever claimed it has until then, afterwards another process may.
    claimed_until = fields.DatetimeField(null=True)
    attempts = fields.IntField(default=0)
    done_at = fields.DatetimeField(null=True)
    given_up_at = fields.DatetimeField(null=True)

    class Meta:
        table = "job"
        indexes = (("done_at", "due_at"), ("subject_id", "kind"))


@dataclass(slots=True)
class JobRow:
    id: UUID
    kind: str
    subject_id: UUID
    due_at: datetime
    attempts: int
