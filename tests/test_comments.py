"""Comments below posts and notices: threads, tombstones, counters, and whom they are told to."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import AccountRow, ApplicationRow, CommunityRow
from models.notices import AudienceKind, AudienceRow, NoticeCategory, NoticeRow, Severity
from models.notifications import NotificationKind, NotificationRow
from models.organisations import OrganisationRow
from models.posts import (
    HOT_STEP,
    NEWEST_COMMENTS,
    OLDEST_COMMENTS,
    CommentRow,
    PostAudience,
    PostKind,
    PostRow,
    RevisionRow,
    SubjectKind,
)
from models.storage.paging import PageArgs
from resolvers import comments, posts
from resolvers.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from subscriptions.events import Kind, community_topic
from tests.world import World, counted, ids

ALL = PageArgs(first=100)


@dataclass
class Place:
    """A community with an author and her post, a neighbour, and the committee's officer."""

    world: World
    community: CommunityRow
    committee: OrganisationRow
    author: AccountRow
    neighbour: AccountRow
    officer: AccountRow
    post: PostRow

    async def comment(
        self,
        body: str = "我家的！",
        *,
        by: AccountRow | None = None,
        key: str | None = None,
        reply_to: UUID | None = None,
        below: UUID | None = None,
        kind: SubjectKind = SubjectKind.POST,
    ) -> CommentRow:
        return await comments.add_comment(
            await self.world.context(by or self.neighbour),
            kind=kind,
            subject_id=below or self.post.id,
            body=body,
            key=key or str(new_id()),
            reply_to=reply_to,
        )

    async def kinds(self) -> list[Kind]:
        return [it.event.kind for it in await self.world.events(community_topic(self.community.id))][1:]

    async def counts(self) -> tuple[int, int]:
        """The post's comment count, and the comments there are."""
        alive = await CommentRow.filter(subject_id=self.post.id, deleted_at=None).count()
        return (await PostRow.get(id=self.post.id)).comment_count, alive

    async def told(self) -> list[tuple[UUID, NotificationKind, UUID]]:
        entries = await NotificationRow.all().order_by("id")
        return [(it.account_id, it.kind, it.subject_id) for it in entries]


@pytest.fixture
async def place(world: World) -> Place:
    community = await world.community()
    committee = await world.organisation(community)
    author = await world.neighbour(community)
    post = await posts.create_post(
        await world.context(author),
        community_id=community.id,
        kind=PostKind.FOUND,
        body="捡到驾照一本",
        key="post",
    )
    return Place(
        world,
        community,
        committee,
        author,
        await world.neighbour(community),
        await world.officer(committee),
        post,
    )


async def test_a_comment_is_kept_counted_and_told(place: Place) -> None:
    row = await place.comment(" 我家的！电话13812345678 证号310101199001011234 ")
    assert row.body == "我家的！电话13812345678 证号****************34"
    assert (row.subject_id, row.parent_id, row.reply_to_id) == (place.post.id, place.post.id, None)
    assert await place.counts() == (1, 1)
    assert (await PostRow.get(id=place.post.id)).hot == place.post.hot + 2 * HOT_STEP
    added, counters, notified = [
        it.event for it in (await place.world.events(community_topic(place.community.id)))[1:]
    ]
    assert (added.kind, added.subject) == (Kind.COMMENT_ADDED, row.id)
    assert (counters.kind, counters.subject) == (Kind.COUNTERS_CHANGED, place.post.id)
    assert counters.facts == {"subject": "POST"}
    for event in (added, counters):
        assert event.thread == place.post.id
        assert event.audience == frozenset({place.community.id})
    assert notified.kind is Kind.NOTIFICATION_ADDED
    assert notified.audience == frozenset({place.author.id})
    assert await place.told() == [(place.author.id, NotificationKind.COMMENT, row.id)]


