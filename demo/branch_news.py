"""What the demo's party branch shows to everybody: news, open affairs, a pioneer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from uuid import UUID

from PIL import Image, ImageOps

from demo.branch import anew
from models.base import now
from models.party.articles import AffairCategory, ArticleKind, ArticleRow
from models.party.audience import BranchAudience
from models.party.pioneers import PledgeState
from models.posts import SubjectKind
from models.storage.rows import execute
from resolvers import comments, likes
from resolvers.context import Context
from resolvers.media import uploads
from resolvers.party import articles, deeds, pioneers, publishing
from resolvers.party.articles import ArticleDraft
from resolvers.party.pioneers import Profile

Neighbours = dict[str, Context]

PIONEER = "老马"
PLEDGES = ("雨季前查一遍2号楼的落水管", "每周六上午免费修水龙头")

CLEARING = ArticleDraft(
    title="党员先锋队半天清出七车楼道杂物",
    body="周六上午，支部组织**党员先锋队**和楼栋志愿者清理屯乐苑、丰盛园的楼道。\n\n"
    "- 参加党员 12 人，居民志愿者 21 人\n- 清出旧家具、纸箱等杂物七车\n- 消防通道全部畅通\n\n"
    "谢谢每一位搭手的邻居。下个月轮到地下车库，欢迎报名。",
)
MEETING = ArticleDraft(
    title="本月党小组会安排",
    body="1. 周三晚七点，社区活动室\n2. 学习内容见课堂\n3. 请各小组长提前收集意见",
    audience=BranchAudience.MEMBERS,
)
DUES = ArticleDraft(
    title="上半年党费收缴和使用情况",
    body="收缴党费 **4,860 元**，上缴 2,430 元。\n\n"
    "支出：\n\n- 慰问困难党员 1,200 元\n- 学习资料 360 元\n\n明细张贴在社区公告栏，有疑问请在下面留言。",
    category=AffairCategory.DUES,
)
PLAN = ArticleDraft(
    title="下半年支部工作计划（征求意见）",
    body="拟开展电动自行车充电安全巡查、老年人防诈骗公开课、楼道微更新三项工作，请大家提意见。",
    category=AffairCategory.WORK,
)
PROFILE = Profile(
    headline="修了三十年水龙头的热心楼长",
    story="退休水暖工，住进屯乐苑三十年，谁家水管漏了**一个电话就到**，从不收钱。",
)


async def begin(secretary: Context, neighbours: Neighbours) -> None:
    (office,) = secretary.viewer.offices.values()
    branch_id = office.organisation_id
    news = await published(secretary, branch_id, ArticleKind.NEWS, CLEARING, cover="#c8102e")
    await answered(
        news,
        {"做菜的老顾": "我家门口那几盆花没动吧？", "程序员阿杰": "下次叫上我，周末都有空。"},
        ("许奶奶", "豆豆妈", "晨跑的阿明"),
        neighbours,
    )
    await published(secretary, branch_id, ArticleKind.NEWS, MEETING)
    dues = replace(DUES, comments_until=now() + timedelta(days=14))
    affair = await published(secretary, branch_id, ArticleKind.AFFAIR, dues)
    await answered(affair, {"豆豆妈": "慰问标准是怎么定的？"}, (), neighbours)
    # This one appears the day after.
    plan = replace(PLAN, comments_until=now() + timedelta(days=21))
    row = await articles.create(
        secretary, branch_id=branch_id, kind=ArticleKind.AFFAIR, draft=plan, key="demo-plan"
    )
    await publishing.publish(secretary, article_id=row.id, version=row.version, at=now() + timedelta(days=1))
    thankful = [neighbours[name] for name in ("爱种花的张阿姨", "新搬来的小林", "三楼的小雨")]
    await show(secretary, await anew(neighbours[PIONEER]), thankful)


async def published(
    secretary: Context, branch_id: UUID, kind: ArticleKind, draft: ArticleDraft, cover: str = ""
) -> ArticleRow:
    if cover:
        community_id = secretary.viewer.offices[branch_id].community_id
        picture = await uploads.keep(
            secretary, community_id=community_id, content_type="image/png", data=painted(cover)
        )
        draft = replace(draft, cover_id=picture.id)
    row = await articles.create(
        secretary, branch_id=branch_id, kind=kind, draft=draft, key=f"demo-{draft.title}"
    )
    return await publishing.publish(secretary, article_id=row.id, version=row.version)


def painted(colour: str) -> bytes:
    """A picture that goes from a colour to gold."""
    shade = Image.linear_gradient("L").rotate(90).resize((960, 400))
    out = BytesIO()
    ImageOps.colorize(shade, colour, "#f4c542").save(out, "PNG")
    return out.getvalue()


async def answered(row: ArticleRow, said: dict[str, str], liked: Sequence[str], by: Neighbours) -> None:
    """Comments and likes on an article's card."""
    if row.post_id is None:
        return
    for name, body in said.items():
        await comments.add_comment(
            by[name], kind=SubjectKind.POST, subject_id=row.post_id, body=body, key=f"demo-{row.id}"
        )
    for name in liked:
        await likes.set_like(by[name], kind=SubjectKind.POST, subject_id=row.post_id, on=True)


async def show(secretary: Context, member: Context, thankful: Sequence[Context]) -> None:
    """A member who agrees to be shown as a pioneer, promises something, and is thanked."""
    (membership,) = await execute(
        "SELECT id FROM party_member WHERE account_id = ? AND ended_at IS NULL", member.account_id
    )
    row = await pioneers.propose(
        secretary, member_id=UUID(str(membership["id"])), profile=PROFILE, key="demo-pioneer"
    )
    row = await pioneers.consent(member, pioneer_id=row.id, version=row.version, on=True)
    row = await pioneers.publish(secretary, pioneer_id=row.id, version=row.version)
    kept, *_ = [
        await deeds.pledge(member, pioneer_id=row.id, body=body, key=f"demo-{body}") for body in PLEDGES
    ]
    await deeds.set_pledge_state(secretary, pledge_id=kept.id, state=PledgeState.KEPT)
    await deeds.add_deed(
        secretary,
        pioneer_id=row.id,
        done_on=now().date() - timedelta(days=5),
        body="冒雨抢修2号楼一单元爆裂的水管，二十户当晚恢复用水。",
        picture_id=None,
        key="demo-deed",
    )
    for neighbour in thankful:
        await pioneers.thank(neighbour, pioneer_id=row.id, on=True)
