"""The feed page written by hand for this one question: no GraphQL and no rows, the same statements.

The limit of what a server that executes GraphQL can reach with them. Who asks is found out as everywhere
in Linli; the page's rows are tuples, from which the answer is put together.
"""

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from main import Application, Settings
from models import database
from models.identity import neighbour_key
from models.paging import PageArgs, cursor_of, statement
from models.posts import LATEST, NEWEST_COMMENTS, CommentRow, PostRow, visible_to
from models.rows import EVERYTHING, bind, connection, dialect
from resolvers.identity.faces import FACES
from resolvers.identity.sessions import viewer_of
from schema.node import global_id, type_and_key

SETTINGS = Settings.from_environment(os.environ)
SERVICES = Application(SETTINGS).services

# Where the columns stand that the page shows.
ID, AUTHOR, KIND, BODY, COMMENTS, LIKES, AT = (
    list(PostRow.__slots__).index(name)
    for name in ("id", "author_id", "kind", "body", "comment_count", "like_count", "created_at")
)
C_ID, C_SUBJECT, C_AUTHOR, C_BODY, C_AT = (
    list(CommentRow.__slots__).index(name) for name in ("id", "subject_id", "author_id", "body", "created_at")
)


async def fetch(text: str, *params: Any) -> Sequence[Any]:
    _, rows = await connection().fetch(*bind(dialect(), text, params))
    return rows


async def authors(rows: Sequence[Any], column: int, community: UUID) -> dict[Any, dict[str, Any]]:
    wanted = {row[column] for row in rows}
    found: dict[Any, dict[str, Any]] = {}
    for account, _where, name, office, _role, place in await fetch(
        FACES, [community], wanted, wanted, [community]
    ):
        if office is None:
            key = neighbour_key(community, UUID(str(account)))
            found[account] = {"id": global_id("Neighbour", key), "displayName": name, "building": place}
    return found


class Keyed:
    """What a cursor is made of."""

    def __init__(self, id: UUID) -> None:
        self.id = id


def moment(value: Any) -> str:
    text: str = value if isinstance(value, str) else value.isoformat()
    return text.replace(" ", "T")


async def feed(request: Request) -> Response:
    viewer, _ = await viewer_of(SERVICES, request.headers["authorization"].removeprefix("Bearer "))
    asked = orjson.loads(await request.body())
    found = type_and_key(asked["variables"]["id"])
    assert found is not None
    community = found[1]
    if not await fetch("SELECT t.id, t.name, t.created_at FROM community t WHERE t.id IN (?)", [community]):
        return Response(status_code=404)
    page = PageArgs(first=20)
    rows = await fetch(*statement(PostRow, "post", [community], "wall_id", page, visible_to(viewer), LATEST))
    rows, more = rows[:20], len(rows) > 20
    keys = [row[ID] for row in rows]
    liked = {
        subject
        for (subject,) in await fetch(
            "SELECT subject_id FROM appreciation WHERE account_id = ? AND subject_id IN (?)",
            viewer.account_id,
            keys,
        )
    }
    writers = await authors(rows, AUTHOR, community)
    ids = [UUID(str(key)) for key in keys]
    below = await fetch(
        *statement(CommentRow, "comment", ids, "subject_id", PageArgs(first=3), EVERYTHING, NEWEST_COMMENTS)
    )
    threads: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in below:
        threads[row[C_SUBJECT]].append(row)
    speakers = await authors(below, C_AUTHOR, community)
    edges = [
        {
            "cursor": cursor_of(LATEST, Keyed(id)),
            "node": {
                "id": global_id("Post", id),
                "kind": row[KIND],
                "body": row[BODY],
                "createdAt": moment(row[AT]),
                "commentCount": row[COMMENTS],
                "likeCount": row[LIKES],
                "viewerHasLiked": row[ID] in liked,
                "author": writers[row[AUTHOR]],
                "comments": {
                    "edges": [
                        {
                            "node": {
                                "id": global_id("Comment", UUID(str(one[C_ID]))),
                                "body": one[C_BODY],
                                "createdAt": moment(one[C_AT]),
                                "author": speakers[one[C_AUTHOR]],
                            }
                        }
                        for one in threads[row[ID]][:3]
                    ]
                },
            },
        }
        for id, row in zip(ids, rows, strict=True)
    ]
    info = {"hasNextPage": more, "endCursor": edges[-1]["cursor"]}
    answer = {"data": {"node": {"posts": {"edges": edges, "pageInfo": info}}}}
    return Response(orjson.dumps(answer), media_type="application/json")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with database.database(SETTINGS.database_url):
        yield


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/graphql", feed, methods=["POST"])], lifespan=lifespan),
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