async def test_only_members_comment(place: Place) -> None:
    world = place.world
    public = await posts.create_post(
        await world.context(place.author),
        community_id=place.community.id,
        kind=PostKind.TALK,
        body="大家好",
        key="public",
        audience=PostAudience.PUBLIC,
    )
    before = await place.kinds()
    applicant = await world.account()
    home = await world.home(await world.building(await world.estate(place.community)))
    await ApplicationRow.create(
        community_id=place.community.id, account_id=applicant.id, home_id=home.id, relation="OWNER"
    )
    stranger = await world.neighbour(await world.community())
    for account, below, refusal in (
        (applicant, public.id, NotAllowed),
        (applicant, place.post.id, NotFound),
        (stranger, place.post.id, NotFound),
        (stranger, public.id, NotFound),
        (None, place.post.id, Unauthenticated),
    ):
        with pytest.raises(refusal):
            await comments.add_comment(
                await world.context(account),
                kind=SubjectKind.POST,
                subject_id=below,
                body="好",
                key="k",
            )
    assert await CommentRow.all().count() == 0
    assert await place.told() == []
    assert await place.kinds() == before


async def test_a_repeated_call_makes_one_comment(place: Place) -> None:
    first, second = await asyncio.gather(place.comment("好", key="same"), place.comment("好", key="same"))
    assert first == second
    assert await place.counts() == (1, 1)
    assert len(await place.told()) == 1
    assert (await place.kinds()).count(Kind.COMMENT_ADDED) == 1
    with pytest.raises(Conflict):
        await place.comment("别的", key="same")
    assert await place.counts() == (1, 1)


async def test_counters_are_exact_under_concurrency(place: Place) -> None:
    made = await asyncio.gather(*[place.comment(f"第{n}") for n in range(20)])
    assert await place.counts() == (20, 20)
    ctx = await place.world.context(place.neighbour)
    # Each is deleted twice at once.
    await asyncio.gather(
        *[comments.delete_comment(ctx, comment_id=row.id) for row in made[:10] for _ in range(2)]
    )
    assert await place.counts() == (10, 10)
    kinds = await place.kinds()
    assert kinds.count(Kind.COMMENT_ADDED) == 20
    assert kinds.count(Kind.COMMENT_DELETED) == 10
    hot = (await PostRow.get(id=place.post.id)).hot
    assert hot == place.post.hot + (2 * 10).bit_length() * HOT_STEP


async def test_answers_form_a_thread(place: Place) -> None:
    head = await place.comment("谁的？")
    answer = await place.comment("我的", by=place.author, reply_to=head.id)
    deeper = await place.comment("真的？", reply_to=answer.id)
    other = await place.comment("捡到的人真好", by=place.officer)
    assert [row.parent_id for row in (head, answer, deeper, other)] == [
        place.post.id,
        head.id,
        head.id,
        place.post.id,
    ]
    ctx = await place.world.context(place.neighbour)
    (threads,) = await comments.threads_of(ctx, [place.post], OLDEST_COMMENTS, ALL)
    assert ids(threads.items) == [head.id, other.id]
    assert [row.reply_count for row in threads.items] == [2, 0]
    replies = await comments.replies_of(ctx, threads.items, OLDEST_COMMENTS, ALL)
    assert [ids(page.items) for page in replies] == [[answer.id, deeper.id], []]
    (everything,) = await comments.comments_of(ctx, [place.post], NEWEST_COMMENTS, ALL)
    assert ids(everything.items) == [other.id, deeper.id, answer.id, head.id]
    assert ids(await comments.thread_heads_of(ctx, everything.items)) == [
        other.id,
        head.id,
        head.id,
        head.id,
    ]
    answered = await comments.comments_answered(ctx, everything.items)
    assert [row.id if row else None for row in answered] == [None, answer.id, head.id, None]
    # An answer is told to whom it answers, nobody is told of what they did themselves.
    assert await place.told() == [
        (place.author.id, NotificationKind.COMMENT, head.id),
        (place.neighbour.id, NotificationKind.REPLY, answer.id),
        (place.author.id, NotificationKind.REPLY, deeper.id),
        (place.author.id, NotificationKind.COMMENT, other.id),
    ]


async def test_an_answer_stays_below_its_subject(place: Place) -> None:
    other = await posts.create_post(
        await place.world.context(place.author),
        community_id=place.community.id,
        kind=PostKind.TALK,
        body="别的",
        key="other",
    )
    elsewhere = await place.comment(below=other.id)
    gone = await place.comment()
    await comments.delete_comment(await place.world.context(place.neighbour), comment_id=gone.id)
    count = await CommentRow.all().count()
    for key in (elsewhere.id, gone.id, new_id()):
        with pytest.raises(InvalidInput) as refused:
            await place.comment(reply_to=key)
        assert list(refused.value.fields) == ["replyTo"]
    assert await CommentRow.all().count() == count


