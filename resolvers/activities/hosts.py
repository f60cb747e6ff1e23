"""Who holds activities: organisations, in their own name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.activities import ActivityAudience, ActivityRow, HostKind, can_host
from models.organisations import OrganisationKind
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.identity import organisations_by_id
from resolvers.organisations import organisation_for

NO_HOST = "Only those who hold activities in the host's name may do this"


@dataclass(frozen=True, slots=True)
class Host:
    id: UUID
    kind: HostKind
    community_id: UUID
    has_members: bool


async def hosting(ctx: Context, host_id: UUID) -> Host:
    """The host, if the viewer holds activities in its name. Raises NotFound, NotAllowed, which is audited."""
    organisation = await organisation_for(ctx, host_id)
    host = Host(
        organisation.id,
        HostKind.ORGANISATION,
        organisation.community_id,
        organisation.kind is OrganisationKind.PARTY_BRANCH,
    )
    if not can_host(ctx.viewer, host.kind, host.id):
        raise await refused(ctx, "activity.create", host.kind, host.community_id, host.id, None)
    return host


async def refused(
    ctx: Context,
    action: str,
    kind: HostKind,
    community_id: UUID,
    host_id: UUID,
    subject_id: UUID | None,
) -> NotAllowed:
    """The refusal to raise; an attempt at an office's power is kept."""
    if kind is HostKind.ORGANISATION:
        return await audit.refuse(
            ctx,
            action,
            NO_HOST,
            community_id=community_id,
            organisation_id=host_id,
            subject_id=subject_id,
        )
    return NotAllowed(NO_HOST)


async def audited(ctx: Context, action: str, row: ActivityRow, detail: str = "") -> None:
    """Enter an office's act in the audit log, in the caller's unit of work."""
    if row.host_kind is HostKind.ORGANISATION:
        await audit.record(
            ctx,
            action,
            community_id=row.community_id,
            organisation_id=row.host_id,
            subject_id=row.id,
            detail=detail,
        )


def check_audience(host: Host, audience: ActivityAudience) -> None:
    """Raises InvalidInput for members of what has none."""
    if audience is ActivityAudience.MEMBERS and not host.has_members:
        raise InvalidInput(audience="This host has no members")


async def hosts_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[Any]:
    """Who holds each activity."""
    return await organisations_by_id(ctx, [row.host_id for row in rows])
