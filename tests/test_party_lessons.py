"""Lessons of a party branch: written, learnt, graded, completed; and seen by whom they are for only."""

import json
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.identity import AccountRow
from models.notifications import NotificationRow
from models.party.lessons import (
    PartyLessonAudience,
    PartyLessonCompletionRow,
    PartyLessonItemKind,
    PartyLessonItemRow,
    PartyLessonProgressRow,
    PartyLessonRow,
    PartyLessonState,
    PartyQuizAttemptRow,
)
from models.party.members import PartyFunction, PartyMemberRow
from resolvers.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.party.lessons import completing, keeping, learning, reading
from resolvers.party.lessons.drafts import ItemDraft, LessonDraft, Option, Question, check_link, check_video
from schema.node import global_id
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Request
from tests.asking import run, sent
from tests.party_scene import Branch, key
from tests.party_scene import branch as branch

K = PartyLessonItemKind
TEXT = ItemDraft(K.TEXT, "导读", body="# 第一课")
VIDEO = ItemDraft(K.VIDEO, "视频", url="https://www.xuexi.cn/lesson", required=False)
QUIZ = ItemDraft(
    K.QUIZ,
    "测验",
    pass_percent=60,
    attempts=2,
    questions=(
        Question("党的宗旨?", False, (Option("全心全意为人民服务", True), Option("别的", False))),
        Question(
            "三会一课有哪些?", True, (Option("党课", True), Option("党员大会", True), Option("庙会", False))
        ),
    ),
)
RIGHT = [[1], [1, 2]]
WRONG = [[2], [1]]
SEE = """query See($id: ID!) { node(id: $id) { ... on PartyLesson { title state
  record { started finished members membersFinished }
  completions(first: 10) { edges { node { number holder { displayName } } } }
  viewerCompletion { number }
  items { id kind title body url required passPercent attempts revision viewerDone answerKey
    questions { number text multiple options } viewerAttempts { number score total passed
    results { number chosen right } } } } } }"""
LIST = """query List($id: ID!) { node(id: $id) { ... on Organisation {
  partyLessons(first: 10) { edges { node { title state } } } } } }"""
CHECK = "query Check($number: String!) { partyCertificate(number: $number) { number lesson branch holder } }"
FOLLOW = """subscription Follow($id: ID!) { partyMemberEvents(branchId: $id) { cursor event { __typename
  ... on PartyLessonPublished { lesson { title items { title questions { text } } } }
  ... on PartyLessonChanged { lesson { title } } ... on PartyLessonWithdrawn { lessonId } } } }"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename
  ... on PartyLessonPublished { lesson { title } } } } }"""


def draft(
    *items: ItemDraft, audience: PartyLessonAudience = PartyLessonAudience.MEMBERS, title: str = "第一课"
) -> LessonDraft:
    return LessonDraft(title, "", audience, items or (TEXT, VIDEO, QUIZ))


async def written(branch: Branch, *items: ItemDraft, **more: Any) -> PartyLessonRow:
    return await keeping.create(
        await branch.ctx(branch.officer), branch_id=branch.id, draft=draft(*items, **more), key=key()
    )


async def published(branch: Branch, *items: ItemDraft, **more: Any) -> PartyLessonRow:
    lesson = await written(branch, *items, **more)
    return await keeping.publish(await branch.ctx(branch.officer), lesson_id=lesson.id, version=1)


async def items_of(lesson: PartyLessonRow) -> list[UUID]:
    items = await PartyLessonItemRow.filter(lesson_id=lesson.id, removed_at=None).order_by("position")
    return [item.id for item in items]


async def answer(
    branch: Branch, item_id: UUID, answers: list[list[int]], by: AccountRow | None = None
) -> bool:
    _, attempt = await learning.submit(
        await branch.ctx(by or branch.member), item_id=item_id, revision=1, answers=answers, key=key()
    )
    return attempt.passed


async def everything(branch: Branch) -> tuple[object, ...]:
    """All that an attempt may not change."""
    return (
        await PartyLessonRow.all().order_by("id").values(),
        await PartyLessonItemRow.all().order_by("id").values(),
        await PartyLessonProgressRow.all().count(),
        await PartyQuizAttemptRow.all().count(),
        await PartyLessonCompletionRow.all().count(),
        await NotificationRow.all().count(),
        len(await branch.world.events(community_topic(branch.community.id))),
    )