async def test_an_edit_keeps_what_was_said(place: Place) -> None:
    row = await place.comment("一")
    ctx = await place.world.context(place.neighbour)
    edited = await comments.edit_comment(ctx, comment_id=row.id, body="二")
    assert edited.body == "二"
    assert edited.edited_at is not None
    assert await comments.edit_comment(ctx, comment_id=row.id, body="二") == edited
    assert [(it.subject_id, it.body) for it in await RevisionRow.all()] == [(row.id, "一")]
    for account in (place.author, place.officer):
        with pytest.raises(NotAllowed):
            await comments.edit_comment(await place.world.context(account), comment_id=row.id, body="三")
    assert (await CommentRow.get(id=row.id)).body == "二"
    assert (await place.kinds()).count(Kind.COMMENT_CHANGED) == 1


async def test_a_deleted_comment_leaves_a_tombstone(place: Place) -> None:
    head = await place.comment("骂人的话")
    answer = await place.comment("请文明", by=place.author, reply_to=head.id)
    with pytest.raises(NotAllowed):
        await comments.delete_comment(await place.world.context(place.author), comment_id=head.id)
    assert await place.counts() == (2, 2)
    ctx = await place.world.context(place.neighbour)
    tomb = await comments.delete_comment(ctx, comment_id=head.id)
    assert tomb.deleted_at is not None
    assert await comments.delete_comment(ctx, comment_id=head.id) == tomb
    assert await comments.authors_of(ctx, [tomb]) == [None]
    assert await place.counts() == (1, 1)
    (threads,) = await comments.threads_of(ctx, [place.post], OLDEST_COMMENTS, ALL)
    assert ids(threads.items) == [head.id]
    (replies,) = await comments.replies_of(ctx, threads.items, OLDEST_COMMENTS, ALL)
    assert ids(replies.items) == [answer.id]
    with pytest.raises(NotAllowed):
        await comments.edit_comment(ctx, comment_id=head.id, body="又来")
    assert (await place.kinds()).count(Kind.COMMENT_DELETED) == 1
    await comments.delete_comment(await place.world.context(place.author), comment_id=answer.id)
    assert (await CommentRow.get(id=head.id)).reply_count == 0


async def test_moderators_delete_and_it_is_audited(place: Place) -> None:
    row = await place.comment()
    await comments.delete_comment(await place.world.context(place.officer), comment_id=row.id)
    (entry,) = await AuditRow.all()
    assert (entry.account_id, entry.action, entry.subject_id) == (
        place.officer.id,
        "comment.delete",
        row.id,
    )
    assert entry.organisation_id == place.committee.id


