"""The demo's activities: a film night that is full, a run each week, a day of the branch for its members."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.activities import ActivityAudience, ActivityKind, ActivityRow
from models.base import now
from models.roles import OrganisationKind
from resolvers.activities import organising, sign_ups
from resolvers.activities.drafts import ActivityDraft
from resolvers.activities.recurring import Frequency, Recurrence
from resolvers.context import Context

HOUR = timedelta(hours=1)
FILM_LOVERS = (("豆豆妈", 2), ("许奶奶", 1), ("二楼的吴老师", 0), ("程序员阿杰", 1), ("退休的郑师傅", 0))
RUNNERS = ("篮球小何", "晨跑的阿明", "程序员阿杰")


def evening(days: int, hour: int = 19) -> datetime:
    """That hour in China, so many days from now."""
    day = now().astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=days)
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


async def hold(offices: dict[OrganisationKind, Context], neighbours: dict[str, Context]) -> None:
    """What the committee and the branch hold, with neighbours who come and who wait."""

    async def announce(
        kind: OrganisationKind, draft: ActivityDraft, repeats: Recurrence | None = None
    ) -> ActivityRow:
        ctx = offices[kind]
        (office,) = ctx.viewer.offices.values()
        return await organising.create(
            ctx, host_id=office.organisation_id, draft=draft, key=f"demo {draft.title}", repeats=repeats
        )

    async def come(name: str, row: ActivityRow, companions: int = 0, *, whole_series: bool = False) -> None:
        await sign_ups.sign_up(
            neighbours[name],
            activity_id=row.id,
            companions=companions,
            whole_series=whole_series,
            key=f"demo {row.title}",
        )

    film = await announce(
        OrganisationKind.RESIDENTS_COMMITTEE,
        ActivityDraft(
            kind=ActivityKind.CULTURE,
            title="周末露天电影《城南旧事》",
            description="自带小板凳，茶水管够。下雨改到活动室。",
            place="屯乐苑中心广场",
            starts_at=evening(3),
            ends_at=evening(3) + 2 * HOUR,
            capacity=6,
            most_companions=2,
        ),
    )
    for name, companions in FILM_LOVERS:
        await come(name, film, companions)
    run = await announce(
        OrganisationKind.RESIDENTS_COMMITTEE,
        ActivityDraft(
            kind=ActivityKind.SPORT,
            title="每周夜跑",
            description="绕屯乐苑慢跑五公里，配速随意。",
            place="屯乐苑东门",
            starts_at=evening(5, 20),
            ends_at=evening(5, 20) + HOUR,
        ),
        Recurrence(Frequency.WEEKLY, count=8),
    )
    for name in RUNNERS:
        await come(name, run, whole_series=True)
    await announce(
        OrganisationKind.PARTY_BRANCH,
        ActivityDraft(
            kind=ActivityKind.PARTY,
            title="主题党日：为独居老人修电灯",
            description="带上工具箱，两人一组入户。",
            place="党群服务中心集合",
            starts_at=evening(9, 9),
            ends_at=evening(9, 9) + 3 * HOUR,
            audience=ActivityAudience.MEMBERS,
            capacity=12,
        ),
    )
