"""Certificates, and the record of who has finished a lesson."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from uuid import UUID

from models.base import now
from models.party import lessons as rules
from models.party.lessons import COMPLETIONS, PartyLessonCompletionRow, PartyLessonRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select, select_one
from models.storage.tables import by_ids, insert, update
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import NotFound
from resolvers.existing import only
from resolvers.identity.faces import faces_of
from resolvers.limits import Limit
from resolvers.paging import pages
from resolvers.party.lessons import reading
from subscriptions.events import Kind, Logged, event_about
from subscriptions.work import Work

CHINA = timezone(timedelta(hours=8))
# Without what is taken for something else.
LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CHECKS = (Limit(30, 60), Limit(300, 3600))


def new_number(at: datetime) -> str:
    """A certificate's number: its date in China, and eight letters that nobody guesses or counts by."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"{at.astimezone(CHINA):%Y%m%d}-{letters[:4]}-{letters[4:]}"


async def complete(work: Work, account_id: UUID, lesson: PartyLessonRow) -> None:
    """Give the account its certificate, once, if nothing required is left. Behind the lesson's lock."""
    left = await execute(
        "SELECT i.id FROM party_lesson_item i WHERE i.lesson_id = ? AND i.required AND i.removed_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM party_lesson_progress p WHERE p.item_id = i.id AND p.account_id = ?)"
        " LIMIT 1",
        lesson.id,
        account_id,
    )
    if left:
        return
    at = now()
    row = PartyLessonCompletionRow(
        created_at=at,
        community_id=lesson.community_id,
        branch_id=lesson.branch_id,
        lesson_id=lesson.id,
        account_id=account_id,
        number=new_number(at),
    )
    if await insert(row, "(lesson_id, account_id) DO NOTHING"):
        work.record(
            event_about(
                Kind.PARTY_LESSON_COMPLETED, row, {account_id}, facts={"branch": str(lesson.branch_id)}
            )
        )


async def show_name(ctx: Context, *, completion_id: UUID, shown: bool) -> PartyLessonCompletionRow:
    """Let whoever checks an own certificate see the name, or no longer. Raises NotFound."""
    changed = await update(
        PartyLessonCompletionRow,
        Where("id = ? AND account_id = ?", (completion_id, ctx.account_id)),
        name_shown=shown,
    )
    if not changed:
        raise NotFound
    return only(await visible_by_ids(ctx, [completion_id]))


# Checking a certificate


@dataclass(slots=True)
class Certificate:
    """What whoever has the number learns."""

    id: UUID
    community_id: UUID
    account_id: UUID
    name_shown: bool
    number: str
    created_at: datetime
    lesson: str
    branch: str


async def check(ctx: Context, number: str) -> Certificate | None:
    """The certificate with this number, for anyone. Raises RateLimited."""
    await limits.check_address(ctx, "checkPartyCertificate", *CHECKS)
    return await select_one(
        Certificate,
        "SELECT t.id, t.community_id, t.account_id, t.name_shown, t.number, t.created_at,"
        " l.title AS lesson, o.name AS branch FROM party_lesson_completion t"
        " JOIN party_lesson l ON l.id = t.lesson_id JOIN organisation o ON o.id = t.branch_id"
        " WHERE t.number = ?",
        number.strip().upper()[:20],
    )


async def names_shown(ctx: Context, certificates: Sequence[Certificate]) -> list[str | None]:
    """The display name of each holder who shows it."""
    shown = [(it.account_id if it.name_shown else None, it.community_id) for it in certificates]
    return [face.display_name if face else None for face in await faces_of(ctx, shown)]


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PartyLessonCompletionRow | None]:
    """The certificates with these ids, None for each that the viewer may not see."""
    return await by_ids(PartyLessonCompletionRow, ids, rules.completions_visible_to(ctx.viewer))


async def completions_of(
    ctx: Context, lessons: Sequence[PartyLessonRow], args: PageArgs
) -> list[Page[PartyLessonCompletionRow]]:
    """Who has finished each lesson, for who keeps the branch's records; empty for others."""
    return await pages(
        PartyLessonCompletionRow,
        [lesson.id for lesson in lessons],
        by="lesson_id",
        args=args,
        where=rules.records_visible_to(ctx.viewer),
        order=COMPLETIONS,
    )


async def own_of(ctx: Context, lessons: Sequence[PartyLessonRow]) -> list[PartyLessonCompletionRow | None]:
    """The viewer's certificate of each lesson."""
    own = Where("t.account_id = ?", (ctx.viewer.account_id,))
    return await by_ids(PartyLessonCompletionRow, [lesson.id for lesson in lessons], own, by="lesson_id")


async def lessons_around(
    ctx: Context, rows: Sequence[PartyLessonCompletionRow]
) -> list[PartyLessonRow | None]:
    """The lesson of each, unless it was withdrawn."""
    return await reading.visible_by_ids(ctx, [row.lesson_id for row in rows])


async def completions_of_events(
    ctx: Context, events: Sequence[Logged]
) -> list[PartyLessonCompletionRow | None]:
    return await visible_by_ids(ctx, [logged.event.subject for logged in events])


@dataclass(slots=True)
class Record:
    """How many have begun and finished a lesson, and how many of the branch's members."""

    lesson_id: UUID
    started: int = 0
    finished: int = 0
    members: int = 0
    members_finished: int = 0


async def records_of(ctx: Context, lessons: Sequence[PartyLessonRow]) -> list[Record | None]:
    """The record of each lesson by one statement, None for who does not keep the branch's records."""
    where = rules.records_visible_to(ctx.viewer)
    current = "m.branch_id = t.branch_id AND m.ended_at IS NULL"
    rows = await select(
        Record,
        "SELECT t.id AS lesson_id,"
        " (SELECT count(DISTINCT p.account_id) FROM party_lesson_progress p WHERE p.lesson_id = t.id)"
        " AS started,"
        " (SELECT count(*) FROM party_lesson_completion c WHERE c.lesson_id = t.id) AS finished,"
        f" (SELECT count(*) FROM party_member m WHERE {current}) AS members,"
        f" (SELECT count(*) FROM party_member m WHERE {current} AND EXISTS (SELECT 1 FROM"
        " party_lesson_completion c WHERE c.lesson_id = t.id AND c.account_id = m.account_id))"
        " AS members_finished"
        f" FROM party_lesson t WHERE t.id IN (?) AND ({where.text})",
        {lesson.id for lesson in lessons},
        *where.params,
    )
    found = {row.lesson_id: row for row in rows}
    return [found.get(lesson.id) for lesson in lessons]
