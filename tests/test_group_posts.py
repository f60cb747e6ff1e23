"""What is posted in groups: for whom it is, where it shows, and who is told of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.groups import GroupAccess, GroupAction, GroupRow, GroupStepRow
from models.identity import AccountRow, neighbour_key
from models.memberships import Alerts, members_of
from models.notifications import NotificationKind, NotificationRow
from models.posts import HOT, CommentRow, PostAudience, PostKind, PostRow, SubjectKind
from models.storage.paging import PageArgs
from models.storage.rows import dialect, execute
from resolvers import comments, likes, posts
from resolvers.errors import InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.groups import founding, members, posting, reading
from resolvers.groups.founding import GroupDraft
from resolvers.posts import FeedCriteria
from schema.node import global_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Request
from tests.asking import subscribed
from tests.plans import plan, recorded
from tests.test_groups import Club, club, refused
from tests.world import ids

__all__ = ["club"]

ANY = FeedCriteria()
PAGE = PageArgs(first=100)


async def say(club: Club, group: GroupRow, by: AccountRow, body: str = "周六见", **more: Any) -> PostRow:
    return await posts.create_post(
        await club.ctx(by),
        community_id=club.community.id,
        group_id=group.id,
        body=body,
        **{"kind": PostKind.TALK, "key": str(new_id()), **more},
    )


async def on(club: Club, account: AccountRow, wall: Any, wanted: FeedCriteria = ANY) -> list[UUID]:
    """What the account reads in a group, or in the community's feed."""
    (page,) = await posts.feeds_of(await club.ctx(account), [wall], wanted, PAGE)
    return ids(page.items)


async def comment(club: Club, by: AccountRow, post: PostRow, body: str = "好") -> UUID:
    ctx = await club.ctx(by)
    row = await comments.add_comment(
        ctx, kind=SubjectKind.POST, subject_id=post.id, body=body, key=str(new_id())
    )
    return row.id


