"""The pages written by hand, each for its one question: no GraphQL and no rows, the same statements.

The limit of what a server that executes GraphQL can reach with them. Who asks is found out as everywhere
in Linli; the pages' rows are tuples, from which the answers are put together.
"""

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from main import Unheard
from models import database, notices
from models.base import now
from models.identity import BuildingRow, HomeRow, neighbour_key
from models.notices import AudienceKind, AudienceRow, BuildingReachRow, NoticeRow, ReceiptRow
from models.organisations import OrganisationRow
from models.posts import LATEST, NEWEST_COMMENTS, OLDEST_COMMENTS, CommentRow, PostRow, visible_to
from models.powers import Power, has_power
from models.requests import QUEUE, RequestBucket, RequestRow, can_see_queue
from models.storage.paging import OLDEST, Order, PageArgs, cursor_of, statement
from models.storage.rows import EVERYTHING, Where, bind, columns, connection, dialect
from models.visibility import Viewer
from resolvers.identity.faces import FACES
from resolvers.identity.sessions import viewer_of
from resolvers.notices.reach import UNREACHED
from resolvers.requests import queues
from schema.node import global_id, type_and_key
from schema.settings import Settings

SETTINGS = Settings.from_environment(os.environ)
SERVICES = SETTINGS.services(Unheard())

Cells = Callable[[Sequence[Any]], tuple[Any, ...]]


def cells(row: type, names: str) -> Cells:
    """Takes of a record the columns that a page shows."""
    columns = [field.name for field in fields(row)]
    return itemgetter(*map(columns.index, names.split()))


POST = cells(PostRow, "id author_id kind body comment_count like_count created_at")
COMMENT = cells(CommentRow, "id author_id body like_count reply_count created_at parent_id subject_id")
NOTICE = cells(
    NoticeRow,
    "organisation_id author_id category severity status title body created_at starts_at ends_at"
    " comment_count",
)
REACH = cells(BuildingReachRow, "building_id targeted delivered seen acknowledged in_person")
RECEIPT = cells(ReceiptRow, "id home_id building_id delivered_at seen_at")
CASE = cells(
    RequestRow,
    "id number category title area state version step_count follower_count created_at accept_by resolve_by"
    " due_at escalated_at home_id building_id reporter_id assignee_id",
)


async def fetch(text: str, *params: Any) -> Sequence[Any]:
    _, rows = await connection().fetch(*bind(dialect(), text, params))
    return rows


async def faces(wanted: set[Any], community: UUID) -> dict[Any, dict[str, Any]]:
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


def moment(value: Any) -> str | None:
    if value is None:
        return None
    text: str = value if isinstance(value, str) else value.isoformat()
    return text.replace(" ", "T")


def opaque(type_name: str, key: Any) -> str:
    return global_id(type_name, UUID(str(key)))


async def liked(viewer: Viewer, keys: list[Any]) -> set[Any]:
    found = await fetch(
        "SELECT subject_id FROM appreciation WHERE account_id = ? AND subject_id IN (?)",
        viewer.account_id,
        keys,
    )
    return {subject for (subject,) in found}


