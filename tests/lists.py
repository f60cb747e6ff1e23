"""What is behind each list of the schema: how its parent and its rows are made, many at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from tortoise.models import Model

from models import privacy
from models.activities import (
    ActivityAudience,
    ActivityKind,
    ActivityRow,
    HostKind,
    SeriesRow,
    SignUpRow,
    SignUpState,
)
from models.audit import Act, append
from models.base import new_id, now
from models.deliberations import (
    AnalysisRow,
    CitationRow,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
    DeliberationStepRow,
    ExecutionKind,
    ExecutionRow,
    ExecutionState,
    StatementRow,
)
from models.directory.bookings import BookingAction, BookingRow, BookingStepRow, SlotRow
from models.directory.entries import DirectoryCategory, EntryRow
from models.directory.licences import LicenceAction, LicenceKind, LicenceRow, LicenceState, LicenceStepRow
from models.directory.offers import OfferRow
from models.directory.ratings import RatingRow
from models.groups import GroupAccess, GroupAction, GroupInvitationRow, GroupRow, GroupStepRow, JoinRequestRow
from models.identity import (
    AccountRow,
    ApplicationRow,
    BuildingRow,
    CommunityRow,
    EstateRow,
    GridRow,
    HomeRow,
    Relation,
    ResidencyRow,
    SessionRow,
)
from models.matching import PostMatchRow
from models.media import MediaKind, MediaRow
from models.memberships import MemberRole, MembershipRow
from models.motions import (
    BoxEntryRow,
    Channel,
    ElectorHomeRow,
    ElectorKind,
    ElectorRow,
    ElectorVoterRow,
    EntryKind,
    ItemClass,
    ItemRow,
    MotionBuildingRow,
    MotionRow,
    MotionStatus,
    PaperRow,
    ProxyRow,
    RulesRow,
    ScopeKind,
    Standing,
    Via,
)
from models.notices import (
    AudienceKind,
    AudienceRow,
    BuildingReachRow,
    NoticeCategory,
    NoticeRow,
    NoticeStatus,
    ReachedHow,
    ReceiptRow,
    Severity,
)
from models.notifications import NotificationKind, NotificationRow
from models.organisations import AppointmentRow, InvitationRow, OrganisationRow
from models.party.articles import AffairCategory, ArticleKind, ArticleRow
from models.party.audience import BranchAudience
from models.party.lessons import (
    PartyLessonAudience,
    PartyLessonCompletionRow,
    PartyLessonItemKind,
    PartyLessonItemRow,
    PartyLessonProgressRow,
    PartyLessonRow,
    PartyLessonState,
    PartyQuizAttemptRow,
)
from models.party.members import PartyApplicationRow, PartyMemberRow
from models.party.opinions import (
    PartyOpinionAction,
    PartyOpinionReach,
    PartyOpinionRow,
    PartyOpinionState,
    PartyOpinionStepRow,
    PartyOpinionTopic,
)
from models.party.pioneers import DeedRow, PioneerRow, PledgeRow
from models.party.visits import HomeVisitorRow, HomeVisitRow
from models.posts import CommentRow, PostKind, PostRow, RevisionRow, SubjectKind
from models.requests import (
    NoteVisibility,
    PolicyRow,
    RequestAction,
    RequestParty,
    RequestRow,
    RequestState,
    StepRow,
)
from models.roles import OrganisationKind, Role
from models.search import SearchAudienceRow, SearchEntryRow, SearchKind
from models.visibility import public_of
from resolvers.motions.tally import STATUTORY_ORDINARY, STATUTORY_QUORUM, STATUTORY_SPECIAL
from schema.node import global_id
from tests.world import World

M = TypeVar("M", bound=Model)
DAY = timedelta(days=1)

numbers = count(1)


async def insert(rows: Sequence[M]) -> Sequence[M]:
    if rows:
        await type(rows[0]).bulk_create(rows, batch_size=100)
    return rows


@dataclass
class Household:
    """Places and a person of their own, so that no row of a list shares with another what it refers to."""

    estate: EstateRow
    grid: GridRow
    building: BuildingRow
    home: HomeRow
    account: AccountRow
    office: OrganisationRow


class Town:
    """A community in which `asker` lives and administers each of the offices that handle things."""

    def __init__(self, world: World, community: CommunityRow, asker: AccountRow) -> None:
        self.world = world
        self.community = community
        self.asker = asker
        self.households: list[Household] = []
        self.offices: dict[OrganisationKind, OrganisationRow] = {}

    @property
    def home(self) -> HomeRow:
        """The asker's."""
        return self.households[0].home

    @property
    def committee(self) -> OrganisationRow:
        return self.offices[OrganisationKind.RESIDENTS_COMMITTEE]

    @property
    def company(self) -> OrganisationRow:
        return self.offices[OrganisationKind.PROPERTY_COMPANY]

    async def some(self, span: range) -> list[Household]:
        """The neighbours numbered so."""
        await grow([self], span.stop + 1)
        # The first household is the asker's.
        return self.households[span.start + 1 : span.stop + 1]


async def towns(world: World, asker: AccountRow, wanted: int) -> list[Town]:
    """Communities that the asker belongs to, by as few statements as one."""
    made = [
        Town(world, community, asker)
        for community in await insert([CommunityRow(name=f"社区 {next(numbers)}") for _ in range(wanted)])
    ]
    kinds = (
        OrganisationKind.RESIDENTS_COMMITTEE,
        OrganisationKind.PROPERTY_COMPANY,
        OrganisationKind.OWNERS_COMMITTEE,
    )
    offices: list[OrganisationRow] = []
    for town in made:
        for kind in kinds:
            office = OrganisationRow(community_id=town.community.id, kind=kind, name=kind.value)
            town.offices[kind] = office
            offices.append(office)
    await insert(offices)
    await insert([appointment(office, asker, Role.ADMIN) for office in offices])
    await grow(made, 1)
    return made


async def grow(made: Sequence[Town], size: int) -> None:
    """See that each town has so many households, the asker's the first."""
    new: list[Household] = []
    for town in made:
        for number in range(len(town.households), size):
            of: dict[str, Any] = {"community_id": town.community.id}
            estate = EstateRow(**of, name=f"小区 {number}")
            grid = GridRow(**of, name=f"网格 {number}")
            building = BuildingRow(**of, estate_id=estate.id, grid_id=grid.id, name=f"{number}号楼")
            home = HomeRow(**of, building_id=building.id, unit="1", number="101", area_cm2=900_000)
            office = OrganisationRow(**of, kind=OrganisationKind.PROPERTY_COMPANY, name=f"物业 {number}")
            account = stranger(town.world) if number else town.asker
            household = Household(estate, grid, building, home, account, office)
            town.households.append(household)
            new.append(household)
    for rows in (
        [it.estate for it in new],
        [it.grid for it in new],
        [it.building for it in new],
        [it.home for it in new],
        [it.office for it in new],
        [it.account for it in new if not it.account._saved_in_db],
        [residency(it.home, it.account) for it in new],
    ):
        await insert(rows)


def stranger(world: World) -> AccountRow:
    phone = f"+86139{next(numbers):08d}"
    keys = world.services.keys
    return AccountRow(
        phone_index=keys.index(privacy.PHONE, phone),
        phone_sealed=keys.seal(privacy.PHONE, phone),
        real_name_sealed=keys.seal(privacy.REAL_NAME, "张三丰"),
        display_name=f"邻居 {next(numbers)}",
    )


