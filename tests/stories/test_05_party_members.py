"""Story 5, the members' half: lessons with completion, an opinion that is answered, nothing for others."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.base import now
from models.identity import AccountRow, neighbour_key
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.client import App, Refused
from tests.neighbourhood import Neighbourhood
from tests.stories.branch import (
    ANSWER,
    APPLY,
    APPROVE,
    ASSIGN,
    CHECK,
    END,
    EVENTS,
    FINISH,
    LESSON,
    LISTS,
    MERGED,
    MINE,
    PUBLISH,
    QUIZ,
    RECORD,
    SUBMIT,
)

pytestmark = pytest.mark.anyio

ITEMS = [
    {"kind": "TEXT", "title": "导读", "body": "# 不忘初心"},
    {"kind": "VIDEO", "title": "视频", "url": "https://www.12371.cn/lesson", "required": False},
    {
        "kind": "QUIZ",
        "title": "测验",
        "questions": [
            {
                "text": "党的根本宗旨是什么?",
                "options": [
                    {"text": "全心全意为人民服务", "correct": True},
                    {"text": "别的", "correct": False},
                ],
            }
        ],
    },
]


AUDIT = """query ($id: ID!) { node(id: $id) { ... on Community {
  auditHead { hash } auditLog(first: 50) { edges { cursor node { number action } } } } } }"""
BRANCH_AUDIT = """query ($id: ID!) { node(id: $id) { ... on Organisation {
  auditLog(first: 50) { edges { node { number } } } } } }"""


class Town:
    """A community with a party branch, and people's apps."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.accounts: dict[str, AccountRow] = {}
        self.apps: dict[str, App] = {}

    async def settle(self) -> "Town":
        world = self.neighbourhood.world
        community = await world.community()
        building = await world.building(await world.estate(community))
        branch = await world.organisation(community, OrganisationKind.PARTY_BRANCH)
        committee = await world.organisation(community)
        self.accounts = {
            "secretary": await world.officer(branch, Role.ADMIN, name="钱书记"),
            "officer": await world.officer(branch, name="组织干事"),
            "manager": await world.officer(committee, Role.ADMIN, name="王主任"),
            **{
                name: await world.resident(await world.home(building), name=name)
                for name in ("老马", "郑师傅", "小雨")
            },
        }
        self.apps = {name: await self.neighbourhood.app(account) for name, account in self.accounts.items()}
        self.community = global_id("Community", community.id)
        self.branch = global_id("Organisation", branch.id)
        self.face = {
            name: global_id("Neighbour", neighbour_key(community.id, account.id))
            for name, account in self.accounts.items()
        }
        return self

    async def done(self, by: str, mutation: str, **input: Any) -> dict[str, Any]:
        result = await self.apps[by].act(mutation, input=input)
        assert result["__typename"].endswith("Payload"), result
        return result

    async def enter(self, *names: str) -> None:
        """Apply to the branch, and be taken in."""
        for name in names:
            made = await self.done(
                name, APPLY, branchId=self.branch, statement="2009年入党", idempotencyKey="apply"
            )
            await self.done("secretary", APPROVE, applicationId=made["application"]["id"], version=1)

    async def teach(self) -> dict[str, Any]:
        """A lesson for the members, published."""
        draft = {"title": "主题党日", "audience": "MEMBERS", "items": ITEMS}
        made = await self.done("officer", LESSON, branchId=self.branch, draft=draft, idempotencyKey="lesson")
        lesson: dict[str, Any] = made["lesson"]
        await self.done("officer", PUBLISH, lessonId=lesson["id"], version=1)
        return lesson


@pytest.fixture
async def town(neighbourhood: Neighbourhood) -> Town:
    return await Town(neighbourhood).settle()


async def test_the_committee_learns_nothing_from_its_audit_log(town: Town) -> None:
    async def committee_sees() -> Any:
        return await town.apps["manager"].run(AUDIT, id=town.community)

    before = await committee_sees()
    await town.enter("老马", "郑师傅")
    await town.teach()
    assert await committee_sees() == before
    with pytest.raises(Refused) as refused:
        await town.apps["manager"].run(BRANCH_AUDIT, id=town.branch)
    assert refused.value.codes == ["NOT_ALLOWED"]
    found = (await town.apps["secretary"].run(BRANCH_AUDIT, id=town.branch))["node"]["auditLog"]["edges"]
    assert [edge["node"]["number"] for edge in found] == [4, 3, 2, 1]


