"""Motions to the owners and their items, as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.identity import CommunityRow
from models.motions import ItemRow, MotionRow, can_count, can_put_motions
from resolvers import identity
from resolvers.motions import reading, rules
from schema.connections import After, Before, Connection, First, Last, page_args
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, load, loaded
from schema.identity import Neighbour
from schema.motions.ballots import OwnHead, RollEntry
from schema.motions.paper import PaperBallot
from schema.motions.proxies import VoteProxy
from schema.motions.results import MotionResult, Participation, read_result
from schema.motions.rules import VoteRules
from schema.motions.terms import ItemClass, MotionPhase, MotionStatus, ProxyStatus, ScopeKind
from schema.node import Node, fetched_by

if TYPE_CHECKING:
    from schema.communities import Organisation


@fetched_by(reading.items_by_ids)
@strawberry.type(description="One thing that is decided.")
class MotionItem(Node):
    position: int = strawberry.field(description="Its place in the motion, from 1.")
    item_class: ItemClass = strawberry.field(description="What it is in law.")
    title: str = strawberry.field(description="What is decided.")
    body: str = strawberry.field(description="The details; may be empty.")

    @strawberry.field(description="Its number in article 278, 1 to 9.")
    @staticmethod
    def statutory_number(root: strawberry.Parent[ItemRow]) -> int:
        return root.item_class.number

    is_type_of = IsA(ItemRow)


Voted = Annotated[bool | None, strawberry.argument(description="Only those who have voted, or have not.")]
InConflict = Annotated[bool | None, strawberry.argument(description="Only those in conflict, or not.")]


@fetched_by(reading.visible_by_ids)
@strawberry.type(description="A motion to the owners, decided by heads and by area.")
class Motion(Node):
    organisation: Annotated["Organisation", strawberry.lazy("schema.communities")] = loaded(
        reading.organisations_of, description="Who puts it."
    )
    author: Neighbour = loaded(identity.authors_of, description="Who wrote it.")
    title: str = strawberry.field(description="At most 80 characters.")
    body: str = strawberry.field(description="The reasons.")
    secret: bool = strawberry.field(
        description="Whether nobody, the office included, sees how a home voted, and only that it did."
    )
    scope_kind: ScopeKind = strawberry.field(description="Whose owners vote.")
    scope_label: str = strawberry.field(description="What that is called.")
    rules: VoteRules = loaded(reading.rules_of, description="The rules that it is under, for ever.")
    items: list[MotionItem] = loaded(reading.items_of, description="What is decided, in order.")
    opens_at: datetime = strawberry.field(description="The hour of the opening; who owns then votes.")
    closes_at: datetime = strawberry.field(description="A ballot at this moment is too late.")
    first_closes_at: datetime = strawberry.field(description="The close before any extension.")
    extensions: int = strawberry.field(description="How often it was extended.")
    created_at: datetime = strawberry.field(description="When it was written.")
    announced_at: datetime | None = strawberry.field(description="When it was announced.")
    opened_at: datetime | None = strawberry.field(description="When the electorate was frozen.")
    closed_at: datetime | None = strawberry.field(description="When it was counted.")
    withdraw_reason: str = strawberry.field(description="Why it was withdrawn; empty if it was not.")
    version: int = strawberry.field(description="For changes by the office.")
    snapshot_hash: str = strawberry.field(
        description="SHA-256 of the frozen electorate in its canonical form; empty before the opening."
    )
    box_hash: str = strawberry.field(
        resolver=lambda root: root.last_hash,
        description="The hash of the box's newest entry: whoever noted it notices any change before it.",
    )
    box_entries: int = strawberry.field(
        resolver=lambda root: root.entries, description="How many entries are in the box, changes included."
    )
    viewer_heads: list[OwnHead] = loaded(
        reading.own_heads_of,
        description="The heads whose ballot the viewer may cast; none before the opening.",
        viewer=True,
    )

    @strawberry.field(description="Where it stands by the clock.")
    @staticmethod
    def phase(root: strawberry.Parent[MotionRow]) -> MotionPhase:
        return reading.phase(root)

    @strawberry.field(description="Who has taken part.")
    @staticmethod
    def participation(root: strawberry.Parent[MotionRow]) -> Participation:
        return root  # type: ignore[return-value]

    @strawberry.field(description="The result; null until it is counted.")
    @staticmethod
    def result(root: strawberry.Parent[MotionRow]) -> MotionResult | None:
        return None if root.result is None else read_result(root.result)

    @strawberry.field(description="Whether the viewer may change, announce and withdraw it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_put(root: strawberry.Parent[MotionRow], info: Info) -> bool:
        return can_put_motions(info.context.viewer, root.organisation_id)

    @strawberry.field(description="Whether the viewer may see who has voted, and count.", metadata=VIEWER)
    @staticmethod
    def viewer_can_count(root: strawberry.Parent[MotionRow], info: Info) -> bool:
        return can_count(info.context.viewer, root)

    @strawberry.field(
        description="Who has voted, never how, for the officers who count; an error and null for others.",
        metadata={**VIEWER, "batch": reading.rolls_of},
    )
    @staticmethod
    async def roll(
        root: strawberry.Parent[MotionRow],
        info: Info,
        voted: Voted = None,
        in_conflict: InConflict = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[RollEntry] | None:
        await reading.check_may_count(info.context, root)
        wanted = reading.RollFilter(voted, in_conflict)
        return await load(info, reading.rolls_of, root, page_args(first, after, last, before), wanted)  # type: ignore[no-any-return]

    @strawberry.field(
        description="The ballots on paper, for the officers who count; an error and null for others.",
        metadata={**VIEWER, "batch": reading.papers_of},
    )
    @staticmethod
    async def paper_ballots(
        root: strawberry.Parent[MotionRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[PaperBallot] | None:
        await reading.check_may_count(info.context, root)
        return await load(info, reading.papers_of, root, page_args(first, after, last, before))  # type: ignore[no-any-return]

    @strawberry.field(
        description="The proxies: all for the officers who count, else the viewer's and those for own homes.",
        metadata={**VIEWER, "batch": reading.proxies_of},
    )
    @staticmethod
    async def proxies(
        root: strawberry.Parent[MotionRow],
        info: Info,
        status: Annotated[
            ProxyStatus | None, strawberry.argument(description="Only those with this status.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[VoteProxy]:
        args = page_args(first, after, last, before)
        return await load(info, reading.proxies_of, root, args, status)  # type: ignore[no-any-return]

    is_type_of = IsA(MotionRow)


@strawberry.type
class CommunityMotions:
    """What the owners' vote adds to a community."""

    @strawberry.field(
        description="Motions to the owners, newest first; drafts only for who writes them.",
        metadata={**VIEWER, "batch": reading.motions_of_communities},
    )
    @staticmethod
    async def motions(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        statuses: Annotated[
            list[MotionStatus] | None, strawberry.argument(description="Only those of these statuses.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Motion]:
        args = page_args(first, after, last, before)
        wanted = None if statuses is None else frozenset(statuses)
        return await load(info, reading.motions_of_communities, root, args, wanted)  # type: ignore[no-any-return]

    @strawberry.field(
        description="The versions of the rules of voting, newest first. The law's own are"
        " made version 1 by the"
        " first motion if nothing else was adopted before.",
        metadata={**VIEWER, "batch": rules.rules_of_communities},
    )
    @staticmethod
    async def vote_rules(
        root: strawberry.Parent[CommunityRow],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[VoteRules]:
        return await load(info, rules.rules_of_communities, root, page_args(first, after, last, before))  # type: ignore[no-any-return]