async def titles(branch: Branch, by: AccountRow) -> list[str]:
    found = await branch.run(by, LIST, id=global_id("Organisation", branch.id))
    return [edge["node"]["title"] for edge in found["node"]["partyLessons"]["edges"]]


async def test_a_lesson_is_learnt_from_beginning_to_certificate(branch: Branch) -> None:
    lesson = await published(branch)
    text, _, quiz = await items_of(lesson)
    ctx = await branch.ctx(branch.member)
    await learning.finish(ctx, item_id=text)
    await learning.finish(ctx, item_id=text)
    assert await PartyLessonProgressRow.all().count() == 1
    assert not await answer(branch, quiz, WRONG)
    assert not await PartyLessonCompletionRow.exists()
    assert await answer(branch, quiz, RIGHT)
    (kept,) = await PartyLessonCompletionRow.all()
    found = (await branch.run(branch.member, SEE, id=global_id("PartyLesson", lesson.id)))["node"]
    assert found["viewerCompletion"] == {"number": kept.number}
    assert [item["viewerDone"] for item in found["items"]] == [True, False, True]
    tried = found["items"][2]["viewerAttempts"]
    assert [(each["score"], each["total"], each["passed"]) for each in tried] == [(0, 2, False), (2, 2, True)]
    assert [each["right"] for each in tried[0]["results"]] == [False, False]
    events = await branch.world.events(community_topic(branch.community.id))
    (told,) = [e.event for e in events if e.event.kind is Kind.PARTY_LESSON_COMPLETED]
    assert told.audience == {branch.member.id}
    # The rest of the lesson changes nothing any more.
    await learning.finish(ctx, item_id=(await items_of(lesson))[1])
    assert await PartyLessonCompletionRow.all().count() == 1


async def test_the_key_is_not_sent_before_it_is_over(branch: Branch) -> None:
    lesson = await published(branch)
    _, _, quiz = await items_of(lesson)
    id = global_id("PartyLesson", lesson.id)

    async def key_for(account: AccountRow) -> Any:
        return (await branch.run(account, SEE, id=id))["node"]["items"][2]["answerKey"]

    found = (await branch.run(branch.member, SEE, id=id))["node"]["items"][2]
    assert found["questions"][1] == {
        "number": 2,
        "text": "三会一课有哪些?",
        "multiple": True,
        "options": ["党课", "党员大会", "庙会"],
    }
    assert "correct" not in json.dumps(found)
    assert await key_for(branch.member) is None
    assert await key_for(branch.officer) == RIGHT
    await answer(branch, quiz, WRONG)
    assert await key_for(branch.member) is None
    await answer(branch, quiz, WRONG)
    assert await key_for(branch.member) == RIGHT
    assert await key_for(branch.comrade) is None


async def test_attempts_are_limited(branch: Branch) -> None:
    lesson = await published(branch)
    _, _, quiz = await items_of(lesson)
    ctx = await branch.ctx(branch.member)
    _, first = await learning.submit(ctx, item_id=quiz, revision=1, answers=WRONG, key="same")
    _, again = await learning.submit(ctx, item_id=quiz, revision=1, answers=WRONG, key="same")
    assert (again.id, again.number) == (first.id, 1)
    await answer(branch, quiz, WRONG)
    before = await everything(branch)
    with pytest.raises(NotAllowed):
        await answer(branch, quiz, RIGHT)
    assert await everything(branch) == before
    # Others have their own.
    assert await answer(branch, quiz, RIGHT, branch.comrade)
    with pytest.raises(Conflict):
        await answer(branch, quiz, RIGHT, branch.comrade)


@pytest.mark.parametrize("answers", [[], [[1]], [[1], [1], [1]], [[1, 2], [1]], [[3], [1]], [[0], [1]]])
async def test_what_is_no_answer_counts_no_attempt(branch: Branch, answers: list[list[int]]) -> None:
    lesson = await published(branch)
    _, _, quiz = await items_of(lesson)
    before = await everything(branch)
    with pytest.raises(InvalidInput):
        await answer(branch, quiz, answers)
    assert await everything(branch) == before


