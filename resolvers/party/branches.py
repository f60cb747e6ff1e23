"""Party branches, and who may do what in their name."""

from collections.abc import Sequence
from uuid import UUID

from models.memberships import still_in_community
from models.messages import Message
from models.organisations import OrganisationRow
from models.party.audience import BranchAudience, scope_of
from models.party.members import belongs_to_branch
from models.powers import Power, has_power
from models.roles import OrganisationKind
from models.storage.rows import select_ids
from resolvers import audit, organisations
from resolvers.context import Context
from resolvers.errors import NotAllowed, NotFound

MEMBERS_ONLY = Message("Only members of the branch may do this")
NO_POWER = Message("Only officers of the branch with this power may do this")


async def branch_for(ctx: Context, branch_id: UUID) -> OrganisationRow:
    """The party branch, for who belongs to its community. Raises Unauthenticated, NotFound."""
    branch = await organisations.organisation_for(ctx, branch_id)
    if branch.kind is not OrganisationKind.PARTY_BRANCH or not ctx.viewer.belongs_to(branch.community_id):
        raise NotFound
    return branch


async def own_branch(ctx: Context, branch_id: UUID) -> OrganisationRow:
    """The party branch, for its members and officers. Raises Unauthenticated, NotFound, NotAllowed."""
    branch = await branch_for(ctx, branch_id)
    if not belongs_to_branch(ctx.viewer, branch.id):
        raise NotAllowed(MEMBERS_ONLY)
    return branch


async def followable(
    ctx: Context, branch_id: UUID, audience: BranchAudience
) -> tuple[OrganisationRow, frozenset[UUID]]:
    """The branch, and the scopes of which one must be held as long as its stream is open.

    Raises Unauthenticated, NotFound; NotAllowed for who asks for what is for members, and is none.
    """
    if audience is BranchAudience.MEMBERS:
        branch = await own_branch(ctx, branch_id)
    else:
        branch = await branch_for(ctx, branch_id)
    return branch, frozenset({scope_of(audience, branch)})


async def branch_with_power(ctx: Context, branch_id: UUID, power: Power, action: str) -> OrganisationRow:
    """The party branch in whose name the viewer may do this.

    Raises Unauthenticated, NotFound; NotAllowed, and keeps the attempt.
    """
    branch = await branch_for(ctx, branch_id)
    if not has_power(ctx.viewer, branch.id, power):
        raise await audit.refuse(ctx, action, NO_POWER, branch)
    return branch


async def check_power(
    ctx: Context, community_id: UUID, branch_id: UUID, power: Power, action: str, subject_id: UUID
) -> None:
    """That the viewer, who sees something of the branch's, may do this with it.

    Raises NotAllowed, and keeps the attempt of an officer. Of a member it is not kept: an entry would say
    who is one.
    """
    if has_power(ctx.viewer, branch_id, power):
        return
    if branch_id not in ctx.viewer.offices:
        raise NotAllowed(NO_POWER)
    raise await audit.refuse(
        ctx, action, NO_POWER, community_id=community_id, organisation_id=branch_id, subject_id=subject_id
    )


async def note_reading(
    ctx: Context, action: str, branches: Sequence[OrganisationRow], power: Power | None = None
) -> None:
    """Keep that an officer of a branch reads who is in a list of it, or lacks the power to.

    Of others nothing is kept: an entry would say who is a member.
    """
    await audit.note_reading(
        ctx,
        action,
        [branch for branch in branches if branch.id in ctx.viewer.offices],
        lambda branch: power is None or has_power(ctx.viewer, branch.id, power),
    )


async def members_in(branch_id: UUID) -> list[UUID]:
    """Who belongs to the branch and to its community now."""
    return await select_ids(
        "SELECT m.account_id FROM membership m WHERE m.host_id = ? AND m.left_at IS NULL"
        f" AND {still_in_community('m')} ORDER BY m.id",
        branch_id,
    )