def listed(order: Order, keys: list[Any], nodes: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    edges = [
        {"cursor": cursor_of(order, Keyed(UUID(str(key)))), "node": node}
        for key, node in zip(keys, nodes, strict=True)
    ]
    info = {"hasNextPage": more, "endCursor": edges[-1]["cursor"] if edges else None}
    return {"edges": edges, "pageInfo": info}


async def feed(viewer: Viewer, community: UUID) -> dict[str, Any] | None:
    if not await fetch("SELECT t.id, t.name, t.created_at FROM community t WHERE t.id IN (?)", [community]):
        return None
    page = PageArgs(first=20)
    rows = await fetch(*statement(PostRow, "post", [community], "wall_id", page, visible_to(viewer), LATEST))
    posts, more = [POST(row) for row in rows[:20]], len(rows) > 20
    keys = [row[0] for row in posts]
    likes = await liked(viewer, keys)
    ids = [UUID(str(key)) for key in keys]
    below = [
        COMMENT(row)
        for row in await fetch(
            *statement(
                CommentRow,
                "comment",
                ids,
                "subject_id",
                PageArgs(first=3, look_ahead=False),
                EVERYTHING,
                NEWEST_COMMENTS,
            )
        )
    ]
    below.sort(key=itemgetter(0), reverse=True)
    people = await faces({row[1] for row in [*posts, *below]}, community)
    said: defaultdict[Any, list[Any]] = defaultdict(list)
    for id, author, body, _, _, at, _, subject in below:
        node = {
            "id": opaque("Comment", id),
            "body": body,
            "createdAt": moment(at),
            "author": people[author],
        }
        said[subject].append({"node": node})
    nodes = [
        {
            "id": opaque("Post", id),
            "kind": kind,
            "body": body,
            "createdAt": moment(at),
            "commentCount": comments,
            "likeCount": like_count,
            "viewerHasLiked": id in likes,
            "author": people[author],
            "comments": {"edges": said[id]},
        }
        for id, author, kind, body, comments, like_count, at in posts
    ]
    return {"posts": listed(LATEST, keys, nodes, more)}


async def said_below(parents: list[UUID], args: PageArgs) -> list[Any]:
    """The comments below each, in their order."""
    rows = await fetch(
        *statement(CommentRow, "comment", parents, "parent_id", args, EVERYTHING, OLDEST_COMMENTS)
    )
    return sorted([COMMENT(row) for row in rows], key=itemgetter(0))


async def thread(viewer: Viewer, key: UUID) -> dict[str, Any] | None:
    seen = visible_to(viewer)
    rows = await fetch(
        f"SELECT {columns(PostRow)} FROM post t WHERE t.id IN (?) AND {seen.text}", [key], *seen.params
    )
    if not rows:
        return None
    id, author, kind, body, comments, like_count, at = POST(rows[0])
    heads = await said_below([key], PageArgs(first=50))
    heads, more = heads[:50], len(heads) > 50
    answers = await said_below([UUID(str(head[0])) for head in heads], PageArgs(first=2, look_ahead=False))
    likes = await liked(viewer, [id, *(row[0] for row in [*heads, *answers])])
    people = await faces({author, *(row[1] for row in [*heads, *answers])}, UUID(str(rows[0][1])))

    def shown(said: Any) -> dict[str, Any]:
        return {
            "id": opaque("Comment", said[0]),
            "body": said[2],
            "createdAt": moment(said[5]),
            "likeCount": said[3],
            "viewerHasLiked": said[0] in likes,
            "author": people[said[1]],
        }

    below: defaultdict[Any, list[Any]] = defaultdict(list)
    for answer in answers:
        below[answer[6]].append({"node": shown(answer)})
    nodes = [{**shown(head), "replyCount": head[4], "replies": {"edges": below[head[0]]}} for head in heads]
    return {
        "id": opaque("Post", id),
        "kind": kind,
        "body": body,
        "createdAt": moment(at),
        "commentCount": comments,
        "likeCount": like_count,
        "viewerHasLiked": id in likes,
        "author": people[author],
        "threads": listed(OLDEST_COMMENTS, [head[0] for head in heads], nodes, more),
    }


async def homes(keys: set[Any]) -> dict[Any, dict[str, Any]]:
    return {
        id: {"id": opaque("Home", id), "unit": unit, "number": number}
        for id, _, _, unit, number, _ in await fetch(
            f"SELECT {columns(HomeRow)} FROM home t WHERE t.id IN (?)", keys
        )
    }


async def buildings(keys: set[Any]) -> dict[Any, dict[str, Any]]:
    return {
        id: {"id": opaque("Building", id), "name": name}
        for id, _, _, _, name in await fetch(
            f"SELECT {columns(BuildingRow)} FROM building t WHERE t.id IN (?)", keys
        )
    }


def counts(targeted: int, delivered: int, seen: int, acknowledged: int, in_person: int) -> dict[str, Any]:
    return {
        "targeted": targeted,
        "delivered": delivered,
        "seen": seen,
        "acknowledged": acknowledged,
        "inPerson": in_person,
        "reached": acknowledged + in_person,
    }


async def organisation(key: Any) -> dict[str, Any] | None:
    rows = await fetch(f"SELECT {columns(OrganisationRow)} FROM organisation t WHERE t.id IN (?)", [key])
    return {"id": opaque("Organisation", rows[0][0]), "name": rows[0][3]} if rows else None


async def notice(viewer: Viewer, key: UUID) -> dict[str, Any] | None:
    seen = notices.visible_to(viewer)
    rows = await fetch(
        f"SELECT {columns(NoticeRow)} FROM notice t WHERE t.id IN (?) AND {seen.text}", [key], *seen.params
    )
    if not rows:
        return None
    publisher, author, category, severity, status, title, body, at, starts, ends, comments = NOTICE(rows[0])
    if not has_power(viewer, UUID(str(publisher)), Power.SEE_REACH):
        return None
    writers = await faces({author}, UUID(str(rows[0][1])))
    audience = await fetch(
        f"SELECT {columns(AudienceRow)} FROM notice_audience t"
        " WHERE t.notice_id IN (?) AND t.kind <> ? ORDER BY t.id",
        [key],
        AudienceKind.OFFICE,
    )
    ((_, *sums),) = await fetch(SUMS, [key])
    page = PageArgs(first=50)
    reaches = [
        REACH(row)
        for row in await fetch(
            *statement(BuildingReachRow, "building_reach", [key], "notice_id", page, EVERYTHING, OLDEST)
        )
    ]
    found = await fetch(*statement(ReceiptRow, "receipt", [key], "notice_id", page, UNREACHED, OLDEST))
    receipts = [RECEIPT(row) for row in found[:50]]
    doors = await homes({row[1] for row in receipts})
    places = await buildings({row[0] for row in reaches} | {row[2] for row in receipts})
    present = moment(now())
    assert present is not None
    nodes = [
        {
            "progress": "SEEN" if seen_at else "DELIVERED" if delivered_at else "TARGETED",
            "deliveredAt": moment(delivered_at),
            "seenAt": moment(seen_at),
            "home": doors[home],
            "building": places[building],
        }
        for _, home, building, delivered_at, seen_at in receipts
    ]
    return {
        "id": opaque("Notice", key),
        "category": category,
        "severity": severity,
        "status": status,
        "title": title,
        "body": body,
        "createdAt": moment(at),
        "startsAt": moment(starts),
        "endsAt": moment(ends),
        "validNow": status == "ACTIVE"
        and (moment(starts) or "") <= present
        and (ends is None or present < (moment(ends) or "")),
        "commentCount": comments,
        "author": writers[author],
        "organisation": await organisation(publisher),
        "audience": [{"kind": row[2], "label": row[4]} for row in audience],
        "reach": {
            **counts(*map(int, sums)),
            "byBuilding": {
                "edges": [
                    {"node": {**counts(*numbers), "building": places[building]}}
                    for building, *numbers in reaches[:50]
                ]
            },
            "unreached": listed(OLDEST, [row[0] for row in receipts], nodes, len(found) > 50),
        },
    }


async def queue(viewer: Viewer, key: UUID) -> dict[str, Any] | None:
    office = await organisation(key)
    if office is None or not can_see_queue(viewer, key):
        return None
    waiting = await queues.counts({key})
    by, where = queues.bucket(RequestBucket.IN_HAND, now())
    where &= Where(f"t.{by} IN (?)", ({key},))
    found = await fetch(
        *statement(RequestRow, "service_request", [key], by, PageArgs(first=25), where, QUEUE)
    )
    rows = [CASE(row) for row in found[:25]]
    doors = await homes({row[14] for row in rows})
    places = await buildings({row[15] for row in rows})
    community = UUID(str(found[0][2]))
    reporters = await faces({row[16] for row in rows}, community)
    officers = await faces({row[17] for row in rows}, community)
    present = moment(now())
    assert present is not None
    nodes = [
        {
            "id": opaque("ServiceRequest", id),
            **dict(zip(SHOWN, told, strict=True)),
            "createdAt": moment(at),
            "acceptBy": moment(accept),
            "resolveBy": moment(resolve),
            "dueAt": moment(due),
            "overdue": due is not None and (moment(due) or "") < present,
            "escalatedAt": moment(escalated),
            "home": doors[home],
            "building": places[building],
            "reporter": reporters[reporter],
            "assignee": officers[assignee],
        }
        for id, *told, at, accept, resolve, due, escalated, home, building, reporter, assignee in rows
    ]
    numbers = waiting[key]
    return {
        **office,
        "requestCounts": {name: getattr(numbers, column) for name, column in COUNTED.items()},
        "requestQueue": listed(QUEUE, [row[0] for row in rows], nodes, len(found) > 25),
    }


SUMS = (
    "SELECT notice_id, SUM(targeted) AS targeted, SUM(delivered) AS delivered, SUM(seen) AS seen,"
    " SUM(acknowledged) AS acknowledged, SUM(in_person) AS in_person"
    " FROM building_reach WHERE notice_id IN (?) GROUP BY notice_id"
)
SHOWN = ("number", "category", "title", "area", "state", "version", "stepCount", "followerCount")
COUNTED = {
    "toAccept": "to_accept",
    "handedOverToUs": "handed_over_to_us",
    "inHand": "in_hand",
    "waiting": "waiting",
    "returned": "returned",
    "overdue": "overdue",
    "handedOver": "handed_over",
    "toConfirm": "to_confirm",
    "escalated": "escalated",
}
PAGES = {"Community": feed, "Post": thread, "Notice": notice, "Organisation": queue}


async def answer(request: Request) -> Response:
    viewer, _ = await viewer_of(SERVICES, request.headers["authorization"].removeprefix("Bearer "))
    asked = orjson.loads(await request.body())
    found = type_and_key(asked["variables"]["id"])
    assert found is not None
    page = await PAGES[found[0]](viewer, found[1])
    if page is None:
        return Response(status_code=404)
    return Response(orjson.dumps({"data": {"node": page}}), media_type="application/json")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with database.database(SETTINGS.database):
        yield


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan),
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
