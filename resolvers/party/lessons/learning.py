"""Finishing items of a lesson. A quiz is graded here; the key to it never leaves before it is over."""

from typing import Any
from uuid import UUID

from models.base import new_id
from models.messages import Message
from models.party import lessons as rules
from models.party.lessons import (
    PartyLessonItemKind,
    PartyLessonItemRow,
    PartyLessonProgressRow,
    PartyLessonRow,
    PartyQuizAttemptRow,
)
from models.storage.tables import insert
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked, only
from resolvers.party.lessons import completing, keeping, reading
from resolvers.party.lessons.reading import right_options
from resolvers.retries import earlier_result
from subscriptions.work import Work


async def finish(ctx: Context, *, item_id: UUID) -> PartyLessonItemRow:
    """Say that one has read or seen an item; to say so again changes nothing.

    Raises InvalidInput (it is a quiz), NotFound, NotAllowed.
    """
    item, lesson = await learnable(ctx, item_id)
    if item.kind is PartyLessonItemKind.QUIZ:
        raise InvalidInput(itemId=Message("A quiz is finished by passing it"))
    async with ctx.unit_of_work() as work:
        await locked(PartyLessonRow, lesson.id)
        await record_finished(work, ctx, item, lesson)
    return item


async def submit(
    ctx: Context, *, item_id: UUID, revision: int, answers: list[list[int]], key: str
) -> tuple[PartyLessonItemRow, PartyQuizAttemptRow]:
    """Try a quiz: for each question the numbers of the options chosen, from 1.

    With a key used before, the attempt made then. Raises InvalidInput, NotFound, NotAllowed (no attempt is
    left), Conflict (the questions have changed, or it is passed already).
    """
    item, lesson = await learnable(ctx, item_id)
    if item.kind is not PartyLessonItemKind.QUIZ:
        raise InvalidInput(itemId=Message("Is no quiz"))
    if revision != item.revision:
        raise Conflict(keeping.CHANGED, item)
    graded = grade(item, answers)
    attempt_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "submitPartyQuiz", [item_id, revision, answers], attempt_id)
        if earlier is None:
            await locked(PartyLessonRow, lesson.id)
            if await record_attempt(ctx, attempt_id, item, graded):
                await record_finished(work, ctx, item, lesson)
    return item, await existing(PartyQuizAttemptRow, earlier or attempt_id)


async def learnable(ctx: Context, item_id: UUID) -> tuple[PartyLessonItemRow, PartyLessonRow]:
    """The item and its lesson, which the viewer may learn. Raises Unauthenticated, NotFound, NotAllowed."""
    _ = ctx.account_id
    item = only(await reading.items_by_ids([item_id]))
    lesson = await reading.visible(ctx, item.lesson_id)
    if not rules.can_learn(ctx.viewer, lesson):
        raise NotAllowed(Message("Only published lessons can be learnt, by members of the community"))
    return item, lesson


def grade(item: PartyLessonItemRow, answers: list[list[int]]) -> list[dict[str, Any]]:
    """What was chosen for each question, and whether that is right. Raises InvalidInput."""
    if len(answers) != len(item.questions):
        raise InvalidInput(answers=Message("Must answer each question"))
    graded = []
    for question, answer in zip(item.questions, answers, strict=True):
        chosen = sorted(set(answer))
        known = all(1 <= number <= len(question["options"]) for number in chosen)
        if not known or (len(chosen) > 1 and not question["multiple"]):
            raise InvalidInput(answers=Message("Holds an option that cannot be chosen"))
        graded.append({"chosen": chosen, "right": chosen == right_options(question)})
    return graded


async def record_attempt(
    ctx: Context, attempt_id: UUID, item: PartyLessonItemRow, graded: list[dict[str, Any]]
) -> bool:
    """Keep an attempt, behind the lesson's lock; whether it passes. Raises NotAllowed, Conflict."""
    (before,) = await reading.attempts_by_viewer(ctx, [item])
    if any(row.passed for row in before):
        raise Conflict(Message("You have passed this quiz already"), item)
    if len(before) >= item.attempts:
        raise NotAllowed(Message("No attempt is left"))
    score, total = sum(bool(answer["right"]) for answer in graded), len(graded)
    passed = score * 100 >= item.pass_percent * total
    made = await insert(
        PartyQuizAttemptRow(
            id=attempt_id,
            community_id=item.community_id,
            item_id=item.id,
            account_id=ctx.account_id,
            number=len(before) + 1,
            revision=item.revision,
            answers=graded,
            score=score,
            total=total,
            passed=passed,
        ),
        "(item_id, account_id, number) DO NOTHING",
    )
    if not made:
        raise Conflict(keeping.CHANGED, item)
    return passed


async def record_finished(work: Work, ctx: Context, item: PartyLessonItemRow, lesson: PartyLessonRow) -> None:
    """Keep that the viewer has finished an item, and the lesson, if that was the last one required."""
    await insert(
        PartyLessonProgressRow(
            community_id=item.community_id, lesson_id=lesson.id, item_id=item.id, account_id=ctx.account_id
        ),
        "(item_id, account_id) DO NOTHING",
    )
    await completing.complete(work, ctx.account_id, lesson)
