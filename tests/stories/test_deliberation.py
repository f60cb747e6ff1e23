"""小区议事, a whole one: from a resident's complaint to the result that residents verify."""

from typing import Any

import pytest

from models.roles import OrganisationKind
from schema.node import global_id
from tests.client import App, Refused, Stream
from tests.neighbourhood import Neighbourhood
from tests.stories.deliberating import ACCEPT, ADD, CHECK, MOVE, PROPOSE, PUBLISH, SAY, STATE, VOTE
from tests.wire import COMMENT, POST

pytestmark = pytest.mark.anyio

FOLLOW = """subscription Follow($id: ID!) { deliberationEvents(deliberationId: $id) { cursor event {
  __typename
  ... on DeliberationStepped { step { action toPhase itemState } deliberation { phase version } }
  ... on StatementAdded { statement { number body voteCount } }
  ... on DeliberationParticipationChanged { deliberation { participantCount voteCount statementCount } }
  ... on OpinionMapChanged { opinionMap { version participantCount groups { size representative { stance } }
      consensus { statement { body } } points { x y group } } }
  ... on ExecutionItemChecked { item { state confirmedCount } } } } }"""
COMMENTS = """subscription Comments($id: ID!) { commentEvents(subjectId: $id) { cursor event { __typename
  ... on CommentAdded { comment { body } subject { id commentCount } } } } }"""
NEXT = """query Next($id: ID!) { node(id: $id) { ... on Deliberation { viewerCanVote
  nextStatements(first: 10) { edges { node { id number body } } }
  opinionMap { viewerPoint { x y group } } } } }"""
TIMELINE = """query Timeline($id: ID!) { node(id: $id) { ... on Deliberation { timeline(first: 50) {
  edges { node { kind subject { __typename
    ... on Post { body } ... on DeliberationStep { action } } } } } } } }"""
CASE = """query Case($id: ID!) { node(id: $id) { ... on Post { deliberations(first: 5) { edges { node {
  id outcome { body citations { statement { body } tally { agree disagree } } } } } } } } }"""
INBOX = """query { viewer { notifications(first: 50) { edges { node { kind
  subject { ... on DeliberationStep { action toPhase } } } } } } }"""
NODE = "query Any($id: ID!) { node(id: $id) { __typename } }"

STATEMENTS = [
    "遛狗一律要牵绳",
    "小区里不应该养大型犬",
    "草坪要给狗留一块地方",
    "捡狗屎是主人的责任",
]


async def test_a_complaint_becomes_a_result_that_neighbours_verify(neighbourhood: Neighbourhood) -> None:
    world = neighbourhood.world
    community = await world.community("屯乐苑社区")
    building = await world.building(await world.estate(community, "屯乐苑"))
    committee = await world.organisation(community, name="居委会")
    company = await world.organisation(community, OrganisationKind.PROPERTY_COMPANY, "物业")
    clerk = await neighbourhood.app(await world.officer(committee))
    manager = await neighbourhood.app(await world.officer(company))
    people = [await world.resident(await world.home(building)) for _ in range(8)]
    apps = [await neighbourhood.app(person) for person in people]
    mei, *others = apps
    stranger = await neighbourhood.app(await world.neighbour(await world.community()))

    posted = await mei.act(
        POST,
        input={
            "communityId": global_id("Community", community.id),
            "kind": "COMPLAINT",
            "body": "草坪上到处是狗屎",
            "idempotencyKey": "dogs",
        },
    )
    post = posted["postEdge"]["node"]["id"]
    topic = await proposed(mei, clerk, others[0], global_id("Organisation", committee.id), post)

    async with others[0].following(FOLLOW, id=topic) as live:
        await talked_of(mei, others[0], topic)
        ids = await voted(clerk, apps, live, topic)
        with pytest.raises(Refused):
            async with stranger.following(FOLLOW, id=topic):
                pass
        assert await stranger.run(NODE, id=ids[0]) == {"node": None}
        await concluded(clerk, mei, live, topic, post, ids)
        await carried_out(clerk, manager, apps, live, topic, global_id("Organisation", company.id))

    found = await mei.run(TIMELINE, id=topic)
    told = [edge["node"]["subject"] for edge in found["node"]["timeline"]["edges"]]
    assert told[0] == {"__typename": "Post", "body": "草坪上到处是狗屎"}
    assert [step["action"] for step in told[1:]] == [
        "PROPOSED",
        "CONVENED",
        "MOVED",
        "MOVED",
        "OUTCOME_PUBLISHED",
        "EXECUTION_ADDED",
        "EXECUTION_CHANGED",
        "EXECUTION_VERIFIED",
    ]


