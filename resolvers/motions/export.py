"""What anybody needs to count again: the electorate, the box and the result, in one canonical text."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.messages import Message
from models.motions import MotionPhase, MotionRow, RulesRow, can_count, can_put_motions
from models.storage.rows import execute, select
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import Conflict
from resolvers.existing import existing
from resolvers.motions import ballot_box, reading, receipts
from resolvers.motions.ballot_box import FORMAT, canonical
from resolvers.motions.electorate import OWNERS


@dataclass(slots=True)
class Snapshot:
    snapshot: str


async def export(ctx: Context, *, motion_id: UUID) -> str:
    """The export of a closed motion, for its officers and the owners, which `tools/recount.py` reads.

    Raises NotFound, NotAllowed for others, Conflict before the result is there.
    """
    motion = await exportable(ctx, motion_id)
    if reading.phase(motion) is not MotionPhase.CLOSED:
        raise Conflict(Message("The vote is not closed and counted yet"), motion)
    (items,) = await reading.items([motion.id])
    snapshot = json.loads(await snapshot_of(motion))
    content: dict[str, Any] = {
        "format": FORMAT,
        "header": ballot_box.header(
            motion, await existing(RulesRow, motion.rules_id), items, motion.snapshot_hash
        ),
        "electorate": snapshot,
        "entries": [
            {"content": json.loads(row.content), "hash": row.hash}
            for row in await ballot_box.entries(motion.id)
        ],
        "closes_at": ballot_box.iso(motion.closes_at),
        "last_hash": motion.last_hash,
        "result": motion.result,
    }
    if motion.secret:
        content["pieces"] = [
            {
                "position": row.position,
                "choice": row.choice.value,
                "heads": row.heads,
                "area": row.area_cm2,
                "code": row.code,
            }
            for row in await receipts.secret_pieces(motion.id)
        ]
    return canonical(content)


async def electorate(ctx: Context, *, motion_id: UUID) -> str:
    """The frozen electorate as it was hashed, for officers and owners, from the opening.

    Raises NotFound, NotAllowed, Conflict.
    """
    motion = await exportable(ctx, motion_id)
    if not motion.snapshot_hash:
        raise Conflict(Message("The vote has not opened yet"), motion)
    return await snapshot_of(motion)


async def exportable(ctx: Context, motion_id: UUID) -> MotionRow:
    """The motion, for the officers who put or count it, and for owners. Raises NotFound, NotAllowed."""
    account_id = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    if can_count(ctx.viewer, motion) or can_put_motions(ctx.viewer, motion.organisation_id):
        await audit.note_reading(ctx, "motion.export", [motion])
        return motion
    if await reading.entitlements(account_id, [motion.id]):
        return motion
    if await execute(
        "SELECT id FROM residency WHERE account_id = ? AND community_id = ? AND until IS NULL"
        " AND relation IN (?)",
        account_id,
        motion.community_id,
        OWNERS,
    ):
        return motion
    raise await audit.refuse(
        ctx, "motion.export", Message("For owners, and for the officers who put or count the motion"), motion
    )


async def snapshot_of(motion: MotionRow) -> str:
    (row,) = await select(Snapshot, "SELECT snapshot FROM motion WHERE id = ?", motion.id)
    return row.snapshot
