"""Interest groups: who knows of them, who comes in and goes, and who is told."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pytest

from models import groups as rules
from models.base import new_id, now
from models.groups import GroupAccess, GroupAction, GroupRow, GroupStepRow, JoinRequestRow, JoinStatus
from models.identity import AccountRow, CommunityRow, ResidencyRow, neighbour_key
from models.memberships import Alerts, MemberRole, MembershipRow, members_of, moderators_of
from models.notifications import NotificationKind, NotificationRow
from models.storage.paging import PageArgs
from resolvers.context import Context
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.existing import existing
from resolvers.groups import founding, joining, members, people, reading
from resolvers.groups.founding import GroupDraft
from subscriptions.events import STANDING, Kind, community_topic
from tests.world import World, counted


@dataclass
class Club:
    """A community with people, and groups made by the owner."""

    world: World
    community: CommunityRow
    owner: AccountRow
    member: AccountRow
    neighbour: AccountRow
    officer: AccountRow
    stranger: AccountRow

    async def ctx(self, account: AccountRow) -> Context:
        return await self.world.context(account)

    async def found(self, access: GroupAccess = GroupAccess.APPROVAL, **more: Any) -> GroupRow:
        """A group with the owner and the member in it."""
        draft = GroupDraft(**{"name": "羽毛球", "description": "每周六打球", "access": access, **more})
        group = await founding.found(
            await self.ctx(self.owner), community_id=self.community.id, draft=draft, key=str(new_id())
        )
        await self.enter(group, self.member)
        return group

    async def enter(self, group: GroupRow, account: AccountRow) -> None:
        """Come in, the way that takes invited and asking alike."""
        invitation = await joining.invite(
            await self.ctx(self.owner), group_id=group.id, neighbour_id=self.face(account)
        )
        await joining.answer(await self.ctx(account), invitation_id=invitation.id, accepted=True)

    async def ask(self, group: GroupRow, account: AccountRow, *answers: str) -> UUID:
        _, request = await joining.join(await self.ctx(account), group_id=group.id, answers=answers)
        assert request is not None
        return request.id

    def face(self, account: AccountRow) -> UUID:
        return neighbour_key(self.community.id, account.id)

    async def knows(self, account: AccountRow, group: GroupRow) -> bool:
        (found,) = await reading.visible_by_ids(await self.ctx(account), [group.id])
        return found is not None

    async def role(self, group: GroupRow, account: AccountRow) -> MemberRole | None:
        held = await MembershipRow.get_or_none(host_id=group.id, account_id=account.id, left_at=None)
        return held.role if held else None

    async def told(self, account: AccountRow) -> list[NotificationKind]:
        return [it.kind for it in await NotificationRow.filter(account_id=account.id).order_by("id")]

    async def kinds(self) -> list[Kind]:
        return [it.event.kind for it in await self.world.events(community_topic(self.community.id))]


@pytest.fixture
async def club(world: World) -> Club:
    community = await world.community()
    building = await world.building(await world.estate(community))
    made = [await world.resident(await world.home(building)) for _ in range(3)]
    officer = await world.officer(await world.organisation(community))
    owner, member, neighbour = made
    stranger = await world.neighbour(await world.community())
    return Club(world, community, owner, member, neighbour, officer, stranger)


E = TypeVar("E", bound=DomainError)


async def refused(what: Awaitable[object], error: type[E]) -> E:
    with pytest.raises(error) as caught:
        await what
    return caught.value


# Founding


async def test_who_founds_a_group_owns_it(club: Club) -> None:
    ctx = await club.ctx(club.owner)
    draft = GroupDraft(
        "  羽毛球 \n 小组", "打球 310101199001011234", GroupAccess.OPEN, "守时", ("水平如何?",)
    )
    made = [await founding.found(ctx, community_id=club.community.id, draft=draft, key="k") for _ in range(2)]
    assert made[0].id == made[1].id
    row = made[0]
    assert (row.name, row.description) == ("羽毛球 小组", "打球 ****************34")
    assert (row.rules, row.questions, row.member_count, row.version) == ("守时", ["水平如何?"], 1, 1)
    assert row.scope_id == club.community.id
    # The operation that founded it goes on with the owner's rights.
    assert ctx.viewer.memberships == {row.id: MemberRole.OWNER}
    assert {members_of(row.id), moderators_of(row.id)} <= ctx.viewer.scopes
    assert await club.kinds() == [Kind.GROUP_CHANGED]
    (owner,) = await people.owners_of(ctx, [row])
    assert owner is not None
    assert owner.id == club.face(club.owner)


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("name", {"name": "一"}),
        ("name", {"name": "长" * 41}),
        ("description", {"description": " "}),
        ("rules", {"rules": "长" * 2001}),
        ("questions", {"questions": ("问",) * 6}),
        ("questions", {"questions": ("",)}),
    ],
)
async def test_what_is_no_group(club: Club, field: str, more: dict[str, Any]) -> None:
    error = await refused(club.found(**more), InvalidInput)
    assert list(error.fields) == [field]
    assert not await GroupRow.exists()


async def test_only_who_belongs_to_the_community_founds(club: Club) -> None:
    draft = GroupDraft("羽毛球", "打球", GroupAccess.OPEN)
    for account, error in ((club.stranger, NotFound), (None, Unauthenticated)):
        ctx = await club.world.context(account)
        await refused(founding.found(ctx, community_id=club.community.id, draft=draft, key="k"), error)
    assert not await GroupRow.exists()
    assert not await MembershipRow.exists()


async def test_those_who_look_after_it_edit_it_as_they_have_read_it(club: Club) -> None:
    group = await club.found()
    ctx = await club.ctx(club.owner)
    draft = GroupDraft("乒乓球", "改打乒乓了", GroupAccess.APPROVAL, "带拍子")
    edited = await founding.edit(ctx, group_id=group.id, draft=draft, version=group.version)
    assert (edited.name, edited.rules, edited.version) == ("乒乓球", "带拍子", 2)
    error = await refused(founding.edit(ctx, group_id=group.id, draft=draft, version=1), Conflict)
    assert error.current == group.id
    for account, expected in (
        (club.member, NotAllowed),
        (club.neighbour, NotAllowed),
        (club.stranger, NotFound),
    ):
        ctx = await club.ctx(account)
        await refused(founding.edit(ctx, group_id=group.id, draft=draft, version=2), expected)
    assert (await GroupRow.get(id=group.id)).version == 2


async def test_only_the_owner_says_who_may_come_in(club: Club) -> None:
    group = await club.found()
    await members.appoint(
        await club.ctx(club.owner), group_id=group.id, neighbour_id=club.face(club.member), moderator=True
    )
    closing = GroupDraft("羽毛球", "每周六打球", GroupAccess.CLOSED)
    ctx = await club.ctx(club.member)
    await refused(founding.edit(ctx, group_id=group.id, draft=closing, version=1), NotAllowed)
    assert await club.knows(club.neighbour, group)
    await founding.edit(await club.ctx(club.owner), group_id=group.id, draft=closing, version=1)
    assert not await club.knows(club.neighbour, group)
    assert await club.knows(club.member, group)


# Who knows of a group


@pytest.mark.parametrize("access", GroupAccess)
async def test_who_knows_of_a_group(club: Club, access: GroupAccess) -> None:
    group = await club.found(access)
    closed = access is GroupAccess.CLOSED
    applicant = await club.world.account()
    for account in (club.owner, club.member):
        assert await club.knows(account, group)
    for account in (club.neighbour, club.officer):
        assert await club.knows(account, group) is not closed
    for account in (club.stranger, applicant):
        assert not await club.knows(account, group)

    async def listed(account: AccountRow) -> list[UUID]:
        ctx = await club.ctx(account)
        here: Any = [club.community]
        (page,) = await reading.groups_of(ctx, here, None, False, rules.NEWEST, PageArgs(first=10))
        return [row.id for row in page.items]

    assert await listed(club.member) == [group.id]
    assert await listed(club.neighbour) == ([] if closed else [group.id])
    assert await listed(club.stranger) == []
    # Who has moved away has gone from it.
    await ResidencyRow.filter(account_id=club.member.id).update(until=now())
    assert not await club.knows(club.member, group)


async def test_who_is_invited_knows_of_a_closed_group_until_that_is_answered(club: Club) -> None:
    group = await club.found(GroupAccess.CLOSED)
    owner = await club.ctx(club.owner)
    ctx = await club.ctx(club.neighbour)
    await refused(joining.join(ctx, group_id=group.id, answers=()), NotFound)
    face = club.face(club.neighbour)
    invitation = await joining.invite(owner, group_id=group.id, neighbour_id=face)
    again = await joining.invite(owner, group_id=group.id, neighbour_id=face)
    assert again.id == invitation.id
    assert await club.knows(club.neighbour, group)
    assert await club.told(club.neighbour) == [NotificationKind.GROUP_INVITE]
    # What is in it, is for members.
    assert await people.members_of_groups(ctx, [group], PageArgs(first=10)) == [None]
    assert not rules.can_read_posts(ctx.viewer, group)
    for account in (club.member, club.stranger):
        await refused(
            joining.answer(await club.ctx(account), invitation_id=invitation.id, accepted=True), NotFound
        )
    declined = await joining.answer(ctx, invitation_id=invitation.id, accepted=False)
    assert declined.status is JoinStatus.DECLINED
    assert not await club.knows(club.neighbour, group)
    await refused(joining.answer(ctx, invitation_id=invitation.id, accepted=True), Conflict)
    second = await joining.invite(owner, group_id=group.id, neighbour_id=face)
    revoked = await joining.revoke(owner, invitation_id=second.id)
    assert revoked.status is JoinStatus.WITHDRAWN
    await refused(joining.answer(ctx, invitation_id=second.id, accepted=True), Conflict)
    assert await club.role(group, club.neighbour) is None
    third = await joining.invite(owner, group_id=group.id, neighbour_id=face)
    await joining.answer(ctx, invitation_id=third.id, accepted=True)
    assert await club.role(group, club.neighbour) is MemberRole.MEMBER
    assert ctx.viewer.memberships == {group.id: MemberRole.MEMBER}
    assert (await existing(GroupRow, group.id)).member_count == 3


async def test_only_those_who_look_after_it_invite_and_only_neighbours(club: Club) -> None:
    group = await club.found()
    face = club.face(club.neighbour)
    for account, error in (
        (club.member, NotAllowed),
        (club.neighbour, NotAllowed),
        (club.stranger, NotFound),
    ):
        ctx = await club.ctx(account)
        await refused(joining.invite(ctx, group_id=group.id, neighbour_id=face), error)
    ctx = await club.ctx(club.owner)
    for wrong in (club.face(club.stranger), club.face(club.member), new_id()):
        await refused(joining.invite(ctx, group_id=group.id, neighbour_id=wrong), InvalidInput)
    assert await club.told(club.neighbour) == []


# Coming in


async def test_an_open_group_is_joined_at_once(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN, questions=("为什么?",))
    ctx = await club.ctx(club.neighbour)
    for _ in range(2):
        row, request = await joining.join(ctx, group_id=group.id, answers=())
        assert request is None
        assert row.member_count == 3
    assert await club.role(group, club.neighbour) is MemberRole.MEMBER
    standing = [it.event.subject for it in await club.world.events(STANDING)]
    assert standing.count(club.neighbour.id) == 1
    await refused(joining.join(await club.ctx(club.stranger), group_id=group.id, answers=()), NotFound)
    assert await club.role(group, club.stranger) is None


async def test_a_request_is_answered_once(club: Club) -> None:
    group = await club.found(questions=("会打吗?", "哪栋?"))
    ctx = await club.ctx(club.neighbour)
    for answers in ((), ("会",), ("会", "")):
        await refused(joining.join(ctx, group_id=group.id, answers=answers), InvalidInput)
    asked = await club.ask(group, club.neighbour, "会", "3栋")
    assert await club.ask(group, club.neighbour, "会", "3栋") == asked
    assert (await existing(GroupRow, group.id)).request_count == 1
    assert await club.told(club.owner) == [NotificationKind.GROUP_JOIN]
    assert await club.told(club.member) == [NotificationKind.GROUP_INVITE]
    owner = await club.ctx(club.owner)
    (seen,) = await people.requests_by_ids(owner, [asked])
    assert seen is not None
    assert seen.answers == [["会打吗?", "会"], ["哪栋?", "3栋"]]
    for account in (club.member, club.officer, club.stranger):
        other = await club.ctx(account)
        assert await people.requests_by_ids(other, [asked]) == [None]
        await refused(joining.decide(other, request_id=asked, accepted=True), NotFound)
    await refused(joining.decide(ctx, request_id=asked, accepted=True), NotAllowed)
    await refused(joining.decide(owner, request_id=asked, accepted=False), InvalidInput)
    assert await club.role(group, club.neighbour) is None

    decided = await joining.decide(owner, request_id=asked, accepted=False, reason="人满了")
    assert (decided.status, decided.reason, decided.answers) == (JoinStatus.DECLINED, "人满了", [])
    assert await club.told(club.neighbour) == [NotificationKind.GROUP_JOIN]
    await refused(joining.decide(owner, request_id=asked, accepted=True), Conflict)

    second = await club.ask(group, club.neighbour, "会", "3栋")
    await joining.decide(owner, request_id=second, accepted=True)
    assert await club.role(group, club.neighbour) is MemberRole.MEMBER
    row = await existing(GroupRow, group.id)
    assert (row.member_count, row.request_count) == (3, 0)
    # Nothing is kept of what was answered.
    assert [it.answers for it in await JoinRequestRow.all()] == [[], []]
    events = await club.world.events(community_topic(club.community.id))
    audiences = {it.event.audience for it in events if it.event.kind is Kind.JOIN_REQUEST_CHANGED}
    assert audiences == {frozenset({moderators_of(group.id), club.neighbour.id})}


async def test_a_request_is_taken_back_by_who_made_it(club: Club) -> None:
    group = await club.found()
    asked = await club.ask(group, club.neighbour)
    for account in (club.owner, club.member):
        await refused(joining.withdraw(await club.ctx(account), request_id=asked), NotFound)
    ctx = await club.ctx(club.neighbour)
    assert (await joining.withdraw(ctx, request_id=asked)).status is JoinStatus.WITHDRAWN
    await refused(joining.withdraw(ctx, request_id=asked), Conflict)
    await refused(joining.decide(await club.ctx(club.owner), request_id=asked, accepted=True), Conflict)
    assert (await existing(GroupRow, group.id)).request_count == 0


async def test_an_invitation_settles_the_request(club: Club) -> None:
    group = await club.found()
    asked = await club.ask(group, club.neighbour)
    await club.enter(group, club.neighbour)
    assert (await JoinRequestRow.get(id=asked)).status is JoinStatus.ACCEPTED
    row = await existing(GroupRow, group.id)
    assert (row.member_count, row.request_count) == (3, 0)


# Going


async def test_an_owner_hands_over_before_leaving(club: Club) -> None:
    group = await club.found(GroupAccess.CLOSED)
    ctx = await club.ctx(club.owner)
    await refused(members.leave(ctx, group_id=group.id), NotAllowed)
    for wrong in (club.face(club.neighbour), club.face(club.stranger)):
        await refused(members.transfer(ctx, group_id=group.id, neighbour_id=wrong), InvalidInput)
    other = await club.ctx(club.member)
    await refused(members.transfer(other, group_id=group.id, neighbour_id=club.face(club.member)), NotAllowed)
    await members.transfer(ctx, group_id=group.id, neighbour_id=club.face(club.member))
    assert await club.role(group, club.member) is MemberRole.OWNER
    assert await club.role(group, club.owner) is MemberRole.MODERATOR
    assert NotificationKind.GROUP_STEP in await club.told(club.member)
    assert await members.leave(ctx, group_id=group.id) is None
    assert ctx.viewer.memberships == {}
    assert not await club.knows(club.owner, group)
    assert (await existing(GroupRow, group.id)).member_count == 1
    await refused(members.leave(ctx, group_id=group.id), NotFound)


async def test_a_moderator_takes_over_from_who_has_moved_away(club: Club) -> None:
    group = await club.found()
    face = club.face(club.member)
    await members.appoint(await club.ctx(club.owner), group_id=group.id, neighbour_id=face, moderator=True)
    ctx = await club.ctx(club.member)
    await refused(members.transfer(ctx, group_id=group.id, neighbour_id=face), NotAllowed)
    assert await club.role(group, club.owner) is MemberRole.OWNER
    await ResidencyRow.filter(account_id=club.owner.id).update(until=now())
    await members.transfer(ctx, group_id=group.id, neighbour_id=face)
    assert await club.role(group, club.member) is MemberRole.OWNER
    assert ctx.viewer.memberships == {group.id: MemberRole.OWNER}


async def test_who_is_removed_is_told_and_does_not_come_back_alone(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    owner = await club.ctx(club.owner)
    face = club.face(club.member)
    await refused(members.remove(owner, group_id=group.id, neighbour_id=face, reason=""), InvalidInput)
    for account, error in (
        (club.member, NotAllowed),
        (club.officer, NotAllowed),
        (club.stranger, NotFound),
    ):
        ctx = await club.ctx(account)
        await refused(members.remove(ctx, group_id=group.id, neighbour_id=face, reason="吵闹"), error)
    assert await club.role(group, club.member) is MemberRole.MEMBER
    row = await members.remove(owner, group_id=group.id, neighbour_id=face, reason="总是迟到")
    assert row.member_count == 1
    assert (await club.told(club.member))[-1] is NotificationKind.GROUP_STEP
    ctx = await club.ctx(club.member)
    step = await GroupStepRow.get(group_id=group.id, action=GroupAction.REMOVED)
    (seen,) = await people.steps_by_ids(ctx, [step.id])
    assert seen is not None
    assert seen.reason == "总是迟到"
    for account in (club.neighbour, club.stranger):
        assert await people.steps_by_ids(await club.ctx(account), [step.id]) == [None]
    _, request = await joining.join(ctx, group_id=group.id, answers=())
    assert request is not None
    assert await club.role(group, club.member) is None
    await joining.decide(owner, request_id=request.id, accepted=True)
    assert await club.role(group, club.member) is MemberRole.MEMBER
    # Who leaves alone comes back alone.
    await members.leave(ctx, group_id=group.id)
    assert (await joining.join(ctx, group_id=group.id, answers=()))[1] is None


async def test_nobody_removes_the_owner_and_moderators_no_moderator(club: Club) -> None:
    group = await club.found()
    await club.enter(group, club.neighbour)
    owner = await club.ctx(club.owner)
    for account in (club.member, club.neighbour):
        await members.appoint(owner, group_id=group.id, neighbour_id=club.face(account), moderator=True)
    ctx = await club.ctx(club.member)
    for account in (club.owner, club.neighbour):
        face = club.face(account)
        await refused(members.remove(ctx, group_id=group.id, neighbour_id=face, reason="不行"), NotAllowed)
    face = club.face(club.neighbour)
    await refused(members.appoint(ctx, group_id=group.id, neighbour_id=face, moderator=False), NotAllowed)
    await members.remove(owner, group_id=group.id, neighbour_id=face, reason="不行")
    assert await club.role(group, club.neighbour) is None
    assert await club.role(group, club.owner) is MemberRole.OWNER


# Its end


async def test_an_archived_group_is_read_only(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    for account in (club.member, club.neighbour):
        await refused(
            founding.set_archived(await club.ctx(account), group_id=group.id, archived=True), NotAllowed
        )
    owner = await club.ctx(club.owner)
    rows = [await founding.set_archived(owner, group_id=group.id, archived=True) for _ in range(2)]
    assert rows[0].archived_at == rows[1].archived_at is not None
    assert await GroupStepRow.filter(action=GroupAction.ARCHIVED).count() == 1
    ctx = await club.ctx(club.neighbour)
    await refused(joining.join(ctx, group_id=group.id, answers=()), NotAllowed)
    await refused(
        joining.invite(owner, group_id=group.id, neighbour_id=club.face(club.neighbour)), NotAllowed
    )
    assert await club.role(group, club.neighbour) is None
    await founding.set_archived(owner, group_id=group.id, archived=False)
    await joining.join(ctx, group_id=group.id, answers=())
    assert await club.role(group, club.neighbour) is MemberRole.MEMBER


async def test_a_dissolved_group_is_gone_for_everybody(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    await refused(founding.dissolve(await club.ctx(club.member), group_id=group.id), NotAllowed)
    await refused(founding.dissolve(await club.ctx(club.stranger), group_id=group.id), NotFound)
    assert await club.knows(club.neighbour, group)
    await founding.dissolve(await club.ctx(club.owner), group_id=group.id)
    for account in (club.owner, club.member, club.neighbour):
        assert not await club.knows(account, group)
        assert await club.role(group, account) is None
    assert NotificationKind.GROUP_STEP in await club.told(club.member)
    step = await GroupStepRow.get(action=GroupAction.DISSOLVED)
    for account, sees in ((club.member, True), (club.neighbour, False), (club.stranger, False)):
        (seen,) = await people.steps_by_ids(await club.ctx(account), [step.id])
        assert (seen is not None) is sees
    standing = [it.event.subject for it in await club.world.events(STANDING)]
    assert standing.count(club.member.id) == 2


# Who is in it


async def test_members_see_members_and_nobody_else(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    page = PageArgs(first=10)
    (seen,) = await people.members_of_groups(await club.ctx(club.member), [group], page)
    assert seen is not None
    assert [row.account_id for row in seen.items] == [club.owner.id, club.member.id]
    for account in (club.neighbour, club.officer, club.stranger):
        assert await people.members_of_groups(await club.ctx(account), [group], page) == [None]
    for listed in (people.requests_of_groups, people.invitations_of_groups):
        assert await listed(await club.ctx(club.member), [group], None, page) == [None]
        assert await listed(await club.ctx(club.owner), [group], None, page) != [None]
    assert await people.steps_of_groups(await club.ctx(club.member), [group], page) == [None]


async def test_alerts_are_the_members_own(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    ctx = await club.ctx(club.neighbour)
    await refused(members.set_alerts(ctx, group_id=group.id, alerts=Alerts.ALL), NotAllowed)
    await members.set_alerts(await club.ctx(club.member), group_id=group.id, alerts=Alerts.NONE)
    held = {it.account_id: it.alerts for it in await MembershipRow.all()}
    assert held == {club.owner.id: None, club.member.id: Alerts.NONE}


async def test_suggestions_are_near_and_lively_and_nothing_hidden(club: Club) -> None:
    world = club.world
    far = await world.neighbour(club.community)

    async def made(by: AccountRow, name: str, access: GroupAccess = GroupAccess.APPROVAL) -> UUID:
        draft = GroupDraft(name, "说明", access)
        row = await founding.found(
            await world.context(by), community_id=club.community.id, draft=draft, key=name
        )
        return row.id

    near = await made(club.owner, "邻楼")
    distant = await made(far, "远处")
    lively = await made(far, "热闹")
    await GroupRow.filter(id=lively).update(last_post_at=now())
    await made(club.owner, "秘密", GroupAccess.CLOSED)
    asleep = await made(club.owner, "归档")
    await GroupRow.filter(id=asleep).update(archived_at=now())
    await made(club.neighbour, "自己的")
    ctx = await club.ctx(club.neighbour)
    async with counted() as queries:
        (found,) = await reading.suggestions_for(ctx, [club.community])
    assert queries.count == 1
    assert [row.id for row in found] == [lively, near, distant]
    (found,) = await reading.suggestions_for(await club.ctx(club.stranger), [club.community])
    assert found == []
