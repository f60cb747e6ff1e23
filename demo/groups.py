"""The demo's interest groups: one open, one by approval, one closed."""

from uuid import UUID

from models.groups import GroupAccess, GroupRow
from models.identity import CommunityRow, neighbour_key
from models.memberships import Alerts
from models.posts import PostKind, SubjectKind
from models.visibility import viewers
from resolvers import comments, posts
from resolvers.context import Context
from resolvers.groups import founding, joining, members
from resolvers.groups.founding import GroupDraft

CAT_KEEPER, PLAYER, COOK, TEACHER = "养猫的小唐", "篮球小何", "做菜的老顾", "二楼的吴老师"


async def gather(community: CommunityRow, neighbours: dict[str, Context]) -> None:
    """Three groups with something said in each."""
    spoken: dict[str, UUID] = {}

    async def again(name: str) -> Context:
        """The neighbour with the rights that groups have given."""
        ctx = neighbours[name]
        found = await viewers({ctx.account_id: None})
        return Context(ctx.services, found[ctx.account_id])

    async def found(owner: str, draft: GroupDraft) -> GroupRow:
        key = f"demo-group-{draft.name}"
        return await founding.found(await again(owner), community_id=community.id, draft=draft, key=key)

    async def say(name: str, group: GroupRow, body: str, kind: PostKind = PostKind.TALK) -> None:
        post = await posts.create_post(
            await again(name),
            community_id=community.id,
            group_id=group.id,
            kind=kind,
            body=body,
            key=f"demo-{group.name}-{name}",
        )
        spoken[group.name] = post.id

    cats = await found(
        CAT_KEEPER,
        GroupDraft(
            "丰盛园猫友",
            "晒猫、互相喂猫、给流浪猫找家。",
            GroupAccess.OPEN,
            "不卖猫，不吵架，领养要回访。",
        ),
    )
    for name in ("豆豆妈", "夜班护士小方", PLAYER):
        await joining.join(await again(name), group_id=cats.id, answers=())
    await say(CAT_KEEPER, cats, "车棚旁边的三花昨晚生了四只，谁家有多余的纸箱和旧毛巾？", PostKind.HELP)
    await comments.add_comment(
        await again("夜班护士小方"),
        kind=SubjectKind.POST,
        subject_id=spoken[cats.name],
        body=f"我下夜班带两条过去，@{CAT_KEEPER} 放门卫可以吗？",
        key="demo-cats-towels",
    )

    ball = await found(
        PLAYER,
        GroupDraft(
            "周六羽毛球",
            "每周六上午九点，社区体育馆二号场。",
            GroupAccess.APPROVAL,
            "报了名就来，来不了提前一天说。",
            ("打了几年？", "哪天有空？"),
        ),
    )
    for name, answers in (("程序员阿杰", ("三年", "周六")), ("退休的郑师傅", ("三十年", "天天"))):
        _, request = await joining.join(await again(name), group_id=ball.id, answers=answers)
        if request and name == "程序员阿杰":
            await joining.decide(await again(PLAYER), request_id=request.id, accepted=True, reason="欢迎")
    await members.set_alerts(await again("程序员阿杰"), group_id=ball.id, alerts=Alerts.ALL)
    await say(PLAYER, ball, "这周六还缺两位，郑师傅的申请我看到了，周六见！")

    table = await found(
        COOK, GroupDraft("老顾的私房菜桌", "六个人一桌，轮流掌勺。", GroupAccess.CLOSED, "不浪费。")
    )
    for name in (TEACHER, "许奶奶"):
        face = neighbour_key(community.id, neighbours[name].account_id)
        invitation = await joining.invite(await again(COOK), group_id=table.id, neighbour_id=face)
        if name == TEACHER:
            await joining.answer(await again(name), invitation_id=invitation.id, accepted=True)
    await say(COOK, table, "下周三做糟溜鱼片，吴老师带黄酒。")