async def proposed(mei: App, clerk: App, other: App, committee: str, post: str) -> str:
    """She proposes to talk of it; nobody sees it before the committee accepts."""
    made = await mei.act(
        PROPOSE,
        input={
            "organisationId": committee,
            "title": "小区里怎么养狗",
            "body": "养狗的和不养狗的都说说",
            "postId": post,
            "idempotencyKey": "topic",
        },
    )
    node = made["deliberationEdge"]["node"]
    topic: str = node["id"]
    assert node["phase"] == "PROPOSED"
    assert await other.run(NODE, id=topic) == {"node": None}
    refused = await mei.act(ACCEPT, input={"deliberationId": topic, "version": 1})
    assert refused["__typename"] == "NotAllowed"
    accepted = await clerk.act(ACCEPT, input={"deliberationId": topic, "version": 1})
    assert accepted["deliberation"] == {"id": topic, "phase": "GATHERING", "version": 2}
    return topic


async def talked_of(mei: App, other: App, topic: str) -> None:
    """Comments arrive live, as everywhere."""
    async with other.following(COMMENTS, id=topic) as comments:
        await mei.act(COMMENT, input={"subjectId": topic, "body": "我支持养狗", "idempotencyKey": "c"})
        assert await comments.next() == {
            "__typename": "CommentAdded",
            "comment": {"body": "我支持养狗"},
            "subject": {"id": topic, "commentCount": 1},
        }


async def moved(clerk: App, topic: str, phase: str, version: int) -> int:
    done = await clerk.act(MOVE, input={"deliberationId": topic, "phase": phase, "version": version})
    assert done["deliberation"]["phase"] == phase
    after: int = done["deliberation"]["version"]
    return after


async def voted(clerk: App, apps: list[App], live: Stream, topic: str) -> list[str]:
    """They make statements and vote; two groups appear, and what both share. The statements' ids."""
    ids = []
    for number, body in enumerate(STATEMENTS):
        said = await apps[number].act(
            SAY, input={"deliberationId": topic, "body": body, "idempotencyKey": "said"}
        )
        ids.append(said["statementEdge"]["node"]["id"])
        added = (await live.next("StatementAdded"))["statement"]
        assert added == {"number": number + 1, "body": body, "voteCount": 0}
    again = await apps[5].act(
        SAY, input={"deliberationId": topic, "body": "遛狗,一律要牵绳!", "idempotencyKey": "again"}
    )
    assert (again["__typename"], again["current"]) == ("Conflict", {"id": ids[0]})
    early = await apps[0].act(VOTE, input={"statementId": ids[0], "choice": "AGREE"})
    assert early["code"] == "NOT_ALLOWED"

    await moved(clerk, topic, "STATEMENTS", 2)
    assert (await live.next("DeliberationStepped"))["step"]["toPhase"] == "STATEMENTS"
    done: dict[str, Any] = {}
    for place, app in enumerate(apps):
        todo = (await app.run(NEXT, id=topic))["node"]
        assert todo["viewerCanVote"] is True
        assert {edge["node"]["id"] for edge in todo["nextStatements"]["edges"]} == set(ids)
        for number, statement in enumerate(ids):
            # The dogs' friends and the others: both want leads and clean lawns.
            loves = place < 4
            choice = "AGREE" if number in (0, 3) or (number == 2) == loves else "DISAGREE"
            done = await app.act(VOTE, input={"statementId": statement, "choice": choice})
            assert done["statement"]["viewerVote"] == choice
        assert done["deliberation"] == {"participantCount": place + 1, "viewerStatementsLeft": 0}
    # The officer of the committee lives elsewhere.
    assert (await clerk.act(VOTE, input={"statementId": ids[0], "choice": "AGREE"}))["code"] == "NOT_ALLOWED"

    found: dict[str, Any] = {"participantCount": 0}
    while found["participantCount"] < 8:
        found = (await live.next("OpinionMapChanged"))["opinionMap"] or found
    assert [group["size"] for group in found["groups"]] == [4, 4]
    assert all(group["representative"] for group in found["groups"])
    assert {item["statement"]["body"] for item in found["consensus"]} == {STATEMENTS[0], STATEMENTS[3]}
    assert len(found["points"]) == 8
    mine = (await apps[0].run(NEXT, id=topic))["node"]["opinionMap"]["viewerPoint"]
    assert mine in found["points"]
    return ids


