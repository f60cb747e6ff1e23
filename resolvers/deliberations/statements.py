"""Statements: what residents say in a sentence, and who agrees with it.

Each resident has one vote on each statement, which may change as long as the phase lasts. A vote takes the
deliberation's row lock first: so the phase that allows it cannot end in between, and counters are exact.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from models import deliberations as rules
from models.base import new_id, now
from models.deliberations import (
    FEWEST_PARTICIPANTS,
    NEXT_STATEMENTS,
    STATEMENTS_BY_NUMBER,
    Act,
    DeliberationRow,
    StatementChoice,
    StatementRow,
    StatementVoteRow,
    statement_visible_to,
)
from models.identity import NeighbourRow
from models.messages import Message
from models.notifications import NotificationKind
from models.powers import Power, has_power, office_with
from models.storage.paging import Page, PageArgs
from models.storage.rows import EVERYTHING, NOTHING, Where, execute, select
from models.storage.tables import by_ids, insert, one, update
from resolvers import audit, identity, limits, notifications
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import analysis, steps, topics
from resolvers.deliberations.opinions import Tally
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, locked, only
from resolvers.masking import mask
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import Kind, Logged

LONGEST = 140
STATEMENTS_AN_HOUR = 20
MOST_STATEMENTS = 500
VOTES_A_MINUTE = 120

COUNTERS = {
    StatementChoice.AGREE: "agree_count",
    StatementChoice.DISAGREE: "disagree_count",
    StatementChoice.PASS: "pass_count",
}


def fingerprint(body: str) -> str:
    """A digest of what is said, without case, space and punctuation. Raises InvalidInput for nothing."""
    folded = unicodedata.normalize("NFKC", body).casefold()
    letters = "".join(character for character in folded if unicodedata.category(character)[0] in "LMN")
    if not letters:
        raise InvalidInput(body=Message("Must contain words"))
    return hashlib.sha256(letters.encode()).hexdigest()


# Writing


async def add(ctx: Context, *, deliberation_id: UUID, body: str, key: str) -> StatementRow:
    """Make a statement for others to vote on; with a key used before, the one made then.

    Raises InvalidInput, NotFound, NotAllowed (of another estate, or not in this phase), Conflict (somebody
    has said so already: `current` is that statement; or the key was used for something else), RateLimited.
    """
    account_id = ctx.account_id
    body = mask(" ".join(check_text("body", body, LONGEST).split()))
    digest = fingerprint(body)
    row = await topics.visible(ctx, deliberation_id)
    if not rules.can_suggest(ctx.viewer, row):
        raise NotAllowed(Message("Only those whom the deliberation is for may do this"))
    statement_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "addStatement", [deliberation_id, body], statement_id)
        if earlier is None:
            await limits.check_rate(ctx, "addStatement", STATEMENTS_AN_HOUR, 3600)
            row = await locked_when_allowed(deliberation_id, Act.SUGGEST)
            same = await one(
                StatementRow, Where("t.deliberation_id = ? AND t.fingerprint = ?", (row.id, digest))
            )
            if same:
                raise Conflict(Message("Somebody has said so already"), same)
            (counted,) = await execute(
                "UPDATE deliberation SET statement_count = statement_count + 1, last_number = last_number + 1"
                " WHERE id = ? RETURNING last_number",
                row.id,
            )
            number = int(counted["last_number"])
            if number > MOST_STATEMENTS:
                raise NotAllowed(Message("There are enough statements; vote on those that are there"))
            await insert(
                StatementRow(
                    id=statement_id,
                    community_id=row.community_id,
                    deliberation_id=row.id,
                    number=number,
                    author_id=account_id,
                    body=body,
                    fingerprint=digest,
                )
            )
            work.record(
                steps.event(Kind.STATEMENT_ADDED, row, statement_id),
                steps.event(Kind.DELIBERATION_PARTICIPATION, row, row.id),
            )
    return await existing(StatementRow, earlier or statement_id)


async def vote(ctx: Context, *, statement_id: UUID, choice: StatementChoice) -> StatementRow:
    """Say what one thinks of a statement, or something else than before; the same again changes nothing.

    Raises NotFound, NotAllowed (no resident there, not in this phase, or hidden), RateLimited.
    """
    account_id = ctx.account_id
    statement = await visible(ctx, statement_id)
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "voteOnStatement", VOTES_A_MINUTE, 60)
        row = await locked_when_allowed(statement.deliberation_id, Act.VOTE)
        if not await lives_there(account_id, row):
            raise NotAllowed(Message("Only verified residents whom the deliberation is for may vote"))
        if (await existing(StatementRow, statement_id)).hidden_at:
            raise NotAllowed(Message("The statement is hidden"))
        before = await vote_of(account_id, statement_id)
        if before is not choice:
            first = before is None and not await has_voted(account_id, row.id)
            await write_vote(account_id, statement, choice, before)
            await count(statement_id, choice, before)
            await execute(
                f"UPDATE deliberation SET vote_count = vote_count + {int(before is None)},"
                f" participant_count = participant_count + {int(first)} WHERE id = ? RETURNING id",
                row.id,
            )
            await analysis.request_analysis(row.id, analysis.PATIENCE)
            work.record(steps.event(Kind.DELIBERATION_PARTICIPATION, row, row.id))
    return await existing(StatementRow, statement_id)


async def set_hidden(ctx: Context, *, statement_id: UUID, hidden: bool, reason: str) -> StatementRow:
    """Take a statement out of the deliberation, or back in, with a reason; audited, and its author is told.

    The convenor may, and officers who moderate. Its votes stay and no longer count. Raises InvalidInput,
    NotFound, NotAllowed. To ask for what is so already changes nothing.
    """
    _ = ctx.account_id
    reason = check_text("reason", reason, topics.LONGEST_REASON, least=4)
    statement = await visible(ctx, statement_id)
    row = await topics.visible(ctx, statement.deliberation_id)
    action = "statement.hide" if hidden else "statement.restore"
    if not rules.can_hide(ctx.viewer, row):
        raise await audit.refuse(
            ctx, action, Message("Only the convenor or a moderator may do this"), row, subject_id=statement.id
        )
    async with ctx.unit_of_work() as work:
        row = await locked(DeliberationRow, row.id)
        changed = await execute(
            "UPDATE statement SET hidden_at = ?, hidden_by_id = ?, hidden_reason = ?"
            f" WHERE id = ? AND hidden_at IS {'NULL' if hidden else 'NOT NULL'} RETURNING id",
            now() if hidden else None,
            ctx.account_id if hidden else None,
            reason if hidden else "",
            statement.id,
        )
        if changed:
            await execute(
                f"UPDATE deliberation SET statement_count = statement_count {'-' if hidden else '+'} 1"
                " WHERE id = ? RETURNING id",
                row.id,
            )
            await audit.record(
                ctx,
                action,
                row,
                organisation_id=acting_office(ctx, row),
                subject_id=statement.id,
                detail=reason,
            )
            await analysis.request_analysis(row.id)
            work.record(
                steps.event(Kind.STATEMENT_CHANGED, row, statement.id),
                steps.event(Kind.DELIBERATION_PARTICIPATION, row, row.id),
            )
            if hidden:
                await notifications.notify(
                    work,
                    ctx,
                    NotificationKind.STATEMENT,
                    [statement.author_id],
                    statement,
                    actor_id=ctx.account_id,
                )
    return await existing(StatementRow, statement_id)


def acting_office(ctx: Context, row: DeliberationRow) -> UUID | None:
    """In whose name the viewer hides a statement."""
    if has_power(ctx.viewer, row.organisation_id, Power.CONVENE):
        return row.organisation_id
    return office_with(ctx.viewer, row.community_id, Power.MODERATE)


async def locked_when_allowed(deliberation_id: UUID, act: Act) -> DeliberationRow:
    """The deliberation, locked in a phase that allows `act`. Raises NotFound, and NotAllowed in any other."""
    row = await locked(DeliberationRow, deliberation_id)
    if not row.allows(act, now()):
        raise NotAllowed(Message("The deliberation is not in a phase that allows this"))
    return row


async def vote_of(account_id: UUID, statement_id: UUID) -> StatementChoice | None:
    found = await execute(
        "SELECT choice FROM statement_vote WHERE statement_id = ? AND account_id = ?",
        statement_id,
        account_id,
    )
    return StatementChoice(found[0]["choice"]) if found else None


async def has_voted(account_id: UUID, deliberation_id: UUID) -> bool:
    return bool(
        await execute(
            "SELECT id FROM statement_vote WHERE deliberation_id = ? AND account_id = ? LIMIT 1",
            deliberation_id,
            account_id,
        )
    )


async def write_vote(
    account_id: UUID, statement: StatementRow, choice: StatementChoice, before: StatementChoice | None
) -> None:
    if before is not None:
        await update(
            StatementVoteRow,
            Where("statement_id = ? AND account_id = ?", (statement.id, account_id)),
            choice=choice,
        )
        return
    await insert(
        StatementVoteRow(
            deliberation_id=statement.deliberation_id,
            statement_id=statement.id,
            account_id=account_id,
            choice=choice,
        )
    )


async def count(statement_id: UUID, choice: StatementChoice, before: StatementChoice | None) -> None:
    # Column names of ours.
    changes = [f"{COUNTERS[choice]} = {COUNTERS[choice]} + 1"]
    if before is not None:
        changes.append(f"{COUNTERS[before]} = {COUNTERS[before]} - 1")
    else:
        changes.append("vote_count = vote_count + 1")
    await execute(f"UPDATE statement SET {', '.join(changes)} WHERE id = ? RETURNING id", statement_id)


async def lives_there(account_id: UUID, row: DeliberationRow) -> bool:
    """Whether the account is a verified resident of where the deliberation is for."""
    estate = Where("b.estate_id = ?", (row.estate_id,)) if row.estate_id else EVERYTHING
    return bool(
        await execute(
            "SELECT r.id FROM residency r JOIN home h ON h.id = r.home_id"
            " JOIN building b ON b.id = h.building_id"
            f" WHERE r.account_id = ? AND r.community_id = ? AND r.until IS NULL AND {estate.text} LIMIT 1",
            account_id,
            row.community_id,
            *estate.params,
        )
    )


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[StatementRow | None]:
    """The statements with these ids, None for each that the viewer may not see."""
    return await by_ids(StatementRow, ids, statement_visible_to(ctx.viewer))


async def visible(ctx: Context, statement_id: UUID) -> StatementRow:
    """The statement. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [statement_id]))


