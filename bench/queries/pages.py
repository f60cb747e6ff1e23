"""The pages that are measured: what is asked, by whom, and what a right answer holds."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from typing import Any
from uuid import UUID

from bench.load import request
from bench.offices import Offices
from bench.town import Town
from schema.node import global_id

FACE = "{ id displayName building }"
END = "pageInfo { hasNextPage endCursor }"
COUNTS = "targeted delivered seen acknowledged inPerson reached"

POSTS = f"""posts(first: 20) {{ edges {{ cursor node {{
  id kind body createdAt commentCount likeCount viewerHasLiked author {FACE}
  comments(first: 3%s) {{ edges {{ node {{ id body createdAt author {FACE} }} }} }}
}} }} {END} }}"""
THREAD = f"""id kind body createdAt commentCount likeCount viewerHasLiked author {FACE}
  threads(first: 50) {{ edges {{ cursor node {{
    id body createdAt likeCount viewerHasLiked replyCount author {FACE}
    replies(first: 2) {{ edges {{ node {{ id body createdAt likeCount viewerHasLiked author {FACE} }} }} }}
  }} }} {END} }}"""
NOTICE = f"""id category severity status title body createdAt startsAt endsAt validNow commentCount
  author {FACE} organisation {{ id name }} audience {{ kind label }}
  reach {{ {COUNTS}
    byBuilding(first: 50) {{ edges {{ node {{ {COUNTS} building {{ id name }} }} }} }}
    unreached(first: 50) {{ edges {{ cursor node {{
      progress deliveredAt seenAt home {{ id unit number }} building {{ id name }}
    }} }} {END} }} }}"""
QUEUE = f"""id name
  requestCounts {{
    toAccept handedOverToUs inHand waiting returned overdue handedOver toConfirm escalated
  }}
  requestQueue(%sfirst: 25) {{ edges {{ cursor node {{
    id number category title area state version stepCount followerCount createdAt acceptBy resolveBy dueAt
    overdue escalatedAt home {{ id unit number }} building {{ id name }} reporter {FACE} assignee {FACE}
  }} }} {END} }}"""


# Of a town that has none.
CLOSED = Offices(UUID(int=0), [], [])


@dataclass(frozen=True, slots=True)
class Page:
    """A page: what it shows, of an object of which type."""

    name: str
    what: str
    type: str
    fields: str
    # The same for the rivals' schema, where it differs.
    theirs: str
    # Who asks, and for what.
    asked: Callable[[Town, Offices], tuple[Sequence[str], Sequence[UUID]]]

    def query(self, *, rival: bool = False) -> str:
        """The rivals have no nodes but a root field for each type."""
        name = self.name.capitalize()
        if rival:
            return f"query {name}($id: ID!) {{ {self.type.lower()}(id: $id) {{ {self.theirs} }} }}"
        return f"query {name}($id: ID!) {{ node(id: $id) {{ ... on {self.type} {{ {self.fields} }} }} }}"

    def requests(self, town: Town, offices: Offices = CLOSED, *, rival: bool = False) -> list[str]:
        """The page as each of those who ask for it does."""
        tokens, ids = self.asked(town, offices)
        number = max(len(tokens), len(ids))
        query = self.query(rival=rival)
        return [
            request(
                "/graphql",
                json.dumps(
                    {"query": query, "variables": {"id": str(id) if rival else global_id(self.type, id)}}
                ).encode(),
                authorization=f"Bearer {token}",
            )
            for token, id in islice(zip(cycle(tokens), cycle(ids), strict=False), number)
        ]


PAGES = {
    page.name: page
    for page in (
        Page(
            "feed",
            "20 posts, 3 comments each",
            "Community",
            POSTS % ", order: NEWEST",
            POSTS % "",
            lambda town, _: (town.tokens, [town.community_id]),
        ),
        Page(
            "thread",
            "a post, 50 comments, 2 replies each",
            "Post",
            THREAD,
            THREAD,
            lambda town, _: (town.tokens, town.threads),
        ),
        Page(
            "notice",
            "a notice, its reach in 50 buildings, 50 households not reached",
            "Notice",
            NOTICE,
            NOTICE,
            lambda _, offices: (offices.tokens, offices.notices),
        ),
        Page(
            "queue",
            "an office's counts and 25 of its cases",
            "Organisation",
            QUEUE % "bucket: IN_HAND, ",
            QUEUE % "",
            lambda _, offices: (offices.tokens, [offices.committee]),
        ),
    )
}

# What only a whole answer holds.
MARK = '"endCursor"'
OPAQUE = {"id", "cursor", "endCursor"}


def content(answer: bytes) -> Any:
    """What an answer says, however its server writes ids and moments. Raises ValueError for errors."""
    told = json.loads(answer)
    if "errors" in told:
        raise ValueError(told["errors"])
    ((_, page),) = told["data"].items()
    return plain(page)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in OPAQUE}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and MOMENT.match(value):
        return datetime.fromisoformat(value)
    return value


MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