async def test_nobody_comments_in_a_group_that_rests(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    post = await say(club, group, club.member)
    first = await comment(club, club.owner, post)
    owner = await club.ctx(club.owner)
    for rests in (True, False):
        await founding.set_archived(owner, group_id=group.id, archived=rests)
        assert await comments.viewer_can_comment(owner, [post]) == [not rests]
        kinds = await club.kinds()
        if rests:
            for answered in (None, first):
                refusal = comments.add_comment(
                    owner,
                    kind=SubjectKind.POST,
                    subject_id=post.id,
                    body="还有人吗",
                    key=str(new_id()),
                    reply_to=answered,
                )
                await refused(refusal, NotAllowed)
            assert await CommentRow.all().count() == 1
            assert await club.kinds() == kinds
        else:
            await comment(club, club.owner, post)
            assert await CommentRow.all().count() == 2


@pytest.mark.parametrize("access", GroupAccess)
async def test_a_post_is_for_whom_the_group_is(club: Club, access: GroupAccess) -> None:
    group = await club.found(access)
    row = await say(club, group, club.member)
    is_open = access is GroupAccess.OPEN
    assert row.scope_id == (club.community.id if is_open else members_of(group.id))
    assert row.group_id == group.id
    for account, sees in (
        (club.owner, True),
        (club.member, True),
        (club.neighbour, is_open),
        (club.officer, is_open),
        (club.stranger, False),
    ):
        assert await on(club, account, group) == ([row.id] if sees else [])
        found = await posts.visible_by_ids(await club.ctx(account), [row.id])
        assert [it is not None for it in found] == [sees]
        everywhere = FeedCriteria(in_groups=True)
        assert await on(club, account, club.community, everywhere) == ([row.id] if sees else [])
        # The community's feed has what is posted in it only.
        assert await on(club, account, club.community) == []
    (logged,) = [
        it
        for it in await club.world.events(community_topic(club.community.id))
        if it.event.kind is Kind.POST_CREATED
    ]
    assert logged.event.audience == {row.scope_id}
    assert logged.event.facts["wall"] == str(group.id)
    kept = await existing(GroupRow, group.id)
    assert kept.post_count == 1
    assert isinstance(kept.last_post_at, datetime)


async def test_only_members_post(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    closed = await club.found(GroupAccess.CLOSED)
    elsewhere = await club.world.community()
    for account, where, error in (
        (club.neighbour, group, NotAllowed),
        (club.officer, group, NotAllowed),
        (club.stranger, group, NotFound),
        (club.neighbour, closed, NotFound),
    ):
        await refused(say(club, where, account), error)
    moved = await club.ctx(club.member)
    await refused(
        posts.create_post(
            moved,
            community_id=elsewhere.id,
            group_id=group.id,
            kind=PostKind.TALK,
            body="好",
            key="k",
        ),
        NotFound,
    )
    # What the operation still thinks is looked at again behind the group's lock.
    stale = await club.ctx(club.member)
    await members.leave(await club.ctx(club.member), group_id=closed.id)
    await refused(
        posts.create_post(
            stale,
            community_id=club.community.id,
            group_id=closed.id,
            kind=PostKind.TALK,
            body="好",
            key="k",
        ),
        NotAllowed,
    )
    await founding.set_archived(await club.ctx(club.owner), group_id=group.id, archived=True)
    await refused(say(club, group, club.member), NotAllowed)
    assert not await PostRow.exists()
    assert {it.post_count for it in await GroupRow.all()} == {0}


async def test_a_group_says_who_reads(club: Club) -> None:
    group = await club.found()
    await refused(say(club, group, club.member, audience=PostAudience.PUBLIC), InvalidInput)
    ctx = await club.ctx(club.member)
    wrong = PostAudience.MEMBERS
    await refused(
        posts.create_post(
            ctx,
            community_id=club.community.id,
            kind=PostKind.TALK,
            body="好",
            key="k",
            audience=wrong,
        ),
        InvalidInput,
    )
    assert not await PostRow.exists()


async def test_a_post_keeps_the_audience_it_was_written_for(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    early = await say(club, group, club.member, "公开的")
    owner = await club.ctx(club.owner)
    closing = GroupDraft("羽毛球", "每周六打球", GroupAccess.CLOSED)
    group = await founding.edit(owner, group_id=group.id, draft=closing, version=1)
    late = await say(club, group, club.member, "内部的")
    assert await on(club, club.member, group) == [late.id, early.id]
    assert await on(club, club.neighbour, group) == [early.id]
    # It no longer tells in which group it is.
    assert ids(await reading.groups_of_posts(owner, [late])) == [group.id]
    assert await reading.groups_of_posts(owner, [early]) == [None]


async def test_comments_and_likes_follow_the_post(club: Club) -> None:
    group = await club.found(GroupAccess.CLOSED)
    post = await say(club, group, club.member)
    below = await comment(club, club.owner, post)
    ctx = await club.ctx(club.owner)
    liked = await likes.set_like(ctx, kind=SubjectKind.POST, subject_id=post.id, on=True)
    assert (liked.like_count, (await posts.visible(ctx, post.id)).comment_count) == (1, 1)
    for account in (club.neighbour, club.officer, club.stranger):
        other = await club.ctx(account)
        assert await comments.visible_by_ids(other, [below]) == [None]
        await refused(
            comments.add_comment(other, kind=SubjectKind.POST, subject_id=post.id, body="好", key="k"),
            NotFound,
        )
        await refused(likes.set_like(other, kind=SubjectKind.POST, subject_id=post.id, on=True), NotFound)
    kept = await posts.visible(ctx, post.id)
    assert (kept.like_count, kept.comment_count) == (1, 1)
    audiences = {
        it.event.audience
        for it in await club.world.events(community_topic(club.community.id))
        if it.event.thread == post.id
    }
    assert audiences == {frozenset({members_of(group.id)})}


async def test_those_who_look_after_it_take_away_and_pin(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    post = await say(club, group, club.member)
    below = await comment(club, club.neighbour, post)
    theirs = await existing(CommentRow, below)
    for account in (club.member, club.neighbour):
        ctx = await club.ctx(account)
        await refused(posts.set_post_pinned(ctx, post_id=post.id, pinned=True), NotAllowed)
    ctx = await club.ctx(club.neighbour)
    await refused(posts.delete_post(ctx, post_id=post.id), NotAllowed)
    # The committee pins in the feed, and moderates everywhere that it sees.
    officer = await club.ctx(club.officer)
    await refused(posts.set_post_pinned(officer, post_id=post.id, pinned=True), NotAllowed)
    owner = await club.ctx(club.owner)
    assert await comments.deletable(owner, [theirs]) == [True]
    assert await comments.deletable(await club.ctx(club.member), [theirs]) == [False]
    await posts.set_post_pinned(owner, post_id=post.id, pinned=True)
    (pinned,) = await posts.pinned_of(ctx, [await existing(GroupRow, group.id)])
    assert ids(pinned) == [post.id]
    assert await posts.pinned_of(ctx, [club.community]) == [[]]
    await comments.delete_comment(owner, comment_id=below)
    await posts.delete_post(owner, post_id=post.id)
    assert (await existing(GroupRow, group.id)).post_count == 0
    assert [it.action for it in await GroupStepRow.filter(account_id__not_isnull=True).order_by("id")] == [
        GroupAction.COMMENT_DELETED,
        GroupAction.POST_DELETED,
    ]
    assert NotificationKind.GROUP_STEP in await club.told(club.member)
    # Members' affairs are not the offices'.
    assert not await AuditRow.filter(refused=False).exists()
    second = await say(club, group, club.member)
    await posts.delete_post(officer, post_id=second.id)
    assert await AuditRow.filter(refused=False, action="post.delete").count() == 1


async def test_a_dissolved_group_takes_its_posts_along(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    post = await say(club, group, club.member, "周六体育馆见")
    await founding.dissolve(await club.ctx(club.owner), group_id=group.id)
    for account in (club.owner, club.member, club.neighbour):
        assert await posts.visible_by_ids(await club.ctx(account), [post.id]) == [None]
    (found,) = await execute("SELECT count(*) AS n FROM search_entry WHERE id = ?", post.id)
    assert found["n"] == 0


# Who is told


async def told_of(subject_id: UUID) -> set[UUID]:
    return {it.account_id for it in await NotificationRow.filter(subject_id=subject_id)}


async def test_members_are_told_of_what_they_want_to_know(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    for account in (club.neighbour, club.officer):
        await club.enter(group, account)
    for account, alerts in ((club.neighbour, Alerts.ALL), (club.officer, Alerts.NONE)):
        await members.set_alerts(await club.ctx(account), group_id=group.id, alerts=alerts)
    plain = await say(club, group, club.owner)
    assert await told_of(plain.id) == {club.neighbour.id}
    # Mentions reach all but those who have muted the group, by the longest name that fits.
    names = f"@{club.member.display_name}你好 @{club.officer.display_name} @没有这个人"
    mentioning = await say(club, group, club.owner, names)
    assert await told_of(mentioning.id) == {club.neighbour.id, club.member.id}
    # Nobody is told of what is one's own.
    own = await say(club, group, club.neighbour)
    assert await told_of(own.id) == set()
    # Replies to who has muted it are not told, mentions below are.
    muted = await say(club, group, club.officer)
    assert await told_of(await comment(club, club.owner, muted)) == set()
    below = await comment(club, club.owner, muted, f"＠{club.member.display_name}")
    assert await told_of(below) == {club.member.id}
    assert (await NotificationRow.get(subject_id=below)).kind is NotificationKind.MENTION
    heard = await say(club, group, club.member)
    assert await told_of(await comment(club, club.owner, heard)) == {club.member.id}


async def test_who_has_left_is_told_no_more(club: Club) -> None:
    group = await club.found(GroupAccess.CLOSED)
    post = await say(club, group, club.member)
    await members.set_alerts(await club.ctx(club.member), group_id=group.id, alerts=Alerts.ALL)
    await members.leave(await club.ctx(club.member), group_id=group.id)
    later = await say(club, group, club.owner, f"@{club.member.display_name}")
    below = await comment(club, club.owner, post)
    for subject in (later.id, below):
        assert await told_of(subject) == set()


async def test_a_mention_means_the_longest_name(club: Club) -> None:
    group = await club.found()
    for account, name in ((club.owner, "小何"), (club.member, "小何苗")):
        await AccountRow.filter(id=account.id).update(display_name=name)
    for text, meant in (
        ("@小何苗在吗", club.member),
        ("@小何 在吗", club.owner),
        ("@小何在吗", club.owner),
        ("小何苗在吗", None),
    ):
        found = await posting.mentioned(group.id, text)
        assert found == ([meant.id] if meant else []), text


# Live

FOLLOW = "subscription($id: ID!) { groupEvents(groupId: $id) { cursor } }"


async def test_a_groups_stream_is_for_who_may_read_there(club: Club) -> None:
    for access in GroupAccess:
        group = await club.found(access)
        is_open = access is GroupAccess.OPEN
        for account, code in (
            (club.member, None),
            (club.neighbour, {"OPEN": None, "APPROVAL": "NOT_ALLOWED", "CLOSED": "NOT_FOUND"}[access.value]),
            (club.stranger, "NOT_FOUND"),
            (None, "UNAUTHENTICATED"),
        ):
            ctx = await club.world.context(account)
            answer = await subscribed(ctx, FOLLOW, id=global_id("Group", group.id))
            if code:
                assert [error.extensions["code"] for error in answer.errors] == [code]
                continue
            assert isinstance(answer, Request)
            scope = club.community.id if is_open else members_of(group.id)
            assert answer.stream.requires == {scope}
            post = await say(club, group, club.member)
            events = await club.world.events(community_topic(club.community.id))
            wanted = [it.event.subject for it in events if answer.stream.wants(it.event)]
            assert wanted[-1] == post.id
            assert set(wanted) <= {group.id, *ids(await PostRow.filter(wall_id=group.id))}


async def test_the_communitys_stream_of_posts_has_none_of_groups(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)
    text = "subscription($id: ID!) { postEvents(communityId: $id) { cursor } }"
    ctx = await club.ctx(club.neighbour)
    answer = await subscribed(ctx, text, id=global_id("Community", club.community.id))
    await say(club, group, club.member)
    events = await club.world.events(community_topic(club.community.id))
    assert not [it for it in events if answer.stream.wants(it.event)]


# Indexes


async def test_a_groups_pages_are_read_from_indexes(club: Club) -> None:
    group = await club.found(GroupAccess.OPEN)

    def made(wall_id: UUID) -> PostRow:
        return PostRow(
            community_id=club.community.id,
            scope_id=club.community.id,
            wall_id=wall_id,
            author_id=club.member.id,
            kind=PostKind.TALK,
            body="好",
        )

    await PostRow.bulk_create([made(wall) for _ in range(300) for wall in (group.id, club.community.id)])
    await PostRow.filter(wall_id=group.id).limit(1).update(pinned_at=now())
    if dialect() == "postgres":
        await execute("ANALYZE")
    ctx = await club.ctx(club.neighbour)
    few = PageArgs(first=10)
    for wall in (group, club.community):
        for wanted in (
            ANY,
            FeedCriteria(order=HOT),
            FeedCriteria(kinds=frozenset({PostKind.TALK})),
            FeedCriteria(author_id=neighbour_key(club.community.id, club.member.id)),
        ):
            walls: Any = [wall]
            async with recorded() as statements:
                (page,) = await posts.feeds_of(ctx, walls, wanted, few)
                await posts.pinned_of(ctx, walls)
            assert len(page.items) == 10
            for statement in statements:
                found = await plan(statement)
                assert "SCAN" not in found.replace("CORRELATED SCALAR", ""), found
                assert "Seq Scan" not in found, found
                if "pinned_at >" not in statement.text and dialect() == "sqlite":
                    assert "TEMP B-TREE" not in found, found