async def shown_by_ids(ids: Sequence[UUID]) -> list[StatementRow | None]:
    """The statements that are not hidden; for who may see their deliberation."""
    return await by_ids(StatementRow, ids, Where("t.hidden_at IS NULL"))


class Naming(Protocol):
    """A part of an opinion map or an outcome that is about a statement."""

    @property
    def statement_id(self) -> UUID: ...


async def statements_named(_ctx: Context, named: Sequence[Naming]) -> list[StatementRow | None]:
    """The statement that each is about, None if it has been hidden since."""
    return await shown_by_ids([item.statement_id for item in named])


async def statements_of_events(_ctx: Context, events: Sequence[Logged]) -> list[StatementRow | None]:
    """The statement that each event is about, None if it is hidden."""
    return await shown_by_ids([logged.event.subject for logged in events])


async def statements_of(
    ctx: Context, rows: Sequence[DeliberationRow], hidden: bool, args: PageArgs
) -> list[Page[StatementRow]]:
    """A page of each deliberation's statements in order; of the hidden ones those that the viewer may see."""
    where = Where(f"t.hidden_at IS {'NOT NULL' if hidden else 'NULL'}")
    if hidden:
        where &= statement_visible_to(ctx.viewer)
    return await pages(
        StatementRow,
        [row.id for row in rows],
        by="deliberation_id",
        args=args,
        where=where,
        order=STATEMENTS_BY_NUMBER,
    )


