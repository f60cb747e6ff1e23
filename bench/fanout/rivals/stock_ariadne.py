"""Ariadne with its own ASGI application."""

from collections.abc import AsyncIterator

from ariadne import SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler
from serving import serve
from shop import broker
from starlette.routing import WebSocketRoute

TYPES = """
type Query { ok: Boolean }
type Subscription { postEvents(communityId: ID!): Envelope! }
type Envelope { cursor: String! event: PostCreated! }
type PostCreated { post: Post! }
type Post { id: ID! body: String! createdAt: String! commentCount: Int! likeCount: Int! author: Author! }
type Author { id: ID! displayName: String! }
"""


async def source(_root: object, _info: object, community_id: str) -> AsyncIterator[dict[str, object]]:
    async for post in broker.follow():
        yield {"post_events": {"cursor": post.id, "event": {"post": post}}}


subscription = SubscriptionType()
subscription.set_source("postEvents", source)
app = GraphQL(
    make_executable_schema(TYPES, subscription, convert_names_case=True),
    websocket_handler=GraphQLTransportWSHandler(),
)
serve(broker.publish, lambda: len(broker.queues), WebSocketRoute("/graphql", app))
