"""What offices take with them as CSV: figures and entries, and no person.

An entry's actor is a pseudonym, the same one throughout a deployment: it shows what one person did and not
who that is. What people wrote as their reason stays behind, since it may name somebody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.audit import AuditCriteria, AuditRow, can_see_audit_of
from models.identity import CommunityRow
from models.messages import Message
from models.notices import NoticeCategory
from models.organisations import OrganisationRow
from models.powers import Power
from models.storage.rows import Where, columns, select
from models.storage.settled import settled
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.identity.addresses import organisations_by_id
from resolvers.notices.words import CATEGORIES
from resolvers.offices.statistics import SUMS, OfficeStatistics, may_see, sent_notices
from resolvers.offices.words import ROLES
from resolvers.tables import table

# More is asked for period by period.
MOST_ENTRIES = 10_000

AUDIT_HEADS = (
    Message("Number"),
    Message("Time (UTC)"),
    Message("Office"),
    Message("Roles"),
    Message("Actor's pseudonym"),
    Message("Action"),
    Message("Outcome"),
    Message("Subject"),
    Message("Hash"),
)
NOTICES_HEADS = (
    Message("Category"),
    Message("Estate"),
    Message("Building"),
    Message("Notices"),
    Message("Homes addressed"),
    Message("Delivered to"),
    Message("Seen by"),
    Message("Acknowledged by"),
    Message("Told in person"),
)


async def audit_of_communities(
    ctx: Context, communities: Sequence[CommunityRow], wanted: AuditCriteria
) -> list[str]:
    """The log of each community, the oldest first. Raises NotFound, NotAllowed, InvalidInput."""
    for community in communities:
        await audit.check_may_read(ctx, community)
    return [await table_of(ctx, row.id, None, wanted, Where("t.chain = ?", (row.id,))) for row in communities]


async def audit_of_organisations(
    ctx: Context, organisations: Sequence[OrganisationRow], wanted: AuditCriteria
) -> list[str]:
    """What each organisation did, the oldest first. Raises NotAllowed, InvalidInput."""
    texts = []
    for row in organisations:
        if not can_see_audit_of(ctx.viewer, row):
            raise await audit.refused_reading(ctx, row.community_id, row.id)
        own = Where("t.organisation_id = ?", (row.id,))
        texts.append(await table_of(ctx, row.community_id, row.id, wanted, own))
    return texts


async def table_of(
    ctx: Context, community_id: UUID, organisation_id: UUID | None, wanted: AuditCriteria, where: Where
) -> str:
    where &= wanted.where([community_id])
    rows = await select(
        AuditRow,
        f"SELECT {columns(AuditRow)} FROM audit_entry t WHERE {where.text}"
        f" ORDER BY t.number LIMIT {MOST_ENTRIES + 1}",
        *where.params,
    )
    if len(rows) > MOST_ENTRIES:
        raise InvalidInput(
            until=Message("More than {most} entries; choose a shorter period", most=MOST_ENTRIES)
        )
    offices = await organisations_by_id(ctx, [row.organisation_id for row in rows])
    roles = {role.value: name.in_language(ctx.language) for role, name in ROLES.items()}
    # To take it away is an act of the office as well.
    await settled(
        audit_export(ctx, community_id, organisation_id, Message("{count} entries", count=len(rows)))
    )
    return table(
        ctx.language,
        AUDIT_HEADS,
        (
            [
                row.number,
                row.created_at.isoformat(timespec="microseconds"),
                office and office.name,
                " / ".join(roles[role] for role in row.roles.split(",") if role),
                audit.keyed(ctx, "audit-export", str(row.account_id) if row.account_id else None),
                row.action,
                Message("refused") if row.refused else Message("done"),
                row.subject_id,
                row.hash,
            ]
            for row, office in zip(rows, offices, strict=True)
        ),
    )


async def audit_export(ctx: Context, community_id: UUID, organisation_id: UUID | None, detail: str) -> None:
    async with ctx.unit_of_work():
        await audit.record(
            ctx, "exportAuditLog", community_id=community_id, organisation_id=organisation_id, detail=detail
        )


@dataclass(slots=True)
class Line:
    organisation_id: UUID
    category: NoticeCategory
    estate: str
    building: str
    notices: int
    targeted: int
    delivered: int
    seen: int
    acknowledged: int
    in_person: int


async def notices_of(ctx: Context, parents: Sequence[OfficeStatistics]) -> list[str | None]:
    """Each office's figures by category and building, None for who may not see them."""
    await audit.note_reading(
        ctx,
        "noticesCsv",
        [parent.organisation for parent in parents],
        lambda row: may_see(ctx, row, Power.SEE_REACH),
    )
    texts: list[str | None] = []
    for parent in parents:
        if not may_see(ctx, parent.organisation, Power.SEE_REACH):
            texts.append(None)
            continue
        rows = await select(
            Line,
            f"WITH sent AS ({sent_notices()}) SELECT s.organisation_id, s.category, e.name AS estate,"
            f" g.name AS building, COUNT(DISTINCT s.id) AS notices, {SUMS} FROM sent s"
            " JOIN building g ON g.id = s.building_id JOIN estate e ON e.id = g.estate_id"
            " GROUP BY s.organisation_id, s.category, e.name, g.name, g.id ORDER BY s.category, g.id",
            {parent.organisation.id},
            parent.since,
            parent.until,
        )
        texts.append(table(ctx.language, NOTICES_HEADS, map(cells, rows)))
    return texts


def cells(row: Line) -> list[object]:
    figures = (row.notices, row.targeted, row.delivered, row.seen, row.acknowledged, row.in_person)
    return [CATEGORIES[row.category], row.estate, row.building, *figures]
