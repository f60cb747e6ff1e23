"""The members' half of the demo's party branch: members, a lesson, opinions, a visit."""

from datetime import timedelta
from uuid import UUID

from models.base import now
from models.identity import HomeRow, neighbour_key
from models.party.lessons import PartyLessonAudience, PartyLessonItemKind
from models.party.members import PartyApplicationRow, PartyFunction
from models.party.opinions import PartyOpinionReach, PartyOpinionTopic
from models.storage.rows import columns, select
from models.visibility import viewers
from resolvers.context import Context
from resolvers.party import members, visits
from resolvers.party.lessons import keeping, learning, reading
from resolvers.party.lessons.drafts import ItemDraft, LessonDraft, Option, Question
from resolvers.party.opinions import answering, submitting

MEMBERS = {
    "退休的郑师傅": PartyFunction.GROUP_LEADER,
    "二楼的吴老师": PartyFunction.STUDY_LEADER,
    "老马": PartyFunction.MEMBER,
}
APPLICANT = "夜班护士小方"
VISITED = "许奶奶"

MEETINGS = LessonDraft(
    title="三会一课怎么开",
    summary="支部党员大会、支委会、党小组会和党课，各开什么、多久开一次。",
    audience=PartyLessonAudience.MEMBERS,
    items=(
        ItemDraft(
            PartyLessonItemKind.TEXT,
            "导读",
            body="# 三会一课\n\n- **党员大会** 每季度一次\n- **支委会** 每月一次\n"
            "- **党小组会** 每月一次\n- **党课** 每季度一次",
        ),
        ItemDraft(
            PartyLessonItemKind.DOCUMENT,
            "支部工作条例",
            url="https://www.12371.cn/",
            required=False,
        ),
        ItemDraft(
            PartyLessonItemKind.QUIZ,
            "小测验",
            pass_percent=60,
            attempts=3,
            questions=(
                Question(
                    "支委会一般多久召开一次？",
                    False,
                    (Option("每月", True), Option("每季度", False), Option("每年", False)),
                ),
                Question(
                    "下列哪些属于三会一课？",
                    True,
                    (Option("党小组会", True), Option("党课", True), Option("业主大会", False)),
                ),
            ),
        ),
    ),
)
ELDERLY = LessonDraft(
    title="老年人防诈骗公开课",
    summary="党员志愿者整理的常见骗局，人人可学。",
    audience=PartyLessonAudience.PUBLIC,
    items=(
        ItemDraft(
            PartyLessonItemKind.TEXT,
            "三不一多",
            body="未知链接**不点**，陌生来电**不轻信**，个人信息**不透露**，转账汇款**多核实**。",
        ),
    ),
)


async def begin(secretary: Context, neighbours: dict[str, Context]) -> None:
    (office,) = secretary.viewer.offices.values()
    branch_id = office.organisation_id
    for name, function in MEMBERS.items():
        application = await applied(branch_id, neighbours[name])
        await members.approve(secretary, application_id=application.id, version=1, function=function)
    await applied(branch_id, neighbours[APPLICANT])
    comrades = {name: await anew(neighbours[name]) for name in MEMBERS}
    await teach(secretary, branch_id, comrades)
    await listen(secretary, branch_id, comrades)
    await call_on(secretary, branch_id, neighbours[VISITED])


async def applied(branch_id: UUID, resident: Context) -> PartyApplicationRow:
    return await members.apply(
        resident, branch_id=branch_id, statement="组织关系在本支部，申请线上登记。", key="demo-party"
    )


async def anew(ctx: Context) -> Context:
    """The same person, with the rights that they have now."""
    found = await viewers({ctx.account_id: None})
    return Context(ctx.services, found[ctx.account_id])


async def teach(secretary: Context, branch_id: UUID, comrades: dict[str, Context]) -> None:
    """Two lessons; one of the members has finished the first, another has begun."""
    lessons = [
        await keeping.create(secretary, branch_id=branch_id, draft=draft, key=f"demo-lesson-{number}")
        for number, draft in enumerate((MEETINGS, ELDERLY))
    ]
    for lesson in lessons:
        await keeping.publish(secretary, lesson_id=lesson.id, version=lesson.version)
    ((text, _, quiz),) = await reading.items_of(secretary, lessons[:1])
    for name in ("二楼的吴老师", "老马"):
        await learning.finish(comrades[name], item_id=text.id)
    await learning.submit(
        comrades["二楼的吴老师"], item_id=quiz.id, revision=1, answers=[[1], [1, 2]], key="demo-quiz"
    )


async def listen(secretary: Context, branch_id: UUID, comrades: dict[str, Context]) -> None:
    """An opinion that is answered for everyone, and one that somebody has to answer."""
    made = []
    for name, draft in (
        (
            "退休的郑师傅",
            submitting.OpinionDraft(
                PartyOpinionTopic.LIVELIHOOD,
                "老年食堂周末也开",
                "周末子女不在家的老人没地方吃饭，建议周六中午也供餐。",
                PartyOpinionReach.PUBLIC,
            ),
        ),
        (
            "老马",
            submitting.OpinionDraft(
                PartyOpinionTopic.PARTY_WORK,
                "党小组会改到晚上",
                "上班的党员白天来不了，建议每月第一个周三晚七点开。",
                PartyOpinionReach.MEMBERS,
                named=True,
            ),
        ),
    ):
        row = await submitting.submit(comrades[name], branch_id=branch_id, draft=draft, key="demo-opinion")
        made.append(
            await answering.assign(
                secretary,
                opinion_id=row.id,
                version=row.version,
                assignee_id=neighbour_key(row.community_id, secretary.account_id),
                due_at=now() + timedelta(days=7),
            )
        )
    await answering.answer(
        secretary,
        opinion_id=made[0].id,
        version=made[0].version,
        text="已与食堂商定：下月起周六中午供餐，请提前一天在居委会登记。",
        published=PartyOpinionReach.PUBLIC,
    )


async def call_on(secretary: Context, branch_id: UUID, visited: Context) -> None:
    """A visit, with a repair that follows from it."""
    (home,) = await select(
        HomeRow, f"SELECT {columns(HomeRow)} FROM home t WHERE t.id IN (?)", visited.viewer.homes
    )
    visit = await visits.record(
        secretary,
        branch_id=branch_id,
        visit=visits.Visit(
            home_id=home.id,
            visited_at=now() - timedelta(hours=3),
            visitor_ids=(neighbour_key(home.community_id, secretary.account_id),),
            consented=True,
            notes="老人身体尚可，反映楼道灯不亮，夜里不敢下楼。",
        ),
        key="demo-visit",
    )
    await visits.open_request(
        secretary,
        visit_id=visit.id,
        category="REPAIR",
        title="2号楼2单元一层楼道灯不亮",
        body="走访时老人反映，夜间出入不安全。",
        key="demo-visit-case",
    )