async def next_statements_of(
    ctx: Context, rows: Sequence[DeliberationRow], args: PageArgs
) -> list[Page[StatementRow]]:
    """A page of the statements that the viewer has not voted on, those with the fewest votes first."""
    account_id = ctx.viewer.account_id
    unvoted = Where("t.hidden_at IS NULL") & Where(
        "NOT EXISTS (SELECT 1 FROM statement_vote v WHERE v.statement_id = t.id AND v.account_id = ?)",
        (account_id,),
    )
    return await pages(
        StatementRow,
        [row.id for row in rows],
        by="deliberation_id",
        args=args,
        where=unvoted if account_id else NOTHING,
        order=NEXT_STATEMENTS,
    )


@dataclass(slots=True)
class StatementVote:
    statement_id: UUID
    choice: StatementChoice


async def viewer_votes_of(ctx: Context, rows: Sequence[StatementRow]) -> list[StatementChoice | None]:
    """What the viewer thinks of each."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [None] * len(rows)
    found = await select(
        StatementVote,
        "SELECT statement_id, choice FROM statement_vote WHERE account_id = ? AND statement_id IN (?)",
        account_id,
        list(dict.fromkeys(row.id for row in rows)),
    )
    choices = {vote.statement_id: vote.choice for vote in found}
    return [choices.get(row.id) for row in rows]


@dataclass(slots=True)
class Count:
    id: UUID
    n: int


async def remaining_of(ctx: Context, rows: Sequence[DeliberationRow]) -> list[int]:
    """How many statements of each the viewer has not voted on."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [row.statement_count for row in rows]
    found = await select(
        Count,
        "SELECT v.deliberation_id AS id, count(*) AS n FROM statement_vote v"
        " JOIN statement s ON s.id = v.statement_id AND s.hidden_at IS NULL"
        " WHERE v.account_id = ? AND v.deliberation_id IN (?) GROUP BY v.deliberation_id",
        account_id,
        [row.id for row in rows],
    )
    voted = {item.id: item.n for item in found}
    return [row.statement_count - voted.get(row.id, 0) for row in rows]


