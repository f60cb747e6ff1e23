"""The audit log, as administrators read it and everybody can check it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from models.audit import AuditCriteria, AuditRow
from models.roles import Role
from resolvers import audit
from resolvers.context import Context
from resolvers.identity import around
from resolvers.offices import exports
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Neighbour
from schema.links import Organisation
from schema.node import FETCHERS, Node, fetched_by, key_of

ActorArg = Annotated[strawberry.ID | None, strawberry.argument(description="Only what this neighbour did.")]
ActionArg = Annotated[
    str | None, strawberry.argument(description="Only this action, as in `publishNotice` or `unmask`.")
]
RefusedArg = Annotated[
    bool | None, strawberry.argument(description="Only refused attempts, or only what was done.")
]
SinceArg = Annotated[datetime | None, strawberry.argument(description="Only from this moment on.")]
UntilArg = Annotated[datetime | None, strawberry.argument(description="Only before this moment.")]

LOG = (
    "the newest first. Null with an error for everyone else, whose attempt is recorded as well."
    " An entry is never changed or removed."
)
CSV = (
    "as CSV, the oldest first, at most 10,000 entries,"
    " with pseudonyms for actors and without what people wrote. The export is recorded as an entry itself."
)


async def subjects_of(ctx: Context, rows: Sequence[AuditRow]) -> list[Any]:
    """What each entry is about, as far as the viewer may see it; a constant number of statements."""
    found: dict[UUID, Any] = {}
    for fetch in FETCHERS.values():
        missing = [id for id in dict.fromkeys(row.subject_id for row in rows) if id and id not in found]
        if not missing:
            break
        fetched = zip(missing, await fetch(ctx, missing), strict=True)
        found |= {id: subject for id, subject in fetched if subject is not None}
    return [found.get(row.subject_id) if row.subject_id else None for row in rows]


@fetched_by(audit.visible_by_ids)
@strawberry.type(description="Something that an office did, or that was refused.")
class AuditEntry(Node):
    number: int = strawberry.field(
        description="Its place in the community's chain, or in the party branch's own, from 1 without gaps."
    )
    at: datetime = strawberry.field(
        resolver=lambda root: root.created_at, description="When, to the microsecond."
    )
    actor: Neighbour | None = loaded(
        audit.actors_of, description="Who, as neighbours know them; null for the operator of the deployment."
    )
    organisation: Organisation | None = loaded(
        around.organisations, description="The actor's office; for who held none, the one that it was about."
    )
    action: str = strawberry.field(description="What, as in `publishNotice` or `unmask`.")
    subject: Node | None = loaded(
        subjects_of, description="What it was done to, as far as the viewer may see it.", viewer=True
    )
    refused: bool = strawberry.field(description="Whether it was refused; otherwise it was done.")
    detail: str = strawberry.field(description="Why, or what exactly; may be empty.")
    address: str = strawberry.field(
        description="From where: a keyed hash of the network address, equal for equal ones."
    )
    device: str = strawberry.field(description="With what: a keyed hash of the client's name for itself.")
    previous_hash: str = strawberry.field(description="The hash of the entry before it.")
    hash: str = strawberry.field(
        description="SHA-256 over all that the entry says and the hash before it, in hexadecimal digits."
    )

    @strawberry.field(description="What the actor was in the organisation at that moment.")
    @staticmethod
    def roles(root: strawberry.Parent[AuditRow]) -> list[Role]:
        return [Role(role) for role in root.roles.split(",") if role]

    is_type_of = IsA(AuditRow)


@strawberry.type(
    description="Where a community's audit log stands."
    " With a copy of it anyone can show later that nothing before it was changed or removed."
)
class AuditHead:
    hash: str = strawberry.field(
        description="The last entry's hash. How many there are is not said: some are no resident's business."
    )


def entries_wanted(
    actor_id: ActorArg = None,
    action: ActionArg = None,
    refused: RefusedArg = None,
    since: SinceArg = None,
    until: UntilArg = None,
) -> tuple[AuditCriteria]:
    actor = key_of("actorId", actor_id, "Neighbour") if actor_id else None
    since, until = audit.check_moments(since=since, until=until)
    return (AuditCriteria(actor, action, refused, since, until),)


@strawberry.type
class CommunityAudit:
    """What the audit log adds to a community."""

    audit_head: AuditHead | None = loaded(
        audit.heads_of,
        viewer=True,
        description="Where the community's audit log stands, for whoever may look into the community.",
    )
    audit_log: Connection[AuditEntry] | None = connection(
        audit.log_of_communities,
        arguments=entries_wanted,
        check=audit.check_may_read,
        viewer=True,
        description="What all offices but party branches did, for administrators of the residents' committee,"
        f" {LOG}",
    )
    audit_csv: str | None = loaded(
        exports.audit_of_communities,
        arguments=entries_wanted,
        check=audit.check_may_read,
        viewer=True,
        description=f"What `auditLog` holds {CSV}",
    )


@strawberry.type
class OrganisationAudit:
    """What the audit log adds to an organisation."""

    audit_log: Connection[AuditEntry] | None = connection(
        audit.log_of_organisations,
        arguments=entries_wanted,
        check=audit.check_may_read_of,
        viewer=True,
        description="What its officers did and what was refused to them. For its administrators and,"
        f" but for party branches, the residents' committee's, {LOG}",
    )
    audit_csv: str | None = loaded(
        exports.audit_of_organisations,
        arguments=entries_wanted,
        check=audit.check_may_read_of,
        viewer=True,
        description=f"What `auditLog` holds {CSV}",
    )