def residency(home: HomeRow, account: AccountRow, **more: Any) -> ResidencyRow:
    of: dict[str, Any] = {"community_id": home.community_id, "home_id": home.id, "account_id": account.id}
    return ResidencyRow(**{**of, "relation": Relation.OWNER, **more})


def appointment(
    office: OrganisationRow, account: AccountRow, role: Role, grid: GridRow | None = None
) -> AppointmentRow:
    return AppointmentRow(
        community_id=office.community_id,
        organisation_id=office.id,
        account_id=account.id,
        role=role,
        grid_id=grid.id if grid else None,
    )


# Parents

Parent = Callable[[Town], Awaitable[UUID]]
Rows = Callable[[Town, UUID, range], Awaitable[object]]


async def the_community(town: Town) -> UUID:
    return town.community.id


async def the_asker(town: Town) -> UUID:
    return town.asker.id


async def the_committee(town: Town) -> UUID:
    return town.committee.id


async def the_company(town: Town) -> UUID:
    return town.company.id


async def an_organisation(town: Town) -> UUID:
    (made,) = await insert(
        [
            OrganisationRow(
                community_id=town.community.id, kind=OrganisationKind.MERCHANT, name=f"商户 {next(numbers)}"
            )
        ]
    )
    return made.id


async def an_estate(town: Town) -> UUID:
    return (await EstateRow.create(community_id=town.community.id, name=f"空 {next(numbers)}")).id


async def a_building(town: Town) -> UUID:
    made = await BuildingRow.create(
        community_id=town.community.id,
        estate_id=town.households[0].estate.id,
        grid_id=town.households[0].grid.id,
        name=f"空 {next(numbers)}",
    )
    return made.id


async def a_home(town: Town) -> UUID:
    made = await HomeRow.create(
        community_id=town.community.id,
        building_id=town.households[0].building.id,
        unit="2",
        number=str(next(numbers)),
        area_cm2=900_000,
    )
    return made.id


async def a_post(town: Town) -> UUID:
    return (await insert([post(town, town.households[0])]))[0].id


async def a_comment(town: Town) -> UUID:
    return (await insert([comment(town, await a_post(town), town.households[0])]))[0].id


async def a_notice(town: Town) -> UUID:
    (made,) = await put_notices(town, town.households[:1])
    return made.id


async def a_request(town: Town) -> UUID:
    (made,) = await put_requests(town, town.households[:1])
    return made.id


async def a_motion(town: Town) -> UUID:
    (made,) = await put_motions(town, town.households[:1])
    return made.id


async def a_deliberation(town: Town) -> UUID:
    (made,) = await put_deliberations(town, town.households[:1])
    return made.id


async def a_licence(town: Town) -> UUID:
    (made,) = await put_licences(town, town.households[:1], town.company.id)
    return made.id


async def a_branch(town: Town) -> UUID:
    """A party branch of its own, which the asker leads."""
    made = OrganisationRow(
        community_id=town.community.id, kind=OrganisationKind.PARTY_BRANCH, name=f"党支部 {next(numbers)}"
    )
    await insert([made])
    await insert([appointment(made, town.asker, Role.ADMIN)])
    return made.id


async def an_entry(town: Town) -> UUID:
    (made,) = await put_entries(town, town.households[:1], town.company.id)
    return made.id


async def a_booking(town: Town) -> UUID:
    (made,) = await put_bookings(town, town.households[:1])
    return made.id


# Rows: people and places


async def communities(town: Town, _parent: UUID, span: range) -> None:
    made = await insert([CommunityRow(name=f"{town.community.name} 之 {n}") for n in span])
    kind = OrganisationKind.RESIDENTS_COMMITTEE
    offices = await insert(
        [OrganisationRow(community_id=it.id, kind=kind, name="居委会") for it in made],
    )
    await insert([appointment(office, town.asker, Role.ADMIN) for office in offices])


async def sessions(town: Town, account_id: UUID, span: range) -> None:
    await insert(
        [
            SessionRow(
                account_id=account_id,
                device=f"手机 {n}",
                refresh_digest=f"{account_id} {n}",
                expires_at=now() + DAY,
            )
            for n in span
        ]
    )


async def former_residencies(town: Town, _account_id: UUID, span: range) -> None:
    await insert([residency(it.home, town.asker, until=now()) for it in await town.some(span)])


async def residents(town: Town, home_id: UUID, span: range) -> None:
    await insert([residency(it.home, it.account, home_id=home_id) for it in await town.some(span)])


def application(town: Town, home: HomeRow, account: AccountRow) -> ApplicationRow:
    keys = town.world.services.keys
    return ApplicationRow(
        community_id=town.community.id,
        account_id=account.id,
        home_id=home.id,
        relation=Relation.OWNER,
        real_name_sealed=keys.seal(privacy.REAL_NAME, "张三丰"),
        document_sealed=keys.seal(privacy.DOCUMENT, "11010519491231002X"),
        evidence_sealed=keys.seal(privacy.EVIDENCE, "房产证"),
    )


async def own_applications(town: Town, _account_id: UUID, span: range) -> None:
    await insert([application(town, it.home, town.asker) for it in await town.some(span)])


async def applications(town: Town, _organisation_id: UUID, span: range) -> None:
    await insert([application(town, it.home, it.account) for it in await town.some(span)])


async def households(town: Town, _community_id: UUID, span: range) -> None:
    await town.some(span)


async def buildings(town: Town, estate_id: UUID, span: range) -> None:
    await insert(
        [
            BuildingRow(
                community_id=town.community.id, estate_id=estate_id, grid_id=it.grid.id, name=it.building.name
            )
            for it in await town.some(span)
        ]
    )


async def homes(town: Town, building_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "building_id": building_id}
    await insert([HomeRow(**of, unit="1", number=str(n), area_cm2=900_000) for n in span])


async def members(town: Town, organisation_id: UUID, span: range) -> None:
    (office,) = await OrganisationRow.filter(id=organisation_id)
    await insert([appointment(office, it.account, Role.GRID_WORKER, it.grid) for it in await town.some(span)])


async def invitations(town: Town, organisation_id: UUID, span: range) -> None:
    await insert(
        [
            InvitationRow(
                community_id=town.community.id,
                organisation_id=organisation_id,
                role=Role.GRID_WORKER,
                grid_id=it.grid.id,
                phone_index=it.account.phone_index,
                phone_sealed=it.account.phone_sealed,
                invited_by_id=it.account.id,
                expires_at=now() + DAY,
                appointment_id=accepted.id,
            )
            for it, accepted in await appointed(town, span)
        ]
    )


async def appointed(town: Town, span: range) -> list[tuple[Household, AppointmentRow]]:
    """Neighbours and their offices, which are none of the asker's."""
    neighbours = await town.some(span)
    made = await insert([appointment(it.office, it.account, Role.OFFICER) for it in neighbours])
    return list(zip(neighbours, made, strict=True))


async def acts(town: Town, parent: UUID, span: range) -> None:
    """Entries of the audit log: of the organisation `parent`, or of the committee."""
    await append(
        [
            Act(
                action="createGrid",
                community_id=town.community.id,
                organisation_id=town.committee.id if parent == town.community.id else parent,
                account_id=it.account.id,
                subject_id=it.grid.id,
            )
            for it in await town.some(span)
        ]
    )


# Rows: the feed


def post(town: Town, by: Household, wall_id: UUID | None = None) -> PostRow:
    return PostRow(
        community_id=town.community.id,
        scope_id=town.community.id,
        wall_id=wall_id or town.community.id,
        author_id=by.account.id,
        estate_id=by.estate.id,
        kind=PostKind.COMPLAINT,
        body="楼道灯坏了",
    )


