"""The closed group: members get its posts live, whoever is outside never hears of it, and leaving ends it."""

from typing import Any

import pytest

from models.identity import AccountRow, CommunityRow, neighbour_key
from schema.node import global_id
from tests.client import App, Refused, Stream
from tests.neighbourhood import Neighbourhood
from tests.stories import groups
from tests.wire import COMMENT, POST, POSTS

pytestmark = pytest.mark.anyio

READ = """query Read($id: ID!) { node(id: $id) { __typename ... on Group {
  name memberCount postCount viewerCanRead viewerMembership { role }
  members(first: 10) { edges { node { role neighbour { displayName } } } }
  joinRequests(first: 10, status: PENDING) { edges { node { id answers { question answer } } } }
  posts(first: 10) { edges { node { id body audience group { id } } } } } } }"""
LISTED = """query Listed($id: ID!) { node(id: $id) { ... on Community {
  groups(first: 10, name: "太极") { edges { node { id } } } suggestedGroups { id }
  posts(first: 10) { edges { node { id } } }
  everything: posts(first: 10, inGroups: true) { edges { node { id } } }
  search(words: "剑谱", first: 10) { edges { node { subject { ... on Post { id } } } } } } }
  viewer { groups(first: 10) { edges { node { group { id } } } } groupInvitations { id group { name } } } }"""
NODE = "query Any($id: ID!) { node(id: $id) { __typename } }"
MERGED = """subscription Merged($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on PostCreated { post { id body group { name } } }
  ... on CommentAdded { comment { body } }
  ... on NotificationAdded { notification { kind subject { __typename ... on GroupStep { action reason } } } }
} } }"""
NOBODYS: dict[str, Any] = {
    "groups": {"edges": []},
    "suggestedGroups": [],
    "posts": {"edges": []},
    "everything": {"edges": []},
    "search": {"edges": []},
}


class Street:
    """A community, and what is asked about it."""

    def __init__(self, community: CommunityRow) -> None:
        self.community = community
        self.id = global_id("Community", community.id)

    def face(self, account: AccountRow) -> str:
        return global_id("Neighbour", neighbour_key(self.community.id, account.id))

    def post(self, body: str, group: str | None = None) -> dict[str, Any]:
        of = {"communityId": self.id, "groupId": group, "kind": "TALK"}
        return {**of, "body": body, "idempotencyKey": body}


async def test_a_closed_group_keeps_to_itself(neighbourhood: Neighbourhood) -> None:
    world = neighbourhood.world
    community = await world.community("屯乐苑社区")
    building = await world.building(await world.estate(community, "屯乐苑"))
    people = [await world.resident(await world.home(building)) for _ in range(3)]
    officer = await world.officer(await world.organisation(community))
    master, pupil, outsider = [await neighbourhood.app(person) for person in people]
    clerk = await neighbourhood.app(officer)
    stranger = await neighbourhood.app(await world.neighbour(await world.community()))
    street = Street(community)

    made = await master.act(
        groups.FOUND,
        input={
            "communityId": street.id,
            "name": "太极剑",
            "description": "只收徒弟",
            "access": "CLOSED",
            "idempotencyKey": "sword",
        },
    )
    group = made["group"]["id"]
    assert made["group"]["viewerMembership"] == {"role": "OWNER", "alerts": "REPLIES"}
    await invited(master, pupil, street, group, street.face(people[1]))

    async with (
        pupil.following(groups.FOLLOW, id=group) as inside,
        pupil.following(MERGED, id=street.id) as phone,
        outsider.following(MERGED, id=street.id) as outside,
        outsider.following(POSTS, community=street.id) as feed,
    ):
        posted = await master.act(POST, input=street.post("剑谱第一式", group))
        post = posted["postEdge"]["node"]["id"]
        got = (await inside.next("PostCreated"))["post"]
        assert (got["id"], got["body"], got["audience"]) == (post, "剑谱第一式", "MEMBERS")
        assert got["group"] == {"id": group, "name": "太极剑"}
        assert (await phone.next("PostCreated"))["post"]["group"] == {"name": "太极剑"}
        said = {"subjectId": post, "body": "师父好剑", "idempotencyKey": "praise"}
        assert (await pupil.act(COMMENT, input=said))["__typename"] == "AddCommentPayload"
        assert (await phone.next("CommentAdded"))["comment"]["body"] == "师父好剑"

        seen = (await pupil.run(READ, id=group))["node"]
        assert (seen["memberCount"], seen["postCount"], seen["joinRequests"]) == (2, 1, None)
        assert len(seen["members"]["edges"]) == 2
        for app in (outsider, clerk, stranger):
            await check_nothing_known(app, street, group, post)
        found = (await pupil.run(LISTED, id=street.id))["node"]
        hits = [edge["node"]["subject"]["id"] for edge in found["search"]["edges"]]
        assert (hits, found["posts"]["edges"]) == ([post], [])
        assert [edge["node"]["id"] for edge in found["everything"]["edges"]] == [post]

        left = await pupil.act(groups.LEAVE, input={"groupId": group})
        assert left["group"] is None
        await master.act(POST, input=street.post("剑谱第二式", group))
        await check_ended(inside, "第二式")
        await check_nothing_known(pupil, street, group, post)
        # What is for all comes next, to those who have left and to those who never were in.
        await master.act(POST, input=street.post("今天练早了"))
        for stream in (phone, outside, feed):
            assert (await stream.next("PostCreated"))["post"]["body"] == "今天练早了"