async def test_changed_questions_are_not_answered_unseen(branch: Branch) -> None:
    lesson = await published(branch)
    text, video, quiz = await items_of(lesson)
    officer = await branch.ctx(branch.officer)
    changed = ItemDraft(
        K.QUIZ, "测验", pass_percent=60, attempts=2, id=quiz,
        questions=(Question("党的宗旨?", False, (Option("别的", False), Option("为人民服务", True))),),
    )  # fmt: skip
    kept = draft(ItemDraft(K.TEXT, "导读", body="# 改", id=text), changed, title="第一课(修订)")
    await learning.finish(await branch.ctx(branch.member), item_id=text)
    with pytest.raises(Conflict):
        await keeping.edit(officer, lesson_id=lesson.id, version=1, draft=kept)
    row = await keeping.edit(officer, lesson_id=lesson.id, version=2, draft=kept)
    assert (row.title, row.version) == ("第一课(修订)", 3)
    assert await items_of(lesson) == [text, quiz]
    assert await reading.items_by_ids([video]) == [None]
    with pytest.raises(Conflict):
        await answer(branch, quiz, [[1]])
    ctx = await branch.ctx(branch.member)
    # What was finished before the edit stays so.
    await learning.submit(ctx, item_id=quiz, revision=2, answers=[[2]], key=key())
    assert await PartyLessonCompletionRow.filter(account_id=branch.member.id).exists()
    with pytest.raises(InvalidInput):
        await keeping.edit(officer, lesson_id=lesson.id, version=3, draft=draft(VIDEO))
    with pytest.raises(InvalidInput):
        await keeping.edit(
            officer, lesson_id=lesson.id, version=3, draft=draft(ItemDraft(K.TEXT, "别处", "x", id=video))
        )
    assert (await keeping.editable(officer, lesson.id, "")).version == 3


async def test_a_lesson_is_seen_by_whom_it_is_for(branch: Branch) -> None:
    world = branch.world
    elsewhere = await world.neighbour(await world.community())
    everyone = [branch.officer, branch.member, branch.neighbour, branch.manager, elsewhere]
    lesson = await written(branch)
    assert [len(await titles(branch, account)) for account in everyone[:4]] == [1, 0, 0, 0]
    officer = await branch.ctx(branch.officer)
    await keeping.publish(officer, lesson_id=lesson.id, version=1)
    assert [len(await titles(branch, account)) for account in everyone[:4]] == [1, 1, 0, 0]
    assert {told.account_id for told in await NotificationRow.filter(subject_id=lesson.id)} == {
        branch.member.id,
        branch.comrade.id,
    }
    public = draft(audience=PartyLessonAudience.PUBLIC)
    await keeping.edit(officer, lesson_id=lesson.id, version=2, draft=public)
    assert [len(await titles(branch, account)) for account in everyone[:4]] == [1, 1, 1, 1]
    seen = [await reading.visible_by_ids(await branch.ctx(account), [lesson.id]) for account in everyone]
    assert [row is not None for (row,) in seen] == [True, True, True, True, False]
    # Whoever belongs to the community may learn what is public.
    (text, *_) = await items_of(lesson)
    await learning.finish(await branch.ctx(branch.neighbour), item_id=text)
    await keeping.withdraw(officer, lesson_id=lesson.id, version=3)
    assert [len(await titles(branch, account)) for account in everyone[:4]] == [1, 0, 0, 0]
    with pytest.raises(NotFound):
        await learning.finish(await branch.ctx(branch.member), item_id=text)
    with pytest.raises(NotAllowed):
        await learning.finish(officer, item_id=text)


async def test_who_is_no_member_learns_nothing(branch: Branch) -> None:
    lesson = await published(branch)
    text, _, quiz = await items_of(lesson)
    before = await everything(branch)
    for account in (branch.neighbour, branch.manager):
        ctx = await branch.ctx(account)
        with pytest.raises(NotFound):
            await learning.finish(ctx, item_id=text)
        with pytest.raises(NotFound):
            await learning.submit(ctx, item_id=quiz, revision=1, answers=RIGHT, key=key())
        with pytest.raises(NotFound):
            await keeping.edit(ctx, lesson_id=lesson.id, version=2, draft=draft(title="改"))
        for type_name, row_id in (("PartyLesson", lesson.id), ("PartyLessonItem", text)):
            found = await branch.run(account, "query N($id: ID!) { node(id: $id) { id } }",
                                     id=global_id(type_name, row_id))  # fmt: skip
            assert found["node"] is None
    assert await everything(branch) == before
    assert not await AuditRow.filter(community_id=branch.community.id, refused=True).exists()


