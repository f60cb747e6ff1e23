"""The tables of the pages for the ORM, and who asks: what every Python rival shares."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import jwt
from tortoise import Tortoise, fields
from tortoise.models import Model

SECRET = os.environ["LINLI_TOKEN_KEY"]


class Row(Model):
    id = fields.UUIDField(primary_key=True)

    class Meta:
        abstract = True


class Post(Row):
    wall_id = fields.UUIDField()
    scope_id = fields.UUIDField()
    author_id = fields.UUIDField()
    kind = fields.CharField(max_length=12)
    body = fields.TextField()
    comment_count = fields.IntField()
    like_count = fields.IntField()
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "post"


class Comment(Row):
    subject_id = fields.UUIDField()
    parent_id = fields.UUIDField()
    author_id = fields.UUIDField()
    body = fields.TextField()
    like_count = fields.IntField()
    reply_count = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "comment"


class Account(Row):
    display_name = fields.CharField(max_length=30)

    class Meta:
        table = "account"


class Residency(Row):
    account_id = fields.UUIDField()
    community_id = fields.UUIDField()
    home_id = fields.UUIDField()
    until = fields.DatetimeField(null=True)

    class Meta:
        table = "residency"


class Home(Row):
    building_id = fields.UUIDField()
    unit = fields.CharField(max_length=20)
    number = fields.CharField(max_length=20)

    class Meta:
        table = "home"


class Building(Row):
    name = fields.CharField(max_length=40)

    class Meta:
        table = "building"


class Like(Row):
    subject_id = fields.UUIDField()
    account_id = fields.UUIDField()

    class Meta:
        table = "appreciation"


class Session(Row):
    account_id = fields.UUIDField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "session"


class Organisation(Row):
    name = fields.CharField(max_length=80)

    class Meta:
        table = "organisation"


class Appointment(Row):
    account_id = fields.UUIDField()
    organisation_id = fields.UUIDField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "appointment"


class Notice(Row):
    organisation_id = fields.UUIDField()
    author_id = fields.UUIDField()
    category = fields.CharField(max_length=8)
    severity = fields.CharField(max_length=12)
    status = fields.CharField(max_length=12)
    title = fields.CharField(max_length=80)
    body = fields.TextField()
    created_at = fields.DatetimeField()
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField(null=True)
    comment_count = fields.IntField()

    class Meta:
        table = "notice"


class NoticeAudience(Row):
    notice_id = fields.UUIDField()
    kind = fields.CharField(max_length=10)
    scope_id = fields.UUIDField()
    label = fields.CharField(max_length=140)

    class Meta:
        table = "notice_audience"


class Counts:
    acknowledged: int
    in_person: int

    @property
    def reached(self) -> int:
        return self.acknowledged + self.in_person


class BuildingReach(Row, Counts):
    notice_id = fields.UUIDField()
    building_id = fields.UUIDField()
    targeted = fields.IntField()
    delivered = fields.IntField()
    seen = fields.IntField()
    acknowledged = fields.IntField()
    in_person = fields.IntField()

    class Meta:
        table = "building_reach"


class Receipt(Row):
    notice_id = fields.UUIDField()
    home_id = fields.UUIDField()
    building_id = fields.UUIDField()
    delivered_at = fields.DatetimeField(null=True)
    seen_at = fields.DatetimeField(null=True)
    acknowledged_at = fields.DatetimeField(null=True)
    reached_at = fields.DatetimeField(null=True)

    class Meta:
        table = "receipt"

    @property
    def progress(self) -> str:
        return "SEEN" if self.seen_at else "DELIVERED" if self.delivered_at else "TARGETED"


class ServiceRequest(Row):
    number = fields.IntField()
    category = fields.CharField(max_length=24)
    title = fields.CharField(max_length=80)
    area = fields.CharField(max_length=80)
    state = fields.CharField(max_length=12)
    version = fields.IntField()
    step_count = fields.IntField()
    follower_count = fields.IntField()
    created_at = fields.DatetimeField()
    accept_by = fields.DatetimeField()
    resolve_by = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)
    escalated_at = fields.DatetimeField(null=True)
    home_id = fields.UUIDField()
    building_id = fields.UUIDField()
    reporter_id = fields.UUIDField()
    assignee_id = fields.UUIDField()
    holder_id = fields.UUIDField()
    office_id = fields.UUIDField()
    overseer_id = fields.UUIDField()

    class Meta:
        table = "service_request"


@dataclass
class Viewer:
    account_id: UUID
    scopes: set[UUID]

    async def offices(self) -> set[UUID]:
        held = await Appointment.filter(account_id=self.account_id, revoked_at=None)
        return {one.organisation_id for one in held}


async def viewer_of(authorization: str) -> Viewer:
    """The token's account, if its session has not ended, with the communities where it lives."""
    claims = jwt.decode(
        authorization.removeprefix("Bearer "),
        SECRET,
        algorithms=["HS256"],
        issuer="linli",
        audience="linli-api",
    )
    account_id = UUID(claims["sub"])
    if not await Session.exists(id=claims["sid"], account_id=account_id, ended_at=None):
        raise PermissionError
    homes = await Residency.filter(account_id=account_id, until=None)
    return Viewer(account_id, {home.community_id for home in homes})


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"].replace("postgres://", "asyncpg://")
    await Tortoise.init(db_url=url, modules={"models": ["tables"]}, _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()
