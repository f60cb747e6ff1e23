"""The offices of a town: notices that went to every household, and cases that wait for the committee."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tortoise.transactions import in_transaction

from bench.town import TEXT, Town, account, session
from models import database
from models.base import new_id, now
from models.identity import AccountRow, CommunityRow, HomeRow, ResidencyRow, SessionRow
from models.notices import AudienceKind, NoticeCategory, ReachedHow, Severity
from models.organisations import AppointmentRow, OrganisationRow
from models.privacy import Keys
from models.requests import CLOSED, DEFAULTS, OPEN, RequestRow, RequestState, WaitingFor, default_policies
from models.roles import Role
from models.storage.rows import dialect, execute
from models.storage.tables import insert_all
from models.visibility import viewers
from resolvers.context import Context
from resolvers.notices import publishing
from resolvers.notices.audiences import Place
from resolvers.tokens import Tokens
from tests.world import World

OFFICERS = 20
NOTICES = 5
BUILDINGS = 40


@dataclass(frozen=True, slots=True)
class Offices:
    """What the clients need to know of them."""

    committee: UUID
    # Tokens of its officers, each of another account.
    tokens: list[str]
    notices: list[UUID]


async def settle(
    url: str, secrets: dict[str, str], town: Town, *, households: int = 4_000, cases: int = 4_000
) -> Offices:
    """Give the town a residents' committee, more households, notices to all of them, and cases."""
    keys = Keys.from_text(secrets["LINLI_KEYS"], secrets["LINLI_INDEX_KEY"])
    tokens = Tokens(secrets["LINLI_TOKEN_KEY"], timedelta(hours=6))
    chance = random.Random(8)
    async with database.database(url):
        world = World()
        community = await CommunityRow.get(id=town.community_id)
        async with in_transaction():
            committee = await world.organisation(community, name="屯乐苑居委会")
            officers = [account(keys, 80_000_000 + number) for number in range(OFFICERS)]
            sessions = [session(one) for one in officers]
            await AccountRow.bulk_create(officers)
            await SessionRow.bulk_create(sessions)
            await AppointmentRow.bulk_create(
                AppointmentRow(
                    community_id=community.id,
                    organisation_id=committee.id,
                    account_id=one.id,
                    role=Role.OFFICER,
                )
                for one in officers
            )
            await more_households(world, community, households)
            rows = await reported(committee, officers, cases, chance)
            await insert_all(rows)
        held = await viewers({officers[0].id: sessions[0].id})
        ctx = Context(world.services, held[officers[0].id])
        notices = [await published(ctx, committee, number) for number in range(NOTICES)]
        homes = [home.id for home in await HomeRow.filter(community_id=community.id)]
        chance.shuffle(homes)
        async with in_transaction():
            await answered(officers, homes)
        if dialect() == "postgres":
            # Which autovacuum does; SQLite is served without statistics.
            await execute("VACUUM ANALYZE")
    return Offices(
        committee.id,
        [tokens.access_token(one.id, held.id) for one, held in zip(officers, sessions, strict=True)],
        notices,
    )


async def more_households(world: World, community: CommunityRow, households: int) -> None:
    estate = await world.estate(community)
    buildings = [await world.building(estate) for _ in range(BUILDINGS)]
    await insert_all(
        [
            HomeRow(
                community_id=community.id,
                building_id=buildings[number % BUILDINGS].id,
                unit="1",
                number=f"{number}",
                area_cm2=900_000,
            )
            for number in range(households)
        ]
    )


async def published(ctx: Context, committee: OrganisationRow, number: int) -> UUID:
    notice = await publishing.publish(
        ctx,
        organisation_id=committee.id,
        draft=publishing.NoticeDraft(
            category=NoticeCategory.GENERAL,
            severity=Severity.IMPORTANT,
            title="停水通知",
            body=TEXT,
            ends_at=now() + timedelta(days=1),
        ),
        audience=[Place(AudienceKind.COMMUNITY, committee.community_id)],
        key=f"{number}",
    )
    return notice.id


async def answered(officers: Sequence[AccountRow], homes: Sequence[UUID]) -> None:
    """Of the homes 65 % have acknowledged every notice, 80 seen it, 90 been sent it; at 5 somebody rang."""
    at = now()
    for column, share in (("delivered_at", 90), ("seen_at", 80), ("acknowledged_at", 65)):
        part = homes[: len(homes) * share // 100]
        await execute(f"UPDATE receipt SET {column} = ? WHERE home_id IN (?)", at, part)
    await execute(
        "UPDATE receipt SET reached_at = ?, reached_by_id = ?, reached_how = ? WHERE home_id IN (?)",
        at,
        officers[0].id,
        ReachedHow.DOORSTEP,
        homes[len(homes) * 95 // 100 :],
    )
    counts = {
        "delivered": "COUNT(t.delivered_at)",
        "seen": "COUNT(t.seen_at)",
        "acknowledged": "COUNT(t.acknowledged_at)",
        "in_person": "COUNT(CASE WHEN t.acknowledged_at IS NULL THEN t.reached_at END)",
    }
    for column, counted in counts.items():
        await execute(
            f"UPDATE building_reach SET {column} = (SELECT {counted} FROM receipt t"
            " WHERE t.notice_id = building_reach.notice_id AND t.building_id = building_reach.building_id)"
        )


async def reported(
    committee: OrganisationRow, officers: Sequence[AccountRow], cases: int, chance: random.Random
) -> list[RequestRow]:
    """Cases in all states, half of them open."""
    reporters = await ResidencyRow.filter(community_id=committee.community_id)
    places = {
        home.id: home.building_id for home in await HomeRow.filter(id__in=[one.home_id for one in reporters])
    }
    rows = []
    for number in range(1, cases + 1):
        reporter = chance.choice(reporters)
        state = chance.choice(sorted(OPEN if number % 2 else CLOSED))
        row = case(committee, number, reporter, state, chance.choice(officers).id)
        row.building_id = places[reporter.home_id]
        rows.append(row)
    return rows


def case(
    committee: OrganisationRow, number: int, reporter: ResidencyRow, state: RequestState, assignee_id: UUID
) -> RequestRow:
    policy = default_policies(committee.community_id)[number % len(DEFAULTS)]
    open_ = state in OPEN
    at = now()
    # Some are overdue.
    due = at + timedelta(days=number % 9 - 2)
    return RequestRow(
        id=new_id(),
        created_at=at,
        community_id=committee.community_id,
        number=number,
        scope_id=committee.community_id,
        reporter_id=reporter.account_id,
        post_id=None,
        category=policy.code,
        policy_id=policy.id,
        title=f"{number} 楼道灯不亮",
        body=TEXT,
        estate_id=None,
        building_id=None,
        home_id=reporter.home_id,
        area="楼道",
        state=state,
        office_id=committee.id,
        offered_to_id=None,
        holder_id=committee.id,
        overseer_id=committee.id,
        assignee_id=assignee_id,
        tenure_id=new_id(),
        offered_tenure_id=None,
        waiting_for=WaitingFor.PARTS if state is RequestState.WAITING else None,
        accept_by=due,
        resolve_by=due,
        due_at=due if open_ else None,
        paused_at=None,
        reminded_for=None,
        escalated_for=None,
        escalated_at=at if number % 10 == 0 else None,
        done_at=None,
        confirm_by=None,
        confirm_reminded_at=None,
        confirmed_by=None,
        closed_at=None if open_ else at,
        duplicate_of_id=None,
        follower_count=number % 7,
        rating=None,
        rating_comment="",
        step_count=3,
        version=3,
    )
