"""Likes: idempotent, exact, and only of what may be seen."""

import asyncio
from uuid import UUID

import pytest

from models.base import new_id
from models.identity import AccountRow, ApplicationRow, CommunityRow
from models.posts import HOT_STEP, CommentRow, LikeRow, PostAudience, PostKind, PostRow, SubjectKind
from resolvers import comments, likes, posts
from resolvers.errors import NotAllowed, NotFound, RateLimited, Unauthenticated
from subscriptions.events import Kind, community_topic
from tests.world import World


@pytest.fixture
async def author(world: World, community: CommunityRow) -> AccountRow:
    return await world.neighbour(community)


@pytest.fixture
async def post(world: World, community: CommunityRow, author: AccountRow) -> PostRow:
    return await write(world, community, author)


async def write(
    world: World,
    community: CommunityRow,
    author: AccountRow,
    audience: PostAudience = PostAudience.NEIGHBOURS,
) -> PostRow:
    return await posts.create_post(
        await world.context(author),
        community_id=community.id,
        kind=PostKind.TALK,
        body="大家好",
        key=str(new_id()),
        audience=audience,
    )


async def like(
    world: World,
    account: AccountRow | None,
    key: UUID,
    *,
    on: bool = True,
    kind: SubjectKind = SubjectKind.POST,
) -> int:
    row = await likes.set_like(await world.context(account), kind=kind, subject_id=key, on=on)
    return row.like_count


async def test_a_like_is_counted_once(world: World, community: CommunityRow, post: PostRow) -> None:
    neighbour = await world.neighbour(community)
    assert [await like(world, neighbour, post.id) for _ in range(2)] == [1, 1]
    assert (await PostRow.get(id=post.id)).hot == post.hot + HOT_STEP
    ctx = await world.context(neighbour)
    assert await likes.viewer_has_liked(ctx, [post]) == [True]
    assert [await like(world, neighbour, post.id, on=False) for _ in range(2)] == [0, 0]
    assert (await PostRow.get(id=post.id)).hot == post.hot
    assert await likes.viewer_has_liked(ctx, [post]) == [False]
    assert await likes.viewer_has_liked(await world.context(), [post]) == [False]
    events = [it.event for it in await world.events(community_topic(community.id))][1:]
    assert [(it.kind, it.subject, it.thread, it.audience) for it in events] == [
        (Kind.COUNTERS_CHANGED, post.id, post.id, frozenset({community.id}))
    ] * 2


async def test_counters_are_exact_under_concurrency(
    world: World, community: CommunityRow, post: PostRow
) -> None:
    accounts = [await world.neighbour(community) for _ in range(10)]
    await asyncio.gather(*[like(world, account, post.id) for account in accounts for _ in range(3)])
    assert (await PostRow.get(id=post.id)).like_count == 10
    assert await LikeRow.all().count() == 10
    await asyncio.gather(
        *[like(world, account, post.id, on=on) for account in accounts for on in (False, True, False)]
    )
    row = await PostRow.get(id=post.id)
    assert row.like_count == await LikeRow.all().count()
    assert row.hot == post.hot + row.like_count.bit_length() * HOT_STEP


async def test_a_comment_is_liked(
    world: World, community: CommunityRow, author: AccountRow, post: PostRow
) -> None:
    ctx = await world.context(author)
    comment = await comments.add_comment(ctx, kind=SubjectKind.POST, subject_id=post.id, body="好", key="k")
    neighbour = await world.neighbour(community)
    assert await like(world, neighbour, comment.id, kind=SubjectKind.COMMENT) == 1
    (*_, last) = await world.events(community_topic(community.id))
    assert (last.event.kind, last.event.subject, last.event.thread, last.event.facts) == (
        Kind.COUNTERS_CHANGED,
        comment.id,
        post.id,
        {"subject": "COMMENT"},
    )
    found = await likes.subjects_of_events(await world.context(), [last])
    assert [(row.id, getattr(row, "like_count", None)) for row in found if row] == [(comment.id, 1)]
    await comments.delete_comment(ctx, comment_id=comment.id)
    for on in (True, False):
        with pytest.raises(NotFound):
            await like(world, neighbour, comment.id, on=on, kind=SubjectKind.COMMENT)
    assert (await CommentRow.get(id=comment.id)).like_count == 1


async def test_only_members_like(
    world: World, community: CommunityRow, author: AccountRow, post: PostRow
) -> None:
    public = await write(world, community, author, PostAudience.PUBLIC)
    applicant = await world.account()
    home = await world.home(await world.building(await world.estate(community)))
    await ApplicationRow.create(
        community_id=community.id, account_id=applicant.id, home_id=home.id, relation="OWNER"
    )
    stranger = await world.neighbour(await world.community())
    before = await world.events(community_topic(community.id))
    for account, key, refusal in (
        (applicant, public.id, NotAllowed),
        (applicant, post.id, NotFound),
        (stranger, post.id, NotFound),
        (stranger, public.id, NotFound),
        (None, post.id, Unauthenticated),
    ):
        with pytest.raises(refusal):
            await like(world, account, key)
    assert await LikeRow.all().count() == 0
    assert await world.events(community_topic(community.id)) == before


async def test_a_deleted_post_is_not_liked(
    world: World, community: CommunityRow, author: AccountRow, post: PostRow
) -> None:
    neighbour = await world.neighbour(community)
    await posts.delete_post(await world.context(author), post_id=post.id)
    with pytest.raises(NotFound):
        await like(world, neighbour, post.id)
    assert await LikeRow.all().count() == 0


async def test_too_many_likes(
    world: World, community: CommunityRow, post: PostRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likes, "LIKES_A_MINUTE", 2)
    neighbour = await world.neighbour(community)
    assert await like(world, neighbour, post.id) == 1
    assert await like(world, neighbour, post.id, on=False) == 0
    with pytest.raises(RateLimited):
        await like(world, neighbour, post.id)
    assert (await PostRow.get(id=post.id)).like_count == 0
