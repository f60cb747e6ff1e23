"""Work to be done later: rows, so that a killed process loses none."""

from datetime import datetime
from uuid import UUID

from models.base import Table
from models.storage import fields


class JobRow(Table):
    """One thing to do when it is due. A job that is done or given up stays as a record."""

    kind: str = fields.CharField(max_length=40)
    subject_id: UUID = fields.UUIDField()
    due_at: datetime = fields.DatetimeField()
    # Whoever claimed it has until then, afterwards another process may.
    claimed_until: datetime | None = fields.DatetimeField(null=True, default=None)
    attempts: int = fields.IntField(default=0)
    done_at: datetime | None = fields.DatetimeField(null=True, default=None)
    given_up_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "job"
        indexes = (("done_at", "due_at"), ("subject_id", "kind"))
