"""Calls that a client may repeat after a time-out without doubling their effect."""

from tortoise import fields

from models.base import Table


class IdempotentCall(Table):
    account_id = fields.UUIDField()
    key = fields.CharField(max_length=64)
    action = fields.CharField(max_length=40)
    digest = fields.CharField(max_length=64)
    result_id = fields.UUIDField()

    class Meta:
        table = "idempotent_call"
        unique_together = (("account_id", "key"),)
