"""Strawberry with Tortoise's instances and dataloaders: as its documentation has it, or (`cached`) with
caches for parsing and validation, and orjson."""

import os
import sys
from datetime import datetime
from typing import Any, Generic, TypeVar

import answers
import orjson
import strawberry
import tables
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry import ID, field
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

CACHED = sys.argv[1:] == ["cached"]
T = TypeVar("T")


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo


@strawberry.type
class Author:
    id: ID
    display_name: str
    building: str | None


@strawberry.type
class Building:
    id: ID
    name: str


@strawberry.type
class Home:
    id: ID
    unit: str
    number: str


@strawberry.type
class Comment:
    id: ID
    body: str
    created_at: datetime
    like_count: int
    reply_count: int
    viewer_has_liked: bool = field(resolver=answers.viewer_has_liked)
    author: Author = field(resolver=answers.author)
    replies: "Connection[Comment]" = field(resolver=answers.threads)


@strawberry.type
class Post:
    id: ID
    kind: str
    body: str
    created_at: datetime
    comment_count: int
    like_count: int
    viewer_has_liked: bool = field(resolver=answers.viewer_has_liked)
    author: Author = field(resolver=answers.author)
    comments: Connection[Comment] = field(resolver=answers.comments)
    threads: Connection[Comment] = field(resolver=answers.threads)


@strawberry.type
class Community:
    id: ID
    posts: Connection[Post] = field(resolver=answers.posts)


@strawberry.type
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


@strawberry.type
class ServiceRequest:
    id: ID
    number: int
    category: str
    title: str
    area: str
    state: str
    version: int
    step_count: int
    follower_count: int
    created_at: datetime
    accept_by: datetime
    resolve_by: datetime
    due_at: datetime | None
    escalated_at: datetime | None
    overdue: bool = field(resolver=answers.overdue)
    home: Home | None = field(resolver=answers.home)
    building: Building | None = field(resolver=answers.building)
    reporter: Author | None = field(resolver=answers.reporter)
    assignee: Author | None = field(resolver=answers.assignee)


@strawberry.type
class Organisation:
    id: ID
    name: str
    request_counts: RequestCounts = field(resolver=answers.request_counts)
    request_queue: Connection[ServiceRequest] = field(resolver=answers.request_queue)


@strawberry.type
class BuildingReach:
    targeted: int
    delivered: int
    seen: int
    acknowledged: int
    in_person: int
    reached: int
    building: Building = field(resolver=answers.building)


@strawberry.type
class Receipt:
    progress: str
    delivered_at: datetime | None
    seen_at: datetime | None
    home: Home = field(resolver=answers.home)
    building: Building = field(resolver=answers.building)


@strawberry.type
class Reach:
    targeted: int
    delivered: int
    seen: int
    acknowledged: int
    in_person: int
    reached: int
    by_building: Connection[BuildingReach] = field(resolver=answers.by_building)
    unreached: Connection[Receipt] = field(resolver=answers.unreached)


@strawberry.type
class NoticeAudience:
    kind: str
    label: str


@strawberry.type
class Notice:
    id: ID
    category: str
    severity: str
    status: str
    title: str
    body: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    comment_count: int
    valid_now: bool = field(resolver=answers.valid_now)
    author: Author = field(resolver=answers.author)
    organisation: Organisation = field(resolver=answers.publisher)
    audience: list[NoticeAudience] = field(resolver=answers.audience)
    reach: Reach = field(resolver=answers.reach)


@strawberry.type
class Query:
    community: Community = field(resolver=answers.community)
    post: Post = field(resolver=answers.post)
    notice: Notice = field(resolver=answers.notice)
    organisation: Organisation = field(resolver=answers.organisation)


class Endpoint(GraphQL[Any, Any]):
    async def get_context(self, request: Any, response: Any) -> Any:
        return await answers.context_of(request.headers["authorization"])


class WithOrjson(Endpoint):
    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache] if CACHED else [])
app = Starlette(
    routes=[Route("/graphql", (WithOrjson if CACHED else Endpoint)(schema))], lifespan=tables.lifespan
)
uvicorn.run(
    app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", access_log=False, log_level="warning"
)
