"""What can be checked of a vote: a receipt, what it needs before, all of it after."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.identity import around
from resolvers.motions import export, receipts, simulator
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Building
from schema.motions.motions import Motion
from schema.motions.terms import Choice, ItemClass, Standing
from schema.motions.weights import VoteThreshold, VoteWeight, read_threshold, weight_of
from schema.node import key_of

MotionArg = Annotated[strawberry.ID, strawberry.argument(description="The motion's id.")]


@strawberry.type(description="The least yes that adopts an item.")
class NeededYes:
    position: int = strawberry.field(description="The item's place in the motion.")
    item_class: ItemClass = strawberry.field(description="What it is in law.")
    threshold: VoteThreshold = strawberry.field(description="Of those who take part.")
    at_quorum: VoteWeight = strawberry.field(description="If just enough take part.")
    if_all: VoteWeight = strawberry.field(description="If all take part.")


@strawberry.type(description="A building's weight in the vote.")
class DecidingBuilding:
    building: Building = loaded(around.buildings, description="The building.")
    indispensable: bool = strawberry.field(description="Whether without it no quorum can be.")
    in_smallest_set: bool = strawberry.field(
        description="Whether it is in the set, taken from the largest down, that makes a quorum by itself."
    )

    @strawberry.field(description="All of its owners.")
    @staticmethod
    def total(root: strawberry.Parent[simulator.DecidingBuilding]) -> VoteWeight:
        return VoteWeight(heads=root.heads, area_cm2=str(root.area))

    is_type_of = IsA(simulator.DecidingBuilding)


@strawberry.type(description="What a vote would need if it opened now.")
class MotionSimulation:
    total: VoteWeight = strawberry.field(description="All owners.")
    quorum: VoteThreshold = strawberry.field(description="The share that must take part.")
    needed_quorum: VoteWeight = strawberry.field(description="The least that makes it.")
    items: list[NeededYes] = strawberry.field(description="What each item needs.")
    buildings: list[simulator.DecidingBuilding] = strawberry.field(
        graphql_type=list[DecidingBuilding], description="The heaviest first."
    )
    online: VoteWeight = strawberry.field(description="Who can vote online now.")
    paper_only: VoteWeight = strawberry.field(description="Who can vote on paper only.")
    developer: VoteWeight = strawberry.field(description="Of these the developer, with unsold homes.")
    unknown: VoteWeight = strawberry.field(description="Of these the owners whom nobody has registered.")
    several_homes: int = strawberry.field(description="Owners of more than one home, each one head.")


def simulation_of(found: simulator.Simulation) -> MotionSimulation:
    return MotionSimulation(
        total=weight_of(found.total),
        quorum=read_threshold(found.quorum.content()),
        needed_quorum=weight_of(found.needed_quorum),
        items=[
            NeededYes(
                position=item.position,
                item_class=item.item_class,
                threshold=read_threshold(item.threshold.content()),
                at_quorum=weight_of(item.at_quorum),
                if_all=weight_of(item.if_all),
            )
            for item in found.items
        ],
        buildings=found.buildings,
        online=weight_of(found.online),
        paper_only=weight_of(found.paper_only),
        developer=weight_of(found.developer),
        unknown=weight_of(found.unknown),
        several_homes=found.several_homes,
    )


@strawberry.type(description="A ballot as it lies in the box.")
class BallotReceipt:
    motion: Motion = strawberry.field(description="In which vote.")
    number: int = strawberry.field(description="Its place in the box.")
    hash: str = strawberry.field(description="Its hash in the chain.")
    previous_hash: str = strawberry.field(description="The hash of the entry before, which is part of it.")
    cast_at: datetime = strawberry.field(description="When it was cast.")
    standing: Standing = strawberry.field(description="Whether it counts.")
    choices: list[Choice] | None = strawberry.field(
        description="The choices, in the order of the items."
        " Only for whoever cast it, or holds the code of a secret one."
    )
    pieces_found: bool | None = strawberry.field(
        description="In a secret vote, whether all that the ballot says lies in the pool, unchanged."
    )


@strawberry.type
class MotionsQuery:
    @strawberry.field(
        graphql_type=BallotReceipt | None,
        description="The ballot of a receipt's code; null if there is none in the box.",
        metadata=VIEWER,
    )
    async def ballot_receipt(
        self,
        info: Info,
        motion_id: MotionArg,
        code: Annotated[str, strawberry.argument(description="The receipt's code.")],
    ) -> receipts.Receipt | None:
        key = key_of("motionId", motion_id, "Motion")
        return await receipts.check(info.context, motion_id=key, code=code)

    @strawberry.field(
        description="What the vote would need if it opened now, and which buildings decide."
        " For its officers, before it opens.",
        metadata=VIEWER,
    )
    async def motion_simulation(self, info: Info, motion_id: MotionArg) -> MotionSimulation:
        key = key_of("motionId", motion_id, "Motion")
        return simulation_of(await simulator.simulate(info.context, motion_id=key))

    @strawberry.field(
        description="All that is needed to count again, as canonical JSON for `tools/recount.py`."
        " For owners and officers, after the close.",
        metadata=VIEWER,
    )
    async def motion_export(self, info: Info, motion_id: MotionArg) -> str:
        return await export.export(info.context, motion_id=key_of("motionId", motion_id, "Motion"))

    @strawberry.field(
        description="The frozen electorate as canonical JSON, whose SHA-256 is `snapshotHash`;"
        " it names nobody. For owners and officers, from the opening.",
        metadata=VIEWER,
    )
    async def motion_electorate(self, info: Info, motion_id: MotionArg) -> str:
        return await export.electorate(info.context, motion_id=key_of("motionId", motion_id, "Motion"))
