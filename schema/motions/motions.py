"""Motions to the owners and their items, as clients see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.motions import ItemRow, MotionRow, can_count, can_put_motions
from resolvers import identity
from resolvers.identity import around
from resolvers.motions import reading, rules
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded, permitted
from schema.identity import Neighbour
from schema.links import Organisation
from schema.motions.ballots import OwnHead, RollEntry
from schema.motions.paper import PaperBallot
from schema.motions.proxies import VoteProxy
from schema.motions.results import MotionResult, Participation, read_result
from schema.motions.rules import VoteRules
from schema.motions.terms import ItemClass, MotionPhase, MotionStatus, ProxyStatus, ScopeKind
from schema.node import Node, fetched_by


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


def with_status(
    status: Annotated[
        ProxyStatus | None, strawberry.argument(description="Only those with this status.")
    ] = None,
) -> tuple[ProxyStatus | None]:
    return (status,)


def of_roll(voted: Voted = None, in_conflict: InConflict = None) -> tuple[reading.RollFilter]:
    return (reading.RollFilter(voted, in_conflict),)


def viewer_can_put_of(root: strawberry.Parent[MotionRow], info: Info) -> bool:
    return can_put_motions(info.context.viewer, root.organisation_id)


def result_of(root: strawberry.Parent[MotionRow]) -> MotionResult | None:
    return None if root.result is None else read_result(root.result)


def phase_of(root: strawberry.Parent[MotionRow]) -> MotionPhase:
    return reading.phase(root)


@fetched_by(reading.visible_by_ids)
@strawberry.type(description="A motion to the owners, decided by heads and by area.")
class Motion(Node):
    organisation: Organisation = loaded(around.organisations, description="Who puts it.")
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
    phase: MotionPhase = strawberry.field(resolver=phase_of, description="Where it stands by the clock.")
    participation: Participation = strawberry.field(
        resolver=lambda root: root, description="Who has taken part."
    )
    result: MotionResult | None = strawberry.field(
        resolver=result_of, description="The result; null until it is counted."
    )
    viewer_can_put: bool = strawberry.field(
        resolver=viewer_can_put_of,
        description="Whether the viewer may change, announce and withdraw it.",
        metadata=VIEWER,
    )
    viewer_can_count: bool = permitted(
        can_count, description="Whether the viewer may see who has voted, and count."
    )
    roll: Connection[RollEntry] | None = connection(
        reading.rolls_of,
        arguments=of_roll,
        viewer=True,
        check=reading.check_may_count,
        description="Who has voted, never how, for the officers who count; an error and null for others.",
    )
    paper_ballots: Connection[PaperBallot] | None = connection(
        reading.papers_of,
        viewer=True,
        check=reading.check_may_count,
        description="The ballots on paper, for the officers who count; an error and null for others.",
    )
    proxies: Connection[VoteProxy] = connection(
        reading.proxies_of,
        arguments=with_status,
        viewer=True,
        description="The proxies: all for the officers who count, else the viewer's and those for own homes.",
    )

    is_type_of = IsA(MotionRow)


def of_statuses(
    statuses: Annotated[
        list[MotionStatus] | None, strawberry.argument(description="Only those of these statuses.")
    ] = None,
) -> tuple[frozenset[MotionStatus] | None]:
    return (None if statuses is None else frozenset(statuses),)


@strawberry.type
class CommunityMotions:
    """What the owners' vote adds to a community."""

    motions: Connection[Motion] = connection(
        reading.motions_of_communities,
        arguments=of_statuses,
        viewer=True,
        description="Motions to the owners, newest first; drafts only for who writes them.",
    )
    vote_rules: Connection[VoteRules] = connection(
        rules.rules_of_communities,
        viewer=True,
        description="The versions of the rules of voting, newest first."
        " The first motion makes the law's rules version 1 if nothing else was adopted before.",
    )
