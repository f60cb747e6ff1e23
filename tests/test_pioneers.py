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
from tests.test_media import jpeg

PROFILE = Profile(headline="三十年的楼长", story="**热心**的人。")


async def membership(scene: Branch, account: AccountRow) -> UUID:
    return (await PartyMemberRow.get(branch_id=scene.id, account_id=account.id)).id


async def proposed(scene: Branch, profile: Profile = PROFILE) -> PioneerRow:
    return await pioneers.propose(
        await scene.ctx(scene.officer),
        member_id=await membership(scene, scene.member),
        profile=profile,
        key=key(),
    )


async def agreed(scene: Branch, row: PioneerRow, *, on: bool = True) -> PioneerRow:
    ctx = await scene.ctx(scene.member)
    return await pioneers.consent(ctx, pioneer_id=row.id, version=row.version, on=on)


async def shown(scene: Branch, profile: Profile = PROFILE) -> PioneerRow:
    row = await agreed(scene, await proposed(scene, profile))
    return await pioneers.publish(await scene.ctx(scene.officer), pioneer_id=row.id, version=row.version)


async def sees(scene: Branch, account: AccountRow, row: PioneerRow) -> bool:
    (found,) = await pioneers.visible_by_ids(await scene.ctx(account), [row.id])
    return found is not None


async def kinds(scene: Branch) -> list[Kind]:
    events = await scene.world.events(community_topic(scene.community.id))
    return [logged.event.kind for logged in events if logged.event.kind is not Kind.NOTIFICATION_ADDED]


async def test_nobody_is_shown_without_consent(scene: Branch) -> None:
    row = await proposed(scene)
    assert row.state is PioneerState.PROPOSED
    for account, seen in (
        (scene.officer, True),
        (scene.member, True),
        (scene.comrade, False),
        (scene.neighbour, False),
        (scene.manager, False),
    ):
        assert await sees(scene, account, row) is seen
    (told,) = await NotificationRow.all()
    assert (told.account_id, told.kind, told.subject_id) == (
        scene.member.id,
        NotificationKind.PIONEER,
        row.id,
    )
    officer = await scene.ctx(scene.officer)
    with pytest.raises(NotAllowed):
        await pioneers.publish(officer, pioneer_id=row.id, version=row.version)
    # Nobody agrees for somebody else.
    with pytest.raises(NotAllowed):
        await pioneers.consent(officer, pioneer_id=row.id, version=row.version, on=True)
    for other in (scene.comrade, scene.neighbour):
        with pytest.raises(NotFound):
            await pioneers.consent(await scene.ctx(other), pioneer_id=row.id, version=row.version, on=True)
    assert not await PioneerRow.filter(consented_at__isnull=False).exists()
    assert await kinds(scene) == []


async def test_who_agrees_is_shown_with_a_card(scene: Branch) -> None:
    row = await shown(scene)
    assert row.state is PioneerState.PUBLISHED
    assert await sees(scene, scene.neighbour, row)
    (post,) = await PostRow.all()
    assert (post.card_id, post.body, post.id) == (row.id, PROFILE.headline, row.post_id)
    assert await kinds(scene) == [Kind.POST_CREATED, Kind.BRANCH_PUBLISHED]
    # To publish what is out already changes nothing.
    again = await pioneers.publish(await scene.ctx(scene.officer), pioneer_id=row.id, version=row.version)
    assert again.version == row.version


async def test_what_is_for_members_is_nobody_elses(scene: Branch) -> None:
    row = await shown(scene, replace(PROFILE, audience=BranchAudience.MEMBERS))
    assert await sees(scene, scene.comrade, row)
    for account in (scene.neighbour, scene.manager):
        assert not await sees(scene, account, row)
        ctx = await scene.ctx(account)
        (page,) = await pioneers.pioneers_of(ctx, [scene.branch], PageArgs(first=5))
        assert page.items == []
        with pytest.raises(NotFound):
            await pioneers.thank(ctx, pioneer_id=row.id, on=True)
    for logged in await scene.world.events(community_topic(scene.community.id)):
        assert logged.event.audience in ({members_of(scene.id)}, {scene.member.id})


