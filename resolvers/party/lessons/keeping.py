"""Writing lessons, publishing them, withdrawing them: in the name of the branch."""

from dataclasses import asdict
from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.party.lessons import PartyLessonItemRow, PartyLessonRow, PartyLessonState, scope_of
from models.powers import Power
from models.storage.rows import Where, execute
from models.storage.tables import by_ids, every, insert, update
from resolvers import audit, notifications
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import change_as_read
from resolvers.party.branches import branch_with_power, check_power, members_in
from resolvers.party.lessons import reading
from resolvers.party.lessons.drafts import ItemDraft, LessonDraft, checked
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work

CHANGED = Message("It has been changed meanwhile")


async def create(ctx: Context, *, branch_id: UUID, draft: LessonDraft, key: str) -> PartyLessonRow:
    """Write a lesson that nobody but the branch's officers sees yet; with a key used before, that one.

    Raises InvalidInput, NotFound, NotAllowed, Conflict (the key was used for something else).
    """
    branch = await branch_with_power(ctx, branch_id, Power.PUBLISH_PARTY_CONTENT, "party.createLesson")
    draft = checked(draft)
    if any(item.id for item in draft.items):
        raise InvalidInput(items=Message("Holds an item that is not of this lesson"))
    lesson_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "createPartyLesson", [branch_id, draft], lesson_id)
        if earlier is None:
            await write_lesson(ctx, work, lesson_id, branch, draft)
    return await reading.visible(ctx, earlier or lesson_id)


async def write_lesson(
    ctx: Context, work: Work, lesson_id: UUID, branch: OrganisationRow, draft: LessonDraft
) -> None:
    row = PartyLessonRow(
        id=lesson_id,
        community_id=branch.community_id,
        branch_id=branch.id,
        scope_id=branch.id,
        author_id=ctx.account_id,
        audience=draft.audience,
        title=draft.title,
        summary=draft.summary,
    )
    await insert(row)
    await write_items(row, draft.items)
    await audit.record(ctx, "party.createLesson", row)
    work.record(event(Kind.PARTY_LESSON_CHANGED, row))


async def edit(ctx: Context, *, lesson_id: UUID, version: int, draft: LessonDraft) -> PartyLessonRow:
    """Replace what a lesson says. Items that are named keep who has finished them.

    A published lesson stays so. Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    row = await editable(ctx, lesson_id, "party.editLesson")
    draft = checked(draft)
    if row.state is PartyLessonState.PUBLISHED:
        check_publishable(draft.items)
    async with ctx.unit_of_work() as work:
        scope = scope_of(row.community_id, row.branch_id, draft.audience, row.state)
        await change_as_read(
            row,
            version,
            CHANGED,
            title=draft.title,
            summary=draft.summary,
            audience=draft.audience,
            scope_id=scope,
        )
        await write_items(row, draft.items)
        await audit.record(ctx, "party.editLesson", row)
        (after,) = await by_ids(PartyLessonRow, [row.id])
        if row.scope_id != scope:
            work.record(event(Kind.PARTY_LESSON_WITHDRAWN, row))
        work.record(event(Kind.PARTY_LESSON_CHANGED, after or row))
    return await reading.visible(ctx, row.id)


async def publish(ctx: Context, *, lesson_id: UUID, version: int) -> PartyLessonRow:
    """Show a lesson to those whom it is for, and tell the members.

    Raises InvalidInput (nothing in it is required), NotFound, NotAllowed, Conflict.
    """
    row = await editable(ctx, lesson_id, "party.publishLesson")
    (items,) = await reading.items_of(ctx, [row])
    check_publishable(items)
    if row.state is PartyLessonState.PUBLISHED:
        raise Conflict(CHANGED, row)
    async with ctx.unit_of_work() as work:
        state = PartyLessonState.PUBLISHED
        scope = scope_of(row.community_id, row.branch_id, row.audience, state)
        await change_as_read(row, version, CHANGED, state=state, scope_id=scope, published_at=now())
        await audit.record(ctx, "party.publishLesson", row)
        row.scope_id = scope
        work.record(event(Kind.PARTY_LESSON_PUBLISHED, row))
        await notifications.notify(
            work,
            ctx,
            NotificationKind.PARTY_LESSON,
            await members_in(row.branch_id),
            row,
            actor_id=ctx.account_id,
        )
    return await reading.visible(ctx, row.id)


async def withdraw(ctx: Context, *, lesson_id: UUID, version: int) -> PartyLessonRow:
    """Take a lesson back; certificates stay good. Raises NotFound, NotAllowed, Conflict."""
    row = await editable(ctx, lesson_id, "party.withdrawLesson")
    if row.state is not PartyLessonState.PUBLISHED:
        raise Conflict(CHANGED, row)
    async with ctx.unit_of_work() as work:
        await change_as_read(row, version, CHANGED, state=PartyLessonState.WITHDRAWN, scope_id=row.branch_id)
        await audit.record(ctx, "party.withdrawLesson", row)
        work.record(event(Kind.PARTY_LESSON_WITHDRAWN, row))
    return await reading.visible(ctx, row.id)


async def editable(ctx: Context, lesson_id: UUID, action: str) -> PartyLessonRow:
    """The lesson, for who keeps the branch's. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    row = await reading.visible(ctx, lesson_id)
    await check_power(ctx, row.community_id, row.branch_id, Power.PUBLISH_PARTY_CONTENT, action, row.id)
    return row


