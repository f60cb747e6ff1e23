"""How many take part, and what came of it, as clients see it."""

from collections.abc import Mapping
from typing import Any

import strawberry

from models.motions import MotionBuildingRow, MotionRow
from resolvers.identity import around
from resolvers.motions import closing, reading, rules, tally
from resolvers.motions.tally import Weight
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import Info, load, loaded
from schema.identity import Building
from schema.motions.terms import Channel, ItemClass, Outcome
from schema.motions.weights import VoteTest, VoteWeight, read_test, read_weight

# Registers the scheduled work.
_ = closing


@strawberry.type(description="What became of an item, with each test.")
class ItemResult:
    position: int = strawberry.field(description="The item's place in the motion.")
    item_class: ItemClass = strawberry.field(description="What it is in law.")
    yes: VoteWeight = strawberry.field(description="For it.")
    no: VoteWeight = strawberry.field(description="Against it.")
    abstain: VoteWeight = strawberry.field(description="Neither, and counted as taking part.")
    tests: list[VoteTest] = strawberry.field(description="Of those who took part, by area and by heads.")
    outcome: Outcome = strawberry.field(description="What became of it.")


@strawberry.type(description="An item's answers that came through one channel.")
class ChannelItem:
    position: int = strawberry.field(description="The item's place in the motion.")
    yes: VoteWeight = strawberry.field(description="For it.")
    no: VoteWeight = strawberry.field(description="Against it.")
    abstain: VoteWeight = strawberry.field(description="Neither.")


@strawberry.type(description="What came through one channel, of what counts.")
class ChannelResult:
    channel: Channel = strawberry.field(description="Which.")
    participating: VoteWeight = strawberry.field(description="Who took part.")
    items: list[ChannelItem] = strawberry.field(
        description="The answers by item; empty in a secret vote, where a channel of few would tell."
    )


@strawberry.type(description="The result: every figure that it was decided by.")
class MotionResult:
    binding: bool = strawberry.field(
        description="Whether it binds in law; else it is an opinion survey (意见征询)."
    )
    total: VoteWeight = strawberry.field(description="All owners.")
    participating: VoteWeight = strawberry.field(description="Those who took part.")
    quorum: list[VoteTest] = strawberry.field(description="Whether enough took part, by area and by heads.")
    items: list[ItemResult] = strawberry.field(description="Item by item.")
    channels: list[ChannelResult] = strawberry.field(description="Channel by channel.")
    unsettled_conflicts: int = strawberry.field(
        description="Homes with two ballots that nobody settled before the close: the first one counts."
    )
    unconfirmed_papers: int = strawberry.field(
        description="Papers that no second officer confirmed before the close: they do not count."
    )


def read_answers(content: Mapping[str, Any]) -> dict[str, VoteWeight]:
    return {name: read_weight(content[name]) for name in ("yes", "no", "abstain")}


def read_result(content: Mapping[str, Any]) -> MotionResult:
    return MotionResult(
        binding=content["binding"],
        total=read_weight(content["total"]),
        participating=read_weight(content["participating"]),
        quorum=[read_test(test) for test in content["quorum"]],
        items=[
            ItemResult(
                position=item["position"],
                item_class=ItemClass(item["class"]),
                **read_answers(item),
                tests=[read_test(test) for test in item["tests"]],
                outcome=Outcome(item["outcome"]),
            )
            for item in content["items"]
        ],
        channels=[
            ChannelResult(
                channel=Channel(channel["channel"]),
                participating=read_weight(channel),
                items=[
                    ChannelItem(position=item["position"], **read_answers(item)) for item in channel["items"]
                ],
            )
            for channel in content["channels"]
        ],
        unsettled_conflicts=content["conflicts"],
        unconfirmed_papers=content["unconfirmed_papers"],
    )


@strawberry.type(description="Who of a building has taken part. A head is counted where its first home is.")
class BuildingParticipation:
    building: Building = loaded(around.buildings, description="The building.")

    @strawberry.field(description="All of its owners.")
    @staticmethod
    def total(root: strawberry.Parent[MotionBuildingRow]) -> VoteWeight:
        return VoteWeight(heads=root.heads, area_cm2=str(root.area_cm2))

    @strawberry.field(description="Those who have taken part.")
    @staticmethod
    def cast(root: strawberry.Parent[MotionBuildingRow]) -> VoteWeight:
        return VoteWeight(heads=root.heads_cast, area_cm2=str(root.area_cast_cm2))

    is_type_of = IsA(MotionBuildingRow)


async def quorum_of(root: strawberry.Parent[MotionRow], info: Info) -> list[VoteTest]:
    under = await load(info, reading.rules_of, root)
    part, whole = Weight(root.heads_cast, root.area_cast_cm2), Weight(root.heads, root.area_cm2)
    found = tally.tests(rules.thresholds_of(under).quorum, part, whole)
    return [read_test(test.content()) for test in found]


def cast_of(root: strawberry.Parent[MotionRow]) -> VoteWeight:
    return VoteWeight(heads=root.heads_cast, area_cm2=str(root.area_cast_cm2))


def total_of(root: strawberry.Parent[MotionRow]) -> VoteWeight:
    return VoteWeight(heads=root.heads, area_cm2=str(root.area_cm2))


@strawberry.type(description="How many take part, never which way. Zero before the opening.")
class Participation:
    total: VoteWeight = strawberry.field(
        resolver=total_of, description="All owners, as frozen at the opening."
    )
    cast: VoteWeight = strawberry.field(resolver=cast_of, description="Those who have taken part.")
    quorum: list[VoteTest] = strawberry.field(
        resolver=quorum_of,
        description="The quorum as it stands, by area and by heads.",
        metadata={"batch": reading.rules_of},
    )
    by_building: Connection[BuildingParticipation] = connection(
        reading.buildings_of, description="The same per building, in the order of a walk."
    )
