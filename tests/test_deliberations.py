"""Deliberations: who convenes, which phase allows what, and who sees and is told what."""

import asyncio
import contextlib
from datetime import timedelta
from uuid import UUID

import pytest

from models import deliberations as rules
from models.audit import AuditRow
from models.base import new_id, now
from models.deliberations import (
    COURSE,
    Act,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
    DeliberationStepRow,
    StatementChoice,
    StatementRow,
    StatementVoteRow,
)
from models.identity import AccountRow, ResidencyRow
from models.notifications import NotificationKind, NotificationRow
from models.posts import CommentRow, SubjectKind
from models.roles import Role
from models.storage.paging import PageArgs
from models.storage.tables import by_ids
from models.visibility import NOBODY
from resolvers import comments, likes
from resolvers.deliberations import statements, topics
from resolvers.deliberations.topics import Plan, Topic
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unauthenticated
from resolvers.existing import existing
from subscriptions.events import Kind
from tests.deliberation_scene import Estates, estates
from tests.world import World

P = DeliberationPhase
AGREE, DISAGREE, PASS = StatementChoice.AGREE, StatementChoice.DISAGREE, StatementChoice.PASS


@pytest.fixture
async def scene(world: World) -> Estates:
    return await estates(world)


# Convening and proposing


async def test_an_officer_convenes_and_residents_see_it_live(scene: Estates) -> None:
    row = await scene.convene(key="once")
    assert (row.phase, row.scope_id, row.version) == (P.GATHERING, scene.community.id, 1)
    assert (await scene.convene(key="once")).id == row.id
    (step,) = await scene.steps(row)
    assert (step.action, step.to_phase, step.actor_id) == (
        DeliberationAction.CONVENED,
        P.GATHERING,
        scene.clerk.id,
    )
    (logged,) = await scene.world.events(f"community:{scene.community.id}")
    assert (logged.event.kind, logged.event.subject, logged.event.thread) == (
        Kind.DELIBERATION_STEP,
        step.id,
        row.id,
    )
    assert logged.event.audience == {scene.community.id, scene.committee.id}
    (entry,) = await AuditRow.all()
    assert (entry.action, entry.organisation_id, entry.refused) == (
        "deliberation.convene",
        scene.committee.id,
        False,
    )


async def test_both_committees_convene_and_nobody_else(scene: Estates) -> None:
    await scene.convene(scene.chair, organisation=scene.owners)
    worker = await scene.world.officer(scene.committee, Role.GRID_WORKER)
    for account in (scene.residents[0], scene.chair, worker):
        with pytest.raises(NotAllowed):
            await scene.convene(account)
    assert await AuditRow.filter(refused=True, action="deliberation.convene").count() == 3
    with pytest.raises(InvalidInput) as refused:
        await scene.convene(scene.manager, organisation=scene.property)
    assert list(refused.value.fields) == ["organisationId"]
    stranger = await scene.world.neighbour(await scene.world.community())
    with pytest.raises(NotFound):
        await scene.convene(stranger)
    with pytest.raises(Unauthenticated):
        await topics.propose(
            await scene.world.context(), organisation_id=scene.committee.id, topic=Topic("好", "好"), key="k"
        )
    assert await DeliberationRow.all().count() == 1


async def test_a_proposal_is_its_authors_and_the_offices_until_it_is_accepted(scene: Estates) -> None:
    author, neighbour, _ = scene.residents
    row = await scene.propose(author)
    assert row.phase is P.PROPOSED
    assert await NotificationRow.filter(kind=NotificationKind.DELIBERATION).count() == 2
    with pytest.raises(NotFound):
        await topics.visible(await scene.world.context(neighbour), row.id)
    with pytest.raises(NotAllowed):
        await topics.accept(await scene.world.context(author), deliberation_id=row.id, version=1)
    clerk = await scene.world.context(scene.clerk)
    opened = await topics.accept(clerk, deliberation_id=row.id, version=1)
    assert (opened.phase, opened.version) == (P.GATHERING, 2)
    assert (await topics.visible(await scene.world.context(neighbour), row.id)).phase is P.GATHERING
    assert await NotificationRow.filter(account_id=author.id).count() == 1
    with pytest.raises(Conflict):
        await topics.decline(clerk, deliberation_id=row.id, version=2, reason="已经在做了")


