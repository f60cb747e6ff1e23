"""How a community handles one category of service requests, as clients see it."""

from datetime import datetime

import strawberry

from models.requests import PolicyRow
from models.roles import OrganisationKind
from resolvers.requests import policies
from schema.execution.type_resolution import IsA
from schema.mutations import payload, shown
from schema.node import Node, fetched_by


@fetched_by(policies.visible_by_ids)
@strawberry.type(
    description="How a community handles one category of service requests: one version of its policy."
    " A request keeps the version that it was opened under."
)
class RequestPolicy(Node):
    code: str = strawberry.field(description="The category, as in `REPAIR`; it never changes.")
    version: int = strawberry.field(description="Counts from 1; `setRequestPolicy` asks for it.")
    name: str = strawberry.field(description="What people call it, as in `报修`.")
    office_kind: OrganisationKind = strawberry.field(description="Which office gets such requests.")
    accept_seconds: int = strawberry.field(description="Within which an office accepts, from receiving it.")
    resolve_seconds: int = strawberry.field(description="Within which an office resolves it, from the same.")
    remind_seconds: int = strawberry.field(description="How long before a deadline the office is reminded.")
    confirm_seconds: int = strawberry.field(
        description="Within which the reporter confirms or returns what is done; then it counts as confirmed."
    )
    confirm_remind_seconds: int = strawberry.field(
        description="How long before that the reporter is reminded."
    )
    reopen_seconds: int = strawberry.field(description="How long a confirmed request can be returned.")
    on_board: bool = strawberry.field(
        description="Whether such requests are on the public board, anonymised."
        " If not, only the reporter and the offices see them."
    )
    retired: bool = strawberry.field(description="Whether no new ones can be reported.")
    created_at: datetime = strawberry.field(description="Since when it holds.")

    is_type_of = IsA(PolicyRow)


@strawberry.input(description="A new version of the policy of one category, or a new category.")
class SetRequestPolicyInput:
    community_id: strawberry.ID = strawberry.field(description="The community.")
    code: str = strawberry.field(description="The category: 2 to 24 capital letters, digits and underscores.")
    version: int = strawberry.field(description="The version that the viewer has read; 0 for a new category.")
    name: str = strawberry.field(description="What people call it, 1 to 40 characters.")
    office_kind: OrganisationKind = strawberry.field(description="Which office gets such requests.")
    accept_seconds: int = strawberry.field(description="Within which an office accepts.")
    resolve_seconds: int = strawberry.field(description="Within which it resolves, not less than that.")
    remind_seconds: int = strawberry.field(
        description="How long before a deadline it is reminded, less than the time to accept."
    )
    confirm_seconds: int = strawberry.field(description="Within which the reporter confirms or returns.")
    confirm_remind_seconds: int = strawberry.field(
        description="How long before that the reporter is reminded, less than that."
    )
    reopen_seconds: int = strawberry.field(description="How long a confirmed request can be returned.")
    on_board: bool = strawberry.field(description="Whether such requests are on the public board.")
    retired: bool = strawberry.field(default=False, description="Whether no new ones can be reported.")


@payload("The policy holds for new requests.")
class SetRequestPolicyPayload:
    policy: PolicyRow = shown(RequestPolicy, "The new version.")
