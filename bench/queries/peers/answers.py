"""What each field answers, over Tortoise's instances and dataloaders: the same for Strawberry and Ariadne."""

import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import strawberry
import tables
from strawberry.dataloader import DataLoader
from tables import BuildingReach, Comment, Notice, Organisation, Post, Receipt, ServiceRequest, Viewer
from tortoise.functions import Count, Sum

POSTGRES = os.environ["DATABASE_URL"].startswith("postgres")
OPEN = ["ACCEPTED", "ASSIGNED", "DONE", "HANDED_OVER", "IN_PROGRESS", "RETURNED", "SUBMITTED", "WAITING"]
IN_HAND = ["ACCEPTED", "ASSIGNED", "IN_PROGRESS"]


@dataclass
class Edge:
    cursor: str
    node: tables.Row


@dataclass
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@dataclass
class Connection:
    edges: list[Edge]
    page_info: PageInfo


def connection(rows: Sequence[tables.Row], first: int) -> Connection:
    edges = [Edge(str(row.id), row) for row in rows[:first]]
    return Connection(edges, PageInfo(len(rows) > first, edges[-1].cursor if edges else None))


@dataclass
class Community:
    id: str


@dataclass
class Author:
    id: UUID
    display_name: str
    building: str | None


@dataclass
class Reach(tables.Counts):
    notice_id: UUID
    targeted: int
    delivered: int
    seen: int
    acknowledged: int
    in_person: int


@dataclass
class RequestCounts:
    to_accept: int
    handed_over_to_us: int
    in_hand: int
    waiting: int
    returned: int
    overdue: int
    handed_over: int
    to_confirm: int
    escalated: int


# Loaders

Key = tuple[UUID, int]


async def authors(ids: list[UUID]) -> list[Author]:
    wanted = set(ids)
    names = {row.id: row.display_name for row in await tables.Account.filter(id__in=wanted)}
    living = await tables.Residency.filter(account_id__in=wanted, until=None)
    homes = {
        row.id: row.building_id for row in await tables.Home.filter(id__in={row.home_id for row in living})
    }
    buildings = {row.id: row.name for row in await tables.Building.filter(id__in=set(homes.values()))}
    of = {row.account_id: buildings[homes[row.home_id]] for row in living}
    return [Author(id, names[id], of.get(id)) for id in ids]


async def homes(ids: list[UUID]) -> list[tables.Home]:
    found = await tables.Home.in_bulk(set(ids), "id")
    return [found[id] for id in ids]


async def buildings(ids: list[UUID]) -> list[tables.Building]:
    found = await tables.Building.in_bulk(set(ids), "id")
    return [found[id] for id in ids]


def liked_by(viewer: Viewer) -> Callable[[list[UUID]], Awaitable[list[bool]]]:
    async def liked(ids: list[UUID]) -> list[bool]:
        rows = await tables.Like.filter(subject_id__in=ids, account_id=viewer.account_id)
        found = {row.subject_id for row in rows}
        return [id in found for id in ids]

    return liked


# The best that there is: as many rows as are shown and one more, by one statement.
BELOW = (
    "SELECT c.* FROM (VALUES {values}) AS parent(id) CROSS JOIN LATERAL"
    " (SELECT * FROM comment t WHERE t.{by} = parent.id ORDER BY t.id {order} LIMIT {limit}) c"
    if POSTGRES
    else "WITH parent(id) AS (VALUES {values}) SELECT c.* FROM parent CROSS JOIN comment c ON c.id IN"
    " (SELECT t.id FROM comment t WHERE t.{by} = parent.id ORDER BY t.id {order} LIMIT {limit})"
)


def below(by: str, order: str) -> Callable[[list[Key]], Awaitable[list[Connection]]]:
    async def comments(keys: list[Key]) -> list[Connection]:
        first = keys[0][1]
        values = ", ".join(f"('{id}'::uuid)" if POSTGRES else f"('{id}')" for id, _ in keys)
        found: defaultdict[UUID, list[Comment]] = defaultdict(list)
        statement = BELOW.format(values=values, by=by, order=order, limit=first + 1)
        row: Comment
        for row in await Comment.raw(statement):
            found[getattr(row, by)].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: row.id, reverse=order == "DESC")
        return [connection(found[id], first) for id, _ in keys]

    return comments


async def context_of(authorization: str) -> dict[str, Any]:
    """What the resolvers are given: who asks, and the loaders of one request."""
    viewer = await tables.viewer_of(authorization)
    return {
        "viewer": viewer,
        "authors": DataLoader(load_fn=authors),
        "homes": DataLoader(load_fn=homes),
        "buildings": DataLoader(load_fn=buildings),
        "liked": DataLoader(load_fn=liked_by(viewer)),
        "comments": DataLoader(load_fn=below("subject_id", "DESC")),
        "threads": DataLoader(load_fn=below("parent_id", "ASC")),
    }


# Root fields


