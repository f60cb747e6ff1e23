"""Activities that recur."""

from datetime import UTC, datetime
from typing import Any

import pytest

from models.activities import ActivityRow, ActivityStatus
from models.base import now
from models.directory.hours import Weekday
from models.jobs import JobRow
from resolvers.activities import organising, recurring, sign_ups
from resolvers.activities.organising import Extent
from resolvers.activities.recurring import Frequency, Recurrence
from resolvers.errors import Conflict, InvalidInput
from tests.activity_scene import DAY, HOUR, Scene
from tests.activity_scene import scene as scene

WEEKLY, MONTHLY = Frequency.WEEKLY, Frequency.MONTHLY


async def occurrences(row: Any) -> list[ActivityRow]:
    return await ActivityRow.filter(series_id=row.series_id).order_by("starts_at")


# Rules


def starts(recurrence: Recurrence, first: datetime) -> list[str]:
    rule = recurring.rule_of(recurrence, first)
    return [moment.isoformat()[:16] for moment in recurring.occurrences(rule, first)]


def test_weeks_and_months_are_those_of_shanghai() -> None:
    # Wednesday the 6th at half past midnight there, still Tuesday in UTC.
    first = datetime(2027, 1, 5, 16, 30, tzinfo=UTC)
    assert starts(Recurrence(WEEKLY, 2, (Weekday.FRIDAY, Weekday.WEDNESDAY), count=3), first) == [
        "2027-01-05T16:30",
        "2027-01-07T16:30",
        "2027-01-19T16:30",
    ]
    # The 31st there: months without one are passed over.
    first = datetime(2027, 1, 30, 16, 30, tzinfo=UTC)
    assert starts(Recurrence(MONTHLY, count=3), first) == [
        "2027-01-30T16:30",
        "2027-03-30T16:30",
        "2027-05-30T16:30",
    ]
    assert starts(Recurrence(WEEKLY, until=datetime(2027, 2, 6, 16, 30, tzinfo=UTC)), first) == [
        "2027-01-30T16:30",
        "2027-02-06T16:30",
    ]


@pytest.mark.parametrize(
    ("field", "recurrence"),
    [
        ("interval", Recurrence(WEEKLY, 0, count=2)),
        ("count", Recurrence(WEEKLY)),
        ("count", Recurrence(WEEKLY, count=2, until=datetime(2027, 1, 1, tzinfo=UTC))),
        ("count", Recurrence(WEEKLY, count=54)),
        ("count", Recurrence(WEEKLY, count=1)),
        ("until", Recurrence(WEEKLY, until=datetime(2027, 1, 1))),  # noqa: DTZ001
        ("weekdays", Recurrence(MONTHLY, 1, (Weekday.MONDAY,), count=2)),
        ("weekdays", Recurrence(WEEKLY, 1, (Weekday.MONDAY,), count=2)),
        ("repeats", Recurrence(MONTHLY, 6, count=10)),
        ("repeats", Recurrence(WEEKLY, until=datetime(2030, 1, 1, tzinfo=UTC))),
        ("repeats", Recurrence(WEEKLY, until=datetime(2027, 1, 7, tzinfo=UTC))),
    ],
)
def test_other_rules_are_refused(field: str, recurrence: Recurrence) -> None:
    with pytest.raises(InvalidInput) as caught:
        starts(recurrence, datetime(2027, 1, 6, 1, 0, tzinfo=UTC))
    assert list(caught.value.fields) == [field]


# Series


async def test_a_series_is_made_at_once_with_its_hours(scene: Scene) -> None:
    row = await scene.hold(
        sign_up_opens_at=now() + DAY, sign_up_closes_at=now() + 6 * DAY, repeats=Recurrence(WEEKLY, count=3)
    )
    first, second, third = await occurrences(row)
    assert first.id == row.id
    for before, after in ((first, second), (second, third)):
        for name in ("starts_at", "ends_at", "sign_up_opens_at", "sign_up_closes_at"):
            assert getattr(after, name) - getattr(before, name) == 7 * DAY
    assert await JobRow.filter(kind="ACTIVITY_REMIND_DAY").count() == 3
    assert len(await scene.events()) == 3


async def test_one_signs_up_for_one_or_for_the_whole_series(scene: Scene) -> None:
    one, two = await scene.neighbours(2)
    row = await scene.hold(capacity=1, repeats=Recurrence(WEEKLY, count=3))
    second = (await occurrences(row))[1]
    await scene.sign_up(one, second)
    done = await sign_ups.sign_up(
        await scene.ctx(two), activity_id=row.id, companions=0, key="all", whole_series=True
    )
    assert [sign_up.state.value for sign_up in done] == ["GOING", "WAITING", "GOING"]
    again = await sign_ups.sign_up(
        await scene.ctx(two), activity_id=row.id, companions=0, key="all", whole_series=True
    )
    assert [sign_up.number for sign_up in again] == [1, 2, 1]
    left = await sign_ups.cancel_sign_up(await scene.ctx(two), activity_id=second.id, whole_series=True)
    assert [sign_up.state.value for sign_up in left] == ["CANCELLED", "CANCELLED"]
    assert [await scene.states(it, [one, two]) for it in await occurrences(row)] == ["-g", "gc", "-c"]


async def test_an_edit_reaches_one_or_all_that_follow(scene: Scene) -> None:
    account = await scene.neighbour()
    row = await scene.hold(repeats=Recurrence(WEEKLY, count=4))
    first, second, third, fourth = await occurrences(row)
    await scene.sign_up(account, fourth)
    await scene.edit(third, title="加映")
    await organising.edit(
        await scene.ctx(scene.officer),
        activity_id=second.id,
        version=1,
        changes={"starts_at": second.starts_at + HOUR, "ends_at": second.ends_at + HOUR, "place": "活动室"},
        extent=Extent.FOLLOWING,
    )
    after = await occurrences(row)
    assert [it.place for it in after] == ["广场", "活动室", "活动室", "活动室"]
    assert [it.title for it in after] == ["露天电影", "露天电影", "加映", "露天电影"]
    assert after[0].starts_at == first.starts_at
    for before, now_ in ((second, after[1]), (third, after[2]), (fourth, after[3])):
        assert now_.starts_at - before.starts_at == HOUR
        assert now_.sign_up_closes_at == now_.starts_at
    assert await scene.told(account) == [("CHANGED", "")]
    assert {job.due_at for job in await JobRow.filter(subject_id=fourth.id)} == {
        after[3].starts_at - DAY,
        after[3].starts_at - HOUR,
    }


async def test_a_series_is_called_off_from_one_on(scene: Scene) -> None:
    account = await scene.neighbour()
    row = await scene.hold(repeats=Recurrence(WEEKLY, count=3))
    first, second, third = await occurrences(row)
    await scene.sign_up(account, third)
    ctx = await scene.ctx(scene.officer)
    with pytest.raises(Conflict):
        await organising.cancel(ctx, activity_id=second.id, version=7, reason="装修", extent=Extent.FOLLOWING)
    assert await JobRow.filter(subject_id=third.id).count() == 2
    await organising.cancel(ctx, activity_id=second.id, version=1, reason="装修", extent=Extent.FOLLOWING)
    assert [it.status for it in await occurrences(row)] == [
        ActivityStatus.SCHEDULED,
        ActivityStatus.CANCELLED,
        ActivityStatus.CANCELLED,
    ]
    assert await scene.told(account) == [("CANCELLED", "装修")]
    assert {job.subject_id for job in await JobRow.filter(done_at=None)} == {first.id}
