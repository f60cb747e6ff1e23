"""The neighbour feed over GraphQL: pages, statements, indexes, and events executed once for all."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.base import new_id, now
from models.identity import AccountRow, ApplicationRow, CommunityRow, EstateRow
from models.posts import CommentRow, LikeRow, PostKind, PostRow, PostState, SubjectKind
from models.storage.rows import dialect, execute
from schema.node import global_id, type_and_key
from schema.serving.results import Refusal
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Request
from tests import asking
from tests.plans import plan, recorded
from tests.world import World, counted

FEED = """
query Feed($id: ID!, $first: Int!, $after: String, $order: PostOrder! = LATEST, $kinds: [PostKind!],
           $states: [PostState!], $estate: ID, $author: ID, $inGroups: Boolean! = false) {
  node(id: $id) {
    ... on Community {
      pinnedPosts { id }
      posts(first: $first, after: $after, order: $order, kinds: $kinds, states: $states, estate: $estate,
            author: $author, inGroups: $inGroups) {
        edges {
          cursor
          node {
            id kind state body audience version createdAt likeCount commentCount
            viewerHasLiked viewerCanEdit viewerCanDelete viewerCanComment
            author { id displayName building }
            estate { id name }
            community { id }
            comments(first: 3, order: NEWEST) {
              edges { node { id body viewerHasLiked author { displayName } replyTo { id } } }
              pageInfo { hasNextPage }
            }
          }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""


@dataclass
class Street:
    """A community with neighbours to read and write as, and its global id."""

    world: World
    community: CommunityRow
    estate: EstateRow
    neighbours: list[AccountRow]

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    async def run(self, text: str, *, by: AccountRow | None = None, **variables: Any) -> Any:
        """The data that `by`, or the first neighbour, gets; no error is expected."""
        result = await self.result(text, by=by or self.neighbours[0], **variables)
        assert result.errors is None, result.errors
        return result.data

    async def result(self, text: str, *, by: AccountRow | None, **variables: Any) -> Any:
        return await asking.answered(await self.world.context(by), text, **variables)

    async def feed(self, *, by: AccountRow | None = None, **wanted: Any) -> list[UUID]:
        """The posts of a page, as their keys."""
        data = await self.run(FEED, by=by, id=self.id, **{"first": 100, **wanted})
        return [key_of(edge["node"]["id"]) for edge in data["node"]["posts"]["edges"]]

    async def posts(self, count: int, comments: int = 0, **more: Any) -> list[PostRow]:
        """Older posts first; each with as many comments, liked by all neighbours."""
        made = [
            PostRow(
                **{
                    "id": new_id(),
                    "community_id": self.community.id,
                    "scope_id": self.community.id,
                    "wall_id": self.community.id,
                    "author_id": self.neighbours[n % len(self.neighbours)].id,
                    "estate_id": self.estate.id,
                    "kind": PostKind.TALK,
                    "body": f"第{n}条",
                    "comment_count": comments,
                    "hot": n,
                    **more,
                }
            )
            for n in range(count)
        ]
        await PostRow.bulk_create(made, batch_size=50)
        below = [
            CommentRow(
                id=(key := new_id()),
                community_id=self.community.id,
                subject_kind=SubjectKind.POST,
                subject_id=post.id,
                author_id=self.neighbours[n % len(self.neighbours)].id,
                parent_id=post.id,
                body=f"{key}",
            )
            for post in made
            for n in range(comments)
        ]
        await CommentRow.bulk_create(below, batch_size=50)
        return made


def key_of(value: str) -> UUID:
    found = type_and_key(value)
    assert found is not None
    return found[1]


@pytest.fixture
async def street(world: World) -> Street:
    community = await world.community()
    estate = await world.estate(community)
    building = await world.building(estate)
    neighbours = [await world.resident(await world.home(building)) for _ in range(3)]
    return Street(world, community, estate, neighbours)


async def test_a_page_takes_as_many_statements_for_one_row_as_for_300(street: Street) -> None:
    await street.posts(1, comments=1)
    async with counted() as one:
        assert len(await street.feed(first=100)) == 1
    await street.posts(99, comments=3)
    async with counted() as many:
        assert len(await street.feed(first=100)) == 100
    assert many.count == one.count, many.statements
    # viewer (4), community, pinned, posts, likes twice, neighbours twice, estates, communities, comments
    # and the comments answered.
    assert one.count <= 15


async def test_threads_take_as_many_statements_for_one_as_for_many(street: Street) -> None:
    (post,) = await street.posts(1)

    async def thread(replies: int) -> None:
        heads = [new_id() for _ in range(replies)]
        rows: list[tuple[UUID, UUID, UUID | None]] = [(key, post.id, None) for key in heads]
        rows += [(new_id(), head, head) for head in heads for _ in range(replies)]
        for key, parent, answered in rows:
            await CommentRow.create(
                id=key,
                community_id=street.community.id,
                subject_kind=SubjectKind.POST,
                subject_id=post.id,
                author_id=street.neighbours[1].id,
                parent_id=parent,
                reply_to_id=answered,
                body="好",
            )

    text = """
    query Threads($id: ID!) {
      node(id: $id) { ... on Post { commentCount threads(first: 100) { edges { node {
        id body author { displayName } subject { id commentCount }
        replies(first: 3) {
          edges { node { id body replyTo { id } thread { id } author { displayName } } }
          pageInfo { hasNextPage }
        }
      } } } } }
    }
    """
    await thread(1)
    async with counted() as one:
        await street.run(text, id=global_id("Post", post.id))
    await thread(10)
    async with counted() as many:
        data = await street.run(text, id=global_id("Post", post.id))
    assert many.count == one.count, many.statements
    threads = [edge["node"] for edge in data["node"]["threads"]["edges"]]
    assert [len(it["replies"]["edges"]) for it in threads] == [1] + [3] * 10
    assert all(
        edge["node"]["thread"]["id"] == edge["node"]["replyTo"]["id"] == it["id"]
        for it in threads
        for edge in it["replies"]["edges"]
    )


async def test_pages_follow_each_other(street: Street) -> None:
    made = [post.id for post in await street.posts(25)]
    for order in ("LATEST", "HOT"):
        seen: list[UUID] = []
        after = None
        while True:
            data = await street.run(FEED, id=street.id, first=10, after=after, order=order)
            page = data["node"]["posts"]
            seen += [key_of(edge["node"]["id"]) for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == made[::-1]


async def test_hot_is_not_latest(street: Street) -> None:
    old, new = await street.posts(2)
    await PostRow.filter(id=old.id).update(hot=100)
    assert await street.feed(order="LATEST") == [new.id, old.id]
    assert await street.feed(order="HOT") == [old.id, new.id]


async def test_filters(street: Street) -> None:
    other = await street.world.estate(street.community)
    (talk,) = await street.posts(1)
    (found,) = await street.posts(1, kind=PostKind.FOUND, author_id=street.neighbours[1].id)
    (lost,) = await street.posts(1, kind=PostKind.LOST, state=PostState.RESOLVED, estate_id=other.id)
    assert await street.feed(kinds=["FOUND"]) == [found.id]
    assert await street.feed(kinds=["FOUND", "LOST"]) == [lost.id, found.id]
    assert await street.feed(kinds=[]) == []
    assert await street.feed(states=["OPEN"]) == [found.id, talk.id]
    assert await street.feed(states=["RESOLVED"], kinds=["LOST"]) == [lost.id]
    assert await street.feed(estate=global_id("Estate", other.id)) == [lost.id]
    data = await street.run(FEED, id=street.id, first=1, kinds=["FOUND"])
    author = data["node"]["posts"]["edges"][0]["node"]["author"]["id"]
    assert await street.feed(author=author) == [found.id]
    assert await street.feed(author=author, order="HOT", kinds=["TALK"]) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"first": 0},
        {"first": 101},
        {"first": 1, "after": "nonsense"},
        {"first": 1, "after": "WyJvdGhlciIsIDFd"},
        {"first": 1, "estate": "nonsense"},
        {"first": 1, "author": "nonsense"},
    ],
)
async def test_what_is_no_page(street: Street, wanted: dict[str, Any]) -> None:
    await street.posts(1)
    result = await street.result(FEED, by=street.neighbours[0], id=street.id, **wanted)
    assert {error.extensions["code"] for error in result.errors} <= {"INVALID_INPUT", "TOO_COMPLEX"}


async def test_a_stranger_reads_nothing(street: Street) -> None:
    (post,) = await street.posts(1, comments=1)
    await PostRow.filter(id=post.id).update(pinned_at=now())
    comment = await CommentRow.get(subject_id=post.id)
    stranger = await street.world.neighbour(await street.world.community())
    applicant = await street.world.account()
    home = await street.world.home(await street.world.building(street.estate))
    await ApplicationRow.create(
        community_id=street.community.id, account_id=applicant.id, home_id=home.id, relation="OWNER"
    )
    for account in (stranger, applicant):
        data = await street.run(FEED, by=account, id=street.id, first=10)
        assert data["node"]["posts"]["edges"] == []
        assert data["node"]["pinnedPosts"] == []
        ids = [global_id("Post", post.id), global_id("Comment", comment.id)]
        data = await street.run("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", by=account, ids=ids)
        assert data["nodes"] == [None, None]


async def test_a_tombstone_shows_neither_text_nor_author(street: Street) -> None:
    (post,) = await street.posts(1, comments=1)
    comment = await CommentRow.get(subject_id=post.id)
    await CommentRow.filter(id=comment.id).update(deleted_at=now())
    data = await street.run(
        "query($id: ID!) { node(id: $id) { ... on Comment { id body deletedAt author { displayName }"
        " viewerCanEdit viewerCanDelete } } }",
        id=global_id("Comment", comment.id),
    )
    assert data["node"]["body"] is None
    assert data["node"]["author"] is None
    assert data["node"]["deletedAt"] is not None
    assert not data["node"]["viewerCanEdit"]
    assert not data["node"]["viewerCanDelete"]


# Mutations

CREATE = """
mutation($input: CreatePostInput!) { createPost(input: $input) {
  __typename
  ... on CreatePostPayload { postEdge { cursor node { id body estate { name } author { displayName } } } }
  ... on Problem { code message }
  ... on InvalidInput { fields { name } }
} }
"""
COMMENT = """
mutation($input: AddCommentInput!) { addComment(input: $input) {
  __typename
  ... on AddCommentPayload {
    commentEdge { cursor node { id body author { displayName } } } subject { id commentCount }
  }
  ... on Problem { code message }
  ... on InvalidInput { fields { name } }
} }
"""
LIKE = """
mutation($input: SetLikeInput!) { setLike(input: $input) {
  __typename
  ... on SetLikePayload { subject { __typename id likeCount viewerHasLiked } }
  ... on Problem { code }
} }
"""


async def test_the_driving_licence(street: Street) -> None:
    finder, owner, _ = street.neighbours
    given = {
        "communityId": street.id,
        "kind": "FOUND",
        "body": "捡到驾照 310101199001011234",
        "idempotencyKey": "1",
    }
    made = (await street.run(CREATE, by=finder, input=given))["createPost"]
    post = made["postEdge"]["node"]
    assert post["body"] == "捡到驾照 ****************34"
    assert post["estate"]["name"] == street.estate.name
    said = (
        await street.run(
            COMMENT, by=owner, input={"subjectId": post["id"], "body": "我的！", "idempotencyKey": "1"}
        )
    )["addComment"]
    assert said["subject"] == {"id": post["id"], "commentCount": 1}
    comment = said["commentEdge"]["node"]
    # The edge's cursor is one of the list's.
    data = await street.run(
        "query($id: ID!, $after: String) { node(id: $id) { ... on Post {"
        " comments(first: 5, after: $after) { edges { node { id } } } } } }",
        id=post["id"],
        after=said["commentEdge"]["cursor"],
    )
    assert data["node"]["comments"]["edges"] == []
    for key, kind in ((post["id"], "Post"), (comment["id"], "Comment")):
        liked = await street.run(LIKE, by=owner, input={"subjectId": key, "on": True})
        assert liked["setLike"]["subject"] == {
            "__typename": kind,
            "id": key,
            "likeCount": 1,
            "viewerHasLiked": True,
        }
    settled = await street.run(
        "mutation($input: SetPostStateInput!) { setPostState(input: $input) {"
        " ... on SetPostStatePayload { post { state } } } }",
        by=finder,
        input={"postId": post["id"], "state": "RESOLVED"},
    )
    assert settled["setPostState"]["post"]["state"] == "RESOLVED"
    assert key_of(post["id"]) not in await street.feed(states=["OPEN"])
    history = await street.run(
        "query($id: ID!) { node(id: $id) { ... on Post { viewerCanEdit revisions(first: 5) {"
        " edges { node { body } } } } } }",
        by=owner,
        id=post["id"],
    )
    assert history["node"] == {"viewerCanEdit": False, "revisions": {"edges": []}}


async def test_refusals_are_answers(street: Street) -> None:
    (post,) = await street.posts(1)
    stranger = await street.world.neighbour(await street.world.community())
    key = global_id("Post", post.id)
    given = {"subjectId": key, "body": "好", "idempotencyKey": "1"}
    refused = (await street.run(COMMENT, by=stranger, input=given))["addComment"]
    assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")
    for wrong, name in (
        ({"body": ""}, "body"),
        ({"subjectId": "x"}, "subjectId"),
        ({"replyTo": key}, "replyTo"),
    ):
        refused = (await street.run(COMMENT, input={**given, **wrong}))["addComment"]
        assert (refused["__typename"], refused["fields"]) == ("InvalidInput", [{"name": name}])
    result = await street.result(COMMENT, by=None, input=given)
    assert [(error.extensions or {})["code"] for error in result.errors] == ["UNAUTHENTICATED"]
    assert await CommentRow.all().count() == 0
    assert await LikeRow.all().count() == 0
    async with counted() as conflicting:
        stale = await street.run(
            "mutation($input: EditPostInput!) { editPost(input: $input) {"
            " __typename ... on Conflict { code current { id ... on Post { body } } } } }",
            input={"postId": key, "body": "改", "version": 7},
        )
    assert stale["editPost"] == {
        "__typename": "Conflict",
        "code": "CONFLICT",
        "current": {"id": key, "body": "第0条"},
    }
    # Who asks, the post that is to be edited, and what it is now: no other type of thing is tried.
    assert conflicting.count == 3, conflicting.statements


# Live

MERGED = """
subscription($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename
  ... on PostCreated { post { id body author { displayName } estate { name } commentCount } }
  ... on PostChanged { post { id state } }
  ... on PostDeleted { deletedPostId }
  ... on CommentAdded { comment { id body author { displayName } } subject { id commentCount } }
  ... on CommentDeleted { comment { id body } subject { commentCount } }
  ... on CountersChanged { subject { id ... on Liked { likeCount } ... on Commented { commentCount } } }
} } }
"""
# What depends on the viewer, in another operation.
PERSONAL = "subscription($id: ID!) { communityEvents(communityId: $id) { event { ... on PostCreated {"
PERSONAL += " post { viewerHasLiked } } } } }"


async def follow(street: Street, text: str, by: AccountRow | None, **variables: Any) -> Any:
    return await asking.subscribed(await street.world.context(by), text, **variables)


async def test_events_are_executed_without_a_viewer(street: Street) -> None:
    await test_the_driving_licence(street)
    assert asking.OPERATIONS.prepare(PERSONAL).uses_viewer
    request = await follow(street, MERGED, street.neighbours[2], id=street.id)
    assert isinstance(request, Request)
    assert request.stream.requires == {street.community.id}
    shown = []
    for logged in await street.world.events(community_topic(street.community.id)):
        if not request.stream.wants(logged.event) or logged.event.audience != {street.community.id}:
            continue
        shown.append(await asking.sent(street.world, MERGED, logged, id=street.id))
    assert [event["__typename"] for event in shown] == [
        "PostCreated",
        "CommentAdded",
        "CountersChanged",
        "CountersChanged",
        "CountersChanged",
        "PostChanged",
    ]
    created, added, *counters, changed = shown
    assert created["post"]["body"] == "捡到驾照 ****************34"
    assert added["comment"]["body"] == "我的！"
    assert added["subject"] == {"id": created["post"]["id"], "commentCount": 1}
    assert counters[-1]["subject"] == {"id": added["comment"]["id"], "likeCount": 1}
    assert changed["post"]["state"] == "RESOLVED"


async def test_a_deleted_post_is_told_by_its_id(street: Street) -> None:
    (post,) = await street.posts(1)
    key = global_id("Post", post.id)
    await street.run(
        "mutation($input: DeletePostInput!) { deletePost(input: $input) { __typename } }",
        input={"postId": key},
    )
    (logged,) = await street.world.events(community_topic(street.community.id))
    event = await asking.sent(street.world, MERGED, logged, id=street.id)
    assert event == {"__typename": "PostDeleted", "deletedPostId": key}


async def test_narrow_streams(street: Street) -> None:
    (post,) = await street.posts(1)
    key = global_id("Post", post.id)
    reader = street.neighbours[1]
    feed = await follow(
        street,
        "subscription($id: ID!, $estate: ID!) {"
        " postEvents(communityId: $id, kinds: [FOUND, LOST], estateId: $estate) { cursor } }",
        reader,
        id=street.id,
        estate=global_id("Estate", street.estate.id),
    )
    below = await follow(
        street, "subscription($id: ID!) { commentEvents(subjectId: $id) { cursor } }", reader, id=key
    )
    counters = await follow(
        street, "subscription($id: ID!) { counterEvents(postId: $id) { cursor } }", reader, id=key
    )
    await test_the_driving_licence(street)
    await street.run(COMMENT, input={"subjectId": key, "body": "好", "idempotencyKey": "2"})
    await street.run(LIKE, input={"subjectId": key, "on": True})
    events = await street.world.events(community_topic(street.community.id))

    def wanted(request: Request) -> list[tuple[Kind, UUID]]:
        return [(it.event.kind, it.event.subject) for it in events if request.stream.wants(it.event)]

    comment = await CommentRow.get(subject_id=post.id)
    assert [kind for kind, _ in wanted(feed)] == [Kind.POST_CREATED, Kind.POST_CHANGED]
    assert wanted(below) == [(Kind.COMMENT_ADDED, comment.id)]
    assert wanted(counters) == [(Kind.COUNTERS_CHANGED, post.id)] * 2
    assert below.stream.requires == counters.stream.requires == {street.community.id}


async def test_strangers_follow_nothing(street: Street) -> None:
    (post,) = await street.posts(1)
    stranger = await street.world.neighbour(await street.world.community())
    for text, key in (
        ("subscription($id: ID!) { communityEvents(communityId: $id) { cursor } }", street.id),
        ("subscription($id: ID!) { postEvents(communityId: $id) { cursor } }", street.id),
        (
            "subscription($id: ID!) { commentEvents(subjectId: $id) { cursor } }",
            global_id("Post", post.id),
        ),
        ("subscription($id: ID!) { counterEvents(postId: $id) { cursor } }", global_id("Post", post.id)),
    ):
        for account, code in ((stranger, "NOT_FOUND"), (None, "UNAUTHENTICATED")):
            refused = await follow(street, text, account, id=key)
            assert isinstance(refused, Refusal)
            assert [(error.extensions or {})["code"] for error in refused.errors or []] == [code]


# Indexes


@pytest.mark.parametrize(
    ("asked", "rows"), [("", 3), ("pageInfo { endCursor }", 4), ("info: pageInfo { hasNextPage }", 4)]
)
async def test_one_more_is_read_only_for_who_asks_whether_there_is(
    street: Street, asked: str, rows: int
) -> None:
    await street.posts(2, comments=4)
    wanted = f"comments(first: 3) {{ edges {{ node {{ body }} }} {asked} }}"
    query = f"""query ($id: ID!) {{ node(id: $id) {{ ... on Community {{
        posts(first: 2) {{ edges {{ node {{ {wanted} }} }} }}
    }} }} }}"""
    async with recorded() as statements:
        data = await street.run(query, id=street.id)
    # The first of them: graphql-core, which is asked for comparison, always looks for more.
    read, *_ = [statement.text for statement in statements if "comment t" in statement.text]
    assert re.findall(r"LIMIT (\d+)", read) == [str(rows)]
    for edge in data["node"]["posts"]["edges"]:
        assert len(edge["node"]["comments"]["edges"]) == 3
        assert edge["node"]["comments"].get("info", {"hasNextPage": True}) == {"hasNextPage": True}


async def test_pages_are_read_from_indexes(street: Street) -> None:
    made = await street.posts(400, comments=5)
    old = now() - timedelta(days=1)
    await PostRow.filter(id__in=[post.id for post in made[:3]]).update(pinned_at=old)
    # Another community's, so that the community is a choice.
    there = replace(street, community=await street.world.community())
    await there.posts(400)
    if dialect() == "postgres":
        await execute("ANALYZE")
    data = await street.run(FEED, id=street.id, first=10)
    edges = data["node"]["posts"]["edges"]
    author, cursor = edges[0]["node"]["author"]["id"], edges[5]["cursor"]
    for wanted in (
        {},
        {"after": cursor},
        {"order": "HOT"},
        {"kinds": ["TALK"]},
        {"kinds": ["TALK", "FOUND"]},
        {"kinds": ["TALK"], "order": "HOT"},
        {"kinds": ["TALK", "LOST"], "states": ["OPEN"], "after": cursor},
        {"estate": global_id("Estate", street.estate.id)},
        {"author": author},
        {"inGroups": True},
        {"inGroups": True, "order": "HOT"},
    ):
        async with recorded() as statements:
            await street.run(FEED, id=street.id, first=10, **wanted)
        assert len(statements) > 5
        for statement in statements:
            if "FROM post t" not in statement.text and "comment t" not in statement.text:
                continue
            found = await plan(statement)
            assert "SCAN post" not in found, f"{statement.text}\n{found}"
            assert "SCAN comment" not in found, f"{statement.text}\n{found}"
            assert "Seq Scan" not in found, f"{statement.text}\n{found}"
            page = "wall_id = " in statement.text or "community_id = " in statement.text
            page &= "pinned_at >" not in statement.text
            if page and dialect() == "sqlite":
                # The index has the order too: what is not on the page is not read.
                assert "TEMP B-TREE" not in found, f"{statement.text}\n{found}"
