"""What a motion shall be: how it is written, announced and withdrawn."""

from datetime import datetime

import strawberry

from models.motions import MotionRow
from resolvers.motions import putting
from schema.motions.motions import Motion
from schema.motions.terms import ItemClass, ScopeKind
from schema.mutations import IDEMPOTENCY_KEY, payload, shown
from schema.node import key_of


@strawberry.input(description="One thing to decide.")
class MotionItemInput:
    item_class: ItemClass = strawberry.field(description="What it is in law.")
    title: str = strawberry.field(description="At most 200 characters.")
    body: str = strawberry.field(default="", description="The details; at most 20,000 characters.")


@strawberry.input(description="What a motion shall be.")
class MotionDraftInput:
    title: str = strawberry.field(description="At most 80 characters.")
    body: str = strawberry.field(description="The reasons; at most 20,000 characters.")
    items: list[MotionItemInput] = strawberry.field(description="From 1 to 20.")
    scope_kind: ScopeKind = strawberry.field(description="Whose owners vote.")
    scope_ids: list[strawberry.ID] = strawberry.field(
        description="The estate, or the buildings; empty for the whole community."
    )
    opens_at: datetime = strawberry.field(description="The hour of the opening.")
    closes_at: datetime = strawberry.field(description="A ballot at this moment is too late.")
    secret: bool = strawberry.field(default=False, description="Whether nobody sees how a home voted.")


@strawberry.input(description="A motion to write.")
class CreateMotionInput:
    organisation_id: strawberry.ID = strawberry.field(description="In whose name.")
    draft: MotionDraftInput = strawberry.field(description="What it shall be.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="A draft to rewrite.")
class UpdateMotionInput:
    motion_id: strawberry.ID = strawberry.field(description="Which.")
    version: int = strawberry.field(description="The version that was read.")
    draft: MotionDraftInput = strawberry.field(description="What it shall be now.")


@strawberry.input(description="A motion to announce.")
class AnnounceMotionInput:
    motion_id: strawberry.ID = strawberry.field(description="Which.")
    version: int = strawberry.field(description="The version that was read.")


@strawberry.input(description="A motion to withdraw.")
class WithdrawMotionInput:
    motion_id: strawberry.ID = strawberry.field(description="Which.")
    version: int = strawberry.field(description="The version that was read.")
    reason: str = strawberry.field(description="Why; at most 500 characters.")


@payload("The draft is written.")
class CreateMotionPayload:
    motion: MotionRow = shown(Motion, "As it is now.")


@payload("The draft is rewritten.")
class UpdateMotionPayload:
    motion: MotionRow = shown(Motion, "As it is now.")


@payload("The motion is announced.")
class AnnounceMotionPayload:
    motion: MotionRow = shown(Motion, "As it is now.")


@payload("The motion is withdrawn.")
class WithdrawMotionPayload:
    motion: MotionRow = shown(Motion, "As it is now.")


PLACES = {ScopeKind.COMMUNITY: "Community", ScopeKind.ESTATE: "Estate", ScopeKind.BUILDINGS: "Building"}


def draft_of(given: MotionDraftInput) -> putting.MotionDraft:
    return putting.MotionDraft(
        title=given.title,
        body=given.body,
        items=tuple(
            putting.ItemDraft(item_class=item.item_class, title=item.title, body=item.body)
            for item in given.items
        ),
        scope_kind=given.scope_kind,
        scope_ids=tuple(key_of("scopeIds", id, PLACES[given.scope_kind]) for id in given.scope_ids),
        opens_at=given.opens_at,
        closes_at=given.closes_at,
        secret=given.secret,
    )
