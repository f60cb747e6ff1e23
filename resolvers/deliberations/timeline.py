"""One case on one line of time: the complaint, the phases, the outcome, each public step that followed."""

from collections.abc import Sequence

from models.deliberations import TIMELINE, TIMELINE_ENTRIES, DeliberationRow, TimelineRow
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where
from models.visibility import held_by
from resolvers.context import Context
from resolvers.paging import pages


async def timelines_of(
    ctx: Context, rows: Sequence[DeliberationRow], args: PageArgs
) -> list[Page[TimelineRow]]:
    """A page of each case's timeline, oldest first, as far as the viewer may see."""
    return await pages(
        TimelineRow,
        [row.id for row in rows],
        table=TIMELINE_ENTRIES,
        by="deliberation_id",
        args=args,
        where=Where("t.scope_id IS NULL") | held_by(ctx.viewer),
        order=TIMELINE,
    )