async def test_a_declined_proposal_says_why(scene: Estates) -> None:
    author, neighbour, _ = scene.residents
    row = await scene.propose(author)
    clerk = await scene.world.context(scene.clerk)
    with pytest.raises(InvalidInput):
        await topics.decline(clerk, deliberation_id=row.id, version=1, reason="不")
    with pytest.raises(Conflict):
        await topics.decline(clerk, deliberation_id=row.id, version=7, reason="已经在做了")
    await topics.decline(clerk, deliberation_id=row.id, version=1, reason="已经在做了")
    seen = await topics.visible(await scene.world.context(author), row.id)
    assert seen.phase is P.DECLINED
    assert [step.note for step in await scene.steps(row)] == ["", "已经在做了"]
    with pytest.raises(NotFound):
        await topics.visible(await scene.world.context(neighbour), row.id)


async def test_an_estates_deliberation_is_its_residents_and_the_offices(scene: Estates) -> None:
    world = scene.world
    other = await world.resident(await world.home(await world.building(await world.estate(scene.community))))
    row = await scene.convene(estate=True)
    for account in (scene.residents[0], scene.clerk):
        assert (await topics.visible(await world.context(account), row.id)).id == row.id
    for stranger in (other, scene.manager, None):
        with pytest.raises(NotFound):
            await topics.visible(await world.context(stranger), row.id)


async def test_queries_and_streams_agree_on_who_sees(scene: Estates) -> None:
    world = scene.world
    await scene.convene(estate=True)
    await scene.convene(scene.chair, organisation=scene.owners)
    await scene.propose(scene.residents[0], scene.owners)
    everybody = [*scene.residents, scene.clerk, scene.chair, scene.manager, await world.account()]
    ids = [row.id for row in await DeliberationRow.all()]
    for account in everybody:
        ctx = await world.context(account)
        for row, seen in zip(
            await by_ids(DeliberationRow, ids), await topics.visible_by_ids(ctx, ids), strict=True
        ):
            assert row is not None
            # A proposal's author is among its audience by the account's own scope.
            assert ctx.viewer.may_see(rules.audience(row)) == (seen is not None)
    assert rules.visible_to(NOBODY).text == "1 = 0"


