"""What the convenor concludes, citing statements with the figures that they had."""

from collections.abc import Sequence
from uuid import UUID

from models.base import now
from models.deliberations import Act, CitationRow, DeliberationAction, DeliberationRow, StatementRow
from models.identity import NeighbourRow
from models.messages import Message
from models.posts import SubjectKind
from models.storage.rows import execute
from models.storage.tables import insert, lists
from resolvers import audit, identity
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import statements, steps, topics
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import existing
from resolvers.masking import mask

LONGEST = 10_000
MOST_CITED = 50


async def publish(
    ctx: Context, *, deliberation_id: UUID, body: str, cited: Sequence[UUID], version: int
) -> DeliberationRow:
    """Write a deliberation's outcome, or a new version of it; whoever takes part is told.

    `version` is that of the outcome that was read, 0 for none. Raises InvalidInput, NotFound, NotAllowed (not
    the convenor, or not in this phase), Conflict (another officer has written meanwhile).
    """
    body = mask(check_text("body", body, LONGEST))
    if len(cited) > MOST_CITED or len(set(cited)) != len(cited):
        raise InvalidInput(citedStatementIds=Message("At most {most}, each once", most=MOST_CITED))
    row = await topics.led_by_viewer(ctx, deliberation_id, "deliberation.outcome")
    async with ctx.unit_of_work() as work:
        before = await statements.locked_when_allowed(row.id, Act.CONCLUDE)
        found = await statements_cited(before, cited)
        changed = await execute(
            "UPDATE deliberation SET outcome = ?, outcome_by_id = ?, outcome_published_at = ?,"
            " outcome_version = outcome_version + 1, version = version + 1"
            " WHERE id = ? AND outcome_version = ? RETURNING id",
            body,
            ctx.account_id,
            now(),
            row.id,
            version,
        )
        if not changed:
            raise Conflict(Message("The outcome has been written meanwhile"), row)
        if before.outcome_version:
            await feed.keep_revision(SubjectKind.DELIBERATION, row.id, before.outcome)
        await cite(before, found)
        after = await existing(DeliberationRow, row.id)
        revised = before.outcome_version > 0
        await steps.record(
            work,
            ctx,
            after,
            DeliberationAction.OUTCOME_REVISED if revised else DeliberationAction.OUTCOME_PUBLISHED,
            told=await steps.participants(after),
        )
        await audit.record(
            ctx,
            "deliberation.outcome",
            after,
            detail=Message("version {version}", version=after.outcome_version),
        )
    return await topics.visible(ctx, deliberation_id)


async def statements_cited(row: DeliberationRow, cited: Sequence[UUID]) -> list[StatementRow]:
    found = [
        statement
        for statement in await statements.shown_by_ids(cited)
        if statement is not None and statement.deliberation_id == row.id
    ]
    if len(found) != len(cited):
        raise InvalidInput(citedStatementIds=Message("Holds what is no statement of this deliberation"))
    return found


async def cite(row: DeliberationRow, cited: Sequence[StatementRow]) -> None:
    await execute("DELETE FROM outcome_citation WHERE deliberation_id = ? RETURNING id", row.id)
    for position, statement in enumerate(cited):
        await insert(
            CitationRow(
                deliberation_id=row.id,
                statement_id=statement.id,
                position=position,
                agree_count=statement.agree_count,
                disagree_count=statement.disagree_count,
                pass_count=statement.pass_count,
            )
        )


# Reading


async def citations_of(_ctx: Context, rows: Sequence[DeliberationRow]) -> list[list[CitationRow]]:
    """The statements that each outcome cites, in its order."""
    return await lists(CitationRow, [row.id for row in rows], by="deliberation_id", order="t.position")


async def writers_of(ctx: Context, rows: Sequence[DeliberationRow]) -> list[NeighbourRow | None]:
    """Who wrote each outcome last."""
    return await identity.faces_of(ctx, [(row.outcome_by_id, row.community_id) for row in rows])