async def test_only_officers_keep_lessons(branch: Branch) -> None:
    lesson = await published(branch)
    before = await everything(branch)
    acts = len(await AuditRow.filter(community_id=branch.community.id))
    member = await branch.ctx(branch.member)
    for act in (keeping.publish, keeping.withdraw):
        with pytest.raises(NotAllowed):
            await act(member, lesson_id=lesson.id, version=2)
    with pytest.raises(NotAllowed):
        await keeping.edit(member, lesson_id=lesson.id, version=2, draft=draft())
    assert len(await AuditRow.filter(community_id=branch.community.id)) == acts
    # To reach for the branch as such says nothing of whoever does.
    for account in (branch.member, branch.neighbour, branch.manager):
        with pytest.raises(NotAllowed):
            await keeping.create(await branch.ctx(account), branch_id=branch.id, draft=draft(), key=key())
    assert await AuditRow.filter(action="party.createLesson", refused=True).count() == 3
    assert await everything(branch) == before


@pytest.mark.parametrize(
    "item",
    [
        ItemDraft(K.TEXT, "", body="x"),
        ItemDraft(K.TEXT, "标题", body=" "),
        ItemDraft(K.DOCUMENT, "文件", url="http://www.gov.cn/a.pdf"),
        ItemDraft(K.VIDEO, "视频", url="https://example.org/v"),
        ItemDraft(K.QUIZ, "测验", pass_percent=60, attempts=1),
        ItemDraft(K.QUIZ, "测验", pass_percent=0, attempts=1, questions=QUIZ.questions),
        ItemDraft(K.QUIZ, "测验", pass_percent=60, attempts=11, questions=QUIZ.questions),
        *(
            ItemDraft(
                K.QUIZ, "测验", pass_percent=60, attempts=1, questions=(Question("?", multiple, options),)
            )
            for multiple, options in (
                (False, (Option("a", True),)),
                (False, (Option("a", True), Option("a", False))),
                (False, (Option("a", True), Option("b", True))),
                (True, (Option("a", False), Option("b", False))),
            )
        ),
    ],
)
async def test_what_is_no_item_is_refused(branch: Branch, item: ItemDraft) -> None:
    before = await everything(branch)
    with pytest.raises(InvalidInput):
        await written(branch, item)
    assert await everything(branch) == before


