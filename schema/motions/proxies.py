"""Who votes for the owners of a home, as clients see it."""

from datetime import datetime

import strawberry

from models.motions import ProxyRow
from resolvers import identity
from resolvers.identity import around
from resolvers.motions import reading
from schema.execution.type_resolution import IsA
from schema.fields import loaded
from schema.identity import Home, Neighbour
from schema.motions.terms import ProxyStatus
from schema.mutations import IDEMPOTENCY_KEY, payload, shown
from schema.node import Node, fetched_by


@fetched_by(reading.proxies_by_ids)
@strawberry.type(description="That somebody may, or would, vote for the owners of a home.")
class VoteProxy(Node):
    home: Home = loaded(around.homes, description="A home of the head that is voted for.")
    holder: Neighbour = loaded(identity.neighbours_of, description="Who votes for it.")
    status: ProxyStatus = strawberry.field(description="What became of it.")
    reason: str = strawberry.field(description="Why it was rejected; may be empty.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    decided_at: datetime | None = strawberry.field(description="When it was decided.")

    is_type_of = IsA(ProxyRow)


@strawberry.input(description="A proxy to ask for.")
class RequestProxyInput:
    motion_id: strawberry.ID = strawberry.field(description="In which vote.")
    home_id: strawberry.ID = strawberry.field(description="A home of the owners who want it so.")
    evidence: str = strawberry.field(description="What shows it; kept sealed. At most 2,000 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="A decision about a proxy.")
class DecideProxyInput:
    proxy_id: strawberry.ID = strawberry.field(description="Which.")
    approve: bool = strawberry.field(description="Whether the proxy may vote.")
    reason: str = strawberry.field(default="", description="Why; needed to reject.")


@strawberry.input(description="A proxy to end.")
class RevokeProxyInput:
    proxy_id: strawberry.ID = strawberry.field(description="Which.")


@strawberry.input(description="Whose evidence to read.")
class ReadProxyEvidenceInput:
    proxy_id: strawberry.ID = strawberry.field(description="Which.")
    reason: str = strawberry.field(description="Why; kept in the audit log.")


@payload("The proxy is asked for.")
class RequestProxyPayload:
    proxy: ProxyRow = shown(VoteProxy, "As it is now.")


@payload("The proxy is decided.")
class DecideProxyPayload:
    proxy: ProxyRow = shown(VoteProxy, "As it is now.")


@payload("The proxy is ended.")
class RevokeProxyPayload:
    proxy: ProxyRow = shown(VoteProxy, "As it is now.")


@payload("The evidence, in clear.")
class ReadProxyEvidencePayload:
    evidence: str = strawberry.field(description="As it was given.")
