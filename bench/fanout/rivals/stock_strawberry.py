"""Strawberry with its own ASGI application."""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry
from serving import serve
from shop import broker
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL


@strawberry.type
class Author:
    id: strawberry.ID
    display_name: str


@strawberry.type
class Post:
    id: strawberry.ID
    body: str
    created_at: str
    comment_count: int
    like_count: int
    author: Author


@strawberry.type
class PostCreated:
    post: Post


@strawberry.type
class Envelope:
    cursor: str
    event: PostCreated


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def post_events(self, community_id: strawberry.ID) -> AsyncGenerator[Envelope, None]:
        post: Any
        async for post in broker.follow():
            yield Envelope(cursor=post.id, event=PostCreated(post=post))


schema = strawberry.Schema(
    Query, subscription=Subscription, extensions=[lambda: ParserCache(128), lambda: ValidationCache(128)]
)
app = GraphQL(schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL])
serve(broker.publish, lambda: len(broker.queues), WebSocketRoute("/graphql", app), Route("/graphql", app))