async def community(root: Any, info: strawberry.Info, id: strawberry.ID) -> Any:
    return Community(id)


async def post(root: Any, info: strawberry.Info, id: strawberry.ID) -> Any:
    return await Post.get(id=id, scope_id__in=info.context["viewer"].scopes, deleted_at=None)


async def notice(root: Any, info: strawberry.Info, id: strawberry.ID) -> Any:
    viewer: Viewer = info.context["viewer"]
    scopes = viewer.scopes | await viewer.offices()
    if not await tables.NoticeAudience.exists(notice_id=id, scope_id__in=scopes):
        raise PermissionError
    return await Notice.get(id=id)


async def organisation(root: Any, info: strawberry.Info, id: strawberry.ID) -> Any:
    return await Organisation.get(id=id)


# Fields


async def author(root: Any, info: strawberry.Info) -> Any:
    return await info.context["authors"].load(root.author_id)


async def viewer_has_liked(root: Any, info: strawberry.Info) -> bool:
    liked: bool = await info.context["liked"].load(root.id)
    return liked


async def building(root: Any, info: strawberry.Info) -> Any:
    return await info.context["buildings"].load(root.building_id)


async def home(root: Any, info: strawberry.Info) -> Any:
    return await info.context["homes"].load(root.home_id)


async def posts(root: Any, info: strawberry.Info, first: int) -> Any:
    found = Post.filter(wall_id=root.id, scope_id__in=info.context["viewer"].scopes, deleted_at=None)
    return connection(await found.order_by("-id").limit(first + 1), first)


async def comments(root: Any, info: strawberry.Info, first: int) -> Any:
    return await info.context["comments"].load((root.id, first))


async def threads(root: Any, info: strawberry.Info, first: int) -> Any:
    return await info.context["threads"].load((root.id, first))


def valid_now(root: Any, info: strawberry.Info) -> bool:
    at = datetime.now(UTC)
    return root.status == "ACTIVE" and root.starts_at <= at and (root.ends_at is None or at < root.ends_at)


async def publisher(root: Any, info: strawberry.Info) -> Any:
    return await Organisation.get(id=root.organisation_id)


async def audience(root: Any, info: strawberry.Info) -> Any:
    return await tables.NoticeAudience.filter(notice_id=root.id).exclude(kind="OFFICE").order_by("id")


async def check(info: strawberry.Info, organisation_id: UUID) -> None:
    viewer: Viewer = info.context["viewer"]
    if organisation_id not in await viewer.offices():
        raise PermissionError


async def reach(root: Any, info: strawberry.Info) -> Any:
    await check(info, root.organisation_id)
    names = ("targeted", "delivered", "seen", "acknowledged", "in_person")
    sums = {f"all_{name}": Sum(name) for name in names}
    (found,) = await BuildingReach.filter(notice_id=root.id).annotate(**sums).values(*sums)
    return Reach(root.id, **{name: found[f"all_{name}"] for name in names})


async def by_building(root: Any, info: strawberry.Info, first: int) -> Any:
    return connection(
        await BuildingReach.filter(notice_id=root.notice_id).order_by("id").limit(first + 1), first
    )


async def unreached(root: Any, info: strawberry.Info, first: int) -> Any:
    found = Receipt.filter(notice_id=root.notice_id, acknowledged_at=None, reached_at=None)
    return connection(await found.order_by("id").limit(first + 1), first)


async def request_counts(root: Any, info: strawberry.Info) -> Any:
    await check(info, root.id)
    held = ServiceRequest.filter(holder_id=root.id, state__in=OPEN)
    rows = await held.annotate(n=Count("id")).group_by("state").values_list("state", "n")
    number = defaultdict(int, rows)
    return RequestCounts(
        to_accept=number["SUBMITTED"],
        handed_over_to_us=number["HANDED_OVER"],
        in_hand=sum(number[state] for state in IN_HAND),
        waiting=number["WAITING"],
        returned=number["RETURNED"],
        overdue=await held.filter(due_at__lt=datetime.now(UTC)).count(),
        handed_over=await ServiceRequest.filter(office_id=root.id, state="HANDED_OVER").count(),
        to_confirm=number["DONE"],
        escalated=await ServiceRequest.filter(
            overseer_id=root.id, state__in=OPEN, escalated_at__isnull=False
        ).count(),
    )


async def request_queue(root: Any, info: strawberry.Info, first: int) -> Any:
    await check(info, root.id)
    found = ServiceRequest.filter(holder_id=root.id, state__in=IN_HAND)
    return connection(await found.order_by("id").limit(first + 1), first)


def overdue(root: Any, info: strawberry.Info) -> bool:
    return root.due_at is not None and root.due_at < datetime.now(UTC)


async def reporter(root: Any, info: strawberry.Info) -> Any:
    return await info.context["authors"].load(root.reporter_id)


async def assignee(root: Any, info: strawberry.Info) -> Any:
    return await info.context["authors"].load(root.assignee_id)