async def concluded(clerk: App, mei: App, live: Stream, topic: str, post: str, ids: list[str]) -> None:
    """The committee writes what comes of it; whoever took part is told, and the complaint leads to it."""
    version = await moved(clerk, topic, "OUTCOME", 3)
    late = await mei.act(VOTE, input={"statementId": ids[0], "choice": "PASS"})
    assert late["code"] == "NOT_ALLOWED"
    outcome = {"deliberationId": topic, "body": "牵绳、捡屎写进公约", "citedStatementIds": [ids[0], ids[3]]}
    refused = await mei.act(PUBLISH, input={**outcome, "version": 0})
    assert refused["code"] == "NOT_ALLOWED"
    done = await clerk.act(PUBLISH, input={**outcome, "version": 0})
    assert done["deliberation"]["version"] == version + 1
    while (await live.next("DeliberationStepped"))["step"]["action"] != "OUTCOME_PUBLISHED":
        pass
    case = (await mei.run(CASE, id=post))["node"]["deliberations"]["edges"][0]["node"]
    assert case["id"] == topic
    assert case["outcome"]["citations"] == [
        {"statement": {"body": STATEMENTS[0]}, "tally": {"agree": 8, "disagree": 0}},
        {"statement": {"body": STATEMENTS[3]}, "tally": {"agree": 8, "disagree": 0}},
    ]
    inbox = (await mei.run(INBOX))["viewer"]["notifications"]["edges"]
    actions = [edge["node"]["subject"]["action"] for edge in inbox if edge["node"]["kind"] == "DELIBERATION"]
    assert actions == ["OUTCOME_PUBLISHED", "MOVED", "MOVED", "CONVENED"]


async def carried_out(
    clerk: App, manager: App, apps: list[App], live: Stream, topic: str, company: str
) -> None:
    """The property company says it is done, and three residents find it so."""
    added = await clerk.act(
        ADD,
        input={
            "deliberationId": topic,
            "title": "装狗厕所和提示牌",
            "organisationId": company,
            "idempotencyKey": "item",
        },
    )
    item = added["item"]["id"]
    early = await apps[0].act(CHECK, input={"executionItemId": item, "confirmed": True})
    assert early["code"] == "NOT_ALLOWED"
    done = await manager.act(
        STATE, input={"executionItemId": item, "state": "DONE", "version": 1, "note": "三号楼后面，已装好"}
    )
    assert done["item"]["state"] == "DONE"
    checked: dict[str, Any] = {}
    for number in range(3):
        checked = await apps[number].act(CHECK, input={"executionItemId": item, "confirmed": True})
        assert checked["item"]["confirmedCount"] == number + 1
    assert checked["item"]["state"] == "VERIFIED"
    while (await live.next("DeliberationStepped"))["step"]["itemState"] != "VERIFIED":
        pass