async def residents_among(ctx: Context, rows: Sequence[DeliberationRow]) -> list[bool]:
    """Whether the viewer is a verified resident of where each is for, and the phase allows to vote."""
    account_id = ctx.viewer.account_id
    found = (
        await execute(
            "SELECT r.community_id, b.estate_id FROM residency r JOIN home h ON h.id = r.home_id"
            " JOIN building b ON b.id = h.building_id WHERE r.account_id = ? AND r.until IS NULL",
            account_id,
        )
        if account_id
        else []
    )
    held = {str(row[name]) for row in found for name in ("community_id", "estate_id")}
    return [str(row.scope_id) in held and row.allows(Act.VOTE, now()) for row in rows]


async def authors_of(ctx: Context, rows: Sequence[StatementRow]) -> list[NeighbourRow | None]:
    """Who made each, for themselves and for moderators; to others a statement speaks for itself."""
    known = [row for row in rows if rules.can_know_author(ctx.viewer, row)]
    faces = dict(zip([row.id for row in known], await identity.authors_of(ctx, known), strict=True))
    return [faces.get(row.id) for row in rows]


async def deliberations_of(_ctx: Context, rows: Sequence[StatementRow]) -> list[DeliberationRow | None]:
    return await by_ids(DeliberationRow, [row.deliberation_id for row in rows])


def tally_of(row: StatementRow) -> Tally | None:
    """How the votes fell; None while they are so few that they would tell who voted how."""
    if row.vote_count < FEWEST_PARTICIPANTS:
        return None
    return Tally(row.agree_count, row.disagree_count, row.pass_count)
