"""Who belongs to what somebody may join: the members of an interest group, of a party branch."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from models.base import CommunityTable, named_id, now
from models.storage import fields


class MemberRole(StrEnum):
    """What a member is to the host. A branch has members only; its offices are appointments."""

    OWNER = "OWNER"
    MODERATOR = "MODERATOR"
    MEMBER = "MEMBER"


class Alerts(StrEnum):
    """Of what in a group a member is told."""

    ALL = "ALL"
    REPLIES = "REPLIES"
    NONE = "NONE"


def members_of(host_id: UUID) -> UUID:
    """The scope of everyone who belongs to a group or a party branch."""
    return named_id(host_id, "members")


def moderators_of(host_id: UUID) -> UUID:
    """The scope of everyone who looks after a group: its owner and its moderators."""
    return named_id(host_id, "moderators")


def still_in_community(alias: str) -> str:
    """SQL for whether the account of a row still lives in its community, or holds an office there."""
    return (
        f"(EXISTS (SELECT 1 FROM residency r WHERE r.account_id = {alias}.account_id"
        f" AND r.community_id = {alias}.community_id AND r.until IS NULL)"
        f" OR EXISTS (SELECT 1 FROM appointment a WHERE a.account_id = {alias}.account_id"
        f" AND a.community_id = {alias}.community_id AND a.revoked_at IS NULL))"
    )


class MembershipRow(CommunityTable):
    """One row for each account and host: whoever comes back gets the same one again."""

    host_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField()
    role: MemberRole = fields.CharEnumField(MemberRole, max_length=12, default=MemberRole.MEMBER)
    joined_at: datetime = fields.DatetimeField(default=now)
    left_at: datetime | None = fields.DatetimeField(null=True, default=None)
    # Of who was made to leave.
    removed_at: datetime | None = fields.DatetimeField(null=True, default=None)
    # None is REPLIES.
    alerts: Alerts | None = fields.CharEnumField(Alerts, max_length=8, null=True, default=None)

    class Meta:
        table = "membership"
        unique_together = (("host_id", "account_id"),)
        indexes = (("host_id", "id"), ("account_id", "id"))
