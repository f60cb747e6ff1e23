"""Story 2, the dogs: a complaint, its comments, and the office's steps in one thread that all watch live."""

import pytest

from tests.neighbourhood import Neighbourhood
from tests.stories.requests import CASE, OPEN_FROM_POST, STEP, done, street_in
from tests.wire import COMMENT, POST

pytestmark = pytest.mark.anyio

THREAD = (
    """subscription Thread($subject: ID!, $after: String) {
  commentEvents(subjectId: $subject, after: $after) { cursor event { __typename
    ... on CommentAdded { comment { body author { displayName } } }
    ... on RequestStepAdded { step { ...Step } request { ...Case } } } } }"""
    + CASE
    + STEP
)
READ = (
    """query Read($id: ID!) { node(id: $id) { ... on Post { state
  comments(first: 10) { edges { node { body } } }
  request { ...Case reporter { displayName } post { id }
    steps(first: 20) { edges { node { ...Step } } } } } } }"""
    + CASE
    + STEP
)


async def test_the_dogs(neighbourhood: Neighbourhood) -> None:
    street = await street_in(neighbourhood)
    apps = street.apps
    posted = await apps["resident"].act(
        POST,
        input={
            "communityId": street.id,
            "kind": "COMPLAINT",
            "body": "有人遛狗不拴绳, 孩子不敢下楼",
            "idempotencyKey": "dogs",
        },
    )
    post = posted["postEdge"]["node"]["id"]
    watching = ["resident", "neighbour", "third"]
    async with (
        apps["resident"].following(THREAD, subject=post) as first,
        apps["neighbour"].following(THREAD, subject=post) as second,
        apps["third"].following(THREAD, subject=post) as third,
    ):
        streams = dict(zip(watching, [first, second, third], strict=True))

        async def seen(kind: str) -> dict[str, object]:
            """The next event, which is the same for all three."""
            events = [await stream.next() for stream in streams.values()]
            assert events[0] == events[1] == events[2]
            assert events[0]["__typename"] == kind, events[0]
            return events[0]

        for name, body in (("neighbour", "我也被吓到过"), ("third", "晚上八点最多")):
            result = await apps[name].act(
                COMMENT, input={"subjectId": post, "body": body, "idempotencyKey": body}
            )
            assert result["__typename"] == "AddCommentPayload", result
            added = await seen("CommentAdded")
            assert added["comment"] == {
                "body": body,
                "author": {"displayName": street.accounts[name].display_name},
            }

        # Neighbours cannot make a case of it; the property company can, once.
        opening = {"postId": post, "category": "SAFETY", "title": "遛狗不拴绳"}
        refused = await apps["third"].act(OPEN_FROM_POST, input={**opening, "idempotencyKey": "no"})
        assert refused["__typename"] == "NotAllowed"
        opened = await apps["clerk"].act(OPEN_FROM_POST, input={**opening, "idempotencyKey": "open"})
        assert opened["__typename"] == "OpenRequestPayload", opened
        request = opened["requestEdge"]["node"]
        again = await apps["manager"].act(OPEN_FROM_POST, input={**opening, "idempotencyKey": "again"})
        assert (again["__typename"], again["current"]["id"]) == ("Conflict", request["id"])
        step = (await seen("RequestStepAdded"))["step"]
        assert isinstance(step, dict)
        assert (step["action"], step["party"], step["office"]["name"]) == (
            "SUBMIT",
            "OFFICE",
            street.company.name,
        )

        # Each step of the office, and the complainant's answer, is an event of the thread.
        for by, name, more, expected in (
            ("clerk", "acceptRequest", {"note": "已安排巡逻"}, "ACCEPTED"),
            ("mechanic", "recordRequestVisit", {"note": "已劝导两户, 立了提示牌"}, "IN_PROGRESS"),
            ("clerk", "finishRequest", {"note": "每晚八点巡逻"}, "DONE"),
            ("resident", "confirmRequest", {}, "CONFIRMED"),
        ):
            request = await done(apps[by], name, request, **more)
            event = await seen("RequestStepAdded")
            step, told = event["step"], event["request"]
            assert isinstance(step, dict)
            assert (step["toState"], step["note"]) == (expected, more.get("note") if more else None)
            assert told == request

        # Comments go on below.
        await apps["third"].act(
            COMMENT, input={"subjectId": post, "body": "好多了", "idempotencyKey": "thanks"}
        )
        assert await seen("CommentAdded")

    for name in watching:
        found = (await apps[name].run(READ, id=post))["node"]
        assert found["state"] == "RESOLVED"
        assert found["request"]["state"] == "CONFIRMED"
        assert found["request"]["post"] == {"id": post}
        assert (found["request"]["reporter"] is None) == (name != "resident")
        actions = [edge["node"]["action"] for edge in found["request"]["steps"]["edges"]]
        assert actions == ["SUBMIT", "ACCEPT", "VISIT", "FINISH", "CONFIRM"]
        assert len(found["comments"]["edges"]) == 3
    # A phone that was away gets comments and steps in their order.
    async with apps["third"].following(THREAD, subject=post, after=second.opening["cursor"]) as stream:
        kinds = [(await stream.next())["__typename"] for _ in range(8)]
        assert kinds == [*["CommentAdded"] * 2, *["RequestStepAdded"] * 5, "CommentAdded"]
