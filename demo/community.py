"""Filling an empty database with the demo community."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from demo import activities, branch, branch_news, civic, groups
from demo import services as local
from demo.people import (
    COMMUNITY,
    ELSEWHERE,
    GRIDS,
    OFFICERS,
    ORGANISATIONS,
    PLACE_ELSEWHERE,
    PLACES,
    RESIDENT_ELSEWHERE,
    RESIDENTS,
    VISITOR,
    Place,
    Resident,
)
from demo.talk import NOTICES, POSTS
from models import privacy
from models.base import now
from models.identity import BuildingRow, CommunityRow, EstateRow, GridRow, HomeRow, ResidencyRow
from models.notices import AudienceKind
from models.organisations import AppointmentRow, OrganisationRow
from models.posts import PostRow, SubjectKind
from models.roles import OrganisationKind, Role
from models.visibility import viewers
from resolvers import comments, likes, posts
from resolvers.context import Context, Services
from resolvers.identity.sign_in import account_with
from resolvers.notices import publishing
from resolvers.notices.audiences import Place as NoticePlace


async def seed(services: Services) -> bool:
    """Make the demo community unless any community is there already; whether it was made."""
    if await CommunityRow.exists():
        return False
    buildings = await found(COMMUNITY, PLACES)
    community = await CommunityRow.get(name=COMMUNITY)
    grids = await divide(community, buildings)
    offices = await appoint(services, community, grids)
    people = {r.name: await settle(services, community, buildings, r) for r in RESIDENTS}
    elsewhere = await found(ELSEWHERE, (PLACE_ELSEWHERE,))
    await settle(services, await CommunityRow.get(name=ELSEWHERE), elsewhere, RESIDENT_ELSEWHERE)
    await account_with(services, normal(VISITOR[0]), VISITOR[1])
    told = await talk(services, community, people)
    await announce(services, offices, buildings)
    leading = {o.kind: await speaking(services, offices[o.name]) for o in OFFICERS if o.role is Role.ADMIN}
    neighbours = {name: await speaking(services, account_id) for name, account_id in people.items()}
    await civic.begin(community, leading, neighbours, told)
    await local.begin(community, leading, neighbours)
    await branch.begin(leading[OrganisationKind.PARTY_BRANCH], neighbours)
    await branch_news.begin(leading[OrganisationKind.PARTY_BRANCH], neighbours)
    await groups.gather(community, neighbours)
    await activities.hold(leading, neighbours)
    return True


def normal(phone: str) -> str:
    return privacy.normal_phone(phone)


async def found(name: str, places: tuple[Place, ...]) -> dict[tuple[str, str], BuildingRow]:
    """A community with its estates, buildings and homes; its buildings by estate and name."""
    community = await CommunityRow.create(name=name)
    buildings = {}
    for place in places:
        estate = await EstateRow.create(community_id=community.id, name=place.name, address=place.address)
        for building_name in place.buildings:
            building = await BuildingRow.create(
                community_id=community.id, estate_id=estate.id, name=building_name
            )
            buildings[place.name, building_name] = building
            await HomeRow.bulk_create(homes_of(place, building))
    return buildings


def homes_of(place: Place, building: BuildingRow) -> Iterator[HomeRow]:
    for unit in range(1, place.units + 1):
        for floor in range(1, place.floors + 1):
            for door, area in enumerate(place.areas, 1):
                yield HomeRow(
                    community_id=building.community_id,
                    building_id=building.id,
                    unit=str(unit),
                    number=f"{floor}{door:02}",
                    area_cm2=area,
                )


async def divide(
    community: CommunityRow, buildings: dict[tuple[str, str], BuildingRow]
) -> dict[str, GridRow]:
    grids = {}
    for name, members in GRIDS.items():
        grids[name] = grid = await GridRow.create(community_id=community.id, name=name)
        ids = [buildings[member].id for member in members]
        await BuildingRow.filter(id__in=ids).update(grid_id=grid.id)
    return grids


async def appoint(services: Services, community: CommunityRow, grids: dict[str, GridRow]) -> dict[str, UUID]:
    """The organisations with their officers; the officers' accounts by name."""
    organisations = {
        kind: await OrganisationRow.create(community_id=community.id, kind=kind, name=name)
        for kind, name in ORGANISATIONS.items()
    }
    offices = {}
    for officer in OFFICERS:
        account_id = offices[officer.name] = await account_with(services, normal(officer.phone), officer.name)
        await AppointmentRow.create(
            community_id=community.id,
            organisation_id=organisations[officer.kind].id,
            account_id=account_id,
            role=officer.role,
            grid_id=grids[officer.grid].id if officer.grid else None,
        )
    return offices


async def settle(
    services: Services,
    community: CommunityRow,
    buildings: dict[tuple[str, str], BuildingRow],
    resident: Resident,
) -> UUID:
    """An account that lives where `resident` says."""
    building, unit, number = resident.home
    home = await HomeRow.get(building_id=buildings[resident.estate, building].id, unit=unit, number=number)
    account_id = await account_with(services, normal(resident.phone), resident.name)
    await ResidencyRow.create(
        community_id=community.id, account_id=account_id, home_id=home.id, relation=resident.relation
    )
    return account_id


async def speaking(services: Services, account_id: UUID) -> Context:
    found = await viewers({account_id: None})
    return Context(services, found[account_id])


async def talk(services: Services, community: CommunityRow, people: dict[str, UUID]) -> list[PostRow]:
    """The feed: written by the same use cases as everyone's posts, so that all counts are true."""
    made = []
    for number, told in enumerate(POSTS):
        post = await posts.create_post(
            await speaking(services, people[told.author]),
            community_id=community.id,
            kind=told.kind,
            body=told.body,
            key=f"demo-post-{number}",
        )
        made.append(post)
        for place, (author, body) in enumerate(told.comments):
            await comments.add_comment(
                await speaking(services, people[author]),
                kind=SubjectKind.POST,
                subject_id=post.id,
                body=body,
                key=f"demo-comment-{number}-{place}",
            )
        for author in told.likes:
            await likes.set_like(
                await speaking(services, people[author]),
                kind=SubjectKind.POST,
                subject_id=post.id,
                on=True,
            )
    return made


async def announce(
    services: Services, offices: dict[str, UUID], buildings: dict[tuple[str, str], BuildingRow]
) -> None:
    for number, told in enumerate(NOTICES):
        ctx = await speaking(services, offices[told.author])
        (office,) = ctx.viewer.offices.values()
        audience = [NoticePlace(AudienceKind.BUILDING, buildings[place].id) for place in told.buildings] or [
            NoticePlace(AudienceKind.COMMUNITY, office.community_id)
        ]
        await publishing.publish(
            ctx,
            organisation_id=office.organisation_id,
            draft=publishing.NoticeDraft(
                category=told.category,
                severity=told.severity,
                title=told.title,
                body=told.body,
                ends_at=now() + timedelta(days=told.days),
            ),
            audience=audience,
            key=f"demo-notice-{number}",
        )
