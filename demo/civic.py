"""The public life of the demo: a case under way, a topic under discussion, a motion put to the owners."""

from datetime import timedelta
from uuid import UUID

from models.base import now
from models.deliberations import DeliberationPhase, StatementChoice
from models.identity import CommunityRow, EstateRow
from models.motions import ItemClass, ScopeKind
from models.posts import PostKind, PostRow
from models.requests import RequestAction
from models.roles import OrganisationKind
from resolvers.context import Context
from resolvers.deliberations import phases, statements, topics
from resolvers.motions import putting
from resolvers.requests import handling, opening

STATEMENTS = (
    ("二楼的吴老师", "电动自行车一律不得进楼道和电梯"),
    ("程序员阿杰", "车棚先装够充电桩，再谈禁止上楼"),
    ("豆豆妈", "充电电价要公示，不能比家里贵一倍"),
    ("退休的郑师傅", "夜里十一点后车棚要有人巡查"),
)
# Who agrees with which statements, by their place above; with the others they disagree.
AGREEING = {
    "二楼的吴老师": (0, 2, 3),
    "许奶奶": (0, 2, 3),
    "退休的郑师傅": (0, 2, 3),
    "做菜的老顾": (0, 2, 3),
    "程序员阿杰": (1, 2),
    "篮球小何": (1, 2),
    "夜班护士小方": (1, 2, 3),
    "养猫的小唐": (1, 2),
}


async def lift(property_company: Context, complaint: PostRow) -> None:
    """The property company makes a case of the complaint about the lift, and begins."""
    case = await opening.open_from_post(
        property_company,
        post_id=complaint.id,
        category="REPAIR",
        title="丰盛园3号楼电梯异响",
        place=opening.Place(area="3号楼电梯"),
        key="demo-case",
    )
    for action, note in (
        (RequestAction.ACCEPT, "已受理，今天安排维保单位到场。"),
        (RequestAction.VISIT, "维保师傅已到场，二楼层门滑块磨损，需要更换。"),
    ):
        case, _ = await handling.act(
            property_company,
            request_id=case.id,
            act=handling.Act(action=action, note=note),
            key=f"demo-case-{action}",
            version=case.version,
        )


async def charging(committee: Context, organisation_id: UUID, neighbours: dict[str, Context]) -> None:
    """A deliberation about electric bicycles, in the phase in which residents take their stand."""
    found = await topics.convene(
        committee,
        organisation_id=organisation_id,
        topic=topics.Topic(
            title="丰盛园电动自行车停放和充电怎么办",
            body="楼道停车有火灾隐患，车棚充电位又不够。请大家说说怎么停、怎么充、怎么管。",
        ),
        key="demo-deliberation",
    )
    for phase in (DeliberationPhase.DISCUSSION, DeliberationPhase.STATEMENTS):
        found = await phases.move(committee, deliberation_id=found.id, phase=phase, version=found.version)
    made = [
        await statements.add(
            neighbours[author], deliberation_id=found.id, body=body, key=f"demo-statement-{number}"
        )
        for number, (author, body) in enumerate(STATEMENTS)
    ]
    for name, agreed in AGREEING.items():
        for number, statement in enumerate(made):
            choice = StatementChoice.AGREE if number in agreed else StatementChoice.DISAGREE
            await statements.vote(neighbours[name], statement_id=statement.id, choice=choice)


async def solar(owners_committee: Context, organisation_id: UUID, community: CommunityRow) -> None:
    """The owners' committee announces a vote, which opens when the law allows it."""
    estate = await EstateRow.get(community_id=community.id, name="丰盛园")
    opens_at = now() + timedelta(days=15, hours=1)
    motion = await putting.create(
        owners_committee,
        organisation_id=organisation_id,
        draft=putting.MotionDraft(
            title="丰盛园续聘物业及车棚改造",
            body="两项分别表决，请各位业主在截止前投票，也可以到业委会办公室领取纸质选票。",
            items=(
                putting.ItemDraft(item_class=ItemClass.PROPERTY_MANAGER, title="续聘安居物业服务公司三年"),
                putting.ItemDraft(
                    item_class=ItemClass.COMMON_PARTS, title="将东侧绿地边缘改建为电动自行车车棚"
                ),
            ),
            scope_kind=ScopeKind.ESTATE,
            scope_ids=(estate.id,),
            opens_at=opens_at,
            closes_at=opens_at + timedelta(days=14),
        ),
        key="demo-motion",
    )
    await putting.announce(owners_committee, motion_id=motion.id, version=motion.version)


async def begin(
    community: CommunityRow,
    offices: dict[OrganisationKind, Context],
    neighbours: dict[str, Context],
    told: list[PostRow],
) -> None:
    """All three, in the names of the offices that they are of."""

    def organisation(kind: OrganisationKind) -> UUID:
        (office,) = offices[kind].viewer.offices.values()
        return office.organisation_id

    (complaint,) = [post for post in told if post.kind is PostKind.COMPLAINT]
    await lift(offices[OrganisationKind.PROPERTY_COMPANY], complaint)
    committee = OrganisationKind.RESIDENTS_COMMITTEE
    await charging(offices[committee], organisation(committee), neighbours)
    owners = OrganisationKind.OWNERS_COMMITTEE
    await solar(offices[owners], organisation(owners), community)
