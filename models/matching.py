"""Lost and found: which posts may be about the same thing, and why."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from models.base import CommunityTable
from models.posts import PostKind, PostRow
from models.search import bigrams
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import Where
from models.visibility import Viewer, held_by, public_of

OPPOSITE = {PostKind.LOST: PostKind.FOUND, PostKind.FOUND: PostKind.LOST}
# How far back is looked, and at how many posts.
SPAN = timedelta(days=60)
MOST_CANDIDATES = 200
MOST_MATCHES = 5

# What each likeness counts at most, together a hundred; and what makes a match.
WORDS, PLACE, TIME = 60, 20, 20
FEWEST_WORDS = 12
LEAST_SCORE = 35
MOST_SHARED = 8
# What is said of anything that is lost or found says nothing.
COMMON = frozenset(
    bigrams(
        "谁丢了的 捡到 拾到 丢失 遗失 寻物 招领 失主 请联系 联系我 谢谢 有没有人 看到 一个 一只 一把 一本"
    )
)


class PostMatchRow(CommunityTable):
    """One row for each of the two posts, so that each finds the other."""

    post_id: UUID = fields.UUIDField()
    other_id: UUID = fields.UUIDField()
    score: int = fields.IntField()
    words: int = fields.IntField()
    place: int = fields.IntField()
    time: int = fields.IntField()
    # JSON: the pairs of characters that both texts have, the rarest first.
    shared: list[str] = fields.JSONTextField()

    class Meta:
        table = "post_match"
        unique_together = (("post_id", "other_id"),)
        indexes = (("post_id", "score", "id"),)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two posts are."""

    other: PostRow
    words: int
    place: int
    time: int
    shared: tuple[str, ...]

    @property
    def score(self) -> int:
        return self.words + self.place + self.time


BEST = Order("post-matches", ("score", "id"))


def seen_by_both(row: PostRow) -> Where:
    """The posts (as ``t``) whose authors may see this one, and the other way round.

    In the community's feed everyone who writes may see everything; in a group what is for the same
    audience.
    """
    scopes = {row.scope_id} if row.group_id else {row.community_id, public_of(row.community_id)}
    return Where("t.scope_id IN (?)", (scopes,))


def visible_to(viewer: Viewer) -> Where:
    """The matches (as ``t``) with a post that is open and that the viewer may see."""
    held = held_by(viewer, "p.scope_id")
    return Where(
        "EXISTS (SELECT 1 FROM post p WHERE p.id = t.other_id AND p.deleted_at IS NULL"
        f" AND p.state = 'OPEN' AND {held.text})",
        held.params,
    )


def most_alike(row: PostRow, candidates: Sequence[PostRow]) -> list[Likeness]:
    """Those of the candidates that may be about the same thing, the likest first.

    A pair of characters that few texts have counts more than one that many have.
    """
    texts = [set(bigrams(other.body)) - COMMON for other in candidates]
    mine = set(bigrams(row.body)) - COMMON
    frequency = Counter(pair for text in (mine, *texts) for pair in text)
    weight: dict[str, float] = {
        pair: math.log(1 + (len(texts) + 1) / count) for pair, count in frequency.items()
    }
    found = [likeness(row, mine, other, text, weight) for other, text in zip(candidates, texts, strict=True)]
    matching = [it for it in found if it.words >= FEWEST_WORDS and it.score >= LEAST_SCORE]
    return sorted(matching, key=lambda it: (it.score, it.other.id), reverse=True)[:MOST_MATCHES]


def likeness(
    row: PostRow, mine: set[str], other: PostRow, theirs: set[str], weight: dict[str, Any]
) -> Likeness:
    shared = sorted(mine & theirs, key=lambda pair: (-weight[pair], pair))
    smaller = min(sum(weight[pair] for pair in text) for text in (mine, theirs))
    words = round(WORDS * sum(weight[pair] for pair in shared) / smaller) if smaller else 0
    apart = min(abs(row.created_at - other.created_at), SPAN)
    return Likeness(
        other=other,
        words=words,
        place=nearness(row.estate_id, other.estate_id),
        time=round(TIME * (1 - apart / SPAN)),
        shared=tuple(shared[:MOST_SHARED]),
    )


def nearness(here: UUID | None, there: UUID | None) -> int:
    """What the place counts; a post without an estate may be about any."""
    if here == there:
        return PLACE
    return 0 if here and there else PLACE // 2
