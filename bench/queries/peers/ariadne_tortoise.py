"""Ariadne with Tortoise's instances and dataloaders."""

import os
from functools import partial

import tables
import uvicorn
from ariadne import ObjectType, QueryType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.dataloader import DataLoader

SDL = """
type Query { community(id: ID!): Community! }
type Community { id: ID! posts(first: Int!): PostConnection! }
type PostConnection { edges: [PostEdge!]! pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type PostEdge { cursor: String! node: Post! }
type Author { id: ID! displayName: String! building: String }
type Post { id: ID! kind: String! body: String! createdAt: String! commentCount: Int! likeCount: Int!
  viewerHasLiked: Boolean! author: Author! comments(first: Int!): CommentConnection! }
type CommentConnection { edges: [CommentEdge!]! }
type CommentEdge { node: Comment! }
type Comment { id: ID! body: String! createdAt: String! author: Author! }
"""

query, community, post, comment = (
    QueryType(),
    ObjectType("Community"),
    ObjectType("Post"),
    ObjectType("Comment"),
)


@query.field("community")
def resolve_community(_root, _info, id):
    return {"id": id}


@community.field("posts")
async def resolve_posts(root, info, first):
    rows, more = await tables.page_of(info.context["viewer"], root["id"], first)
    edges = [{"cursor": str(row.id), "node": row} for row in rows]
    return {"edges": edges, "page_info": {"has_next_page": more, "end_cursor": edges[-1]["cursor"]}}


@post.field("author")
@comment.field("author")
def resolve_author(root, info):
    return info.context["authors"].load(root.author_id)


@post.field("createdAt")
@comment.field("createdAt")
def resolve_created_at(root, _info):
    return root.created_at.isoformat()


@post.field("viewerHasLiked")
def resolve_liked(root, info):
    return info.context["liked"].load(root.id)


@post.field("comments")
async def resolve_comments(root, info, first):
    return {"edges": [{"node": row} for row in await info.context["comments"].load((root.id, first))]}


async def context(request, _data):
    viewer = await tables.viewer_of(request.headers["authorization"])
    return {
        "viewer": viewer,
        "authors": DataLoader(load_fn=tables.authors),
        "liked": DataLoader(load_fn=partial(tables.liked, viewer)),
        "comments": DataLoader(load_fn=tables.comments),
    }


schema = make_executable_schema(SDL, query, community, post, comment, convert_names_case=True)
app = GraphQL(schema, context_value=context, http_handler=GraphQLHTTPHandler(), introspection=False)
uvicorn.run(
    Starlette(routes=[Route("/graphql", app, methods=["GET", "POST"])], lifespan=tables.lifespan),
    port=int(os.environ["PORT"]),
    loop="uvloop",
    http="httptools",
    access_log=False,
    log_level="warning",
)