def comment(
    town: Town,
    subject_id: UUID,
    by: Household,
    thread_id: UUID | None = None,
    kind: SubjectKind = SubjectKind.POST,
) -> CommentRow:
    return CommentRow(
        community_id=town.community.id,
        subject_kind=kind,
        subject_id=subject_id,
        author_id=by.account.id,
        reply_to_id=thread_id,
        parent_id=thread_id or subject_id,
        body="我家也是",
    )


async def posts(town: Town, wall_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    made = await insert([post(town, it, wall_id) for it in neighbours])
    await insert([comment(town, row.id, it) for row, it in zip(made, neighbours, strict=True)])
    await insert([revision(row.id) for row in made])


async def found_posts(town: Town, _community_id: UUID, span: range) -> None:
    made = await insert([post(town, it) for it in await town.some(span)])
    of: dict[str, Any] = {"community_id": town.community.id, "kind": SearchKind.POST, "bigrams": "停水"}
    await insert([SearchEntryRow(id=row.id, **of) for row in made])
    await insert([SearchAudienceRow(entry_id=row.id, scope_id=row.scope_id) for row in made])


async def post_comments(town: Town, post_id: UUID, span: range) -> None:
    await put_comments(town, post_id, span, SubjectKind.POST)


async def notice_comments(town: Town, notice_id: UUID, span: range) -> None:
    await put_comments(town, notice_id, span, SubjectKind.NOTICE)


async def put_comments(town: Town, subject_id: UUID, span: range, kind: SubjectKind) -> None:
    await insert([comment(town, subject_id, it, kind=kind) for it in await town.some(span)])


async def replies(town: Town, comment_id: UUID, span: range) -> None:
    (thread,) = await CommentRow.filter(id=comment_id)
    await insert([comment(town, thread.subject_id, it, thread_id=comment_id) for it in await town.some(span)])


def revision(post_id: UUID) -> RevisionRow:
    return RevisionRow(subject_kind=SubjectKind.POST, subject_id=post_id, body="灯坏了")


async def revisions(_town: Town, post_id: UUID, span: range) -> None:
    await insert([revision(post_id) for _ in span])


# Rows: notices


def notice(town: Town, by: Household, **more: Any) -> NoticeRow:
    key = new_id()
    return NoticeRow(
        **{
            "id": key,
            "community_id": town.community.id,
            "organisation_id": town.committee.id,
            "author_id": by.account.id,
            "root_id": key,
            "category": NoticeCategory.OUTAGE,
            "severity": Severity.IMPORTANT,
            "title": "停水",
            "body": "明早八点起停水",
            "starts_at": now() - DAY,
            **more,
        }
    )


async def put_notices(
    town: Town, by: Sequence[Household], root_id: UUID | None = None
) -> Sequence[NoticeRow]:
    """Notices to the whole community, each of which took the place of another and has made way for a third.

    Those two were sent to nobody, so that they are in no list.
    """
    before = await insert([notice(town, it, status=NoticeStatus.SUPERSEDED) for it in by])
    root: dict[str, Any] = {"root_id": root_id} if root_id else {}
    made = await insert(
        [notice(town, it, supersedes_id=old.id, **root) for it, old in zip(by, before, strict=True)]
    )
    await insert([notice(town, it, supersedes_id=row.id) for it, row in zip(by, made, strict=True)])
    await insert(
        [
            AudienceRow(
                notice_id=row.id, kind=AudienceKind.COMMUNITY, scope_id=town.community.id, label="全社区"
            )
            for row in made
        ]
    )
    await insert([receipt(town, row.id, town.households[0]) for row in made])
    await insert([reach(row.id, town.households[0]) for row in made])
    return made


async def notices(town: Town, _parent: UUID, span: range) -> None:
    await put_notices(town, await town.some(span))


async def updates(town: Town, notice_id: UUID, span: range) -> None:
    await put_notices(town, await town.some(span), root_id=notice_id)


def receipt(town: Town, notice_id: UUID, of: Household, **more: Any) -> ReceiptRow:
    return ReceiptRow(
        community_id=town.community.id,
        notice_id=notice_id,
        home_id=of.home.id,
        building_id=of.building.id,
        **more,
    )


def reach(notice_id: UUID, of: Household) -> BuildingReachRow:
    return BuildingReachRow(notice_id=notice_id, building_id=of.building.id, targeted=1)


async def receipts(town: Town, notice_id: UUID, span: range) -> None:
    await insert([receipt(town, notice_id, it) for it in await town.some(span)])


async def round_in_own_grids(town: Town, notice_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    await insert([appointment(town.committee, town.asker, Role.GRID_WORKER, it.grid) for it in neighbours])
    await insert([receipt(town, notice_id, it) for it in neighbours])


async def visits(town: Town, notice_id: UUID, span: range) -> None:
    told = {"reached_at": now(), "reached_how": ReachedHow.DOORSTEP, "reached_note": "已告知"}
    await insert(
        [receipt(town, notice_id, it, **told, reached_by_id=it.account.id) for it in await town.some(span)]
    )


async def reached_buildings(town: Town, notice_id: UUID, span: range) -> None:
    await insert([reach(notice_id, it) for it in await town.some(span)])


async def notifications(town: Town, account_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    post_id = await a_post(town)
    made = await insert([comment(town, post_id, it) for it in neighbours])
    await insert(
        [
            NotificationRow(
                community_id=town.community.id,
                account_id=account_id,
                kind=NotificationKind.COMMENT,
                subject_id=row.id,
                actor_id=it.account.id,
            )
            for row, it in zip(made, neighbours, strict=True)
        ]
    )


# Rows: service requests


def request(town: Town, by: Household, policy: PolicyRow, **more: Any) -> RequestRow:
    return RequestRow(
        **{
            "community_id": town.community.id,
            "number": next(numbers),
            "scope_id": town.community.id,
            "reporter_id": by.account.id,
            "category": policy.code,
            "policy_id": policy.id,
            "title": "电梯有异响",
            "body": "从三楼往上一直响",
            "estate_id": by.estate.id,
            "building_id": by.building.id,
            "home_id": by.home.id,
            "state": RequestState.IN_PROGRESS,
            "office_id": town.company.id,
            "holder_id": town.company.id,
            "offered_to_id": by.office.id,
            "overseer_id": town.committee.id,
            "assignee_id": by.account.id,
            "tenure_id": new_id(),
            "accept_by": now() + DAY,
            "resolve_by": now() + DAY,
            "due_at": now() + DAY,
            **more,
        }
    )


def policy(community_id: UUID) -> PolicyRow:
    seconds: dict[str, Any] = {
        f"{name}_seconds": 3600
        for name in ("accept", "resolve", "remind", "confirm", "confirm_remind", "reopen")
    }
    return PolicyRow(
        community_id=community_id,
        code=f"种类 {next(numbers)}",
        version=1,
        name="报修",
        office_kind=OrganisationKind.PROPERTY_COMPANY,
        on_board=True,
        **seconds,
    )


async def put_requests(
    town: Town, by: Sequence[Household], original_id: UUID | None = None
) -> Sequence[RequestRow]:
    """Cases, each made of a post, gone on in another, with a step. The others are of another community."""
    elsewhere = await CommunityRow.create(name=f"别处 {next(numbers)}")
    policies = await insert([policy(town.community.id) for _ in by])
    others = await insert([policy(elsewhere.id) for _ in by])
    complaints = await insert([post(town, it) for it in by])
    originals = await insert(
        [
            request(
                town, it, other, community_id=elsewhere.id, office_id=it.office.id, holder_id=it.office.id
            )
            for it, other in zip(by, others, strict=True)
        ]
    )
    made = await insert(
        [
            request(town, it, under, post_id=complaint.id, duplicate_of_id=original_id or original.id)
            for it, under, complaint, original in zip(by, policies, complaints, originals, strict=True)
        ]
    )
    await insert([step(town, row.id, 1, it) for row, it in zip(made, by, strict=True)])
    return made


async def requests(town: Town, _parent: UUID, span: range) -> None:
    await put_requests(town, await town.some(span))


async def duplicates(town: Town, request_id: UUID, span: range) -> None:
    await put_requests(town, await town.some(span), original_id=request_id)


def step(town: Town, request_id: UUID, ordinal: int, by: Household) -> StepRow:
    return StepRow(
        community_id=town.community.id,
        request_id=request_id,
        ordinal=ordinal,
        action=RequestAction.HAND_OVER,
        from_state=RequestState.ACCEPTED,
        to_state=RequestState.HANDED_OVER,
        party=RequestParty.OFFICE,
        actor_id=by.account.id,
        office_id=town.company.id,
        to_office_id=by.office.id,
        assignee_id=by.account.id,
        linked_request_id=request_id,
        note="请看一下",
        visibility=NoteVisibility.PUBLIC,
        is_public=True,
    )


async def steps(town: Town, request_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    # The first step is there already.
    await insert([step(town, request_id, n + 2, it) for n, it in zip(span, neighbours, strict=True)])


# Rows: the owners' vote


def rules(town: Town) -> RulesRow:
    return RulesRow(
        community_id=town.community.id,
        version=next(numbers),
        name="表决规则",
        binding=True,
        quorum=STATUTORY_QUORUM.content(),
        ordinary=STATUTORY_ORDINARY.content(),
        special=STATUTORY_SPECIAL.content(),
        changes_allowed=True,
        proxies_allowed=True,
        notice_hours=360,
        most_extensions=0,
        extension_hours=0,
    )


async def vote_rules(town: Town, _community_id: UUID, span: range) -> None:
    await insert([rules(town) for _ in span])


def motion(town: Town, by: Household, under: RulesRow, at: datetime) -> MotionRow:
    return MotionRow(
        community_id=town.community.id,
        organisation_id=by.office.id,
        author_id=by.account.id,
        rules_id=under.id,
        scope_kind=ScopeKind.COMMUNITY,
        title="更换物业",
        body="合同到期",
        status=MotionStatus.OPEN,
        opens_at=at - DAY,
        closes_at=at + DAY,
        first_closes_at=at + DAY,
        announced_at=at - DAY,
        opened_at=at - DAY,
        heads=1,
        area_cm2=900_000,
    )


async def put_motions(town: Town, by: Sequence[Household]) -> Sequence[MotionRow]:
    """Open motions with an item each, in which the asker has voted for one head."""
    under = await insert([rules(town) for _ in by])
    made = await insert([motion(town, it, rule, now()) for it, rule in zip(by, under, strict=True)])
    await insert(
        [
            ItemRow(motion_id=row.id, position=1, item_class=ItemClass.PROPERTY_MANAGER, title="选聘")
            for row in made
        ]
    )
    heads = await insert([elector(town, row.id, 0, town.households[0]) for row in made])
    await insert([elector_home(row.id, head, town.home) for row, head in zip(made, heads, strict=True)])
    await insert(
        [
            ElectorVoterRow(motion_id=row.id, elector_id=head.id, account_id=town.asker.id)
            for row, head in zip(made, heads, strict=True)
        ]
    )
    await insert(
        [ballot(town, row.id, n, head) for row, head in zip(made, heads, strict=True) for n in (1, 2)]
    )
    return made


def elector(town: Town, motion_id: UUID, number: int, of: Household) -> ElectorRow:
    """A head in conflict."""
    return ElectorRow(
        community_id=town.community.id,
        motion_id=motion_id,
        number=number,
        kind=ElectorKind.OWNER,
        building_id=of.building.id,
        area_cm2=900_000,
        counted=2 * number + 1,
        disputed=2 * number + 2,
        channel=Channel.ONLINE,
    )


def elector_home(motion_id: UUID, head: ElectorRow, home: HomeRow) -> ElectorHomeRow:
    return ElectorHomeRow(
        motion_id=motion_id,
        elector_id=head.id,
        home_id=home.id,
        building_id=home.building_id,
        number=head.number,
        area_cm2=900_000,
    )


def ballot(town: Town, motion_id: UUID, number: int, head: ElectorRow) -> BoxEntryRow:
    return BoxEntryRow(
        community_id=town.community.id,
        motion_id=motion_id,
        number=number,
        kind=EntryKind.BALLOT,
        content='{"choices":["YES"]}',
        hash="0" * 64,
        elector_id=head.id,
        channel=Channel.ONLINE,
        via=Via.OWNER,
        cast_by_id=town.asker.id,
        standing=Standing.COUNTED,
    )


async def motions(town: Town, _community_id: UUID, span: range) -> None:
    await put_motions(town, await town.some(span))


async def roll(town: Town, motion_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    # The asker's head is there already.
    heads = await insert(
        [elector(town, motion_id, n + 1, it) for n, it in zip(span, neighbours, strict=True)]
    )
    await insert([elector_home(motion_id, head, it.home) for head, it in zip(heads, neighbours, strict=True)])
    await insert([ballot(town, motion_id, 2 * head.number + n, head) for head in heads for n in (1, 2)])


async def paper_ballots(town: Town, motion_id: UUID, span: range) -> None:
    await insert(
        [
            PaperRow(
                community_id=town.community.id,
                motion_id=motion_id,
                elector_id=new_id(),
                home_id=it.home.id,
                channel=Channel.PAPER,
                entered_by_id=it.account.id,
                confirmed_by_id=it.account.id,
            )
            for it in await town.some(span)
        ]
    )


async def proxies(town: Town, motion_id: UUID, span: range) -> None:
    await insert(
        [
            ProxyRow(
                community_id=town.community.id,
                motion_id=motion_id,
                home_id=it.home.id,
                account_id=it.account.id,
                evidence_sealed="",
            )
            for it in await town.some(span)
        ]
    )


async def voting_buildings(town: Town, motion_id: UUID, span: range) -> None:
    await insert(
        [
            MotionBuildingRow(
                motion_id=motion_id, building_id=it.building.id, position=n, heads=1, area_cm2=900_000
            )
            for n, it in zip(span, await town.some(span), strict=True)
        ]
    )


# Rows: deliberation


async def put_deliberations(
    town: Town, by: Sequence[Household], post_id: UUID | None = None
) -> Sequence[DeliberationRow]:
    """Deliberations that began with a post, each with a map and an outcome that cites a statement."""
    complaints = await insert([post(town, it) for it in by])
    made = await insert(
        [
            DeliberationRow(
                community_id=town.community.id,
                scope_id=town.community.id,
                estate_id=it.estate.id,
                organisation_id=it.office.id,
                overseer_id=town.committee.id,
                author_id=it.account.id,
                post_id=post_id or complaint.id,
                phase=DeliberationPhase.OUTCOME,
                phase_since=now(),
                title="遛狗不牵绳",
                body="怎么办？",
                outcome="牵绳。",
                outcome_by_id=it.account.id,
                outcome_published_at=now(),
                outcome_version=1,
            )
            for it, complaint in zip(by, complaints, strict=True)
        ]
    )
    cited = await insert([statement(town, row.id, 1, it) for row, it in zip(made, by, strict=True)])
    await insert(
        [
            CitationRow(
                deliberation_id=row.id,
                statement_id=said.id,
                position=1,
                agree_count=7,
                disagree_count=0,
                pass_count=0,
            )
            for row, said in zip(made, cited, strict=True)
        ]
    )
    await insert([opinions(row) for row in made])
    return made


def opinions(row: DeliberationRow) -> AnalysisRow:
    nothing: dict[str, Any] = {"points": [], "groups": [], "statements": [], "consensus": []}
    return AnalysisRow(
        community_id=row.community_id,
        deliberation_id=row.id,
        version=1,
        computed_at=now(),
        participant_count=7,
        vote_count=49,
        result={"silhouette": 0, "explained": [1, 0], **nothing},
    )


def statement(town: Town, deliberation_id: UUID, number: int, by: Household) -> StatementRow:
    return StatementRow(
        community_id=town.community.id,
        deliberation_id=deliberation_id,
        number=number,
        author_id=by.account.id,
        body=f"说法 {number}",
        fingerprint=f"{deliberation_id} {number}",
        agree_count=7,
        vote_count=7,
    )


async def deliberations(town: Town, _community_id: UUID, span: range) -> None:
    await put_deliberations(town, await town.some(span))


async def deliberations_on(town: Town, post_id: UUID, span: range) -> None:
    await put_deliberations(town, await town.some(span), post_id=post_id)


async def deliberation_comments(town: Town, deliberation_id: UUID, span: range) -> None:
    await put_comments(town, deliberation_id, span, SubjectKind.DELIBERATION)


async def statements(town: Town, deliberation_id: UUID, span: range) -> None:
    await insert(
        [
            statement(town, deliberation_id, n + 2, it)
            for n, it in zip(span, await town.some(span), strict=True)
        ]
    )


def execution_item(town: Town, deliberation_id: UUID, by: Household, subject_id: UUID) -> ExecutionRow:
    return ExecutionRow(
        community_id=town.community.id,
        deliberation_id=deliberation_id,
        kind=ExecutionKind.REQUEST,
        subject_id=subject_id,
        title="装遛狗围栏",
        organisation_id=by.office.id,
        state=ExecutionState.PLANNED,
    )


async def execution(town: Town, deliberation_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    cases = await put_requests(town, neighbours)
    await insert(
        [
            execution_item(town, deliberation_id, it, case.id)
            for it, case in zip(neighbours, cases, strict=True)
        ]
    )


async def deliberation_steps(town: Town, deliberation_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    items = await insert([execution_item(town, deliberation_id, it, new_id()) for it in neighbours])
    await insert(
        [
            DeliberationStepRow(
                community_id=town.community.id,
                deliberation_id=deliberation_id,
                ordinal=n,
                action=DeliberationAction.EXECUTION_ADDED,
                actor_id=it.account.id,
                item_id=item.id,
                note="",
            )
            for n, it, item in zip(span, neighbours, items, strict=True)
        ]
    )


async def matches(town: Town, post_id: UUID, span: range) -> None:
    others = await insert([post(town, it) for it in await town.some(span)])
    of: dict[str, Any] = {"community_id": town.community.id, "post_id": post_id}
    likeness: dict[str, Any] = {"score": 60, "words": 30, "place": 10, "time": 20, "shared": []}
    await insert([PostMatchRow(**of, **likeness, other_id=other.id) for other in others])


# Rows: groups


async def a_group(town: Town) -> UUID:
    (made,) = await put_groups(town, 1)
    return made.id


async def put_groups(town: Town, number: int) -> Sequence[GroupRow]:
    """Groups that the asker owns."""
    made = await insert(
        [
            GroupRow(
                community_id=town.community.id,
                scope_id=town.community.id,
                access=GroupAccess.APPROVAL,
                name=f"小组 {next(numbers)}",
                description="一起走走",
                member_count=1,
            )
            for _ in range(number)
        ]
    )
    await insert([membership(group, town.asker, MemberRole.OWNER) for group in made])
    return made


def membership(group: GroupRow, account: AccountRow, role: MemberRole = MemberRole.MEMBER) -> MembershipRow:
    of: dict[str, Any] = {"community_id": group.community_id, "host_id": group.id}
    return MembershipRow(**of, account_id=account.id, role=role)


async def groups(town: Town, _parent: UUID, span: range) -> None:
    await put_groups(town, len(span))


async def group_members(town: Town, group_id: UUID, span: range) -> None:
    (group,) = await GroupRow.filter(id=group_id)
    await insert([membership(group, it.account) for it in await town.some(span)])


async def join_requests(town: Town, group_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "group_id": group_id}
    await insert([JoinRequestRow(**of, account_id=it.account.id) for it in await town.some(span)])


async def group_invitations(town: Town, group_id: UUID, span: range) -> None:
    of: dict[str, Any] = {
        "community_id": town.community.id,
        "group_id": group_id,
        "invited_by_id": town.asker.id,
    }
    await insert([GroupInvitationRow(**of, account_id=it.account.id) for it in await town.some(span)])


async def group_steps(town: Town, group_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "group_id": group_id, "actor_id": town.asker.id}
    more: dict[str, Any] = {"action": GroupAction.REMOVED, "group_name": "小组"}
    await insert([GroupStepRow(**of, **more, account_id=it.account.id) for it in await town.some(span)])


# Rows: local services


async def put_entries(
    town: Town, by: Sequence[Household], organisation_id: UUID | None = None
) -> Sequence[EntryRow]:
    """Published entries of licensed organisations."""
    if organisation_id is None:
        await put_licences(town, by)
    return await insert(
        [
            EntryRow(
                community_id=town.community.id,
                organisation_id=organisation_id or it.office.id,
                scope_id=public_of(town.community.id),
                needs_licence=organisation_id is None,
                category=DirectoryCategory.NEARBY,
                name=f"面馆 {next(numbers)}",
                summary="手擀面",
                estate_id=it.estate.id,
                building_id=it.building.id,
                grid_id=it.grid.id,
                hours={"weekly": {"1": [[540, 1020]]}},
                steps=["下单"],
                documents=[],
                links=[["菜单", "https://example.org"]],
                published_at=now(),
            )
            for it in by
        ]
    )


async def put_licences(
    town: Town, by: Sequence[Household], organisation_id: UUID | None = None
) -> Sequence[LicenceRow]:
    sealed = town.world.services.keys.seal(privacy.LICENCE, "JY13301060123456")
    return await insert(
        [
            LicenceRow(
                community_id=town.community.id,
                organisation_id=organisation_id or it.office.id,
                kind=LicenceKind.FOOD,
                number_sealed=sealed,
                expires_at=now() + DAY,
                state=LicenceState.APPROVED,
            )
            for it in by
        ]
    )


async def directory(town: Town, _community_id: UUID, span: range) -> None:
    await put_entries(town, await town.some(span))


async def offered_entries(town: Town, organisation_id: UUID, span: range) -> None:
    await put_entries(town, await town.some(span), organisation_id)


async def licences_here(town: Town, _community_id: UUID, span: range) -> None:
    await put_licences(town, await town.some(span))


async def licences(town: Town, organisation_id: UUID, span: range) -> None:
    await put_licences(town, await town.some(span), organisation_id)


async def licence_steps(town: Town, licence_id: UUID, span: range) -> None:
    await insert(
        [
            LicenceStepRow(
                community_id=town.community.id,
                licence_id=licence_id,
                organisation_id=town.company.id,
                action=LicenceAction.REMIND,
                actor_id=it.account.id,
            )
            for it in await town.some(span)
        ]
    )


# Rows: the party branch


async def party_members(town: Town, branch_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "branch_id": branch_id}
    await insert([PartyMemberRow(**of, account_id=it.account.id) for it in await town.some(span)])


async def party_applications(town: Town, branch_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "branch_id": branch_id}
    sealed = town.world.services.keys.seal(privacy.PARTY, "2009年入党")
    await insert(
        [
            PartyApplicationRow(**of, account_id=it.account.id, statement_sealed=sealed)
            for it in await town.some(span)
        ]
    )


def picture(town: Town, subject_id: UUID) -> MediaRow:
    return MediaRow(
        community_id=town.community.id,
        uploader_id=town.asker.id,
        kind=MediaKind.PICTURE,
        digest=f"{next(numbers):064}",
        content_type="image/jpeg",
        size=1000,
        subject_id=subject_id,
        loose_since=None,
    )


async def put_articles(
    town: Town, branch_id: UUID, by: Sequence[Household], kind: ArticleKind
) -> Sequence[ArticleRow]:
    """Articles that are out, each with a cover, a card in the feed, and something that it said before."""
    made = []
    for number, it in enumerate(by):
        scope_id = public_of(town.community.id)
        made.append(
            ArticleRow(
                community_id=town.community.id,
                scope_id=scope_id,
                audience=BranchAudience.PUBLIC,
                branch_id=branch_id,
                author_id=it.account.id,
                kind=kind,
                category=AffairCategory.DUES if kind is ArticleKind.AFFAIR else None,
                title=f"党费收支 {number}",
                body="见下表",
                html="<p>见下表</p>",
                publish_at=now(),
                listed_at=now(),
            )
        )
    covers = await insert([picture(town, row.id) for row in made])
    cards = await insert([card(town, row.id, it) for row, it in zip(made, by, strict=True)])
    for row, cover, shown in zip(made, covers, cards, strict=True):
        row.cover_id, row.post_id = cover.id, shown.id
    await insert(made)
    await insert(
        [RevisionRow(subject_kind=SubjectKind.ARTICLE, subject_id=row.id, body="旧") for row in made]
    )
    return made


def card(town: Town, subject_id: UUID, by: Household) -> PostRow:
    return PostRow(
        community_id=town.community.id,
        scope_id=public_of(town.community.id),
        wall_id=town.community.id,
        author_id=by.account.id,
        kind=PostKind.BRANCH,
        body="党费收支",
        card_id=subject_id,
    )


async def party_news(town: Town, branch_id: UUID, span: range) -> None:
    await put_articles(town, branch_id, await town.some(span), ArticleKind.NEWS)


async def party_affairs(town: Town, branch_id: UUID, span: range) -> None:
    await put_articles(town, branch_id, await town.some(span), ArticleKind.AFFAIR)


async def some_news(town: Town) -> UUID:
    """News whose history is empty."""
    (made,) = await put_articles(town, await a_branch(town), town.households[:1], ArticleKind.NEWS)
    await RevisionRow.filter(subject_id=made.id).delete()
    return made.id


async def an_affair(town: Town) -> UUID:
    (made,) = await put_articles(town, await a_branch(town), town.households[:1], ArticleKind.AFFAIR)
    await RevisionRow.filter(subject_id=made.id).delete()
    return made.id


async def article_revisions(_town: Town, article_id: UUID, span: range) -> None:
    await insert(
        [RevisionRow(subject_kind=SubjectKind.ARTICLE, subject_id=article_id, body="旧") for _ in span]
    )


async def put_pioneers(town: Town, branch_id: UUID, by: Sequence[Household]) -> Sequence[PioneerRow]:
    made = [
        PioneerRow(
            community_id=town.community.id,
            scope_id=public_of(town.community.id),
            audience=BranchAudience.PUBLIC,
            branch_id=branch_id,
            account_id=it.account.id,
            author_id=town.asker.id,
            headline="热心楼长",
            story="三十年如一日",
            html="<p>三十年如一日</p>",
            consented_at=now(),
            publish_at=now(),
        )
        for it in by
    ]
    portraits = await insert([picture(town, row.id) for row in made])
    cards = await insert([card(town, row.id, it) for row, it in zip(made, by, strict=True)])
    for row, portrait, shown in zip(made, portraits, cards, strict=True):
        row.portrait_id, row.post_id = portrait.id, shown.id
    await insert(made)
    return made


async def pioneers(town: Town, branch_id: UUID, span: range) -> None:
    made = await put_pioneers(town, branch_id, await town.some(span))
    of: dict[str, Any] = {"community_id": town.community.id}
    await insert([PledgeRow(**of, pioneer_id=row.id, body="每周巡楼") for row in made])
    await insert(await told_deeds(town, [row.id for row in made]))


async def a_pioneer(town: Town) -> UUID:
    (made,) = await put_pioneers(town, await a_branch(town), town.households[:1])
    return made.id


async def pledges(town: Town, pioneer_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id, "pioneer_id": pioneer_id}
    await insert([PledgeRow(**of, body=f"承诺 {n}") for n in span])


async def told_deeds(town: Town, pioneer_ids: Sequence[UUID]) -> list[DeedRow]:
    """Deeds, each with a picture."""
    made = [
        DeedRow(
            community_id=town.community.id, pioneer_id=pioneer_id, done_on=now().date(), body="帮老人提菜"
        )
        for pioneer_id in pioneer_ids
    ]
    pictures = await insert([picture(town, row.id) for row in made])
    for row, shown in zip(made, pictures, strict=True):
        row.picture_id = shown.id
    return made


async def deeds(town: Town, pioneer_id: UUID, span: range) -> None:
    await insert(await told_deeds(town, [pioneer_id for _ in span]))


QUESTIONS = [
    {
        "text": "?",
        "multiple": False,
        "options": [{"text": "是", "correct": True}, {"text": "否", "correct": False}],
    }
]


async def put_lessons(town: Town, branch_id: UUID, by: Sequence[Household]) -> Sequence[PartyLessonRow]:
    """Lessons with a quiz that the asker has tried and a certificate."""
    of: dict[str, Any] = {"community_id": town.community.id}
    made = await insert(
        [
            PartyLessonRow(
                **of,
                branch_id=branch_id,
                scope_id=branch_id,
                author_id=it.account.id,
                audience=PartyLessonAudience.MEMBERS,
                state=PartyLessonState.PUBLISHED,
                title="学习",
            )
            for it in by
        ]
    )
    quiz: dict[str, Any] = {
        "kind": PartyLessonItemKind.QUIZ,
        "title": "测验",
        "questions": QUESTIONS,
        "attempts": 1,
    }
    items = await insert([PartyLessonItemRow(**of, lesson_id=row.id, position=1, **quiz) for row in made])
    own: dict[str, Any] = {**of, "account_id": town.asker.id}
    await insert([PartyLessonProgressRow(**own, lesson_id=it.lesson_id, item_id=it.id) for it in items])
    tried: dict[str, Any] = {
        "number": 1,
        "revision": 1,
        "answers": [],
        "score": 0,
        "total": 1,
        "passed": False,
    }
    await insert([PartyQuizAttemptRow(**own, item_id=it.id, **tried) for it in items])
    await insert([completion(town, row, town.asker) for row in made])
    return made


def completion(town: Town, lesson: PartyLessonRow, account: AccountRow) -> PartyLessonCompletionRow:
    return PartyLessonCompletionRow(
        community_id=town.community.id,
        branch_id=lesson.branch_id,
        lesson_id=lesson.id,
        account_id=account.id,
        number=f"{next(numbers)}",
    )


async def party_lessons(town: Town, branch_id: UUID, span: range) -> None:
    await put_lessons(town, branch_id, await town.some(span))


async def a_lesson(town: Town) -> UUID:
    return (await put_lessons(town, await a_branch(town), town.households[:1]))[0].id


async def party_completions(town: Town, lesson_id: UUID, span: range) -> None:
    (lesson,) = await PartyLessonRow.filter(id=lesson_id)
    await insert([completion(town, lesson, it.account) for it in await town.some(span)])


async def party_opinions(town: Town, branch_id: UUID, span: range) -> None:
    of: dict[str, Any] = {"community_id": town.community.id}
    made = await insert(
        [
            PartyOpinionRow(
                **of,
                branch_id=branch_id,
                scope_id=branch_id,
                author_id=it.account.id,
                year=2026,
                number=n,
                topic=PartyOpinionTopic.SAFETY,
                title="楼道堆物",
                body="请清理",
                reach=PartyOpinionReach.PRIVATE,
                state=PartyOpinionState.ASSIGNED,
                owner_id=it.account.id,
            )
            for n, it in zip(span, await town.some(span), strict=True)
        ]
    )
    step: dict[str, Any] = {"ordinal": 1, "action": PartyOpinionAction.ASSIGN}
    await insert(
        [
            PartyOpinionStepRow(
                **of, opinion_id=row.id, officer_id=row.author_id, owner_id=row.author_id, **step
            )
            for row in made
        ]
    )


async def home_visits(town: Town, branch_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    cases = await put_requests(town, neighbours)
    of: dict[str, Any] = {"community_id": town.community.id}
    made = await insert(
        [
            HomeVisitRow(
                **of,
                branch_id=branch_id,
                home_id=it.home.id,
                visited_at=now(),
                recorded_by_id=it.account.id,
                consented=False,
                request_id=case.id,
            )
            for it, case in zip(neighbours, cases, strict=True)
        ]
    )
    await insert([HomeVisitorRow(**of, visit_id=row.id, account_id=row.recorded_by_id) for row in made])


# Rows: activities


def series(town: Town) -> SeriesRow:
    return SeriesRow(
        community_id=town.community.id, scope_id=town.community.id, rule="RRULE:FREQ=WEEKLY;COUNT=2"
    )


async def put_activities(
    town: Town, by: Sequence[Household], series_id: UUID | None = None
) -> Sequence[ActivityRow]:
    """Activities of a series each, or all of one, to which the asker has signed up."""
    of_series = await insert([series(town) for _ in by])
    number = next(numbers)
    made = await insert(
        [
            ActivityRow(
                community_id=town.community.id,
                scope_id=town.community.id,
                audience=ActivityAudience.NEIGHBOURS,
                host_kind=HostKind.ORGANISATION,
                host_id=town.committee.id,
                creator_id=it.account.id,
                series_id=series_id or one.id,
                kind=ActivityKind.CULTURE,
                title="露天电影",
                description="带上小板凳",
                place="广场",
                online_url="https://example.org/live",
                starts_at=now() + number * DAY,
                ends_at=now() + number * DAY + timedelta(hours=2),
                sign_up_opens_at=now(),
                sign_up_closes_at=now() + DAY,
                updated_at=now(),
            )
            for it, one in zip(by, of_series, strict=True)
        ]
    )
    await insert([activity_sign_up(town, row.id, town.asker, 1) for row in made])
    return made


def activity_sign_up(
    town: Town,
    activity_id: UUID,
    account: AccountRow,
    number: int,
    state: SignUpState = SignUpState.WAITING,
) -> SignUpRow:
    return SignUpRow(
        community_id=town.community.id,
        activity_id=activity_id,
        account_id=account.id,
        state=state,
        number=number,
        signed_up_at=now(),
        updated_at=now(),
    )


async def an_activity(town: Town) -> UUID:
    (made,) = await put_activities(town, town.households[:1])
    return made.id


async def a_series(town: Town) -> UUID:
    (made,) = await insert([series(town)])
    return made.id


async def activities(town: Town, _community_id: UUID, span: range) -> None:
    await put_activities(town, await town.some(span))


async def occurrences(town: Town, series_id: UUID, span: range) -> None:
    await put_activities(town, await town.some(span), series_id)


async def activity_sign_ups(town: Town, activity_id: UUID, span: range) -> None:
    neighbours = await town.some(span)
    await insert(
        [
            activity_sign_up(town, activity_id, it.account, number + 2)
            for number, it in zip(span, neighbours, strict=True)
        ]
    )


async def put_slots(town: Town, by: Sequence[Household], entry_id: UUID | None = None) -> Sequence[SlotRow]:
    """Times of one service, or each of a service of its own."""
    entries = [entry_id] * len(by) if entry_id else [entry.id for entry in await put_entries(town, by)]
    return await insert(
        [
            SlotRow(
                community_id=town.community.id,
                entry_id=entry,
                organisation_id=it.office.id,
                starts_at=now() + DAY + next(numbers) * timedelta(minutes=1),
                ends_at=now() + 365 * DAY,
                capacity=2,
                booked=1,
            )
            for entry, it in zip(entries, by, strict=True)
        ]
    )


def booking(town: Town, slot: SlotRow, account_id: UUID, organisation_id: UUID) -> BookingRow:
    return BookingRow(
        community_id=town.community.id,
        slot_id=slot.id,
        entry_id=slot.entry_id,
        organisation_id=organisation_id,
        account_id=account_id,
        starts_at=slot.starts_at,
        held_key=f"{slot.id}/{account_id}",
    )


async def put_bookings(town: Town, by: Sequence[Household]) -> Sequence[BookingRow]:
    """With the asker's own office, each by somebody else."""
    times = await put_slots(town, by)
    return await insert(
        [booking(town, slot, it.account.id, town.company.id) for slot, it in zip(times, by, strict=True)]
    )


async def slots(town: Town, entry_id: UUID, span: range) -> None:
    times = await put_slots(town, await town.some(span), entry_id)
    await insert([booking(town, slot, town.asker.id, slot.organisation_id) for slot in times])


async def bookings_with(town: Town, _organisation_id: UUID, span: range) -> None:
    await put_bookings(town, await town.some(span))


async def own_bookings(town: Town, _account_id: UUID, span: range) -> None:
    times = await put_slots(town, await town.some(span))
    await insert([booking(town, slot, town.asker.id, slot.organisation_id) for slot in times])


async def booking_steps(town: Town, booking_id: UUID, span: range) -> None:
    await insert(
        [
            BookingStepRow(
                community_id=town.community.id,
                booking_id=booking_id,
                action=BookingAction.CALL_OFF,
                actor_id=it.account.id,
            )
            for it in await town.some(span)
        ]
    )


def offer(town: Town, entry_id: UUID, organisation_id: UUID) -> OfferRow:
    return OfferRow(
        community_id=town.community.id,
        entry_id=entry_id,
        organisation_id=organisation_id,
        title="半价",
        body="工作日",
        starts_at=now() - DAY,
        ends_at=now() + DAY,
    )


async def offers_here(town: Town, _community_id: UUID, span: range) -> None:
    made = await put_entries(town, await town.some(span))
    await insert([offer(town, entry.id, entry.organisation_id) for entry in made])


async def offers(town: Town, entry_id: UUID, span: range) -> None:
    await insert([offer(town, entry_id, it.office.id) for it in await town.some(span)])


async def ratings(town: Town, entry_id: UUID, span: range) -> None:
    await insert(
        [
            RatingRow(
                community_id=town.community.id,
                entry_id=entry_id,
                organisation_id=it.office.id,
                author_id=it.account.id,
                stars=4,
                body="不错",
            )
            for it in await town.some(span)
        ]
    )


# The table


@dataclass(frozen=True)
class Listed:
    """How to make what is behind one list, and how to ask for it."""

    parent: Parent
    rows: Rows
    # What the list holds before any row is made.
    already: int = 0
    arguments: Callable[[Town], str] = lambda _town: ""
    # The parent's node, and the way from there, where the parent is no node itself.
    within: tuple[str, ...] = ()
    # One parent a community: the community itself, or an office that there is one of.
    one_a_town: bool = False


def here(town: Town) -> str:
    return f'communityId: "{global_id("Community", town.community.id)}"'


IN_A_NOTICE = ("Notice", "reach")

LISTS: dict[str, Listed] = {
    "Query.communities": Listed(
        the_community, communities, already=1, arguments=lambda town: f'name: "{town.community.name}"'
    ),
    "Viewer.sessions": Listed(the_asker, sessions),
    "Viewer.residencies": Listed(the_asker, former_residencies, already=1),
    "Viewer.residencyApplications": Listed(the_asker, own_applications),
    "Viewer.activeNotices": Listed(the_asker, notices, arguments=here),
    "Viewer.unacknowledgedNotices": Listed(the_asker, notices, arguments=here),
    "Viewer.notifications": Listed(the_asker, notifications),
    "Community.estates": Listed(the_community, households, already=1, one_a_town=True),
    "Community.grids": Listed(the_community, households, already=1, one_a_town=True),
    # A household has an office of its own here.
    "Community.organisations": Listed(the_community, households, already=4, one_a_town=True),
    "Community.notices": Listed(the_community, notices, one_a_town=True),
    "Community.motions": Listed(the_community, motions, one_a_town=True),
    "Community.voteRules": Listed(the_community, vote_rules, one_a_town=True),
    "Community.posts": Listed(the_community, posts, one_a_town=True),
    "Community.search": Listed(
        the_community, found_posts, arguments=lambda _town: 'words: "停水"', one_a_town=True
    ),
    "Community.requests": Listed(the_community, requests, one_a_town=True),
    "Community.auditLog": Listed(the_community, acts, one_a_town=True),
    "Estate.buildings": Listed(an_estate, buildings),
    "Building.homes": Listed(a_building, homes),
    "Home.residents": Listed(a_home, residents),
    "Organisation.members": Listed(an_organisation, members),
    "Organisation.invitations": Listed(an_organisation, invitations),
    "Organisation.auditLog": Listed(an_organisation, acts),
    "Organisation.residencyApplications": Listed(the_committee, applications, one_a_town=True),
    "Organisation.notices": Listed(the_committee, notices, one_a_town=True),
    "Organisation.requestQueue": Listed(
        the_company, requests, arguments=lambda _town: "bucket: IN_HAND", one_a_town=True
    ),
    "Organisation.partyMembers": Listed(a_branch, party_members),
    "Organisation.partyApplications": Listed(a_branch, party_applications),
    "Organisation.partyNews": Listed(a_branch, party_news),
    "Organisation.partyAffairs": Listed(a_branch, party_affairs),
    "Organisation.pioneers": Listed(a_branch, pioneers),
    "PartyNews.revisions": Listed(some_news, article_revisions),
    "PartyAffair.revisions": Listed(an_affair, article_revisions),
    "Pioneer.pledges": Listed(a_pioneer, pledges),
    "Pioneer.deeds": Listed(a_pioneer, deeds),
    "Organisation.partyLessons": Listed(a_branch, party_lessons),
    "Organisation.partyOpinions": Listed(a_branch, party_opinions),
    "Organisation.homeVisits": Listed(a_branch, home_visits),
    "PartyLesson.completions": Listed(a_lesson, party_completions, already=1),
    "Notice.comments": Listed(a_notice, notice_comments),
    "Notice.threads": Listed(a_notice, notice_comments),
    "Notice.history": Listed(a_notice, updates, already=1),
    "Notice.round": Listed(a_notice, round_in_own_grids),
    "Reach.byBuilding": Listed(a_notice, reached_buildings, already=1, within=IN_A_NOTICE),
    "Reach.unreached": Listed(a_notice, receipts, already=1, within=IN_A_NOTICE),
    "Reach.visits": Listed(a_notice, visits, within=IN_A_NOTICE),
    "Post.comments": Listed(a_post, post_comments),
    "Post.threads": Listed(a_post, post_comments),
    "Post.matches": Listed(a_post, matches),
    "Post.revisions": Listed(a_post, revisions),
    "Post.deliberations": Listed(a_post, deliberations_on),
    "Comment.replies": Listed(a_comment, replies),
    "ServiceRequest.steps": Listed(a_request, steps, already=1),
    "ServiceRequest.duplicates": Listed(a_request, duplicates),
    "Motion.roll": Listed(a_motion, roll, already=1),
    "Motion.paperBallots": Listed(a_motion, paper_ballots),
    "Motion.proxies": Listed(a_motion, proxies),
    "Community.deliberations": Listed(the_community, deliberations, one_a_town=True),
    "Deliberation.comments": Listed(a_deliberation, deliberation_comments),
    "Deliberation.threads": Listed(a_deliberation, deliberation_comments),
    "Deliberation.statements": Listed(a_deliberation, statements, already=1),
    "Deliberation.nextStatements": Listed(a_deliberation, statements, already=1),
    "Deliberation.steps": Listed(a_deliberation, deliberation_steps),
    "Deliberation.execution": Listed(a_deliberation, execution),
    # The post is there already.
    "Deliberation.timeline": Listed(a_deliberation, deliberation_steps, already=1),
    "Viewer.groups": Listed(the_asker, groups),
    "Community.groups": Listed(the_community, groups, one_a_town=True),
    "Group.posts": Listed(a_group, posts),
    "Group.members": Listed(a_group, group_members, already=1),
    "Group.joinRequests": Listed(a_group, join_requests),
    "Group.invitations": Listed(a_group, group_invitations),
    "Group.steps": Listed(a_group, group_steps),
    "Community.directory": Listed(the_community, directory, one_a_town=True),
    "Community.offers": Listed(the_community, offers_here, one_a_town=True),
    "DirectoryEntry.slots": Listed(an_entry, slots),
    "DirectoryEntry.offers": Listed(an_entry, offers),
    "DirectoryEntry.ratings": Listed(an_entry, ratings),
    "Organisation.bookings": Listed(the_company, bookings_with, one_a_town=True),
    "Viewer.bookings": Listed(the_asker, own_bookings),
    "Booking.steps": Listed(a_booking, booking_steps),
    "Community.merchantLicences": Listed(the_community, licences_here, one_a_town=True),
    "Organisation.entries": Listed(an_organisation, offered_entries),
    "Organisation.licences": Listed(an_organisation, licences),
    "MerchantLicence.steps": Listed(a_licence, licence_steps),
    "Community.activities": Listed(the_community, activities, one_a_town=True),
    "Activity.signUps": Listed(an_activity, activity_sign_ups, already=1),
    "ActivitySeries.occurrences": Listed(a_series, occurrences),
    "Participation.byBuilding": Listed(a_motion, voting_buildings, within=("Motion", "participation")),
}