async def invited(master: App, pupil: App, street: Street, group: str, face: str) -> None:
    """Only who is asked hears of it, and comes in."""
    assert (await pupil.run(LISTED, id=street.id))["viewer"]["groupInvitations"] == []
    early = await pupil.act(groups.JOIN, input={"groupId": group})
    assert early["__typename"] == "NotFound"
    asked = await master.act(groups.INVITE, input={"groupId": group, "neighbourId": face})
    (invitation,) = (await pupil.run(LISTED, id=street.id))["viewer"]["groupInvitations"]
    assert invitation == {"id": asked["invitation"]["id"], "group": {"name": "太极剑"}}
    answer = {"groupInvitationId": invitation["id"], "accept": True}
    answered = await pupil.act(groups.ANSWER, input=answer)
    assert answered["invitation"]["group"] == {"id": group, "name": "太极剑"}


async def check_nothing_known(app: App, street: Street, group: str, post: str) -> None:
    """Not by list, count, suggestion, search, node id or stream."""
    found = await app.run(LISTED, id=street.id)
    assert found["node"] in (NOBODYS, None, {})
    assert found["viewer"] == {"groups": {"edges": []}, "groupInvitations": []}
    for id in (group, post):
        assert await app.run(NODE, id=id) == {"node": None}
    for mutation, input in (
        (groups.JOIN, {"groupId": group}),
        (groups.LEAVE, {"groupId": group}),
        (POST, street.post("我也要", group)),
        (COMMENT, {"subjectId": post, "body": "我也要", "idempotencyKey": "me"}),
    ):
        assert (await app.act(mutation, input=input))["__typename"] == "NotFound"
    with pytest.raises(Refused) as refused:
        async with app.following(groups.FOLLOW, id=group):
            pass
    assert refused.value.codes == ["NOT_FOUND"]


async def check_ended(stream: Stream, never: str) -> None:
    """The server ends the stream with an error, before anything that is no longer for this viewer."""
    events: list[dict[str, Any]] = []
    with pytest.raises(Refused) as ended:
        await drain(stream, events)
    assert ended.value.codes == ["NOT_ALLOWED"]
    assert never not in str(events)


async def drain(stream: Stream, events: list[dict[str, Any]]) -> None:
    while True:
        events.append(await stream.next())


async def test_a_group_by_approval_lets_people_in_and_out(neighbourhood: Neighbourhood) -> None:
    world = neighbourhood.world
    community = await world.community("丰盛园社区")
    building = await world.building(await world.estate(community, "丰盛园"))
    people = [await world.resident(await world.home(building)) for _ in range(2)]
    owner, neighbour = [await neighbourhood.app(person) for person in people]
    street = Street(community)
    made = await owner.act(
        groups.FOUND,
        input={
            "communityId": street.id,
            "name": "羽毛球",
            "description": "每周六打球",
            "access": "APPROVAL",
            "rules": "守时",
            "questions": ["打几年了?"],
            "idempotencyKey": "shuttle",
        },
    )
    group = made["group"]["id"]
    posted = await owner.act(POST, input=street.post("周六九点体育馆", group))
    post = posted["postEdge"]["node"]["id"]
    seen = (await neighbour.run(READ, id=group))["node"]
    assert (seen["name"], seen["viewerCanRead"], seen["members"]) == ("羽毛球", False, None)
    assert seen["posts"]["edges"] == []
    assert await neighbour.run(NODE, id=post) == {"node": None}
    with pytest.raises(Refused) as refused:
        async with neighbour.following(groups.FOLLOW, id=group):
            pass
    assert refused.value.codes == ["NOT_ALLOWED"]

    async with (
        owner.following(groups.FOLLOW, id=group) as desk,
        neighbour.following(MERGED, id=street.id) as phone,
    ):
        asked = await neighbour.act(groups.JOIN, input={"groupId": group, "answers": ["三年"]})
        request = asked["joinRequest"]["id"]
        assert (await desk.next("JoinRequestChanged"))["joinRequest"] == {"id": request, "status": "PENDING"}
        (waiting,) = (await owner.run(READ, id=group))["node"]["joinRequests"]["edges"]
        assert waiting["node"]["answers"] == [{"question": "打几年了?", "answer": "三年"}]
        decided = await owner.act(groups.DECIDE, input={"joinRequestId": request, "accept": True})
        assert decided["joinRequest"]["status"] == "ACCEPTED"
        told = await phone.next("NotificationAdded")
        assert told["notification"]["subject"] == {"__typename": "JoinRequest"}
        # From here on the same phone gets what is posted there.
        await owner.act(POST, input=street.post("带两只球", group))
        assert (await phone.next("PostCreated"))["post"]["body"] == "带两只球"

        async with neighbour.following(groups.FOLLOW, id=group) as inside:
            removal = {"groupId": group, "neighbourId": street.face(people[1]), "reason": "总不来"}
            assert (await owner.act(groups.REMOVE, input=removal))["group"] == {"memberCount": 1}
            await owner.act(POST, input=street.post("悄悄话", group))
            await check_ended(inside, "悄悄话")
        told = await phone.next("NotificationAdded")
        step = {"__typename": "GroupStep", "action": "REMOVED", "reason": "总不来"}
        assert told["notification"] == {"kind": "GROUP_STEP", "subject": step}
    assert (await neighbour.run(READ, id=group))["node"]["posts"]["edges"] == []
