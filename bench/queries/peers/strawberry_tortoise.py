"""Strawberry with Tortoise's instances and dataloaders: as its documentation has it, or (`cached`) with
caches for parsing and validation, and orjson."""

import os
import sys
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import strawberry
import tables
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache

CACHED = sys.argv[1:] == ["cached"]


@strawberry.type
class Author:
    id: strawberry.ID
    display_name: str
    building: str | None


async def author_of(root: Any, info: strawberry.Info) -> Author:
    return Author(**await info.context["authors"].load(root.row.author_id))


@strawberry.type
class Comment:
    row: strawberry.Private[Any]
    author: Author = strawberry.field(resolver=author_of)

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(self.row.id))

    @strawberry.field
    def body(self) -> str:
        return self.row.body

    @strawberry.field
    def created_at(self) -> datetime:
        return self.row.created_at


@strawberry.type
class CommentEdge:
    node: Comment


@strawberry.type
class CommentConnection:
    edges: list[CommentEdge]


@strawberry.type
class Post:
    row: strawberry.Private[Any]
    author: Author = strawberry.field(resolver=author_of)

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(self.row.id))

    @strawberry.field
    def kind(self) -> str:
        return self.row.kind

    @strawberry.field
    def body(self) -> str:
        return self.row.body

    @strawberry.field
    def created_at(self) -> datetime:
        return self.row.created_at

    @strawberry.field
    def comment_count(self) -> int:
        return self.row.comment_count

    @strawberry.field
    def like_count(self) -> int:
        return self.row.like_count

    @strawberry.field
    async def viewer_has_liked(self, info: strawberry.Info) -> bool:
        return await info.context["liked"].load(self.row.id)

    @strawberry.field
    async def comments(self, info: strawberry.Info, first: int) -> CommentConnection:
        rows = await info.context["comments"].load((self.row.id, first))
        return CommentConnection(edges=[CommentEdge(node=Comment(row=row)) for row in rows])


@strawberry.type
class PostEdge:
    cursor: str
    node: Post


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class PostConnection:
    edges: list[PostEdge]
    page_info: PageInfo


@strawberry.type
class Community:
    id: strawberry.ID

    @strawberry.field
    async def posts(self, info: strawberry.Info, first: int) -> PostConnection:
        rows, more = await tables.page_of(info.context["viewer"], self.id, first)
        edges = [PostEdge(cursor=str(row.id), node=Post(row=row)) for row in rows]
        return PostConnection(
            edges=edges, page_info=PageInfo(has_next_page=more, end_cursor=edges[-1].cursor)
        )


@strawberry.type
class Query:
    @strawberry.field
    def community(self, id: strawberry.ID) -> Community:
        return Community(id=id)


class Endpoint(GraphQL):
    async def get_context(self, request: Any, response: Any) -> Any:
        viewer = await tables.viewer_of(request.headers["authorization"])
        return {
            "viewer": viewer,
            "authors": DataLoader(load_fn=tables.authors),
            "liked": DataLoader(load_fn=partial(tables.liked, viewer)),
            "comments": DataLoader(load_fn=tables.comments),
        }


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
