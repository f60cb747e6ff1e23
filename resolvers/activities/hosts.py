"""Who holds activities: organisations in their own name, and interest groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.activities import ActivityAudience, ActivityRow, HostKind, can_host, can_organise
from models.messages import Message
from models.roles import OrganisationKind
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.groups import reading as groups
from resolvers.identity import organisations_by_id
from resolvers.organisations import organisation_for

NO_HOST = Message("Only those who hold activities in the host's name may do this")


@dataclass(frozen=True, slots=True)
class Host:
    """Who holds activities, and whom they may be for."""

    id: UUID
    kind: HostKind
    community_id: UUID
    audiences: frozenset[ActivityAudience]


async def host_for_viewer(ctx: Context, kind: HostKind, host_id: UUID) -> Host:
    """The host, if the viewer holds activities in its name. Raises NotFound, NotAllowed, which is audited."""
    host = await (group if kind is HostKind.GROUP else organisation)(ctx, host_id)
    if not can_host(ctx.viewer, kind, host_id):
        raise await refusal(ctx, "activity.create", kind, host.community_id, host.id, None)
    return host


async def organisation(ctx: Context, host_id: UUID) -> Host:
    row = await organisation_for(ctx, host_id)
    inner = (
        frozenset() if row.kind is OrganisationKind.PARTY_BRANCH else frozenset({ActivityAudience.MEMBERS})
    )
    return Host(row.id, HostKind.ORGANISATION, row.community_id, frozenset(ActivityAudience) - inner)


async def group(ctx: Context, host_id: UUID) -> Host:
    """A group that neighbours may not know of holds activities for its members only.

    Raises NotFound, NotAllowed.
    """
    row = await groups.visible(ctx, host_id)
    if row.archived_at is not None:
        raise NotAllowed(Message("The group is archived"))
    audiences = {ActivityAudience.MEMBERS}
    if row.scope_id == row.community_id:
        audiences.add(ActivityAudience.NEIGHBOURS)
    return Host(row.id, HostKind.GROUP, row.community_id, frozenset(audiences))


async def refusal(
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
            ctx, action, NO_HOST, community_id=community_id, organisation_id=host_id, subject_id=subject_id
        )
    return NotAllowed(NO_HOST)


async def note_reading(ctx: Context, action: str, rows: Sequence[ActivityRow]) -> None:
    """Keep that an office, or somebody who is none, asks who comes to what an office holds."""
    offices: dict[UUID, list[ActivityRow]] = {}
    for row in rows:
        if row.host_kind is HostKind.ORGANISATION:
            offices.setdefault(row.host_id, []).append(row)
    for host_id, held in offices.items():
        await audit.note_reading(
            ctx, action, held, lambda row: can_organise(ctx.viewer, row), organisation_id=host_id
        )


async def audit_act(ctx: Context, action: str, row: ActivityRow, detail: str = "") -> None:
    """Enter an office's act in the audit log, in the caller's unit of work."""
    if row.host_kind is HostKind.ORGANISATION:
        await audit.record(ctx, action, row, organisation_id=row.host_id, detail=detail)


def check_audience(host: Host, audience: ActivityAudience) -> None:
    """Raises InvalidInput for an audience that is not this host's to invite."""
    if audience not in host.audiences:
        raise InvalidInput(audience=Message("This host may not invite them"))


async def hosts_of(ctx: Context, rows: Sequence[ActivityRow]) -> list[Any]:
    """Who holds each activity, None for a group that the viewer may not know of any more."""
    of_groups = {row.host_id for row in rows if row.host_kind is HostKind.GROUP}
    offices = {row.host_id for row in rows} - of_groups
    found: list[Any] = await groups.visible_by_ids(ctx, list(of_groups)) if of_groups else []
    found += await organisations_by_id(ctx, list(offices)) if offices else []
    hosts = {host.id: host for host in found if host}
    return [hosts.get(row.host_id) for row in rows]