async def test_a_lesson_with_completion_and_a_certificate(town: Town) -> None:
    await town.enter("老马", "郑师傅")
    async with town.apps["老马"].following(EVENTS, id=town.branch) as stream:
        lesson = await town.teach()
        assert (await stream.next("PartyLessonPublished"))["lesson"]["title"] == "主题党日"
        text, _, quiz = lesson["items"]
        await town.done("老马", FINISH, itemId=text["id"])
        answers = {"itemId": quiz["id"], "revision": quiz["revision"]}
        tried = await town.done("老马", QUIZ, **answers, answers=[[2]], idempotencyKey="first")
        assert (tried["attempt"]["passed"], tried["item"]["answerKey"]) == (False, None)
        passed = await town.done("老马", QUIZ, **answers, answers=[[1]], idempotencyKey="second")
        assert (passed["attempt"]["passed"], passed["item"]["answerKey"]) == (True, [[1]])
        number = (await stream.next("PartyLessonCompleted"))["completion"]["number"]
    # Anybody checks it; nobody learns whose it is.
    stranger = App(town.apps["老马"].server)
    assert (await stranger.run(CHECK, number=number))["partyCertificate"] == {
        "lesson": "主题党日",
        "holder": None,
    }
    found = (await town.apps["secretary"].run(RECORD, id=lesson["id"]))["node"]
    assert found["record"] == {"finished": 1, "members": 2, "membersFinished": 1}
    (finished,) = found["completions"]["edges"]
    assert finished["node"]["holder"] == {"displayName": "老马"}
    assert (await town.apps["郑师傅"].run(RECORD, id=lesson["id"]))["node"]["record"] is None


async def test_an_opinion_gets_a_numbered_dated_published_answer_live(town: Town) -> None:
    await town.enter("老马", "郑师傅")
    said = {
        "topic": "ENVIRONMENT",
        "title": "楼道堆物",
        "body": "请清理3号楼楼道",
        "idempotencyKey": "opinion",
    }
    async with (
        town.apps["老马"].following(MERGED, id=town.community) as own,
        town.apps["郑师傅"].following(EVENTS, id=town.branch) as branch,
    ):
        made = await town.done("老马", SUBMIT, branchId=town.branch, **said)
        opinion = made["opinionEdge"]["node"]
        year = datetime.fromisoformat(opinion["createdAt"]).year
        assert opinion["number"] in (f"{year}-0001", f"{year + 1}-0001")
        opinion = await assign(town, opinion)
        given = {"opinionId": opinion["id"], "version": opinion["version"], "answer": "周五前清理完毕"}
        answered = await town.done("officer", ANSWER, **given, published="MEMBERS")
        for stream in (own, branch):
            told = (await stream.next("PartyOpinionAnswered"))["opinion"]
            assert told == {"number": opinion["number"], "answer": "周五前清理完毕", "state": "ANSWERED"}
    assert answered["opinion"]["answeredAt"]
    # What came before the answer the other member did not hear of; a second opinion is the second.
    second = await town.done("郑师傅", SUBMIT, branchId=town.branch, **{**said, "idempotencyKey": "second"})
    assert second["opinionEdge"]["node"]["number"].endswith("-0002")
    again = await town.apps["officer"].act(ANSWER, input={**given, "published": "MEMBERS"})
    assert again["__typename"] == "Conflict"


async def assign(town: Town, opinion: dict[str, Any]) -> dict[str, Any]:
    due = (now() + timedelta(days=7)).isoformat()
    given = {"opinionId": opinion["id"], "version": opinion["version"], "dueAt": due}
    refused = await town.apps["officer"].act(ASSIGN, input={**given, "assigneeId": town.face["officer"]})
    assert refused["__typename"] == "NotAllowed"
    made = await town.done("secretary", ASSIGN, **given, assigneeId=town.face["officer"])
    found: dict[str, Any] = made["opinion"]
    return found


async def test_others_get_an_error_and_learn_nothing(town: Town) -> None:
    await town.enter("老马")
    lesson = await town.teach()
    for name in ("小雨", "manager"):
        with pytest.raises(Refused) as refused:
            async with town.apps[name].following(EVENTS, id=town.branch):
                pass
        assert refused.value.codes == ["NOT_ALLOWED"]
        found = (await town.apps[name].run(LISTS, id=town.branch))["node"]
        assert [found[each]["edges"] for each in found] == [[], [], [], []]
        tried = await town.apps[name].act(FINISH, input={"itemId": lesson["items"][0]["id"]})
        assert tried["__typename"] == "NotFound"
    found = (await town.apps["老马"].run(LISTS, id=town.branch))["node"]
    assert [len(found[each]["edges"]) for each in found] == [1, 1, 0, 0]


async def test_when_a_membership_ends_so_does_what_is_open(town: Town) -> None:
    await town.enter("老马", "郑师傅")
    (mine,) = (await town.apps["老马"].run(MINE))["viewer"]["partyMemberships"]
    async with (
        town.apps["老马"].following(EVENTS, id=town.branch) as leaving,
        town.apps["郑师傅"].following(EVENTS, id=town.branch) as staying,
    ):
        end = {"memberId": mine["id"], "version": mine["version"], "reason": "组织关系转出"}
        await town.done("secretary", END, **end)
        with pytest.raises(Refused) as ended:
            await leaving.next()
        assert ended.value.codes in (["NOT_ALLOWED"], ["NOT_FOUND"])
        lesson = await town.teach()
        assert (await staying.next("PartyLessonPublished"))["lesson"]["title"] == "主题党日"
    tried = await town.apps["老马"].act(FINISH, input={"itemId": lesson["items"][0]["id"]})
    assert tried["__typename"] == "NotFound"
