"""Deadlines of service requests: exact, done once, and never a case closed behind its reporter's back."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models.base import now
from models.jobs import JobRow
from models.notifications import NotificationRow
from models.requests import (
    ConfirmedBy,
    NoteVisibility,
    RequestAction,
    RequestRow,
    RequestState,
    StepRow,
    TenureRow,
    WaitingFor,
)
from models.storage.tables import by_ids
from resolvers import jobs
from resolvers.errors import Conflict
from resolvers.jobs import Worker
from resolvers.requests import deadlines
from tests.clock import Clock
from tests.requests_scene import Scene
from tests.requests_scene import scene as scene

pytestmark = pytest.mark.anyio

A, S = RequestAction, RequestState


async def test_an_office_is_reminded_and_then_reported(scene: Scene) -> None:
    row = await scene.submit()
    await scene.work()
    assert await scene.actions(row) == ["SUBMIT"]
    await scene.later(row, hours=13)
    await scene.work()
    assert await scene.actions(row) == ["SUBMIT", "REMIND"]
    assert not (await scene.row(row.id)).overdue
    await scene.later(row, hours=11)
    await scene.work()
    row = await scene.row(row.id)
    assert row.overdue
    assert row.escalated_at is not None
    assert row.version == 2
    (_, remind, escalate) = await scene.steps(row)
    assert (remind.visibility, remind.is_public, remind.actor_id) == (NoteVisibility.OFFICES, False, None)
    assert (escalate.action, escalate.is_public) == (A.ESCALATE, True)
    told = await NotificationRow.filter(subject_id=escalate.id).values_list("account_id", flat=True)
    assert set(told) == {
        scene.reporter.id,
        scene.clerk.id,
        scene.colleague.id,
        scene.manager.id,
    }
    assert scene.reporter.id not in await NotificationRow.filter(subject_id=remind.id).values_list(
        "account_id", flat=True
    )
    (tenure,) = await TenureRow.filter(request_id=row.id)
    assert tenure.escalations == 1
    # The committee may give it to somebody else now.
    row = await scene.act(scene.manager, row, A.HAND_OVER, to_office_id=scene.owners.id)
    assert row.state is S.HANDED_OVER


async def test_what_is_accepted_in_time_is_not_reported(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT)
    await scene.later(row, days=1, hours=1)
    await scene.work()
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT"]
    await scene.later(row, days=2)
    await scene.work()
    row = await scene.row(row.id)
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT", "ESCALATE"]
    row = await scene.through(row, A.START)
    await scene.work()
    # The same deadline is not reported twice.
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT", "ESCALATE", "START"]
    row = await scene.through(row, A.FINISH)
    (tenure,) = await TenureRow.filter(request_id=row.id)
    assert (tenure.accepted_in_time, tenure.resolved_in_time) == (True, False)


async def test_the_clock_stands_still_while_it_waits_for_the_resident(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT)
    due = row.due_at
    assert due is not None
    row = await scene.act(scene.clerk, row, A.WAIT, waiting_for=WaitingFor.RESIDENT)
    assert (row.due_at, await scene.jobs(row)) == (None, [])
    await scene.later(row, days=10)
    await scene.work()
    row = await scene.act(scene.clerk, await scene.row(row.id), A.START)
    assert row.due_at is not None
    assert abs(row.due_at - due) < timedelta(minutes=1)
    assert not row.overdue
    row = await scene.act(scene.clerk, row, A.WAIT, waiting_for=WaitingFor.PARTS)
    assert row.due_at == row.resolve_by
    row = await scene.through(row, A.FINISH)
    (tenure,) = await TenureRow.filter(request_id=row.id)
    assert tenure.resolved_in_time
    assert tenure.paused_seconds == pytest.approx(10 * 86_400, abs=60)
    assert tenure.resolve_seconds is not None
    assert 0 <= tenure.resolve_seconds < 60


async def test_silence_is_consent_after_a_reminder(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH)
    await scene.later(row, days=5, hours=1)
    await scene.work()
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT", "FINISH", "REMIND"]
    (*_, remind) = await scene.steps(row)
    assert remind.visibility is NoteVisibility.REPORTER
    assert await NotificationRow.filter(subject_id=remind.id).values_list("account_id", flat=True) == [
        scene.reporter.id
    ]
    await scene.later(row, days=2)
    await scene.work()
    row = await scene.row(row.id)
    assert (row.state, row.confirmed_by) == (S.CONFIRMED, ConfirmedBy.TIME)
    assert row.closed_at is not None
    # Everybody sees that nobody confirmed it, and the reporter may still return it.
    assert (await scene.actions(row))[-1] == "CONFIRM_BY_TIME"
    row = await scene.through(row, A.RETURN)
    assert (row.state, row.confirmed_by) == (S.RETURNED, None)
    await scene.work()
    assert (await scene.row(row.id)).state is S.RETURNED


async def test_nothing_is_confirmed_without_a_reminder(scene: Scene) -> None:
    """All processes were down for weeks: the reporter gets the time after the reminder all the same."""
    row = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH)
    await JobRow.filter(subject_id=row.id, kind=deadlines.REMIND_TO_CONFIRM).delete()
    await scene.later(row, days=30)
    await scene.work()
    assert await scene.actions(row) == ["SUBMIT", "ACCEPT", "FINISH", "REMIND"]
    row = await scene.row(row.id)
    assert row.state is S.DONE
    assert row.confirm_by is not None
    assert row.confirm_by > now() + timedelta(days=1, hours=23)
    await scene.later(row, days=2)
    await scene.work()
    assert (await scene.row(row.id)).state is S.CONFIRMED


async def test_a_case_cannot_be_reopened_for_ever(scene: Scene) -> None:
    row = await scene.through(await scene.submit(), A.ACCEPT, A.FINISH, A.CONFIRM)
    await scene.later(row, days=31)
    with pytest.raises(Conflict):
        await scene.through(await scene.row(row.id), A.RETURN)
    assert (await scene.row(row.id)).state is S.CONFIRMED


async def test_overdue_is_exact(scene: Scene, clock: Clock) -> None:
    row = await scene.submit()
    assert row.due_at is not None
    clock.stand(row.due_at)
    assert not (await scene.row(row.id)).overdue
    clock.stand(row.due_at + timedelta(microseconds=1))
    assert (await scene.row(row.id)).overdue
    (found,) = await by_ids(RequestRow, [row.id])
    assert found is not None
    assert found.overdue


async def test_two_workers_do_it_once(scene: Scene) -> None:
    """Also when both hold the same claims, as after leases that ran out, and a clerk acts meanwhile."""
    rows = [await scene.submit() for _ in range(6)]
    for row in rows:
        await scene.later(row, days=2)
    claimed = [*await jobs.claim(), *await jobs.claim()]
    workers = [Worker(scene.world.services) for _ in range(2)]

    async def accept(row: RequestRow) -> bool:
        try:
            await scene.act(scene.clerk, row, A.ACCEPT)
        except Conflict:
            return False
        return True

    first = rows[0]
    accepted, *_ = await asyncio.gather(
        accept(first), *(worker.do(job) for worker in workers for job in claimed)
    )
    for row in rows[1:]:
        assert await scene.actions(row) == ["SUBMIT", "ESCALATE"]
    assert (await scene.row(first.id)).state is (S.ACCEPTED if accepted else S.SUBMITTED)
    assert await StepRow.filter(action=A.ESCALATE).count() in (5, 6)


async def test_a_job_that_dies_in_the_middle_is_done_by_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await scene.submit()
    await scene.later(row, days=2)
    original = jobs.HANDLERS[deadlines.ESCALATE]

    async def dying(services: Any, work: Any, subject: Any) -> None:
        await original(services, work, subject)
        raise RuntimeError("killed")

    monkeypatch.setitem(jobs.HANDLERS, deadlines.ESCALATE, dying)
    await scene.work()
    assert "ESCALATE" not in await scene.actions(row)
    monkeypatch.setitem(jobs.HANDLERS, deadlines.ESCALATE, original)
    await JobRow.filter(subject_id=row.id, done_at=None).update(due_at=now(), claimed_until=None)
    await scene.work()
    assert (await scene.actions(row)).count("ESCALATE") == 1
