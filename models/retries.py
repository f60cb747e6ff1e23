"""Calls that a client may repeat after a time-out without doubling their effect."""

from uuid import UUID

from models.base import Table
from models.storage import fields


class IdempotentCallRow(Table):
    account_id: UUID = fields.UUIDField()
    key: str = fields.CharField(max_length=64)
    action: str = fields.CharField(max_length=40)
    digest: str = fields.CharField(max_length=64)
    result_id: UUID = fields.UUIDField()

    class Meta:
        table = "idempotent_call"
        unique_together = (("account_id", "key"),)
