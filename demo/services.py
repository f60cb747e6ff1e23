"""The local services of the demo: of each category, and a merchant with a licence, an offer and opinions."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from models.base import now
from models.directory.entries import DirectoryCategory, EntryRow
from models.directory.hours import CHINA, MINUTES, Hours, Interval
from models.directory.licences import LicenceKind
from models.directory.ratings import HIGHEST
from models.identity import CommunityRow, EstateRow, GridRow
from models.roles import OrganisationKind
from models.storage.paging import PageArgs
from resolvers.context import Context
from resolvers.directory import bookings, entries, licences, offers, ratings, slots
from resolvers.directory.entries import EntryDraft, Link
from resolvers.directory.slots import Weekly

WORKDAYS = range(1, 6)
MORNING, AFTERNOON = Interval(9 * 60, 12 * 60), Interval(14 * 60, 17 * 60 + 30)
OFFICE_HOURS = Hours(dict.fromkeys(WORKDAYS, (MORNING, AFTERNOON)))
ROUND_THE_CLOCK = Hours({day: (Interval(0, MINUTES),) for day in range(1, 8)})
# Past midnight at the end of the week.
NOODLE_HOURS = Hours(
    {day: (Interval(7 * 60, 22 * 60),) for day in range(1, 5)}
    | {day: (Interval(7 * 60, 26 * 60),) for day in range(5, 8)}
)

WINDOW = EntryDraft(
    category=DirectoryCategory.GOVERNMENT_AFFAIRS,
    name="老年优待证办理",
    summary="年满60周岁的老人可以办理优待证，当场领取，不收费。行动不便的可以预约上门。",
    place="社区服务大厅3号窗",
    phone="0571-8600 1200",
    hours=OFFICE_HOURS,
    steps=["预约时段，或到大厅取号", "在3号窗提交材料", "核对信息，当场领证"],
    documents=["本人身份证", "近期一寸照片一张"],
    links=[Link("优待政策说明", "https://example.org/senior")],
)
DESK = EntryDraft(
    category=DirectoryCategory.PROPERTY,
    name="安居物业服务中心",
    summary="报修、门禁卡、装修登记、停车月卡。夜间有人值班。",
    place="屯乐苑南门物业楼一层",
    phone="0571-8600 1300",
    hours=ROUND_THE_CLOCK,
)
PLUMBER = EntryDraft(
    category=DirectoryCategory.CONVENIENCE,
    name="水电上门维修",
    summary="水管漏水、跳闸、换灯。上门费30元，材料按公示价。",
    phone="0571-8600 1301",
    hours=Hours({day: (Interval(8 * 60, 20 * 60),) for day in range(1, 8)}),
    steps=["打电话说明情况", "约好时间，师傅上门", "修好后当面试用，再付款"],
)
NOODLES = EntryDraft(
    category=DirectoryCategory.NEARBY,
    name="老张手擀面",
    summary="每天现擀，早上七点开门；周五到周日夜宵到凌晨两点。",
    place="丰盛街68号",
    phone="0571-8600 1400",
    hours=NOODLE_HOURS,
)
# Who says what of the noodles.
SAID = (
    ("夜班护士小方", 5, "下夜班还能吃上一碗热的，牛肉给得实在。"),
    ("做菜的老顾", 4, "面是真手擀的，汤头稍微咸了点。"),
    ("豆豆妈", 5, "给孩子单煮了一碗不放辣的，很贴心。"),
)


async def begin(
    community: CommunityRow, offices: dict[OrganisationKind, Context], neighbours: dict[str, Context]
) -> None:
    """Each in the name of the office that it is of."""
    committee = offices[OrganisationKind.RESIDENTS_COMMITTEE]
    company = offices[OrganisationKind.PROPERTY_COMPANY]
    merchant = offices[OrganisationKind.MERCHANT]
    await window(committee, neighbours["许奶奶"])
    for grid in await GridRow.filter(community_id=community.id).order_by("name"):
        await say(committee, reached(grid), f"demo-grid-{grid.name}")
    estate = await EstateRow.get(community_id=community.id, name="屯乐苑")
    await say(company, DESK, "demo-desk", estate_id=estate.id)
    await say(company, PLUMBER, "demo-plumber")
    await noodles(committee, merchant, neighbours)


def reached(grid: GridRow) -> EntryDraft:
    return EntryDraft(
        category=DirectoryCategory.GRID,
        name=f"{grid.name}联络点",
        summary="走访、登记、邻里纠纷、独居老人关照，先找网格员。",
        place="社区服务站",
        grid_id=grid.id,
        phone="0571-8600 1210",
        hours=OFFICE_HOURS,
    )


async def say(office: Context, draft: EntryDraft, key: str, estate_id: UUID | None = None) -> EntryRow:
    """Write an entry and publish it."""
    (held,) = office.viewer.offices.values()
    row = await entries.create(
        office, organisation_id=held.organisation_id, draft=replace(draft, estate_id=estate_id), key=key
    )
    return await entries.set_published(office, entry_id=row.id, version=row.version, on=True)


async def window(committee: Context, senior: Context) -> None:
    """Times for the next two weeks, of which a grandmother has booked one."""
    row = await say(committee, WINDOW, "demo-window")
    tomorrow = now().astimezone(CHINA).date() + timedelta(days=1)
    mornings = [Weekly(day, MORNING, 30, 2) for day in WORKDAYS]
    await slots.plan(
        committee, entry_id=row.id, first=tomorrow, last=tomorrow + timedelta(days=13), weekly=mornings
    )
    (page,) = await slots.slots_of(senior, [row], None, True, PageArgs(first=4))
    await bookings.book(senior, slot_id=page.items[-1].id, note="孙女陪我一起来", key="demo-booking")


async def noodles(committee: Context, merchant: Context, neighbours: dict[str, Context]) -> None:
    """A licence that the committee has checked, an offer, and three opinions with an answer."""
    (held,) = merchant.viewer.offices.values()
    licence = await licences.submit(
        merchant,
        organisation_id=held.organisation_id,
        kind=LicenceKind.FOOD,
        number="JY13301060012345",
        valid_until=now().astimezone(CHINA).date() + timedelta(days=700),
        key="demo-licence",
    )
    await licences.decide(committee, licence_id=licence.id, version=licence.version, approve=True)
    row = await say(merchant, NOODLES, "demo-noodles")
    await offers.create(
        merchant,
        entry_id=row.id,
        draft=offers.OfferDraft(
            title="邻里价：第二碗半价",
            body="出示邻里应用即可，工作日下午两点到五点，堂食。",
            price_fen=900,
            starts_at=now(),
            ends_at=now() + timedelta(days=30),
        ),
        key="demo-offer",
    )
    for author, stars, body in SAID:
        said = await ratings.rate(neighbours[author], entry_id=row.id, stars=stars, body=body)
        if stars < HIGHEST:
            await ratings.reply(
                merchant, rating_id=said.id, version=said.version, body="谢谢顾师傅，汤已经调淡了，欢迎再来。"
            )
