"""A community with a committee and a party branch that hold activities, and neighbours who come."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from models.activities import ActivityKind, ActivityRow, SignUpRow, SignUpState
from models.base import now
from models.identity import AccountRow, CommunityRow
from models.jobs import JobRow
from models.memberships import MembershipRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind
from models.storage.rows import execute
from resolvers.activities import organising, sign_ups
from resolvers.activities.drafts import ActivityDraft
from resolvers.activities.recurring import Recurrence
from resolvers.context import Context
from resolvers.jobs import Worker
from subscriptions.events import Logged, community_topic
from tests.world import World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
keys = count(1)


@dataclass
class Scene:
    world: World
    community: CommunityRow
    committee: OrganisationRow
    branch: OrganisationRow
    officer: AccountRow
    secretary: AccountRow
    people: list[AccountRow] = field(default_factory=list)

    async def neighbour(self) -> AccountRow:
        account = await self.world.neighbour(self.community)
        self.people.append(account)
        return account

    async def neighbours(self, many: int) -> list[AccountRow]:
        return [await self.neighbour() for _ in range(many)]

    async def member(self) -> AccountRow:
        """A neighbour who is a member of the branch."""
        account = await self.neighbour()
        await MembershipRow.create(
            community_id=self.community.id, host_id=self.branch.id, account_id=account.id
        )
        return account

    async def ctx(self, account: AccountRow) -> Context:
        return await self.world.context(account)

    async def hold(
        self,
        *,
        by: AccountRow | None = None,
        host: OrganisationRow | None = None,
        repeats: Recurrence | None = None,
        key: str = "",
        **more: Any,
    ) -> ActivityRow:
        """An activity, in a week unless told otherwise."""
        starts_at = more.pop("starts_at", now() + 7 * DAY)
        draft = ActivityDraft(
            **{
                "kind": ActivityKind.CULTURE,
                "title": "露天电影",
                "place": "广场",
                "starts_at": starts_at,
                "ends_at": starts_at + 2 * HOUR,
                **more,
            }
        )
        return await organising.create(
            await self.ctx(by or self.officer),
            host_id=(host or self.committee).id,
            draft=draft,
            key=key or f"hold {next(keys)}",
            repeats=repeats,
        )

    async def edit(self, row: ActivityRow, **changes: Any) -> ActivityRow:
        return await organising.edit(
            await self.ctx(self.officer),
            activity_id=row.id,
            version=(await self.row(row.id)).version,
            changes=changes,
        )

    async def cancel(self, row: ActivityRow, reason: str = "下大雨") -> ActivityRow:
        return await organising.cancel(
            await self.ctx(self.officer),
            activity_id=row.id,
            version=(await self.row(row.id)).version,
            reason=reason,
        )

    async def sign_up(
        self, account: AccountRow, row: ActivityRow, companions: int = 0, *, key: str = ""
    ) -> SignUpRow:
        return (
            await sign_ups.sign_up(
                await self.ctx(account),
                activity_id=row.id,
                companions=companions,
                key=key or f"sign up {next(keys)}",
            )
        )[0]

    async def leave(self, account: AccountRow, row: ActivityRow) -> SignUpRow:
        return (await sign_ups.cancel_sign_up(await self.ctx(account), activity_id=row.id))[0]

    async def row(self, activity_id: UUID) -> ActivityRow:
        return await ActivityRow.get(id=activity_id)

    async def counters(self, row: ActivityRow) -> tuple[int, int, int]:
        """Seats taken, sign-ups with seats, sign-ups that wait: and they are what the sign-ups say."""
        found = await self.row(row.id)
        sign_ups = await SignUpRow.filter(activity_id=row.id)
        going = [it for it in sign_ups if it.state is SignUpState.GOING]
        waiting = [it for it in sign_ups if it.state is SignUpState.WAITING]
        counted = sum(1 + it.companions for it in going), len(going), len(waiting)
        assert (found.seats_taken, found.going_count, found.waiting_count) == counted
        assert found.checked_in_count == sum(it.checked_in_at is not None for it in going)
        return counted

    async def states(self, row: ActivityRow, accounts: list[AccountRow]) -> str:
        """The first letter of each one's state: g, w, c, or - for none."""
        found = {
            it.account_id: it.state.value[0].lower() for it in await SignUpRow.filter(activity_id=row.id)
        }
        return "".join(found.get(account.id, "-") for account in accounts)

    async def told(self, account: AccountRow) -> list[tuple[str, str]]:
        """The kinds and notes of the updates in an inbox, the oldest first."""
        rows = await execute(
            "SELECT u.kind, u.note FROM notification n JOIN activity_update u ON u.id = n.subject_id"
            " WHERE n.account_id = ? ORDER BY n.id",
            account.id,
        )
        return [(row["kind"], row["note"]) for row in rows]

    async def events(self) -> list[Logged]:
        return await self.world.events(community_topic(self.community.id))

    async def begin(self, row: ActivityRow, ago: timedelta = timedelta(minutes=10)) -> None:
        """Have the activity begun so long ago."""
        await ActivityRow.filter(id=row.id).update(starts_at=now() - ago, ends_at=now() - ago + 2 * HOUR)

    async def pass_to(self, kind: str) -> None:
        """Have the jobs of a kind fall due, and do them."""
        await JobRow.filter(kind=kind).update(due_at=now())
        while await Worker(self.world.services).work():
            pass


async def scene_in(world: World) -> Scene:
    community = await world.community()
    committee = await world.organisation(community)
    branch = await world.organisation(community, OrganisationKind.PARTY_BRANCH)
    return Scene(
        world, community, committee, branch, await world.officer(committee), await world.officer(branch)
    )


@pytest.fixture
async def scene(world: World) -> Scene:
    return await scene_in(world)
