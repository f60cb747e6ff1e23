"""Looking for things. The index says where they may be; each domain says whether the viewer sees them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from models import search
from models.identity import CommunityRow
from models.messages import Message
from models.posts import equal_to_any
from models.search import FoundRow, SearchKind
from models.storage.paging import Page, PageArgs
from resolvers import posts
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.deliberations import topics
from resolvers.errors import InvalidInput
from resolvers.notices import reading
from resolvers.paging import pages

SHORTEST_WORD = 2
LONGEST_WORDS = 100

Fetch = Callable[[Context, Sequence[UUID]], Awaitable[Sequence[Any]]]

FETCHERS: dict[SearchKind, Fetch] = {
    SearchKind.POST: posts.visible_by_ids,
    SearchKind.NOTICE: reading.visible_by_ids,
    SearchKind.DELIBERATION: topics.visible_by_ids,
}


async def found_in(
    ctx: Context,
    communities: Sequence[CommunityRow],
    words: str,
    kinds: frozenset[SearchKind] | None,
    args: PageArgs,
) -> list[Page[FoundRow]]:
    """A page of what has all of `words` in each community and the viewer may see, the newest first.

    Raises InvalidInput unless there are two letters or digits side by side to look for.
    """
    wanted = search.bigrams(check_text("words", words, LONGEST_WORDS))
    if not wanted:
        raise InvalidInput(words=Message("At least {least} characters", least=SHORTEST_WORD))
    where = search.visible_to(ctx.viewer) & search.containing_all(wanted)
    if kinds is not None:
        where &= equal_to_any("t.kind", kinds)
    return await pages(
        FoundRow,
        [community.id for community in communities],
        table="search_entry",
        by="community_id",
        args=args,
        where=where,
    )


async def subjects_of(ctx: Context, rows: Sequence[FoundRow]) -> list[Any]:
    """What was found, by one call a kind; None for what has gone in the meantime."""
    found: dict[UUID, Any] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        ids = [row.id for row in rows if row.kind is kind]
        found |= dict(zip(ids, await FETCHERS[kind](ctx, ids), strict=True))
    return [found[row.id] for row in rows]