def test_links_lead_to_public_hosts_and_videos_to_some() -> None:
    assert check_link("https://www.12371.cn/a.pdf?b=1#c")
    for url in (
        "http://www.gov.cn/", "https://localhost/", "https://127.0.0.1/", "https://a@www.gov.cn/",
        "https://www.gov.cn:8443/", "https://www.gov.cn:x/", "javascript:alert(1)", "https://[::1]/",
        "https://党建.cn/", "//www.gov.cn/", "https://www.gov.cn\\@example.org/",
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            check_link(url)
    assert check_video("https://tv.cctv.com/v")
    for url in ("https://cctv.com.example.org/v", "https://notcctv.com/v", "https://example.org/cctv.com"):
        with pytest.raises(InvalidInput):
            check_video(url)


async def test_a_certificate_is_checked_by_anybody_and_names_nobody(branch: Branch) -> None:
    lesson = await published(branch, TEXT)
    (text,) = await items_of(lesson)
    ctx = await branch.ctx(branch.member)
    await learning.finish(ctx, item_id=text)
    (kept,) = await PartyLessonCompletionRow.all()

    async def check(number: str) -> Any:
        found = await run(await branch.world.context(), CHECK, number=number)
        return found["partyCertificate"]

    shown = {"number": kept.number, "lesson": "第一课", "branch": branch.branch.name, "holder": None}
    assert await check(kept.number) == shown
    assert await check(f" {kept.number.lower()} ") == shown
    assert await check("20260101-AAAA-AAAA") is None
    with pytest.raises(NotFound):
        await completing.show_name(await branch.ctx(branch.secretary), completion_id=kept.id, shown=True)
    await completing.show_name(ctx, completion_id=kept.id, shown=True)
    assert (await check(kept.number))["holder"] == branch.member.display_name
    await completing.show_name(ctx, completion_id=kept.id, shown=False)
    # It outlives the lesson.
    await keeping.withdraw(await branch.ctx(branch.officer), lesson_id=lesson.id, version=2)
    assert await check(kept.number) == shown


async def test_the_record_is_the_secretarys(branch: Branch) -> None:
    lesson = await published(branch, TEXT, QUIZ, audience=PartyLessonAudience.PUBLIC)
    text, quiz = await items_of(lesson)
    for account in (branch.member, branch.neighbour):
        await learning.finish(await branch.ctx(account), item_id=text)
        await answer(branch, quiz, RIGHT, account)
    await learning.finish(await branch.ctx(branch.comrade), item_id=text)
    id = global_id("PartyLesson", lesson.id)

    async def record(account: AccountRow) -> tuple[Any, int]:
        found = (await branch.run(account, SEE, id=id))["node"]
        return found["record"], len(found["completions"]["edges"])

    all_of_it = ({"started": 3, "finished": 2, "members": 2, "membersFinished": 1}, 2)
    assert await record(branch.secretary) == all_of_it
    for account in (branch.officer, branch.comrade, branch.neighbour, branch.manager):
        assert await record(account) == (None, 0)
    await PartyMemberRow.filter(account_id=branch.comrade.id).update(function=PartyFunction.STUDY_LEADER)
    assert await record(branch.comrade) == all_of_it


async def test_members_follow_the_branch_and_others_get_an_error(branch: Branch) -> None:
    id = global_id("Organisation", branch.id)
    request = await branch.subscribe(branch.member, FOLLOW, id=id)
    assert isinstance(request, Request)
    elsewhere = await branch.world.neighbour(await branch.world.community())
    for account in (branch.neighbour, branch.manager, elsewhere):
        found = await branch.subscribe(account, FOLLOW, id=id)
        assert not isinstance(found, Request)
    lesson = await published(branch, TEXT)
    await keeping.withdraw(await branch.ctx(branch.officer), lesson_id=lesson.id, version=2)
    events = await branch.world.events(community_topic(branch.community.id))
    seen = (await branch.ctx(branch.member)).viewer
    wanted = [e for e in events if request.stream.wants(e.event) and seen.may_see(e.event.audience)]
    assert [e.event.kind for e in wanted] == [Kind.PARTY_LESSON_PUBLISHED, Kind.PARTY_LESSON_WITHDRAWN]
    # What is for members only does not come over the stream of the community either.
    outside = (await branch.ctx(branch.neighbour)).viewer
    merged = await branch.subscribe(
        branch.neighbour, EVERYTHING, id=global_id("Community", branch.community.id)
    )
    assert not [e for e in events if merged.stream.wants(e.event) and outside.may_see(e.event.audience)]
    # Told late, of what is gone by now, the event shows nothing of it.
    assert (await sent(branch.world, FOLLOW, wanted[0], id=id))["lesson"] is None


async def test_drafts_wait_until_they_can_be_published(branch: Branch) -> None:
    lesson = await written(branch, VIDEO)
    officer = await branch.ctx(branch.officer)
    with pytest.raises(InvalidInput):
        await keeping.publish(officer, lesson_id=lesson.id, version=1)
    with pytest.raises(Conflict):
        await keeping.withdraw(officer, lesson_id=lesson.id, version=1)
    assert (await PartyLessonRow.get(id=lesson.id)).state is PartyLessonState.DRAFT
    first = await keeping.create(officer, branch_id=branch.id, draft=draft(TEXT), key="same")
    again = await keeping.create(officer, branch_id=branch.id, draft=draft(TEXT), key="same")
    assert first.id == again.id
    tries: list[tuple[str, type[DomainError]]] = [("same", Conflict), ("", InvalidInput)]
    for used, error in tries:
        with pytest.raises(error):
            await keeping.create(officer, branch_id=branch.id, draft=draft(title="别的"), key=used)
