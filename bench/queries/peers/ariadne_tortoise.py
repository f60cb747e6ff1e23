"""Ariadne with the same answers."""

import os
from pathlib import Path
from typing import Any

import answers
import tables
import uvicorn
from ariadne import ObjectType, load_schema_from_path, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

PLACES = {"home": answers.home, "building": answers.building}
WRITTEN = {"author": answers.author, "viewerHasLiked": answers.viewer_has_liked}
FIELDS: dict[str, dict[str, Any]] = {
    "Query": {
        "community": answers.community,
        "post": answers.post,
        "notice": answers.notice,
        "organisation": answers.organisation,
    },
    "Community": {"posts": answers.posts},
    "Post": {**WRITTEN, "comments": answers.comments, "threads": answers.threads},
    "Comment": {**WRITTEN, "replies": answers.threads},
    "Notice": {
        "author": answers.author,
        "validNow": answers.valid_now,
        "organisation": answers.publisher,
        "audience": answers.audience,
        "reach": answers.reach,
    },
    "Reach": {"byBuilding": answers.by_building, "unreached": answers.unreached},
    "BuildingReach": {"building": answers.building},
    "Receipt": PLACES,
    "Organisation": {"requestCounts": answers.request_counts, "requestQueue": answers.request_queue},
    "ServiceRequest": {
        **PLACES,
        "overdue": answers.overdue,
        "reporter": answers.reporter,
        "assignee": answers.assignee,
    },
}


async def context(request: Request, _data: object) -> dict[str, Any]:
    return await answers.context_of(request.headers["authorization"])


types = []
for name, fields in FIELDS.items():
    types.append(ObjectType(name))
    for field, resolver in fields.items():
        types[-1].set_field(field, resolver)
schema = make_executable_schema(
    load_schema_from_path(str(Path(__file__).with_name("schema.graphql"))), *types, convert_names_case=True
)
app = GraphQL(schema, context_value=context, http_handler=GraphQLHTTPHandler(), introspection=False)
uvicorn.run(
    Starlette(routes=[Route("/graphql", app, methods=["GET", "POST"])], lifespan=tables.lifespan),
    port=int(os.environ["PORT"]),
    loop="uvloop",
    http="httptools",
    access_log=False,
    log_level="warning",
)