async def test_words_and_plan_change_by_version(scene: Estates) -> None:
    row = await scene.convene()
    clerk = await scene.world.context(scene.clerk)
    edited = await topics.edit(clerk, deliberation_id=row.id, version=1, title="遛狗公约", body="大家定")
    assert (edited.title, edited.version) == ("遛狗公约", 2)
    colleague = await scene.world.context(scene.colleague)
    with pytest.raises(Conflict) as conflict:
        await topics.edit(colleague, deliberation_id=row.id, version=1, title="别的", body="别的")
    assert conflict.value.current == row.id
    assert (await existing(DeliberationRow, row.id)).title == "遛狗公约"
    soon, later = now() + timedelta(days=1), now() + timedelta(days=2)
    for plan, field in (
        (Plan(discussion_at=later, statements_at=soon), "statementsAt"),
        (Plan(outcome_at=now() - timedelta(days=1)), "outcomeAt"),
        (Plan(closes_at=now() + timedelta(days=1000)), "closesAt"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await topics.set_plan(clerk, deliberation_id=row.id, version=2, plan=plan)
        assert list(refused.value.fields) == [field]
    planned = await topics.set_plan(
        clerk, deliberation_id=row.id, version=2, plan=Plan(discussion_at=soon, outcome_at=later)
    )
    assert (planned.discussion_at, planned.statements_at, planned.outcome_at) == (soon, None, later)


# Phases


async def test_the_convenor_moves_it_on_and_back_with_a_reason(scene: Estates) -> None:
    row = await scene.convene()
    await scene.move(row, P.STATEMENTS)
    with pytest.raises(InvalidInput) as refused:
        await scene.move(row, P.DISCUSSION)
    assert list(refused.value.fields) == ["reason"]
    await scene.move(row, P.DISCUSSION, "漏了一个问题")
    with pytest.raises(InvalidInput):
        await scene.move(row, P.CLOSED)
    with pytest.raises(InvalidInput):
        await scene.move(row, P.PROPOSED, "说不通的")
    for account in (scene.residents[0], scene.chair):
        with pytest.raises(NotAllowed):
            await scene.move(row, P.OUTCOME, by=account)
    await scene.move(row, P.CLOSED, "无人参加")
    taken = [(step.action, step.from_phase, step.to_phase, step.note) for step in await scene.steps(row)]
    assert taken[1:] == [
        (DeliberationAction.MOVED, P.GATHERING, P.STATEMENTS, ""),
        (DeliberationAction.MOVED_BACK, P.STATEMENTS, P.DISCUSSION, "漏了一个问题"),
        (DeliberationAction.MOVED, P.DISCUSSION, P.CLOSED, "无人参加"),
    ]
    assert await AuditRow.filter(refused=False, action__startswith="deliberation.move").count() == 3


async def test_two_officers_move_it_at_once_and_one_is_told(scene: Estates) -> None:
    row = await scene.convene()

    async def move(account: AccountRow, phase: DeliberationPhase) -> object:
        try:
            return await scene.move(row, phase, by=account)
        except Conflict as conflict:
            return conflict

    # Each has read the same version.
    results = await asyncio.gather(move(scene.clerk, P.DISCUSSION), move(scene.colleague, P.STATEMENTS))
    moved = [result for result in results if not isinstance(result, Conflict)]
    assert len(await scene.steps(row)) == 1 + len(moved)


async def test_the_plan_moves_it_on_by_itself(scene: Estates) -> None:
    first, second = now() + timedelta(hours=1), now() + timedelta(hours=2)
    row = await scene.convene(plan=Plan(discussion_at=first, statements_at=second))
    await scene.tick()
    assert (await existing(DeliberationRow, row.id)).phase is P.GATHERING
    await DeliberationRow.filter(id=row.id).update(discussion_at=now() - timedelta(seconds=1))
    await scene.tick(first)
    moved = await existing(DeliberationRow, row.id)
    assert (moved.phase, moved.discussion_at, moved.statements_at) == (P.DISCUSSION, None, second)
    await DeliberationRow.filter(id=row.id).update(statements_at=now() - timedelta(seconds=1))
    # Exact, however late whoever moves it on is.
    assert (await existing(DeliberationRow, row.id)).allows(Act.VOTE, now())
    await scene.tick(second)
    steps = await scene.steps(row)
    assert [(step.to_phase, step.actor_id) for step in steps[1:]] == [
        (P.DISCUSSION, None),
        (P.STATEMENTS, None),
    ]


async def test_a_job_of_an_old_plan_moves_nothing(scene: Estates) -> None:
    soon = now() + timedelta(hours=1)
    row = await scene.convene(plan=Plan(discussion_at=soon))
    await scene.move(row, P.STATEMENTS)
    await scene.tick(soon)
    assert (await existing(DeliberationRow, row.id)).phase is P.STATEMENTS
    assert len(await scene.steps(row)) == 2


async def test_without_an_outcome_nothing_closes_by_time(scene: Estates) -> None:
    soon = now() + timedelta(hours=1)
    row = await scene.convene(plan=Plan(closes_at=soon))
    await scene.move(row, P.OUTCOME)
    await DeliberationRow.filter(id=row.id).update(closes_at=now() - timedelta(seconds=1))
    await scene.tick(soon)
    after = await existing(DeliberationRow, row.id)
    assert (after.phase, after.closes_at) == (P.OUTCOME, None)
    assert (await scene.steps(row))[-1].action is DeliberationAction.REMINDED
    assert await NotificationRow.filter(account_id=scene.colleague.id).count() == 1


async def test_participants_are_told_of_phases_and_who_moved_away_is_not(scene: Estates) -> None:
    speaker, voter, idle = scene.residents
    row = await scene.voting()
    said = await scene.say(row, "遛狗要牵绳", speaker)
    await scene.vote(voter, said, AGREE)
    mover = await scene.world.resident(await scene.world.home(scene.building))
    await scene.vote(mover, said, AGREE)
    await ResidencyRow.filter(account_id=mover.id).update(until=now())
    before = await NotificationRow.all().count()
    await scene.move(row, P.OUTCOME)
    told = {entry.account_id for entry in await NotificationRow.all().order_by("id").offset(before)}
    assert told == {speaker.id, voter.id}
    assert idle.id not in told


@pytest.mark.parametrize("phase", COURSE)
async def test_each_phase_allows_what_the_table_says(scene: Estates, phase: DeliberationPhase) -> None:
    resident = scene.residents[0]
    row = await scene.voting()
    said = await scene.say(row, "遛狗要牵绳")
    if phase is not P.STATEMENTS:
        await scene.move(row, phase, "为了测试")
    ctx = await scene.world.context(resident)

    async def allowed(act: Act) -> bool:
        try:
            match act:
                case Act.COMMENT:
                    await comments.add_comment(
                        ctx, kind=SubjectKind.DELIBERATION, subject_id=row.id, body="好", key=str(new_id())
                    )
                case Act.SUGGEST:
                    await scene.say(row, "要有狗厕所")
                case Act.VOTE:
                    await scene.vote(resident, said, AGREE)
        except NotAllowed:
            return False
        return True

    for act in (Act.COMMENT, Act.SUGGEST, Act.VOTE):
        assert await allowed(act) == (act in rules.ALLOWED[phase])
    counted = await existing(DeliberationRow, row.id)
    assert counted.statement_count == 1 + (Act.SUGGEST in rules.ALLOWED[phase])
    assert counted.vote_count == int(Act.VOTE in rules.ALLOWED[phase])
    assert counted.comment_count == int(Act.COMMENT in rules.ALLOWED[phase])


# Statements and votes


async def test_a_statement_is_said_once(scene: Estates) -> None:
    row = await scene.voting()
    said = await scene.say(row, " 遛狗要 牵绳! ", key="k")
    assert (said.body, said.number) == ("遛狗要 牵绳!", 1)
    assert (await scene.say(row, "遛狗要 牵绳!", key="k")).id == said.id
    with pytest.raises(Conflict) as conflict:
        await scene.say(row, "遛狗,要牵绳。", scene.residents[1])
    assert conflict.value.current == said.id
    for body, by in (("", 0), ("…!!", 0), ("长" * 141, 0)):
        with pytest.raises(InvalidInput):
            await scene.say(row, body, scene.residents[by])
    assert (await existing(DeliberationRow, row.id)).statement_count == 1
    assert (await scene.say(row, "要有狗厕所", scene.clerk)).number == 2


async def test_one_vote_a_resident_that_may_change(scene: Estates) -> None:
    row = await scene.voting()
    said = await scene.say(row, "遛狗要牵绳")
    voter = scene.residents[0]
    assert (await scene.vote(voter, said, AGREE)).agree_count == 1
    await scene.vote(voter, said, AGREE)
    changed = await scene.vote(voter, said, PASS)
    assert (changed.agree_count, changed.pass_count, changed.vote_count) == (0, 1, 1)
    counted = await existing(DeliberationRow, row.id)
    assert (counted.vote_count, counted.participant_count) == (1, 1)
    ctx = await scene.world.context(voter)
    assert await statements.viewer_votes_of(ctx, [said]) == [PASS]
    assert await StatementVoteRow.all().count() == 1


async def test_only_residents_whom_it_is_for_vote(scene: Estates) -> None:
    world = scene.world
    elsewhere = await world.resident(
        await world.home(await world.building(await world.estate(scene.community)))
    )
    row = await scene.voting(estate=True)
    said = await scene.say(row, "遛狗要牵绳")
    stranger = await world.neighbour(await world.community())
    for account, refusal in ((scene.clerk, NotAllowed), (elsewhere, NotFound), (stranger, NotFound)):
        with pytest.raises(refusal):
            await scene.vote(account, said, AGREE)
        if account is not scene.clerk:
            with pytest.raises(NotFound):
                await scene.say(row, "别的", account)
    assert await StatementVoteRow.all().count() == 0
    rights = [
        await statements.residents_among(await world.context(account), [row])
        for account in (scene.residents[0], scene.clerk, elsewhere)
    ]
    assert rights == [[True], [False], [False]]


async def test_counters_are_exact_however_many_vote_at_once(scene: Estates) -> None:
    row = await scene.voting()
    said = [await scene.say(row, f"第{number}条") for number in range(3)]
    choices = [AGREE, DISAGREE, PASS, AGREE]

    async def vote(number: int) -> None:
        resident = scene.residents[number % 3]
        await scene.vote(resident, said[number // 3 % 3], choices[number % 4])

    # Each resident votes four times on each statement, all at once.
    await asyncio.gather(*(vote(number) for number in range(36)))
    votes = await StatementVoteRow.all()
    assert len(votes) == 9
    for statement in await StatementRow.all():
        mine = [vote.choice for vote in votes if vote.statement_id == statement.id]
        assert [statement.agree_count, statement.disagree_count, statement.pass_count] == [
            mine.count(choice) for choice in (AGREE, DISAGREE, PASS)
        ]
        assert statement.vote_count == 3
    counted = await existing(DeliberationRow, row.id)
    assert (counted.vote_count, counted.participant_count) == (9, 3)


async def test_the_same_said_at_once_is_one_statement(scene: Estates) -> None:
    row = await scene.voting()
    said = await asyncio.gather(
        *(scene.say(row, "遛狗要牵绳", resident) for resident in scene.residents), return_exceptions=True
    )
    assert len([item for item in said if isinstance(item, Conflict)]) == 2
    assert (await existing(DeliberationRow, row.id)).statement_count == await StatementRow.all().count() == 1


async def test_next_are_those_not_voted_on_the_least_voted_first(scene: Estates) -> None:
    row = await scene.voting()
    said = [await scene.say(row, f"第{number}条") for number in range(4)]
    me, *others = scene.residents
    for other in others:
        await scene.vote(other, said[0], AGREE)
    await scene.vote(others[0], said[2], AGREE)
    await scene.vote(me, said[3], PASS)
    ctx = await scene.world.context(me)
    (page,) = await statements.next_statements_of(ctx, [row], PageArgs(first=2))
    assert [item.id for item in page.items] == [said[1].id, said[2].id]
    (rest,) = await statements.next_statements_of(ctx, [row], PageArgs(first=2, after=page.cursors[-1]))
    assert [item.id for item in rest.items] == [said[0].id]
    assert await statements.remaining_of(ctx, [await existing(DeliberationRow, row.id)]) == [3]


async def test_a_hidden_statement_is_out_and_its_author_is_told(scene: Estates) -> None:
    author, neighbour, _ = scene.residents
    row = await scene.voting()
    said = await scene.say(row, "老王是骗子", author)
    await scene.vote(neighbour, said, AGREE)
    for account in (author, neighbour, scene.manager):
        with pytest.raises(NotAllowed):
            await statements.set_hidden(
                await scene.world.context(account), statement_id=said.id, hidden=True, reason="人身攻击"
            )
    assert (await existing(StatementRow, said.id)).hidden_at is None
    clerk = await scene.world.context(scene.clerk)
    await statements.set_hidden(clerk, statement_id=said.id, hidden=True, reason="人身攻击")
    assert (await existing(DeliberationRow, row.id)).statement_count == 0
    with pytest.raises(NotFound):
        await statements.visible(await scene.world.context(neighbour), said.id)
    assert (await statements.visible(await scene.world.context(author), said.id)).hidden_reason == "人身攻击"
    with pytest.raises(NotAllowed):
        await scene.vote(author, said, AGREE)
    with pytest.raises(Conflict):
        await scene.say(row, "老王是骗子", neighbour)
    told = await NotificationRow.filter(kind=NotificationKind.STATEMENT)
    assert [(entry.account_id, entry.subject_id) for entry in told] == [(author.id, said.id)]
    await statements.set_hidden(clerk, statement_id=said.id, hidden=False, reason="误会一场")
    assert (await existing(DeliberationRow, row.id)).statement_count == 1
    entries = await AuditRow.filter(refused=False, subject_id=said.id).order_by("id")
    assert [entry.action for entry in entries] == ["statement.hide", "statement.restore"]


async def test_who_made_a_statement_is_known_to_moderators_only(scene: Estates) -> None:
    author, neighbour, _ = scene.residents
    said = await scene.say(await scene.voting(), "遛狗要牵绳", author)

    async def known(account: AccountRow | None) -> UUID | None:
        ctx = await scene.world.context(account)
        (face,) = await statements.authors_of(ctx, [said])
        return face.account_id if face else None

    assert [await known(account) for account in (author, neighbour, scene.clerk)] == [
        author.id,
        None,
        author.id,
    ]


async def test_few_votes_tell_nobody_how_they_fell(scene: Estates) -> None:
    said = await scene.say(await scene.voting(), "遛狗要牵绳")
    for resident in scene.residents:
        await scene.vote(resident, said, AGREE)
    assert statements.tally_of(await existing(StatementRow, said.id)) is None
    for _ in range(4):
        await scene.vote(await scene.world.resident(await scene.world.home(scene.building)), said, DISAGREE)
    tally = statements.tally_of(await existing(StatementRow, said.id))
    assert tally is not None
    assert (tally.agree, tally.disagree, tally.passed) == (3, 4, 0)


# Comments and likes


async def test_it_is_talked_of_and_liked_as_everything_is(scene: Estates) -> None:
    row = await scene.convene(estate=True)
    first, second, _ = [await scene.world.context(resident) for resident in scene.residents]
    topic = SubjectKind.DELIBERATION
    comment = await comments.add_comment(first, kind=topic, subject_id=row.id, body="好", key="a")
    await comments.add_comment(
        second, kind=topic, subject_id=row.id, body="同意", key="b", reply_to=comment.id
    )
    await likes.set_like(second, kind=topic, subject_id=row.id, on=True)
    await likes.set_like(second, kind=SubjectKind.COMMENT, subject_id=comment.id, on=True)
    counted = await existing(DeliberationRow, row.id)
    assert (counted.comment_count, counted.like_count) == (2, 1)
    (subject,) = await comments.subjects_of(first, [comment])
    assert subject == counted
    assert await comments.visible_by_ids(second, [comment.id]) == [await existing(CommentRow, comment.id)]
    stranger = await scene.world.neighbour(scene.community)
    outsider = await scene.world.context(stranger)
    assert await comments.visible_by_ids(outsider, [comment.id]) == [None]
    with pytest.raises(NotFound):
        await comments.add_comment(outsider, kind=topic, subject_id=row.id, body="好", key="c")
    added = [
        it.event
        for it in await scene.world.events(f"community:{scene.community.id}")
        if it.event.kind is Kind.COMMENT_ADDED
    ]
    assert [event.thread for event in added] == [row.id, row.id]
    assert {scope for event in added for scope in event.audience} == {scene.estate.id, scene.committee.id}


async def test_steps_are_numbered_without_gaps_however_many_act_at_once(scene: Estates) -> None:
    row = await scene.convene()

    async def move(number: int) -> None:
        with contextlib.suppress(Conflict, InvalidInput):
            await scene.move(row, COURSE[number % 4], "来来回回")

    await asyncio.gather(*(move(number) for number in range(12)))
    steps = await DeliberationStepRow.filter(deliberation_id=row.id).order_by("ordinal")
    assert [step.ordinal for step in steps] == list(range(1, len(steps) + 1))
    # Each begins where the one before ended.
    assert [step.from_phase for step in steps[1:]] == [step.to_phase for step in steps[:-1]]
