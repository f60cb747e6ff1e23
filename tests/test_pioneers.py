"""Pioneers: shown with their consent to the text, thanked once each, and taken out of view at a word."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import now
from models.identity import AccountRow
from models.media import MediaRow
from models.memberships import members_of
from models.notifications import NotificationKind, NotificationRow
from models.party.audience import BranchAudience
from models.party.members import PartyMemberRow
from models.party.pioneers import DeedRow, PioneerRow, PioneerState, PledgeRow, PledgeState
from models.posts import PostRow
from models.storage.paging import PageArgs
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.media import uploads
from resolvers.party import deeds, members, pioneers
from resolvers.party.pioneers import Profile
from subscriptions.events import Kind, community_topic
from tests.party_scene import Branch, key
from tests.party_scene import branch as branch
from tests.test_media import jpeg

PROFILE = Profile(headline="三十年的楼长", story="**热心**的人。")


async def membership(branch: Branch, account: AccountRow) -> UUID:
    return (await PartyMemberRow.get(branch_id=branch.id, account_id=account.id)).id


async def proposed(branch: Branch, profile: Profile = PROFILE) -> PioneerRow:
    return await pioneers.propose(
        await branch.ctx(branch.officer),
        member_id=await membership(branch, branch.member),
        profile=profile,
        key=key(),
    )


async def agreed(branch: Branch, row: PioneerRow, *, on: bool = True) -> PioneerRow:
    ctx = await branch.ctx(branch.member)
    return await pioneers.consent(ctx, pioneer_id=row.id, version=row.version, on=on)


async def shown(branch: Branch, profile: Profile = PROFILE) -> PioneerRow:
    row = await agreed(branch, await proposed(branch, profile))
    return await pioneers.publish(await branch.ctx(branch.officer), pioneer_id=row.id, version=row.version)


async def sees(branch: Branch, account: AccountRow, row: PioneerRow) -> bool:
    (found,) = await pioneers.visible_by_ids(await branch.ctx(account), [row.id])
    return found is not None


async def kinds(branch: Branch) -> list[Kind]:
    events = await branch.world.events(community_topic(branch.community.id))
    return [logged.event.kind for logged in events if logged.event.kind is not Kind.NOTIFICATION_ADDED]


async def test_nobody_is_shown_without_consent(branch: Branch) -> None:
    row = await proposed(branch)
    assert row.state is PioneerState.PROPOSED
    for account, seen in (
        (branch.officer, True),
        (branch.member, True),
        (branch.comrade, False),
        (branch.neighbour, False),
        (branch.manager, False),
    ):
        assert await sees(branch, account, row) is seen
    (told,) = await NotificationRow.all()
    assert (told.account_id, told.kind, told.subject_id) == (
        branch.member.id,
        NotificationKind.PIONEER,
        row.id,
    )
    officer = await branch.ctx(branch.officer)
    with pytest.raises(NotAllowed):
        await pioneers.publish(officer, pioneer_id=row.id, version=row.version)
    # Nobody agrees for somebody else.
    with pytest.raises(NotAllowed):
        await pioneers.consent(officer, pioneer_id=row.id, version=row.version, on=True)
    for other in (branch.comrade, branch.neighbour):
        with pytest.raises(NotFound):
            await pioneers.consent(await branch.ctx(other), pioneer_id=row.id, version=row.version, on=True)
    assert not await PioneerRow.filter(consented_at__isnull=False).exists()
    assert await kinds(branch) == []


async def test_who_agrees_is_shown_with_a_card(branch: Branch) -> None:
    row = await shown(branch)
    assert row.state is PioneerState.PUBLISHED
    assert await sees(branch, branch.neighbour, row)
    (post,) = await PostRow.all()
    assert (post.card_id, post.body, post.id) == (row.id, PROFILE.headline, row.post_id)
    assert await kinds(branch) == [Kind.POST_CREATED, Kind.BRANCH_PUBLISHED]
    # To publish what is out already changes nothing.
    again = await pioneers.publish(await branch.ctx(branch.officer), pioneer_id=row.id, version=row.version)
    assert again.version == row.version


async def test_what_is_for_members_is_nobody_elses(branch: Branch) -> None:
    row = await shown(branch, replace(PROFILE, audience=BranchAudience.MEMBERS))
    assert await sees(branch, branch.comrade, row)
    for account in (branch.neighbour, branch.manager):
        assert not await sees(branch, account, row)
        ctx = await branch.ctx(account)
        (page,) = await pioneers.pioneers_of(ctx, [branch.branch], PageArgs(first=5))
        assert page.items == []
        with pytest.raises(NotFound):
            await pioneers.thank(ctx, pioneer_id=row.id, on=True)
    for logged in await branch.world.events(community_topic(branch.community.id)):
        assert logged.event.audience in ({members_of(branch.id)}, {branch.member.id})


async def test_agreeing_no_longer_takes_it_out_of_view_at_once(branch: Branch) -> None:
    row = await shown(branch)
    gone = await agreed(branch, row, on=False)
    assert gone.state is PioneerState.PROPOSED
    assert not await sees(branch, branch.neighbour, row)
    assert not await PostRow.filter(deleted_at__isnull=True).exists()
    assert (await kinds(branch))[-2:] == [Kind.POST_DELETED, Kind.BRANCH_WITHDRAWN]
    # What is so already changes nothing.
    assert (await agreed(branch, gone, on=False)).version == gone.version


async def test_consent_is_to_a_text(branch: Branch) -> None:
    row = await proposed(branch)
    officer = await branch.ctx(branch.officer)
    edited = await pioneers.edit(
        officer, pioneer_id=row.id, version=row.version, profile=replace(PROFILE, story="别的话")
    )
    with pytest.raises(Conflict):
        await agreed(branch, row)
    await agreed(branch, edited)
    current = await existing(PioneerRow, row.id)
    out = await pioneers.publish(officer, pioneer_id=row.id, version=current.version)
    changed = await pioneers.edit(officer, pioneer_id=row.id, version=out.version, profile=PROFILE)
    assert changed.state is PioneerState.PROPOSED
    assert not await sees(branch, branch.neighbour, row)
    with pytest.raises(NotAllowed):
        await pioneers.publish(officer, pioneer_id=row.id, version=changed.version)


async def test_who_leaves_the_branch_is_shown_no_longer(branch: Branch) -> None:
    row = await shown(branch)
    entry = await PartyMemberRow.get(branch_id=branch.id, account_id=branch.member.id)
    await members.end(
        await branch.ctx(branch.secretary), member_id=entry.id, version=entry.version, reason="转到别的支部"
    )
    assert not await sees(branch, branch.neighbour, row)
    assert (await existing(PioneerRow, row.id)).consented_at is None
    assert not await PostRow.filter(deleted_at__isnull=True).exists()


async def test_only_members_are_proposed_and_once(branch: Branch) -> None:
    officer = await branch.ctx(branch.officer)
    member_id = await membership(branch, branch.member)
    made = [
        await pioneers.propose(officer, member_id=member_id, profile=PROFILE, key="same") for _ in range(2)
    ]
    assert made[0].id == made[1].id
    with pytest.raises(Conflict):
        await pioneers.propose(officer, member_id=member_id, profile=PROFILE, key="other")
    for account, refusal in (
        (branch.comrade, NotAllowed),
        (branch.neighbour, NotFound),
        (branch.manager, NotFound),
    ):
        with pytest.raises(refusal):
            await pioneers.propose(
                await branch.ctx(account),
                member_id=await membership(branch, branch.comrade),
                profile=PROFILE,
                key=key(),
            )
    # That a member tried is not told to those who read the audit log.
    assert not await AuditRow.filter(refused=True).exists()
    assert await PioneerRow.all().count() == 1


async def test_neighbours_thank_once_each(branch: Branch) -> None:
    row = await shown(branch)
    neighbours = [await branch.world.neighbour(branch.community) for _ in range(3)]

    async def thank(account: AccountRow, *, on: bool = True) -> int:
        ctx = await branch.ctx(account)
        return (await pioneers.thank(ctx, pioneer_id=row.id, on=on)).thank_count

    await asyncio.gather(*(thank(account) for account in neighbours for _ in range(2)))
    assert (await existing(PioneerRow, row.id)).thank_count == 3
    assert await thank(neighbours[0], on=False) == 2
    assert await thank(neighbours[0], on=False) == 2
    assert (await kinds(branch)).count(Kind.PIONEER_THANKED) == 4
    ctx = await branch.ctx(neighbours[1])
    assert await pioneers.viewer_has_thanked(ctx, [row]) == [True]
    with pytest.raises(NotAllowed):
        await thank(branch.member)
    with pytest.raises(NotFound):
        await thank(await branch.world.neighbour(await branch.world.community()))
    assert (await existing(PioneerRow, row.id)).thank_count == 2


async def test_pledges_are_made_by_the_pioneer_and_judged_by_the_branch(branch: Branch) -> None:
    row = await shown(branch)
    member = await branch.ctx(branch.member)
    pledge = await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")
    assert (await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")).id == pledge.id
    assert pledge.state is PledgeState.MADE
    for account in (branch.officer, branch.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.pledge(await branch.ctx(account), pioneer_id=row.id, body="替他许诺", key=key())
    for account in (branch.member, branch.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.set_pledge_state(
                await branch.ctx(account), pledge_id=pledge.id, state=PledgeState.KEPT
            )
    assert (await PledgeRow.get()).state is PledgeState.MADE
    officer = await branch.ctx(branch.officer)
    kept = await deeds.set_pledge_state(officer, pledge_id=pledge.id, state=PledgeState.KEPT)
    assert kept.kept_at is not None
    assert (await kinds(branch)).count(Kind.BRANCH_CHANGED) == 2


async def test_deeds_have_a_day_and_a_picture(branch: Branch) -> None:
    row = await shown(branch)
    officer = await branch.ctx(branch.officer)
    picture = await uploads.keep(
        officer, community_id=branch.community.id, content_type="image/jpeg", data=jpeg()
    )
    told: dict[str, Any] = {"pioneer_id": row.id, "body": "帮老人提菜上楼", "picture_id": picture.id}
    deed = await deeds.add_deed(officer, **told, done_on=now().date(), key="d")
    (found,) = await deeds.pictures_of(officer, [deed])
    assert found is not None
    assert found.subject_id == deed.id
    with pytest.raises(InvalidInput):
        await deeds.add_deed(officer, **told, done_on=now().date() + timedelta(days=3), key="e")
    for account in (branch.member, branch.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.add_deed(await branch.ctx(account), **told, done_on=now().date(), key=key())
    assert await DeedRow.all().count() == 1
    with pytest.raises(NotAllowed):
        await deeds.remove_deed(await branch.ctx(branch.neighbour), deed_id=deed.id)
    # It is told of the member, who may have it taken away.
    await deeds.remove_deed(await branch.ctx(branch.member), deed_id=deed.id)
    assert not await DeedRow.exists()
    assert (await MediaRow.get(id=picture.id)).subject_id is None


async def test_what_is_in_a_profile_is_seen_with_it(branch: Branch) -> None:
    row = await agreed(branch, await proposed(branch))
    member = await branch.ctx(branch.member)
    pledge = await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")
    neighbour = await branch.ctx(branch.neighbour)
    assert await deeds.visible_pledges_by_ids(neighbour, [pledge.id]) == [None]
    await pioneers.publish(await branch.ctx(branch.officer), pioneer_id=row.id, version=row.version)
    (found,) = await deeds.visible_pledges_by_ids(neighbour, [pledge.id])
    assert found is not None


async def test_the_branch_takes_down_what_it_shows(branch: Branch) -> None:
    row = await shown(branch)
    officer = await branch.ctx(branch.officer)
    for account in (branch.neighbour, branch.comrade):
        with pytest.raises(NotAllowed):
            await pioneers.take_down(await branch.ctx(account), pioneer_id=row.id, version=row.version)
    down = await pioneers.take_down(officer, pioneer_id=row.id, version=row.version)
    assert down.state is PioneerState.AGREED
    assert not await sees(branch, branch.neighbour, row)
    again = await pioneers.publish(officer, pioneer_id=row.id, version=down.version)
    assert again.state is PioneerState.PUBLISHED
    assert await sees(branch, branch.neighbour, row)