async def test_agreeing_no_longer_takes_it_out_of_view_at_once(scene: Branch) -> None:
    row = await shown(scene)
    gone = await agreed(scene, row, on=False)
    assert gone.state is PioneerState.PROPOSED
    assert not await sees(scene, scene.neighbour, row)
    assert not await PostRow.filter(deleted_at__isnull=True).exists()
    assert (await kinds(scene))[-2:] == [Kind.POST_DELETED, Kind.BRANCH_WITHDRAWN]
    # What is so already changes nothing.
    assert (await agreed(scene, gone, on=False)).version == gone.version


async def test_consent_is_to_a_text(scene: Branch) -> None:
    row = await proposed(scene)
    officer = await scene.ctx(scene.officer)
    edited = await pioneers.edit(
        officer, pioneer_id=row.id, version=row.version, profile=replace(PROFILE, story="别的话")
    )
    with pytest.raises(Conflict):
        await agreed(scene, row)
    await agreed(scene, edited)
    current = await existing(PioneerRow, row.id)
    out = await pioneers.publish(officer, pioneer_id=row.id, version=current.version)
    changed = await pioneers.edit(officer, pioneer_id=row.id, version=out.version, profile=PROFILE)
    assert changed.state is PioneerState.PROPOSED
    assert not await sees(scene, scene.neighbour, row)
    with pytest.raises(NotAllowed):
        await pioneers.publish(officer, pioneer_id=row.id, version=changed.version)


async def test_who_leaves_the_branch_is_shown_no_longer(scene: Branch) -> None:
    row = await shown(scene)
    entry = await PartyMemberRow.get(branch_id=scene.id, account_id=scene.member.id)
    await members.end(
        await scene.ctx(scene.secretary), member_id=entry.id, version=entry.version, reason="转到别的支部"
    )
    assert not await sees(scene, scene.neighbour, row)
    assert (await existing(PioneerRow, row.id)).consented_at is None
    assert not await PostRow.filter(deleted_at__isnull=True).exists()


async def test_only_members_are_proposed_and_once(scene: Branch) -> None:
    officer = await scene.ctx(scene.officer)
    member_id = await membership(scene, scene.member)
    made = [
        await pioneers.propose(officer, member_id=member_id, profile=PROFILE, key="same") for _ in range(2)
    ]
    assert made[0].id == made[1].id
    with pytest.raises(Conflict):
        await pioneers.propose(officer, member_id=member_id, profile=PROFILE, key="other")
    for account, refusal in (
        (scene.comrade, NotAllowed),
        (scene.neighbour, NotFound),
        (scene.manager, NotFound),
    ):
        with pytest.raises(refusal):
            await pioneers.propose(
                await scene.ctx(account),
                member_id=await membership(scene, scene.comrade),
                profile=PROFILE,
                key=key(),
            )
    # That a member tried is not told to those who read the audit log.
    assert not await AuditRow.filter(refused=True).exists()
    assert await PioneerRow.all().count() == 1


async def test_neighbours_thank_once_each(scene: Branch) -> None:
    row = await shown(scene)
    neighbours = [await scene.world.neighbour(scene.community) for _ in range(3)]

    async def thank(account: AccountRow, *, on: bool = True) -> int:
        ctx = await scene.ctx(account)
        return (await pioneers.thank(ctx, pioneer_id=row.id, on=on)).thank_count

    await asyncio.gather(*(thank(account) for account in neighbours for _ in range(2)))
    assert (await existing(PioneerRow, row.id)).thank_count == 3
    assert await thank(neighbours[0], on=False) == 2
    assert await thank(neighbours[0], on=False) == 2
    assert (await kinds(scene)).count(Kind.PIONEER_THANKED) == 4
    ctx = await scene.ctx(neighbours[1])
    assert await pioneers.viewer_has_thanked(ctx, [row]) == [True]
    with pytest.raises(NotAllowed):
        await thank(scene.member)
    with pytest.raises(NotFound):
        await thank(await scene.world.neighbour(await scene.world.community()))
    assert (await existing(PioneerRow, row.id)).thank_count == 2


