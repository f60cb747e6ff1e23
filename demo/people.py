"""Who lives and works in the demo: told as data, made by demo.community."""

from dataclasses import dataclass

from models.identity import Relation
from models.roles import OrganisationKind, Role


@dataclass(frozen=True, slots=True)
class Place:
    """An estate with its buildings; each has units, floors and homes a floor."""

    name: str
    address: str
    buildings: tuple[str, ...]
    units: int
    floors: int
    # Exclusive areas of the homes of one floor, in square centimetres.
    areas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resident:
    phone: str
    name: str
    estate: str
    # Building, unit, number.
    home: tuple[str, str, str]
    relation: Relation = Relation.OWNER


@dataclass(frozen=True, slots=True)
class Officer:
    phone: str
    name: str
    kind: OrganisationKind
    role: Role
    grid: str | None = None


COMMUNITY = "丰盛社区"
# A second community, so that it can be seen that nothing crosses.
ELSEWHERE = "望江社区"

PLACES = (
    Place("屯乐苑", "屯乐路18号", ("1号楼", "2号楼", "3号楼"), 2, 6, (895_000, 1_123_400)),
    Place("丰盛园", "丰盛街66号", ("1号楼", "2号楼", "3号楼", "4号楼"), 2, 8, (764_300, 982_500)),
)
PLACE_ELSEWHERE = Place("望江苑", "望江路5号", ("1号楼",), 1, 4, (880_000, 880_000))

# Grid → its buildings, by estate.
GRIDS = {
    "第一网格": (("屯乐苑", "1号楼"), ("屯乐苑", "2号楼"), ("屯乐苑", "3号楼")),
    "第二网格": (("丰盛园", "1号楼"), ("丰盛园", "2号楼")),
    "第三网格": (("丰盛园", "3号楼"), ("丰盛园", "4号楼")),
}

ORGANISATIONS = {
    OrganisationKind.RESIDENTS_COMMITTEE: "丰盛社区居民委员会",
    OrganisationKind.OWNERS_COMMITTEE: "丰盛园业主委员会",
    OrganisationKind.PROPERTY_COMPANY: "安居物业服务公司",
    OrganisationKind.PARTY_BRANCH: "丰盛社区党支部",
    OrganisationKind.MERCHANT: "老张手擀面",
}

OFFICERS = (
    Officer("13800000001", "王秀兰", OrganisationKind.RESIDENTS_COMMITTEE, Role.ADMIN),
    Officer("13800000002", "陈晓东", OrganisationKind.RESIDENTS_COMMITTEE, Role.OFFICER),
    Officer("13800000003", "刘敏", OrganisationKind.RESIDENTS_COMMITTEE, Role.GRID_WORKER, "第一网格"),
    Officer("13800000004", "周强", OrganisationKind.RESIDENTS_COMMITTEE, Role.GRID_WORKER, "第二网格"),
    Officer("13800000005", "何静", OrganisationKind.RESIDENTS_COMMITTEE, Role.GRID_WORKER, "第三网格"),
    Officer("13800000006", "赵建国", OrganisationKind.OWNERS_COMMITTEE, Role.ADMIN),
    Officer("13800000007", "孙丽", OrganisationKind.PROPERTY_COMPANY, Role.ADMIN),
    Officer("13800000008", "李维修", OrganisationKind.PROPERTY_COMPANY, Role.OFFICER),
    Officer("13800000009", "钱书记", OrganisationKind.PARTY_BRANCH, Role.ADMIN),
    Officer("13800000021", "老张", OrganisationKind.MERCHANT, Role.ADMIN),
)

RESIDENTS = (
    Resident("13900000001", "晨跑的阿明", "屯乐苑", ("1号楼", "1", "302")),
    Resident("13900000002", "三楼的小雨", "屯乐苑", ("3号楼", "2", "501")),
    Resident("13900000003", "爱种花的张阿姨", "屯乐苑", ("2号楼", "1", "101")),
    Resident("13900000004", "老马", "屯乐苑", ("2号楼", "2", "402")),
    Resident("13900000005", "小雨家先生", "屯乐苑", ("3号楼", "2", "501"), Relation.CO_OWNER),
    Resident("13900000006", "新搬来的小林", "屯乐苑", ("1号楼", "2", "202"), Relation.TENANT),
    Resident("13900000007", "二楼的吴老师", "丰盛园", ("2号楼", "1", "201")),
    Resident("13900000008", "豆豆妈", "丰盛园", ("2号楼", "1", "602")),
    Resident("13900000009", "程序员阿杰", "丰盛园", ("3号楼", "2", "801"), Relation.TENANT),
    Resident("13900000010", "退休的郑师傅", "丰盛园", ("3号楼", "1", "102")),
    Resident("13900000011", "养猫的小唐", "丰盛园", ("1号楼", "1", "402")),
    Resident("13900000012", "许奶奶", "丰盛园", ("2号楼", "2", "101")),
    Resident("13900000013", "许奶奶的孙女", "丰盛园", ("2号楼", "2", "101"), Relation.FAMILY),
    Resident("13900000014", "夜班护士小方", "丰盛园", ("4号楼", "1", "501")),
    Resident("13900000015", "篮球小何", "丰盛园", ("4号楼", "2", "702"), Relation.FAMILY),
    Resident("13900000016", "做菜的老顾", "丰盛园", ("3号楼", "2", "302")),
)

RESIDENT_ELSEWHERE = Resident("13900000099", "江边的老秦", "望江苑", ("1号楼", "1", "201"))
# Signed up, not verified: may look, may not write.
VISITOR = ("13900000098", "路过的小白")
