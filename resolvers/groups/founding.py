"""Making a group, its text, and its end."""

import json
from dataclasses import dataclass, replace
from uuid import UUID

from models import groups as rules
from models.base import new_id, now
from models.groups import GroupAccess, GroupAction, GroupRow
from models.memberships import MemberRole
from models.messages import Message
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers import identity, limits, search
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing
from resolvers.groups import people, reading, steps
from resolvers.masking import mask
from resolvers.memberships import dismiss, enrol, reload_rights
from resolvers.retries import earlier_result
from subscriptions.events import Kind, event_about

LONGEST_NAME = 40
LONGEST_DESCRIPTION = 1000
LONGEST_RULES = 2000
LONGEST_QUESTION = 100
MOST_QUESTIONS = 5
GROUPS_A_DAY = 5

CHANGED = Message("The group has changed meanwhile")
ONLY_OWNER = Message("Only its owner may do this")


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """What a group says of itself, and who may come in."""

    name: str
    description: str
    access: GroupAccess
    rules: str = ""
    questions: tuple[str, ...] = ()


async def found(ctx: Context, *, community_id: UUID, draft: GroupDraft, key: str) -> GroupRow:
    """Make a group that the viewer owns; with a key used before, the one made then.

    Raises InvalidInput, NotFound, NotAllowed (no member of the community), Conflict (the key was used
    for something else), RateLimited.
    """
    account_id = ctx.account_id
    draft = checked(draft)
    await identity.community_visible(ctx, community_id)
    if not rules.can_found(ctx.viewer, community_id):
        raise NotAllowed(Message("Only verified residents and officers of this community may found a group"))
    group_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "foundGroup", [community_id, draft], group_id)
        if earlier is None:
            await limits.check_rate(ctx, "foundGroup", GROUPS_A_DAY, 24 * 3600)
            group = GroupRow(
                id=group_id,
                community_id=community_id,
                scope_id=rules.scope_of(draft.access, community_id, group_id),
                access=draft.access,
                name=draft.name,
                description=draft.description,
                rules=draft.rules,
                questions=list(draft.questions),
                member_count=1,
            )
            await insert(group)
            await enrol(
                work,
                community_id=community_id,
                host_id=group_id,
                account_id=account_id,
                role=MemberRole.OWNER,
            )
            work.record(steps.group_changed(group))
    await reload_rights(ctx)
    return await reading.visible(ctx, earlier or group_id)


async def edit(ctx: Context, *, group_id: UUID, draft: GroupDraft, version: int) -> GroupRow:
    """Replace what a group says of itself. Only the owner says who may come in.

    Posts keep the audience that they were written for. Raises InvalidInput, NotFound, NotAllowed,
    Conflict.
    """
    draft = checked(draft)
    row = await reading.moderated_by_viewer(ctx, group_id)
    if draft.access is not row.access and not rules.can_own(ctx.viewer, group_id):
        raise NotAllowed(ONLY_OWNER)
    async with ctx.unit_of_work() as work:
        edited = await execute(
            "UPDATE interest_group SET name = ?, description = ?, access = ?, rules = ?, questions = ?,"
            " scope_id = ?, version = version + 1"
            " WHERE id = ? AND version = ? AND access = ? AND dissolved_at IS NULL RETURNING id",
            draft.name,
            draft.description,
            draft.access,
            draft.rules,
            json.dumps(draft.questions, ensure_ascii=False),
            rules.scope_of(draft.access, row.community_id, row.id),
            group_id,
            version,
            row.access,
        )
        if not edited:
            raise Conflict(CHANGED, row)
        work.record(steps.group_changed(await existing(GroupRow, group_id)))
    return await existing(GroupRow, group_id)


async def set_archived(ctx: Context, *, group_id: UUID, archived: bool) -> GroupRow:
    """Let a group rest, so that it is read only, or take it up again.

    To ask for what is so already changes nothing. Raises NotFound, NotAllowed.
    """
    row = await owned_by_viewer(ctx, group_id)
    async with ctx.unit_of_work() as work:
        changed = await execute(
            "UPDATE interest_group SET archived_at = ?, version = version + 1"
            f" WHERE id = ? AND archived_at IS {'NULL' if archived else 'NOT NULL'} RETURNING id",
            now() if archived else None,
            group_id,
        )
        if changed:
            await steps.record(work, ctx, row, GroupAction.ARCHIVED if archived else GroupAction.RESTORED)
            work.record(steps.group_changed(await existing(GroupRow, group_id)))
    return await existing(GroupRow, group_id)


async def dissolve(ctx: Context, *, group_id: UUID) -> GroupRow:
    """End a group for good: its posts go, its members are told. Raises Conflict, NotFound, NotAllowed."""
    row = await owned_by_viewer(ctx, group_id)
    async with ctx.unit_of_work() as work:
        # Posts before their group, as everywhere.
        await execute(
            "UPDATE post SET deleted_at = ?, pinned_at = NULL WHERE wall_id = ? AND deleted_at IS NULL",
            now(),
            group_id,
        )
        await search.forget_posts(group_id)
        ended = await execute(
            "UPDATE interest_group SET dissolved_at = ?, member_count = 0, request_count = 0,"
            " version = version + 1 WHERE id = ? AND dissolved_at IS NULL RETURNING id",
            now(),
            group_id,
        )
        if not ended:
            raise Conflict(CHANGED)
        members = await people.member_ids(group_id)
        await steps.record(work, ctx, row, GroupAction.DISSOLVED, told=members)
        for account_id in members:
            await dismiss(work, host_id=group_id, account_id=account_id)
        work.record(
            event_about(
                Kind.GROUP_DISSOLVED,
                row,
                {row.scope_id},
                subject=group_id,
                thread=group_id,
                facts={"wall": str(group_id)},
            )
        )
    return row


async def owned_by_viewer(ctx: Context, group_id: UUID) -> GroupRow:
    """The group, for its owner. Raises NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await reading.visible(ctx, group_id)
    if not rules.can_own(ctx.viewer, group_id):
        raise NotAllowed(ONLY_OWNER)
    return row


def checked(draft: GroupDraft) -> GroupDraft:
    """The draft as it is kept. Raises InvalidInput."""
    if len(draft.questions) > MOST_QUESTIONS:
        raise InvalidInput(questions=Message("At most {most}", most=MOST_QUESTIONS))
    return replace(
        draft,
        name=mask(" ".join(check_text("name", draft.name, LONGEST_NAME, least=2).split())),
        description=mask(check_text("description", draft.description, LONGEST_DESCRIPTION)),
        rules=mask(check_text("rules", draft.rules, LONGEST_RULES, least=0)),
        questions=tuple(check_text("questions", text, LONGEST_QUESTION) for text in draft.questions),
    )