async def test_comments_go_with_their_post(place: Place) -> None:
    row = await place.comment()
    events = await place.world.events(community_topic(place.community.id))
    added = [it for it in events if it.event.kind is Kind.COMMENT_ADDED]
    ctx = await place.world.context(place.neighbour)
    assert await comments.visible_by_ids(ctx, [row.id]) == [row]
    assert await comments.comments_of_events(ctx, added) == [row]
    await posts.delete_post(await place.world.context(place.author), post_id=place.post.id)
    assert await comments.visible_by_ids(ctx, [row.id]) == [None]
    assert await comments.comments_of_events(ctx, added) == [None]
    assert await comments.subjects_of_events(ctx, added) == [None]
    for refused in (
        place.comment(),
        comments.edit_comment(ctx, comment_id=row.id, body="改"),
        comments.delete_comment(ctx, comment_id=row.id),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await CommentRow.all().count() == 1


async def test_another_community_sees_nothing(place: Place) -> None:
    row = await place.comment()
    stranger = await place.world.context(await place.world.neighbour(await place.world.community()))
    assert await comments.visible_by_ids(stranger, [row.id]) == [None]
    for refused in (
        comments.edit_comment(stranger, comment_id=row.id, body="改"),
        comments.delete_comment(stranger, comment_id=row.id),
        comments.followed_subject(stranger, SubjectKind.POST, place.post.id),
    ):
        with pytest.raises(NotFound):
            await refused
    assert (await CommentRow.get(id=row.id)).deleted_at is None


async def test_too_many_comments(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "COMMENTS_A_MINUTE", 2)
    await place.comment("一")
    await place.comment("二")
    with pytest.raises(RateLimited):
        await place.comment("三")
    assert await place.counts() == (2, 2)


@pytest.mark.parametrize("body", ["", " ", "长" * 2001])
async def test_texts_that_are_none(place: Place, body: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await place.comment(body)
    assert list(refused.value.fields) == ["body"]
    assert await place.counts() == (0, 0)


async def notice(place: Place, scope: UUID, supersedes: NoticeRow | None = None) -> NoticeRow:
    key = new_id()
    made = await NoticeRow.create(
        id=key,
        community_id=place.community.id,
        organisation_id=place.committee.id,
        author_id=place.officer.id,
        root_id=supersedes.root_id if supersedes else key,
        supersedes_id=supersedes.id if supersedes else None,
        category=NoticeCategory.OUTAGE,
        severity=Severity.EMERGENCY,
        title="停电",
        body="停电检修",
        starts_at=now(),
        ends_at=now() + timedelta(hours=8),
    )
    for kind, held in (
        (AudienceKind.BUILDING, scope),
        (AudienceKind.OFFICE, place.committee.id),
    ):
        await AudienceRow.create(notice_id=made.id, kind=kind, scope_id=held, label="")
    return made


async def test_the_updates_of_a_notice_share_one_thread(place: Place) -> None:
    building = await place.world.building(await place.world.estate(place.community))
    resident = await place.world.resident(await place.world.home(building))
    first = await notice(place, building.id)
    one = await place.comment("又停电！", by=resident, below=first.id, kind=SubjectKind.NOTICE)
    update = await notice(place, building.id, supersedes=first)
    two = await place.comment("到几点？", by=resident, below=update.id, kind=SubjectKind.NOTICE)
    assert {one.subject_id, two.subject_id} == {first.id}
    ctx = await place.world.context(resident)
    subject = await comments.visible_subject(ctx, SubjectKind.NOTICE, update.id)
    assert subject.audience == {building.id, place.committee.id}
    old = await comments.visible_subject(ctx, SubjectKind.NOTICE, first.id)
    assert (old.id, old.row.id) == (first.id, update.id)
    (found,) = await comments.comments_of(ctx, [subject.row], OLDEST_COMMENTS, ALL)
    assert ids(found.items) == [one.id, two.id]
    assert await comments.comment_counts_of(ctx, [subject.row]) == [2]
    events = [
        it.event
        for it in await place.world.events(community_topic(place.community.id))
        if it.event.thread == first.id
    ]
    assert [it.kind for it in events] == [Kind.COMMENT_ADDED, Kind.COUNTERS_CHANGED] * 2
    assert all(it.audience == subject.audience for it in events)
    # The back office sees it; the neighbour in another building does not.
    office = await place.world.context(place.officer)
    assert await comments.visible_by_ids(office, [one.id]) == [one]
    outside = await place.world.context(place.neighbour)
    assert await comments.visible_by_ids(outside, [one.id]) == [None]
    with pytest.raises(NotFound):
        await place.comment(below=update.id, kind=SubjectKind.NOTICE)
    assert await CommentRow.all().count() == 2


async def test_a_page_of_many_subjects_is_one_statement(place: Place) -> None:
    rows = [
        await posts.create_post(
            await place.world.context(place.author),
            community_id=place.community.id,
            kind=PostKind.TALK,
            body=f"第{n}",
            key=str(n),
        )
        for n in range(5)
    ]
    for row in rows:
        for n in range(4):
            await place.comment(f"第{n}", below=row.id)
    ctx = await place.world.context(place.neighbour)
    for some in (rows[:1], rows):
        async with counted() as queries:
            found = await comments.comments_of(ctx, some, NEWEST_COMMENTS, PageArgs(first=3))
        assert queries.count == 1
        assert [[it.body for it in page.items] for page in found] == [["第3", "第2", "第1"]] * len(some)
        assert all(page.has_next_page for page in found)