async def test_pledges_are_made_by_the_pioneer_and_judged_by_the_branch(scene: Branch) -> None:
    row = await shown(scene)
    member = await scene.ctx(scene.member)
    pledge = await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")
    assert (await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")).id == pledge.id
    assert pledge.state is PledgeState.MADE
    for account in (scene.officer, scene.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.pledge(await scene.ctx(account), pioneer_id=row.id, body="替他许诺", key=key())
    for account in (scene.member, scene.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.set_pledge_state(
                await scene.ctx(account), pledge_id=pledge.id, state=PledgeState.KEPT
            )
    assert (await PledgeRow.get()).state is PledgeState.MADE
    officer = await scene.ctx(scene.officer)
    kept = await deeds.set_pledge_state(officer, pledge_id=pledge.id, state=PledgeState.KEPT)
    assert kept.kept_at is not None
    assert (await kinds(scene)).count(Kind.BRANCH_CHANGED) == 2


async def test_deeds_have_a_day_and_a_picture(scene: Branch) -> None:
    row = await shown(scene)
    officer = await scene.ctx(scene.officer)
    picture = await uploads.keep(
        officer, community_id=scene.community.id, content_type="image/jpeg", data=jpeg()
    )
    told: dict[str, Any] = {"pioneer_id": row.id, "body": "帮老人提菜上楼", "picture_id": picture.id}
    deed = await deeds.add_deed(officer, **told, done_on=now().date(), key="d")
    (found,) = await deeds.pictures_of(officer, [deed])
    assert found is not None
    assert found.subject_id == deed.id
    with pytest.raises(InvalidInput):
        await deeds.add_deed(officer, **told, done_on=now().date() + timedelta(days=3), key="e")
    for account in (scene.member, scene.neighbour):
        with pytest.raises(NotAllowed):
            await deeds.add_deed(await scene.ctx(account), **told, done_on=now().date(), key=key())
    assert await DeedRow.all().count() == 1
    with pytest.raises(NotAllowed):
        await deeds.remove_deed(await scene.ctx(scene.neighbour), deed_id=deed.id)
    # It is told of the member, who may have it taken away.
    await deeds.remove_deed(await scene.ctx(scene.member), deed_id=deed.id)
    assert not await DeedRow.exists()
    assert (await MediaRow.get(id=picture.id)).subject_id is None


async def test_what_is_in_a_profile_is_seen_with_it(scene: Branch) -> None:
    row = await agreed(scene, await proposed(scene))
    member = await scene.ctx(scene.member)
    pledge = await deeds.pledge(member, pioneer_id=row.id, body="每周巡楼一次", key="p")
    neighbour = await scene.ctx(scene.neighbour)
    assert await deeds.visible_pledges_by_ids(neighbour, [pledge.id]) == [None]
    await pioneers.publish(await scene.ctx(scene.officer), pioneer_id=row.id, version=row.version)
    (found,) = await deeds.visible_pledges_by_ids(neighbour, [pledge.id])
    assert found is not None


async def test_the_branch_takes_down_what_it_shows(scene: Branch) -> None:
    row = await shown(scene)
    officer = await scene.ctx(scene.officer)
    for account in (scene.neighbour, scene.comrade):
        with pytest.raises(NotAllowed):
            await pioneers.take_down(await scene.ctx(account), pioneer_id=row.id, version=row.version)
    down = await pioneers.take_down(officer, pioneer_id=row.id, version=row.version)
    assert down.state is PioneerState.AGREED
    assert not await sees(scene, scene.neighbour, row)
    again = await pioneers.publish(officer, pioneer_id=row.id, version=down.version)
    assert again.state is PioneerState.PUBLISHED
    assert await sees(scene, scene.neighbour, row)
