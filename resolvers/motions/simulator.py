"""Before a vote opens: what is needed, and which buildings decide."""

from dataclasses import dataclass
from uuid import UUID

from models.base import now
from models.messages import Message
from models.motions import ElectorKind, ItemClass, MotionPhase, RulesRow, can_count, can_put_motions
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import Conflict
from resolvers.existing import existing
from resolvers.motions import reading, rules
from resolvers.motions.electorate import Head, heads_at
from resolvers.motions.tally import Threshold, Weight


@dataclass(slots=True)
class NeededWeight:
    """The least yes that adopts an item, if just enough take part and if all do."""

    position: int
    item_class: ItemClass
    threshold: Threshold
    at_quorum: Weight
    if_all: Weight


@dataclass(slots=True)
class DecidingBuilding:
    """A building's weight, and whether it decides."""

    building_id: UUID
    heads: int
    area: int
    # Without it no quorum can be.
    indispensable: bool
    # It belongs to the smallest set of buildings that makes a quorum by themselves, the largest first.
    in_smallest_set: bool


@dataclass(slots=True)
class Simulation:
    total: Weight
    quorum: Threshold
    needed_quorum: Weight
    items: list[NeededWeight]
    buildings: list[DecidingBuilding]
    # Heads that can vote online now, and those who need paper.
    online: Weight
    paper_only: Weight
    developer: Weight
    unknown: Weight
    several_homes: int


async def simulate(ctx: Context, *, motion_id: UUID) -> Simulation:
    """As if the vote opened now. For the officers who put or count the motion, before it opens.

    Raises NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    if not (can_count(ctx.viewer, motion) or can_put_motions(ctx.viewer, motion.organisation_id)):
        raise await audit.refuse(
            ctx,
            "simulateMotion",
            Message("Only the officers who put or count the motion may do this"),
            motion,
        )
    if reading.phase(motion) not in (MotionPhase.DRAFT, MotionPhase.ANNOUNCED):
        raise Conflict(Message("The vote has opened: its electorate is frozen"), motion)
    thresholds = rules.thresholds_of(await existing(RulesRow, motion.rules_id))
    heads = await heads_at(motion, now())
    total = weight(heads)
    needed = Weight(thresholds.quorum.least(total.heads), thresholds.quorum.least(total.area))
    (items,) = await reading.items([motion.id])
    return Simulation(
        total=total,
        quorum=thresholds.quorum,
        needed_quorum=needed,
        items=[
            NeededWeight(
                item.position,
                item.item_class,
                threshold := thresholds.for_class(item.item_class),
                Weight(threshold.least(needed.heads), threshold.least(needed.area)),
                Weight(threshold.least(total.heads), threshold.least(total.area)),
            )
            for item in items
        ],
        buildings=deciding(heads, total, needed),
        online=weight([head for head in heads if head.accounts]),
        paper_only=weight([head for head in heads if not head.accounts]),
        developer=weight([head for head in heads if head.kind is ElectorKind.DEVELOPER]),
        unknown=weight([head for head in heads if head.kind is ElectorKind.UNKNOWN]),
        several_homes=sum(len(head.homes) > 1 and head.kind is ElectorKind.OWNER for head in heads),
    )


def weight(heads: list[Head]) -> Weight:
    return Weight(len(heads), sum(head.area for head in heads))


def deciding(heads: list[Head], total: Weight, needed: Weight) -> list[DecidingBuilding]:
    """Each building, the heaviest first. A head is counted in the building of its first home."""
    found: dict[UUID, DecidingBuilding] = {}
    for head in heads:
        for place, home in enumerate(head.homes):
            row = found.setdefault(home.building_id, DecidingBuilding(home.building_id, 0, 0, False, False))
            row.area += home.area_cm2
            row.heads += place == 0
    rows = sorted(found.values(), key=lambda row: (-row.area, -row.heads, row.building_id))
    reached = Weight()
    for row in rows:
        row.indispensable = total.area - row.area < needed.area or total.heads - row.heads < needed.heads
        row.in_smallest_set = reached.area < needed.area or reached.heads < needed.heads
        reached += Weight(row.heads, row.area)
    return rows
