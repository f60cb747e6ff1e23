"""Organisations of a community: made by its residents' committee, renamed by it or by themselves."""

from uuid import UUID

from models.base import new_id
from models.identity import CommunityRow, GridRow
from models.messages import Message
from models.organisations import OrganisationRow, can_found, can_rename
from models.powers import Power
from models.roles import OrganisationKind
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import locked
from resolvers.identity.addresses import community_visible
from resolvers.organisations import organisation_for, organisations_of_ids
from resolvers.retries import earlier_result

TAKEN = Message("There is one of this name already")
LONGEST_NAME = 80


async def create_organisation(
    ctx: Context, *, community_id: UUID, kind: OrganisationKind, name: str, key: str
) -> OrganisationRow:
    """Make an organisation, which has no officers yet.

    Raises Conflict, NotFound, NotAllowed, InvalidInput.
    """
    _ = ctx.account_id
    await community_visible(ctx, community_id)
    if not can_found(ctx.viewer, community_id):
        raise await audit.refuse(
            ctx,
            "createOrganisation",
            Message("Only administrators of the residents' committee may do this"),
            community_id=community_id,
        )
    name = check_name(name)
    if kind is OrganisationKind.RESIDENTS_COMMITTEE:
        raise InvalidInput(kind=Message("A community has one residents' committee"))
    organisation_id = new_id()
    async with ctx.unit_of_work():
        body = [community_id, kind, name]
        earlier = await earlier_result(ctx, key, "createOrganisation", body, organisation_id)
        if earlier is None:
            made = await insert(
                OrganisationRow(id=organisation_id, community_id=community_id, kind=kind, name=name),
                "(community_id, name) DO NOTHING",
            )
            if not made:
                raise InvalidInput(name=TAKEN)
            await audit.record(
                ctx,
                "createOrganisation",
                community_id=community_id,
                power=Power.FOUND_OFFICES,
                subject_id=organisation_id,
                detail=f"{kind.value} {name}",
            )
    (row,) = await organisations_of_ids([earlier or organisation_id])
    return row


async def rename_organisation(
    ctx: Context, *, organisation_id: UUID, version: int, name: str
) -> OrganisationRow:
    """Give an organisation another name. Raises NotFound, NotAllowed, InvalidInput, Conflict."""
    row = await organisation_for(ctx, organisation_id)
    if not can_rename(ctx.viewer, row):
        raise await audit.refuse(
            ctx, "renameOrganisation", Message("Only an administrator of the organisation may do this"), row
        )
    name = check_name(name)
    async with ctx.unit_of_work():
        await locked(CommunityRow, row.community_id)
        await check_free("organisation", row.community_id, name, row.id)
        await raise_version("organisation", row, version, name)
        await audit.record(ctx, "renameOrganisation", row, subject_id=row.id, detail=name)
    (after,) = await organisations_of_ids([row.id])
    return after


def check_name(name: str) -> str:
    """A name on one line. Raises InvalidInput."""
    kept = check_text("name", name, LONGEST_NAME)
    if "\n" in kept or "\t" in kept:
        raise InvalidInput(name=Message("Must be one line"))
    return kept


async def check_free(table: str, community_id: UUID, name: str, own: UUID) -> None:
    """Raises InvalidInput if another row of `table` has the name. Call it behind the community's lock."""
    if await execute(
        f"SELECT id FROM {table} WHERE community_id = ? AND name = ? AND id <> ?", community_id, name, own
    ):
        raise InvalidInput(name=TAKEN)


async def raise_version(
    table: str, row: OrganisationRow | GridRow, version: int, name: str | None = None
) -> None:
    """Take the row from `version` to the next, with another name if one is given. Raises Conflict."""
    changed = await execute(
        f"UPDATE {table} SET version = version + 1, name = coalesce(?, name) WHERE id = ? AND version = ?"
        " RETURNING id",
        name,
        row.id,
        version,
    )
    if not changed:
        raise Conflict(Message("It has been changed meanwhile"), row)
