"""Moving a deliberation on, by the convenor or at its time; and back, by the convenor with a reason."""

from typing import Any
from uuid import UUID

from models.base import now
from models.deliberations import COURSE, PLANNED, DeliberationAction, DeliberationPhase, DeliberationRow
from models.messages import Message
from models.powers import Power
from models.storage.rows import execute
from models.visibility import NOBODY
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context, Services
from resolvers.deliberations import analysis, steps, topics
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.existing import existing, locked
from resolvers.jobs import does
from resolvers.organisations import officers_with
from subscriptions.work import Work


async def move(
    ctx: Context, *, deliberation_id: UUID, phase: DeliberationPhase, version: int, reason: str = ""
) -> DeliberationRow:
    """Bring a deliberation to another phase, for the convenor.

    Backwards, and closing without an outcome, take a reason. Raises InvalidInput, NotFound, NotAllowed,
    Conflict (it has changed since `version`).
    """
    row = await topics.led_by_viewer(ctx, deliberation_id, "deliberation.move")
    if row.phase not in COURSE:
        raise NotAllowed(Message("Only what has been convened can be moved"))
    if phase not in COURSE or phase is row.phase:
        raise InvalidInput(phase=Message("Is not another phase of a deliberation"))
    back = COURSE.index(phase) < COURSE.index(row.phase)
    unfinished = phase is DeliberationPhase.CLOSED and not row.outcome_version
    reason = check_text("reason", reason, topics.LONGEST_REASON, least=4 if back or unfinished else 0)
    async with ctx.unit_of_work() as work:
        await topics.change(row, version, **settings_of(row, phase))
        await arrive(work, ctx, row, phase, note=reason)
        action = "deliberation.move_back" if back else "deliberation.move"
        await audit.record(ctx, action, row, detail=f"{row.phase.value} → {phase.value} {reason}".strip())
    return await topics.visible(ctx, deliberation_id)


@does(topics.MOVE)
async def move_by_time(services: Services, work: Work, deliberation_id: UUID) -> None:
    """Bring a deliberation to the phase that its plan says; whatever has changed since is respected."""
    row = await locked(DeliberationRow, deliberation_id)
    ctx = Context(services, NOBODY)
    phase = row.phase_at(now())
    if phase is not row.phase:
        await topics.change(row, row.version, **settings_of(row, phase))
        await arrive(work, ctx, row, phase, by_clock=True)
        await audit.record(ctx, "deliberation.move", row, detail=f"{row.phase.value} → {phase.value}")
    if phase is DeliberationPhase.OUTCOME and row.closes_at and row.closes_at <= now():
        # It should close, and nobody has said yet what came of it.
        await execute("UPDATE deliberation SET closes_at = NULL WHERE id = ? RETURNING id", row.id)
        await steps.record(
            work,
            ctx,
            await existing(DeliberationRow, row.id),
            DeliberationAction.REMINDED,
            told=await officers_with(row.organisation_id, Power.CONVENE),
            by_clock=True,
        )


def settings_of(row: DeliberationRow, phase: DeliberationPhase) -> dict[str, Any]:
    """What changes with the phase. Plans for what has begun, and plans whose time has gone by, are void."""
    place = COURSE.index(phase)
    void = [
        column
        for later, column in PLANNED.items()
        if COURSE.index(later) <= place or (is_over(row, later) and later is not DeliberationPhase.CLOSED)
    ]
    return {"phase": phase, "phase_since": now(), **dict.fromkeys(void)}


def is_over(row: DeliberationRow, phase: DeliberationPhase) -> bool:
    begins = row.begins(phase)
    return begins is not None and begins <= now()


async def arrive(
    work: Work,
    ctx: Context,
    before: DeliberationRow,
    phase: DeliberationPhase,
    *,
    note: str = "",
    by_clock: bool = False,
) -> None:
    """Record the move, tell those who take part, and have the last votes counted."""
    row = await existing(DeliberationRow, before.id)
    back = COURSE.index(phase) < COURSE.index(before.phase)
    await steps.record(
        work,
        ctx,
        row,
        DeliberationAction.MOVED_BACK if back else DeliberationAction.MOVED,
        note=note,
        from_phase=before.phase,
        to_phase=phase,
        told=await steps.participants(row),
        by_clock=by_clock,
    )
    if before.phase is DeliberationPhase.STATEMENTS:
        await analysis.request_analysis(row.id)
