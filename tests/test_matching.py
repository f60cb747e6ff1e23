"""Lost and found: who finds what, why, and who is told."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.base import new_id, now
from models.groups import GroupAccess, GroupRow
from models.identity import AccountRow, ResidencyRow
from models.matching import PostMatchRow
from models.notifications import NotificationKind, NotificationRow
from models.posts import PostKind, PostRow, PostState
from models.storage.paging import PageArgs
from resolvers import matching, posts
from resolvers.groups import founding
from resolvers.groups.founding import GroupDraft
from subscriptions.events import Kind, community_topic
from tests.test_groups import Club, club
from tests.world import counted

__all__ = ["club"]

LOST = "昨晚在3号楼丢了一把雅迪电动车钥匙,挂着小熊"
FOUND = "车棚捡到电动车钥匙一把,有小熊挂件"


async def say(
    club: Club, by: AccountRow, kind: PostKind, body: str, group: GroupRow | None = None, **more: Any
) -> PostRow:
    return await posts.create_post(
        await club.ctx(by),
        community_id=club.community.id,
        kind=kind,
        body=body,
        key=str(new_id()),
        group_id=group.id if group else None,
        **more,
    )


async def matches(club: Club, by: AccountRow, row: PostRow) -> list[PostMatchRow]:
    (page,) = await matching.matches_of(await club.ctx(by), [row], PageArgs(first=10))
    return page.items


async def told(subject_id: UUID) -> set[UUID]:
    rows = await NotificationRow.filter(subject_id=subject_id, kind=NotificationKind.MATCH)
    return {row.account_id for row in rows}


async def test_what_is_found_meets_what_is_lost(club: Club) -> None:
    lost = await say(club, club.owner, PostKind.LOST, LOST)
    await say(club, club.neighbour, PostKind.LOST, "钱包不见了,里面有身份证")
    await say(club, club.neighbour, PostKind.TALK, "谁见过电动车钥匙上的小熊挂件")
    found = await say(club, club.member, PostKind.FOUND, FOUND)
    (met,) = await matches(club, club.member, found)
    assert (met.other_id, met.place, met.time) == (lost.id, 20, 20)
    assert met.score == met.words + 40
    assert {"钥匙", "小熊"} <= set(met.shared)
    (back,) = await matches(club, club.owner, lost)
    assert (back.other_id, back.score) == (found.id, met.score)
    assert await told(found.id) == {club.owner.id}
    assert await told(lost.id) == {club.member.id}
    events = await club.world.events(community_topic(club.community.id))
    heard = {it.event.subject: it.event.audience for it in events if it.event.kind is Kind.POST_MATCHED}
    assert heard == {lost.id: {club.owner.id}, found.id: {club.member.id}}
    # Once it is settled it is offered no more.
    await posts.set_post_state(await club.ctx(club.owner), post_id=lost.id, state=PostState.RESOLVED)
    assert await matches(club, club.member, found) == []
    again = await say(club, club.member, PostKind.FOUND, FOUND)
    assert await matches(club, club.member, again) == []


@pytest.mark.parametrize("body", ["捡到一个快递", "谢谢大家,请联系我", "123"])
async def test_what_says_nothing_matches_nothing(club: Club, body: str) -> None:
    await say(club, club.owner, PostKind.LOST, LOST)
    found = await say(club, club.member, PostKind.FOUND, body)
    assert await matches(club, club.member, found) == []
    assert not await PostMatchRow.exists()
    assert await told(found.id) == set()


async def test_nobody_meets_the_own_or_the_old_or_who_has_left(club: Club) -> None:
    await say(club, club.member, PostKind.LOST, LOST)
    old = await say(club, club.owner, PostKind.LOST, LOST)
    await PostRow.filter(id=old.id).update(created_at=now() - timedelta(days=61))
    await say(club, club.neighbour, PostKind.LOST, LOST)
    await ResidencyRow.filter(account_id=club.neighbour.id).update(until=now())
    found = await say(club, club.member, PostKind.FOUND, FOUND)
    assert await matches(club, club.member, found) == []
    assert await told(found.id) == set()


async def test_nothing_is_met_across_communities_or_groups(club: Club) -> None:
    there = await club.ctx(club.stranger)
    (elsewhere,) = there.viewer.communities
    await posts.create_post(there, community_id=elsewhere, kind=PostKind.LOST, body=LOST, key="k")
    group = await club.found(GroupAccess.OPEN)
    early = await say(club, club.owner, PostKind.LOST, LOST, group)
    closing = GroupDraft("羽毛球", "每周六打球", GroupAccess.CLOSED)
    await founding.edit(await club.ctx(club.owner), group_id=group.id, draft=closing, version=1)
    inside = await say(club, club.member, PostKind.FOUND, FOUND, group)
    outside = await say(club, club.member, PostKind.FOUND, FOUND)
    for row in (inside, outside, early):
        assert await matches(club, club.member, row) == []
    # Within the group, for the same audience, they meet; and nobody else sees it.
    hidden = await say(club, club.owner, PostKind.LOST, LOST, group)
    assert [it.other_id for it in await matches(club, club.owner, hidden)] == [inside.id]
    assert await matches(club, club.neighbour, hidden) == []
    assert await told(hidden.id) == {club.member.id}


async def test_the_rare_counts_more_and_the_likest_come_first(club: Club) -> None:
    other = await club.world.estate(club.community)
    near = await say(club, club.owner, PostKind.LOST, "丢了电动车钥匙,小熊挂件")
    far = await say(club, club.owner, PostKind.LOST, "丢了电动车钥匙,小熊挂件", estate_id=other.id)
    for colour in ("红色", "蓝色", "黑色"):
        await say(club, club.owner, PostKind.LOST, f"丢了{colour}雨伞,长柄的")
    found = await say(club, club.member, PostKind.FOUND, FOUND)
    met = await matches(club, club.member, found)
    assert [it.other_id for it in met] == [near.id, far.id]
    assert [it.place for it in met] == [20, 0]


async def test_matching_takes_as_many_statements_for_one_as_for_many(club: Club) -> None:
    async def statements() -> int:
        async with counted() as queries:
            await say(club, club.member, PostKind.FOUND, FOUND)
        return queries.count

    await say(club, club.owner, PostKind.LOST, LOST)
    one = await statements()
    for _ in range(20):
        await say(club, club.owner, PostKind.LOST, LOST)
    # Each match is two rows of one prepared statement, and an event.
    assert await statements() <= one + 2 * 5
