"""Scheduled work is done once, by somebody, whatever dies in between."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from models.base import new_id, now
from models.jobs import JobRow
from resolvers import jobs
from resolvers.context import Services
from resolvers.jobs import Worker, schedule, unschedule
from subscriptions.events import Event, Kind, community_topic
from subscriptions.work import Work
from tests.world import World


class Doing:
    """A kind of job that leaves an event, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures = 0

    async def __call__(self, _services: Services, work: Work, subject_id: UUID) -> None:
        work.record(Event(community_topic(subject_id), Kind.POST_CHANGED, subject_id))
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not this time")


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch) -> Doing:
    made = Doing()
    monkeypatch.setitem(jobs.HANDLERS, "TEST", made)
    return made


async def test_what_is_due_is_done_once(world: World, doing: Doing) -> None:
    subject = new_id()
    await schedule("TEST", subject, now() - timedelta(seconds=1))
    worker = Worker(world.services)
    assert await worker.work()
    assert not await worker.work()
    assert len(await world.events(community_topic(subject))) == 1


async def test_what_is_not_due_waits(world: World, doing: Doing) -> None:
    subject = new_id()
    await schedule("TEST", subject, now() + timedelta(hours=1))
    assert not await Worker(world.services).work()
    assert await world.events(community_topic(subject)) == []


async def test_what_is_unscheduled_is_not_done(world: World, doing: Doing) -> None:
    subject = new_id()
    await schedule("TEST", subject, now())
    await unschedule(subject, "TEST")
    assert not await Worker(world.services).work()


async def test_a_failed_job_leaves_nothing_and_comes_again(world: World, doing: Doing) -> None:
    doing.failures = 1
    subject = new_id()
    await schedule("TEST", subject, now())
    worker = Worker(world.services)
    assert await worker.work()
    assert await world.events(community_topic(subject)) == []
    (job,) = await JobRow.filter(subject_id=subject)
    assert (job.attempts, job.done_at) == (1, None)
    assert job.due_at > now()
    await JobRow.filter(id=job.id).update(due_at=now())
    assert await worker.work()
    assert len(await world.events(community_topic(subject))) == 1


async def test_a_job_that_never_succeeds_is_given_up(world: World, doing: Doing) -> None:
    doing.failures = 1000
    await schedule("TEST", new_id(), now())
    worker = Worker(world.services)
    for _ in range(jobs.MOST_ATTEMPTS):
        assert await worker.work()
        await JobRow.filter(done_at=None).update(due_at=now())
    assert not await worker.work()
    assert await JobRow.filter(given_up_at=None).count() == 0


async def test_a_claim_that_died_is_claimed_again(world: World, doing: Doing) -> None:
    subject = new_id()
    await schedule("TEST", subject, now() - timedelta(minutes=5))
    (claimed,) = await jobs.claim()
    assert await jobs.claim() == []
    await JobRow.filter(id=claimed.id).update(claimed_until=now() - timedelta(seconds=1))
    assert await Worker(world.services).work()
    assert len(await world.events(community_topic(subject))) == 1


async def test_workers_at_once_do_each_job_one_time(world: World, doing: Doing) -> None:
    subjects = [new_id() for _ in range(30)]
    for subject in subjects:
        await schedule("TEST", subject, now())
    # All of them hold the same claims, as after leases that ran out.
    claimed = [*await jobs.claim(), *await jobs.claim()]
    workers = [Worker(world.services) for _ in range(3)]
    await asyncio.gather(*(worker.do(job) for worker in workers for job in claimed))
    for subject in subjects:
        assert len(await world.events(community_topic(subject))) == 1


async def test_a_stopped_worker_finishes_what_it_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(_services: Services, work: Work, subject_id: UUID) -> None:
        begun.set()
        await may_end.wait()
        work.record(Event(community_topic(subject_id), Kind.POST_CHANGED, subject_id))

    monkeypatch.setitem(jobs.HANDLERS, "TEST", slow)
    subject = new_id()
    await schedule("TEST", subject, now())
    worker = Worker(world.services)
    await worker.start()
    await begun.wait()
    stopping = asyncio.create_task(worker.stop())
    may_end.set()
    await stopping
    assert len(await world.events(community_topic(subject))) == 1
