"""What is said in the demo: posts with their comments and likes, and notices."""

from dataclasses import dataclass

from models.notices import NoticeCategory, Severity
from models.posts import PostKind


@dataclass(frozen=True, slots=True)
class ToldPost:
    author: str
    kind: PostKind
    body: str
    comments: tuple[tuple[str, str], ...] = ()
    likes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldNotice:
    author: str
    category: NoticeCategory
    severity: Severity
    title: str
    body: str
    days: int
    # Estate and building; none: the whole community.
    buildings: tuple[tuple[str, str], ...] = ()


POSTS = (
    ToldPost(
        "爱种花的张阿姨",
        PostKind.TALK,
        "楼下的桂花开了，早上推窗满屋子都是香的。谁家老人想下来晒太阳，2号楼门口我放了两把椅子，随便坐。",
        (
            ("晨跑的阿明", "跑步经过闻到了，原来是您种的！"),
            ("老马", "椅子收到，谢谢张阿姨。"),
        ),
        ("晨跑的阿明", "老马", "三楼的小雨", "新搬来的小林"),
    ),
    ToldPost(
        "新搬来的小林",
        PostKind.HELP,
        "刚搬来1号楼，想借一把电钻装窗帘杆，周六用半天就还，可以请喝奶茶。",
        (
            ("老马", "我有，冲击钻和膨胀螺丝都有，晚上七点后来2号楼2单元402拿。"),
            ("新搬来的小林", "太好了，谢谢马叔！"),
        ),
        ("老马", "爱种花的张阿姨"),
    ),
    ToldPost(
        "豆豆妈",
        PostKind.IDLE_GOODS,
        "豆豆长大了，九成新的儿童自行车（16寸）免费送给小区里的小朋友，自己来2号楼1单元推。",
        (
            ("做菜的老顾", "我孙子正好五岁，能给我们留着吗？"),
            ("豆豆妈", "留好了，顾叔您下午来。"),
        ),
        ("做菜的老顾", "二楼的吴老师", "许奶奶的孙女"),
    ),
    ToldPost(
        "养猫的小唐",
        PostKind.LOST,
        "橘猫“年糕”昨晚从1号楼402的窗户跑出去了，戴蓝色项圈，亲人，听到开罐头的声音会过来。看到请留言，万分感谢！",
        (
            ("夜班护士小方", "早上六点下班在4号楼车棚看到一只橘猫，没看清项圈。"),
            ("养猫的小唐", "马上去看！！"),
        ),
        ("夜班护士小方", "豆豆妈"),
    ),
    ToldPost(
        "退休的郑师傅",
        PostKind.COMPLAINT,
        "3号楼电梯一到二楼就“咯噔”一下，已经一个星期了，老人孩子坐着心慌。请物业来看看。",
        (
            ("程序员阿杰", "同楼同感，昨天停了半分钟才开门。"),
            ("做菜的老顾", "+1，我都走楼梯了。"),
        ),
        ("程序员阿杰", "做菜的老顾", "二楼的吴老师"),
    ),
    ToldPost(
        "二楼的吴老师",
        PostKind.ACTIVITY,
        "周日上午九点，丰盛园小广场，义务给孩子们讲《千字文》，自带小板凳，下雨改在架空层。",
        (("豆豆妈", "豆豆报名！"), ("许奶奶的孙女", "我带奶奶一起来听。")),
        ("豆豆妈", "许奶奶", "篮球小何"),
    ),
    ToldPost(
        "篮球小何",
        PostKind.TALK,
        "周六下午三点球场3对3，缺两个人，水平不限，输了的请喝汽水。",
        (("程序员阿杰", "算我一个，好久没动了。"), ("晨跑的阿明", "屯乐苑的可以来吗？")),
        ("程序员阿杰",),
    ),
)

NOTICES = (
    ToldNotice(
        "陈晓东",
        NoticeCategory.HEALTH,
        Severity.INFORMATION,
        "本周六上午流感疫苗接种",
        "周六8:30–11:30，社区卫生服务站，60岁以上老人凭身份证免费接种，行动不便的可预约上门。",
        6,
    ),
    ToldNotice(
        "孙丽",
        NoticeCategory.OUTAGE,
        Severity.IMPORTANT,
        "屯乐苑2号楼周五清洗水箱，停水两小时",
        "周五14:00–16:00清洗水箱，期间2号楼停水，请提前储水。来水后先放一会儿再用。",
        5,
        (("屯乐苑", "2号楼"),),
    ),
)
