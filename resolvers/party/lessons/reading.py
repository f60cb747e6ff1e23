"""What is seen of lessons: by whom they are for, and of one's own progress by oneself."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.organisations import OrganisationRow
from models.party import lessons as rules
from models.party.lessons import (
    LESSONS,
    PartyLessonItemRow,
    PartyLessonRow,
    PartyLessonState,
    PartyQuizAttemptRow,
)
from models.powers import Power, has_power
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, select_ids
from models.storage.tables import by_ids, lists
from resolvers.context import Context
from resolvers.existing import only
from resolvers.paging import pages
from subscriptions.events import Logged


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyLessonRow | None]:
    """The lessons with these ids, None for each that the viewer may not see."""
    return await by_ids(PartyLessonRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, lesson_id: UUID) -> PartyLessonRow:
    """The lesson. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [lesson_id]))


async def items_by_ids(ids: Sequence[UUID]) -> list[PartyLessonItemRow | None]:
    return await by_ids(PartyLessonItemRow, ids, Where("t.removed_at IS NULL"))


async def items_visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyLessonItemRow | None]:
    """The items with these ids, None for each of a lesson that the viewer may not see."""
    items = await items_by_ids(ids)
    lessons = await visible_by_ids(ctx, [item.lesson_id for item in items if item])
    seen = {lesson.id for lesson in lessons if lesson}
    return [item if item and item.lesson_id in seen else None for item in items]


async def lessons_of(
    ctx: Context, branches: Sequence[OrganisationRow], state: PartyLessonState | None, args: PageArgs
) -> list[Page[PartyLessonRow]]:
    """The lessons of each branch that the viewer may see, the newest first."""
    where = rules.visible_to(ctx.viewer)
    if state is not None:
        where &= Where("t.state = ?", (state,))
    ids = [branch.id for branch in branches]
    return await pages(PartyLessonRow, ids, by="branch_id", args=args, where=where, order=LESSONS)


async def items_of(_ctx: Context, lessons: Sequence[PartyLessonRow]) -> list[list[PartyLessonItemRow]]:
    """The items of each lesson, in their order."""
    ids, kept = [lesson.id for lesson in lessons], Where("t.removed_at IS NULL")
    return await lists(PartyLessonItemRow, ids, kept, by="lesson_id", order="t.position")


async def lessons_around(ctx: Context, items: Sequence[PartyLessonItemRow]) -> list[PartyLessonRow | None]:
    """The lesson of each item."""
    return await by_ids(PartyLessonRow, [item.lesson_id for item in items])


async def lessons_of_events(_ctx: Context, events: Sequence[Logged]) -> list[PartyLessonRow | None]:
    """The lesson of each event, unless it is for fewer people by now."""
    rows = await by_ids(PartyLessonRow, [logged.event.subject for logged in events])
    return [
        row if row and row.scope_id in logged.event.audience else None
        for row, logged in zip(rows, events, strict=True)
    ]


# The viewer's own


async def done_by_viewer(ctx: Context, items: Sequence[PartyLessonItemRow]) -> list[bool]:
    """Whether the viewer has finished each."""
    rows = await select_ids(
        "SELECT item_id FROM party_lesson_progress WHERE account_id = ? AND item_id IN (?)",
        ctx.viewer.account_id,
        {item.id for item in items},
    )
    done = set(rows)
    return [item.id in done for item in items]


async def attempts_by_viewer(
    ctx: Context, items: Sequence[PartyLessonItemRow]
) -> list[list[PartyQuizAttemptRow]]:
    """The viewer's attempts at each, in their order."""
    ids, own = [item.id for item in items], Where("t.account_id = ?", (ctx.viewer.account_id,))
    return await lists(PartyQuizAttemptRow, ids, own, by="item_id", order="t.number")


async def keys_shown(ctx: Context, items: Sequence[PartyLessonItemRow]) -> list[list[list[int]] | None]:
    """The right options of each question, where they give nothing away: for who keeps the lessons, and for
    who has passed these very questions or may not try any more."""
    lessons = await lessons_around(ctx, items)
    attempts = await attempts_by_viewer(ctx, items)
    return [
        [right_options(question) for question in item.questions]
        if (lesson and has_power(ctx.viewer, lesson.branch_id, Power.PUBLISH_PARTY_CONTENT))
        or is_over(item, tried)
        else None
        for item, lesson, tried in zip(items, lessons, attempts, strict=True)
    ]


def is_over(item: PartyLessonItemRow, tried: Sequence[PartyQuizAttemptRow]) -> bool:
    """Whether whoever tried so often has nothing to gain from the key any more."""
    passed = any(row.passed and row.revision == item.revision for row in tried)
    return bool(tried) and (passed or len(tried) >= item.attempts)


def right_options(question: Mapping[str, Any]) -> list[int]:
    """The numbers of the right options, from 1."""
    return [number for number, option in enumerate(question["options"], 1) if option["correct"]]