def check_publishable(items: tuple[ItemDraft, ...] | list[PartyLessonItemRow]) -> None:
    if not any(item.required for item in items):
        raise InvalidInput(items=Message("A lesson has at least one required item"))


async def write_items(row: PartyLessonRow, drafts: tuple[ItemDraft, ...]) -> None:
    """Make these the lesson's items, behind its lock. Raises InvalidInput for an item that is not of it."""
    items = await every(PartyLessonItemRow, Where("t.lesson_id = ? AND t.removed_at IS NULL", (row.id,)))
    before = {item.id: item for item in items}
    named = [draft.id for draft in drafts if draft.id]
    if len(set(named)) < len(named) or not before.keys() >= set(named):
        raise InvalidInput(items=Message("Holds an item that is not of this lesson"))
    gone = before.keys() - set(named)
    if gone:
        await update(PartyLessonItemRow, Where("id IN (?)", (gone,)), removed_at=now())
    for position, draft in enumerate(drafts, 1):
        if draft.id:
            await rewrite_item(before[draft.id], draft, position)
        else:
            await add_item(row, draft, position)


async def add_item(row: PartyLessonRow, draft: ItemDraft, position: int) -> None:
    await insert(
        PartyLessonItemRow(
            community_id=row.community_id,
            lesson_id=row.id,
            position=position,
            kind=draft.kind,
            title=draft.title,
            body=draft.body,
            url=draft.url,
            required=draft.required,
            pass_percent=draft.pass_percent,
            attempts=draft.attempts,
            questions=[asdict(question) for question in draft.questions],
        )
    )


async def rewrite_item(item: PartyLessonItemRow, draft: ItemDraft, position: int) -> None:
    if draft.kind is not item.kind:
        raise InvalidInput(items=Message("An item keeps its kind"))
    await execute(
        "UPDATE party_lesson_item SET position = ?, title = ?, body = ?, url = ?, required = ?,"
        " pass_percent = ?, attempts = ?, questions = ?,"
        " revision = revision + CASE WHEN questions = ? THEN 0 ELSE 1 END WHERE id = ? RETURNING id",
        position,
        draft.title,
        draft.body,
        draft.url,
        draft.required,
        draft.pass_percent,
        draft.attempts,
        draft.key,
        draft.key,
        item.id,
    )


def event(kind: Kind, row: PartyLessonRow) -> Event:
    """For whoever may see the lesson as `row` has it."""
    return event_about(kind, row, {row.scope_id}, facts={"branch": str(row.branch_id)})
