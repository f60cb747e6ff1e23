"""What opens a service request."""

import strawberry

from models.requests import RequestRow
from resolvers.requests.opening import Place
from schema.connections import Edge
from schema.mutations import IDEMPOTENCY_KEY, Result, payload, shown
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited
from schema.requests.requests import ServiceRequest


@strawberry.input(description="Where something is: one of a home, a building and an estate, and in words.")
class RequestPlaceInput:
    home_id: strawberry.ID | None = strawberry.field(
        default=None, description="A home of the reporter's; neighbours see its building only."
    )
    building_id: strawberry.ID | None = strawberry.field(default=None, description="A building.")
    estate_id: strawberry.ID | None = strawberry.field(default=None, description="An estate.")
    area: str = strawberry.field(
        default="", description="In words, for everyone, as in `东门岗亭`; up to 80 characters."
    )

    def place(self) -> Place:
        """Raises InvalidInput."""
        return Place(
            home_id=key_of("homeId", self.home_id, "Home") if self.home_id else None,
            building_id=key_of("buildingId", self.building_id, "Building") if self.building_id else None,
            estate_id=key_of("estateId", self.estate_id, "Estate") if self.estate_id else None,
            area=self.area,
        )


@strawberry.input(description="A new service request.")
class SubmitRequestInput:
    community_id: strawberry.ID = strawberry.field(description="The community.")
    category: str = strawberry.field(description="The code of one of the community's `requestPolicies`.")
    title: str = strawberry.field(
        description="What it is about, for everyone; 1 to 80 characters, without names."
    )
    body: str = strawberry.field(
        description="The details, for the offices; 1 to 2,000 characters."
        " Numbers of documents and bank cards in it are masked."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    place: RequestPlaceInput | None = strawberry.field(default=None, description="Where it is.")


@strawberry.input(description="A complaint of the feed to make a service request of.")
class OpenRequestFromPostInput:
    post_id: strawberry.ID = strawberry.field(description="The post, of kind COMPLAINT.")
    category: str = strawberry.field(description="The code of one of the community's `requestPolicies`.")
    title: str = strawberry.field(description="What it is about, 1 to 80 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    place: RequestPlaceInput | None = strawberry.field(
        default=None, description="Where it is; left out, the post's estate."
    )


@payload("The service request is open.")
class OpenRequestPayload:
    request_edge: Edge[RequestRow] = shown(Edge[ServiceRequest], "The edge to put into the board.")


OpenRequestResult = Result(
    "OpenRequestResult",
    OpenRequestPayload,
    InvalidInput,
    NotAllowed,
    NotFound,
    Conflict,
    RateLimited,
    description="What came of opening a service request.",
)
