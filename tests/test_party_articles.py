"""News and open affairs: who sees them when, their cards in the feed, and comments in their time only."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import AccountRow
from models.jobs import JobRow
from models.media import MediaRow
from models.memberships import members_of
from models.notifications import NotificationKind, NotificationRow
from models.party.articles import AffairCategory, ArticleKind, ArticleRow, ArticleState, in_states
from models.party.audience import BranchAudience
from models.posts import CommentRow, PostAudience, PostKind, PostRow, PostState, RevisionRow, SubjectKind
from models.storage.paging import PageArgs
from models.storage.tables import by_ids
from models.visibility import public_of
from resolvers import comments, likes, posts
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.jobs import Worker
from resolvers.media import uploads
from resolvers.party import articles, contents, publishing
from resolvers.party.articles import ArticleDraft
from resolvers.posts import FeedCriteria
from schema.node import global_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Request
from tests.clock import Clock
from tests.party_scene import Branch, key
from tests.party_scene import branch as branch
from tests.test_media import jpeg

NEWS = ArticleDraft(title="主题党日", body="周六上午九点,**社区活动室**见。")
AFFAIR = replace(NEWS, title="上半年党费收支", category=AffairCategory.DUES)
HOUR = timedelta(hours=1)

SEEN = """query Seen($branch: ID!, $article: ID!, $community: ID!) {
  article: node(id: $article) { ... on PartyNews { title bodyHtml cover { url } } }
  branch: node(id: $branch) { ... on Organisation { partyNews(first: 10) { edges { node { title } } } } }
  feed: node(id: $community) { ... on Community {
    posts(first: 10) { edges { node { kind body audience card { __typename ... on PartyNews { title } } } } }
    search(words: "主题党日", first: 10) { edges { node { subject { __typename } } } } } } }"""
FOLLOW = """subscription Follow($id: ID!, $audience: BranchAudience! = MEMBERS) {
  branchEvents(branchId: $id, audience: $audience) { event { __typename } } }"""


async def begun(
    branch: Branch, draft: ArticleDraft = NEWS, kind: ArticleKind = ArticleKind.NEWS
) -> ArticleRow:
    ctx = await branch.ctx(branch.officer)
    return await articles.create(ctx, branch_id=branch.id, kind=kind, draft=draft, key=key())


async def out(branch: Branch, draft: ArticleDraft = NEWS, kind: ArticleKind = ArticleKind.NEWS) -> ArticleRow:
    row = await begun(branch, draft, kind)
    return await publishing.publish(await branch.ctx(branch.officer), article_id=row.id, version=row.version)


def members_only(draft: ArticleDraft) -> ArticleDraft:
    return replace(draft, audience=BranchAudience.MEMBERS)


async def sees(branch: Branch, account: AccountRow, row: ArticleRow) -> bool:
    try:
        await articles.visible(await branch.ctx(account), row.id)
    except NotFound:
        return False
    return True


async def kinds(branch: Branch) -> list[Kind]:
    return [logged.event.kind for logged in await branch.world.events(community_topic(branch.community.id))]


async def feed(branch: Branch, account: AccountRow) -> list[str]:
    ctx = await branch.ctx(account)
    (page,) = await posts.feeds_of(ctx, [branch.community], FeedCriteria(), PageArgs(first=20))
    return [row.body for row in page.items]


# Who sees what when


async def test_a_draft_is_its_offices(branch: Branch) -> None:
    row = await begun(branch)
    for account, seen in (
        (branch.officer, True),
        (branch.secretary, True),
        (branch.member, False),
        (branch.neighbour, False),
        (branch.manager, False),
    ):
        assert await sees(branch, account, row) is seen
    assert row.state_at(now()) is ArticleState.DRAFT
    assert await kinds(branch) == []
    assert not await PostRow.exists()


async def test_what_is_published_is_a_card_in_the_feed(branch: Branch) -> None:
    row = await out(branch)
    assert await sees(branch, branch.neighbour, row)
    assert await feed(branch, branch.neighbour) == ["主题党日"]
    assert await kinds(branch) == [Kind.POST_CREATED, Kind.BRANCH_PUBLISHED]
    (post,) = await PostRow.all()
    assert (post.kind, post.card_id, post.id) == (PostKind.BRANCH, row.id, row.post_id)
    assert post.scope_id == public_of(branch.community.id)
    # Nobody is told by the inbox of what the feed shows to all.
    assert not await NotificationRow.exists()
    # Comments and likes are those of any post.
    ctx = await branch.ctx(branch.neighbour)
    await comments.add_comment(ctx, kind=SubjectKind.POST, subject_id=post.id, body="一定到", key="c")
    liked = await likes.set_like(ctx, kind=SubjectKind.POST, subject_id=post.id, on=True)
    assert isinstance(liked, PostRow)
    assert (liked.like_count, liked.comment_count) == (1, 1)
    elsewhere = await branch.world.neighbour(await branch.world.community())
    assert not await sees(branch, elsewhere, row)
    assert not await sees(branch, await branch.world.account(), row)


async def test_what_is_for_members_is_nobody_elses(branch: Branch) -> None:
    """Not by id, in no list, not in the feed, not in a search, in no count and in no event."""
    row = await out(branch, members_only(NEWS))
    for account in (branch.member, branch.comrade, branch.officer, branch.secretary):
        assert await sees(branch, account, row)
        assert await feed(branch, account) == ["主题党日"]
    ids = {
        "branch": global_id("Organisation", branch.id),
        "article": global_id("PartyNews", row.id),
        "community": global_id("Community", branch.community.id),
    }
    seen = await branch.run(branch.member, SEEN, **ids)
    assert seen["article"]["title"] == "主题党日"
    (card,) = [edge["node"] for edge in seen["feed"]["posts"]["edges"]]
    assert (card["audience"], card["card"]) == ("MEMBERS", {"__typename": "PartyNews", "title": "主题党日"})
    assert len(seen["feed"]["search"]["edges"]) == 1
    nothing: dict[str, Any] = {"article": None, "branch": {"partyNews": {"edges": []}}}
    for account in (branch.neighbour, branch.manager):
        assert not await sees(branch, account, row)
        found = await branch.run(account, SEEN, **ids)
        assert found == {**nothing, "feed": {"posts": {"edges": []}, "search": {"edges": []}}}
    for logged in await branch.world.events(community_topic(branch.community.id)):
        assert logged.event.audience in (
            {members_of(branch.id)},
            {branch.member.id, branch.comrade.id},
        )
    told = await NotificationRow.filter(kind=NotificationKind.PARTY_NEWS)
    assert {entry.account_id for entry in told} == {branch.member.id, branch.comrade.id}
    # A member who reaches for more than a member may leaves no trace in the committee's log.
    member = await branch.ctx(branch.member)
    assert row.post_id is not None
    with pytest.raises(NotAllowed):
        await posts.set_post_pinned(member, post_id=row.post_id, pinned=True)
    assert not await AuditRow.filter(refused=True).exists()
    # Nor can anybody else write below it.
    ctx = await branch.ctx(branch.neighbour)
    assert row.post_id is not None
    with pytest.raises(NotFound):
        await comments.add_comment(ctx, kind=SubjectKind.POST, subject_id=row.post_id, body="?", key="c")
    assert not await CommentRow.exists()


async def test_a_planned_article_appears_at_its_time_whether_or_not_a_job_runs(
    branch: Branch, clock: Clock
) -> None:
    row = await begun(branch)
    at = now() + HOUR
    planned = await publishing.publish(
        await branch.ctx(branch.officer), article_id=row.id, version=row.version, at=at
    )
    assert planned.state_at(now()) is ArticleState.PLANNED
    assert not await sees(branch, branch.neighbour, row)
    assert not await PostRow.exists()
    for late, seen in ((-timedelta(microseconds=1), False), (timedelta(), True)):
        clock.stand(at + late)
        assert await sees(branch, branch.neighbour, row) is seen
    clock.reset()

    # Brought forward; then the clock does the rest, once.
    soon = now() + timedelta(minutes=1)
    ctx = await branch.ctx(branch.officer)
    await publishing.publish(ctx, article_id=row.id, version=planned.version, at=soon)
    assert await JobRow.filter(done_at=None).count() == 1
    clock.go(soon)
    assert await Worker(branch.world.services).work()
    assert await feed(branch, branch.neighbour) == ["主题党日"]
    assert await kinds(branch) == [Kind.POST_CREATED, Kind.BRANCH_PUBLISHED]
    assert not await Worker(branch.world.services).work()


async def test_an_announcement_that_comes_twice_or_too_late_changes_nothing(branch: Branch) -> None:
    row = await out(branch)
    async with (await branch.ctx(branch.officer)).unit_of_work() as work:
        await publishing.announce_by_time(branch.world.services, work, row.id)
        await publishing.announce_by_time(branch.world.services, work, new_id())
    other = await begun(branch)
    async with (await branch.ctx(branch.officer)).unit_of_work() as work:
        await publishing.announce_by_time(branch.world.services, work, other.id)
    assert await PostRow.all().count() == 1


async def test_sql_and_memory_agree_on_what_an_article_is(branch: Branch) -> None:
    """At the instants around each of its times, every combination of them."""
    moment = now()
    times: list[datetime | None] = [None, moment - HOUR, moment, moment + HOUR]
    rows = [
        ArticleRow(
            community_id=branch.community.id,
            scope_id=branch.community.id,
            audience=BranchAudience.PUBLIC,
            branch_id=branch.id,
            author_id=branch.officer.id,
            kind=ArticleKind.AFFAIR,
            title="x",
            body="x",
            html="x",
            publish_at=publish_at,
            comments_until=until,
            withdrawn_at=withdrawn,
        )
        for publish_at, until, withdrawn in product(times, times, [None, moment])
    ]
    await ArticleRow.bulk_create(rows)
    found = await by_ids(ArticleRow, [row.id for row in rows])
    for state in ArticleState:
        in_memory = {row.id for row in found if row and row.state_at(moment) is state}
        in_sql = {
            row.id
            for row in await by_ids(ArticleRow, [row.id for row in rows], in_states([state], moment))
            if row
        }
        assert in_sql == in_memory
        assert in_memory


# Writing


@pytest.mark.parametrize("who", ["member", "neighbour", "manager"])
async def test_only_officers_of_the_branch_write(branch: Branch, who: str) -> None:
    row = await out(branch)
    account = getattr(branch, who)
    before = await ArticleRow.filter(id=row.id).values()
    acts: list[Any] = [
        lambda ctx: articles.create(ctx, branch_id=branch.id, kind=ArticleKind.NEWS, draft=NEWS, key=key()),
        lambda ctx: articles.edit(ctx, article_id=row.id, version=row.version, draft=AFFAIR),
        lambda ctx: publishing.publish(ctx, article_id=row.id, version=row.version),
        lambda ctx: publishing.withdraw(ctx, article_id=row.id, version=row.version, reason="没有理由"),
    ]
    for act in acts:
        with pytest.raises(NotAllowed):
            await act(await branch.ctx(account))
    with pytest.raises((Unauthenticated, NotFound)):
        await acts[0](await branch.world.context())
    assert await ArticleRow.filter(id=row.id).values() == before
    assert await ArticleRow.all().count() == 1


async def test_an_officer_of_another_branch_does_not_write(branch: Branch) -> None:
    other = await branch.world.officer(branch.other_branch)
    row = await out(branch, members_only(NEWS))
    with pytest.raises(NotAllowed):
        await articles.create(
            await branch.ctx(other), branch_id=branch.id, kind=ArticleKind.NEWS, draft=NEWS, key=key()
        )
    assert await AuditRow.filter(action="party.article.create", refused=True).count() == 1
    assert not await sees(branch, other, row)
    with pytest.raises(NotFound):
        await publishing.withdraw(
            await branch.ctx(other), article_id=row.id, version=row.version, reason="没有理由"
        )


async def test_every_act_is_in_the_audit_log(branch: Branch) -> None:
    row = await out(branch)
    ctx = await branch.ctx(branch.officer)
    edited = await articles.edit(ctx, article_id=row.id, version=row.version, draft=AFFAIR)
    await publishing.withdraw(ctx, article_id=row.id, version=edited.version, reason="内容有误")
    acts = await AuditRow.filter(subject_id=row.id).order_by("number")
    assert [act.action for act in acts] == [
        f"party.article.{act}" for act in ("create", "publish", "edit", "withdraw")
    ]


async def test_a_retry_begins_one_article(branch: Branch) -> None:
    ctx = await branch.ctx(branch.officer)
    made = [
        await articles.create(ctx, branch_id=branch.id, kind=ArticleKind.NEWS, draft=NEWS, key="same")
        for _ in range(2)
    ]
    assert made[0].id == made[1].id
    with pytest.raises(Conflict):
        await articles.create(ctx, branch_id=branch.id, kind=ArticleKind.NEWS, draft=AFFAIR, key="same")


async def test_an_edit_keeps_what_was_said_and_puts_the_card_right(branch: Branch) -> None:
    row = await out(branch)
    ctx = await branch.ctx(branch.officer)
    edited = await articles.edit(
        ctx, article_id=row.id, version=row.version, draft=replace(NEWS, title="主题党日改期")
    )
    assert edited.edited_at is not None
    assert await feed(branch, branch.neighbour) == ["主题党日改期"]
    (kept,) = await RevisionRow.all()
    assert kept.body == f"{NEWS.title}\n\n{NEWS.body}"
    assert (await kinds(branch))[2:] == [Kind.POST_CHANGED, Kind.BRANCH_CHANGED]
    args = PageArgs(first=5)
    (page,) = await articles.revisions_of(ctx, [edited], args)
    assert len(page.items) == 1
    (page,) = await articles.revisions_of(await branch.ctx(branch.neighbour), [edited], args)
    assert page.items == []
    # The second of two officers is told, and overwrites nothing.
    with pytest.raises(Conflict) as stale:
        await articles.edit(ctx, article_id=row.id, version=row.version, draft=AFFAIR)
    assert stale.value.current == row.id
    assert (await ArticleRow.get(id=row.id)).title == "主题党日改期"


async def test_an_audience_stays_once_it_is_out(branch: Branch) -> None:
    ctx = await branch.ctx(branch.officer)
    draft = await begun(branch)
    hidden = await articles.edit(ctx, article_id=draft.id, version=draft.version, draft=members_only(NEWS))
    assert hidden.scope_id == members_of(branch.id)
    assert not await RevisionRow.exists()
    row = await out(branch)
    with pytest.raises(InvalidInput) as refused:
        await articles.edit(ctx, article_id=row.id, version=row.version, draft=members_only(NEWS))
    assert refused.value.fields.keys() == {"audience"}


async def test_what_is_withdrawn_takes_its_card_and_pictures_with_it(branch: Branch) -> None:
    ctx = await branch.ctx(branch.officer)
    cover = await uploads.keep(ctx, community_id=branch.community.id, content_type="image/jpeg", data=jpeg())
    row = await out(branch, replace(NEWS, cover_id=cover.id))
    assert (await MediaRow.get(id=cover.id)).subject_id == row.id
    neighbour = await branch.ctx(branch.neighbour)
    assert row.post_id is not None
    await comments.add_comment(neighbour, kind=SubjectKind.POST, subject_id=row.post_id, body="收到", key="c")
    gone = await publishing.withdraw(ctx, article_id=row.id, version=row.version, reason="内容有误")
    assert gone.state_at(now()) is ArticleState.WITHDRAWN
    assert not await sees(branch, branch.neighbour, row)
    assert await sees(branch, branch.secretary, row)
    assert await feed(branch, branch.neighbour) == []
    assert (await kinds(branch))[-2:] == [Kind.POST_DELETED, Kind.BRANCH_WITHDRAWN]
    assert (await MediaRow.get(id=cover.id)).subject_id is None
    (entry,) = await AuditRow.filter(action="party.article.withdraw")
    assert entry.detail == "内容有误"
    for act in (
        articles.edit(ctx, article_id=row.id, version=gone.version, draft=NEWS),
        publishing.publish(ctx, article_id=row.id, version=gone.version),
        publishing.withdraw(ctx, article_id=row.id, version=gone.version, reason="再撤一次"),
    ):
        with pytest.raises((NotAllowed, Conflict)):
            await act


async def test_a_planned_article_that_is_withdrawn_never_appears(branch: Branch) -> None:
    ctx = await branch.ctx(branch.officer)
    row = await begun(branch)
    planned = await publishing.publish(ctx, article_id=row.id, version=row.version, at=now() + HOUR)
    await publishing.withdraw(ctx, article_id=row.id, version=planned.version, reason="暂时不发")
    assert not await JobRow.filter(done_at=None).exists()
    assert await kinds(branch) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "字" * 81}, "title"),
        ({"body": "字" * 20_001}, "body"),
        ({"body": "![x](https://evil.example/x.png)"}, "body"),
        ({"cover_id": new_id()}, "coverId"),
        ({"body": f"![x](media:{new_id().hex})"}, "body"),
        ({"comments_from": now() + HOUR}, "commentsUntil"),
        ({"comments_until": now() - HOUR}, "commentsUntil"),
        ({"comments_from": now() + 2 * HOUR, "comments_until": now() + HOUR}, "commentsUntil"),
        ({"comments_until": datetime(2099, 1, 1)}, "commentsUntil"),  # noqa: DTZ001
    ],
)
async def test_what_cannot_be_accepted(branch: Branch, change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await begun(branch, replace(AFFAIR, **change), ArticleKind.AFFAIR)
    assert refused.value.fields.keys() == {field}
    assert not await ArticleRow.exists()


# The card is not its author's


async def test_a_card_says_what_the_branch_says(branch: Branch) -> None:
    row = await out(branch)
    officer = await branch.ctx(branch.officer)
    assert row.post_id is not None
    with pytest.raises(NotAllowed):
        await posts.edit_post(officer, post_id=row.post_id, body="我说", version=1)
    with pytest.raises(NotAllowed):
        await posts.delete_post(officer, post_id=row.post_id)
    with pytest.raises(NotAllowed):
        await posts.set_post_state(officer, post_id=row.post_id, state=PostState.RESOLVED)
    changes: list[dict[str, Any]] = [{"kind": PostKind.BRANCH}, {"audience": PostAudience.MEMBERS}]
    for change in changes:
        with pytest.raises(InvalidInput):
            await posts.create_post(
                officer,
                community_id=branch.community.id,
                body="x",
                key="k",
                **{"kind": PostKind.TALK, **change},
            )
    assert await feed(branch, branch.neighbour) == ["主题党日"]
    # The committee moderates the feed, and the article stays.
    await posts.delete_post(await branch.ctx(branch.manager), post_id=row.post_id)
    assert await feed(branch, branch.neighbour) == []
    assert await sees(branch, branch.neighbour, row)
    assert await articles.posts_of(officer, [row]) == [None]
    gone = await publishing.withdraw(officer, article_id=row.id, version=row.version, reason="内容有误")
    assert gone.withdrawn_at is not None


# Comments on affairs


async def test_an_affair_takes_comments_in_its_time_only(branch: Branch, clock: Clock) -> None:
    opens, closes = now() + HOUR, now() + 2 * HOUR
    draft = replace(AFFAIR, comments_from=opens, comments_until=closes)
    row = await out(branch, draft, ArticleKind.AFFAIR)
    (post,) = await by_ids(PostRow, [row.post_id], contents.ALIVE)
    assert post is not None
    taken = 0
    for at, open_ in (
        (now(), False),
        (opens, True),
        (closes - timedelta(microseconds=1), True),
        (closes, False),
    ):
        clock.stand(at)
        ctx = await branch.ctx(branch.neighbour)
        assert await comments.viewer_can_comment(ctx, [post]) == [open_]
        refusal = nullcontext() if open_ else pytest.raises(NotAllowed, match="takes no comments now")
        with refusal:
            await comments.add_comment(ctx, kind=SubjectKind.POST, subject_id=post.id, body="意见", key=key())
        taken += open_
        assert await CommentRow.all().count() == taken
    assert taken == 2
    assert row.state_at(closes) is ArticleState.ARCHIVED


async def test_turns_are_told_and_archives_stay(branch: Branch, clock: Clock) -> None:
    closes = now() + timedelta(minutes=1)
    row = await out(branch, replace(AFFAIR, comments_until=closes), ArticleKind.AFFAIR)
    ctx = await branch.ctx(branch.officer)
    clock.go(closes)
    assert await Worker(branch.world.services).work()
    assert (await kinds(branch))[-1] is Kind.BRANCH_CHANGED
    assert await sees(branch, branch.neighbour, row)
    args = PageArgs(first=5)
    for state, found in ((ArticleState.ARCHIVED, [row.id]), (ArticleState.PUBLISHED, [])):
        (page,) = await articles.articles_of(
            await branch.ctx(branch.neighbour),
            [branch.branch],
            ArticleKind.AFFAIR,
            frozenset({state}),
            frozenset({AffairCategory.DUES}),
            args,
        )
        assert [item.id for item in page.items] == found
    # The words may be put right, the time is over.
    fixed = await articles.edit(
        ctx,
        article_id=row.id,
        version=row.version,
        draft=replace(AFFAIR, title="更正", comments_until=row.comments_until),
    )
    with pytest.raises(InvalidInput):
        await articles.edit(
            ctx,
            article_id=row.id,
            version=fixed.version,
            draft=replace(AFFAIR, comments_until=now() + HOUR),
        )


async def test_an_affair_without_a_time_takes_no_comments(branch: Branch) -> None:
    row = await out(branch, AFFAIR, ArticleKind.AFFAIR)
    assert row.post_id is not None
    with pytest.raises(NotAllowed):
        await comments.add_comment(
            await branch.ctx(branch.neighbour),
            kind=SubjectKind.POST,
            subject_id=row.post_id,
            body="意见",
            key="c",
        )
    assert not await CommentRow.exists()


# Live


async def test_who_is_no_member_gets_an_error_and_not_silence(branch: Branch) -> None:
    followed = global_id("Organisation", branch.id)
    for account in (branch.member, branch.officer):
        assert isinstance(await branch.subscribe(account, FOLLOW, id=followed), Request)
    for account in (branch.neighbour, branch.manager):
        refused = await branch.subscribe(account, FOLLOW, id=followed)
        assert [error.extensions["code"] for error in refused.errors] == ["NOT_ALLOWED"]
        open_to_all = await branch.subscribe(account, FOLLOW, id=followed, audience="PUBLIC")
        assert isinstance(open_to_all, Request)
    elsewhere = await branch.world.neighbour(await branch.world.community())
    for audience in BranchAudience:
        refused = await branch.subscribe(elsewhere, FOLLOW, id=followed, audience=audience.value)
        assert [error.extensions["code"] for error in refused.errors] == ["NOT_FOUND"]


async def test_each_stream_wants_its_own(branch: Branch) -> None:
    followed = global_id("Organisation", branch.id)
    all_of_it = await branch.subscribe(branch.member, FOLLOW, id=followed)
    public = await branch.subscribe(branch.member, FOLLOW, id=followed, audience="PUBLIC")
    others = await branch.subscribe(
        branch.neighbour, FOLLOW, id=global_id("Organisation", branch.other_branch.id), audience="PUBLIC"
    )
    await out(branch)
    await out(branch, members_only(NEWS))
    events = [
        logged.event
        for logged in await branch.world.events(community_topic(branch.community.id))
        if logged.event.kind is Kind.BRANCH_PUBLISHED
    ]
    assert [[stream.stream.wants(event) for event in events] for stream in (all_of_it, public, others)] == [
        [True, True],
        [True, False],
        [False, False],
    ]
