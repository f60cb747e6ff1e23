"""The opinion map, the outcome, and what becomes of it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id, now
from models.deliberations import (
    AnalysisRow,
    DeliberationAction,
    DeliberationPhase,
    DeliberationRow,
    ExecutionKind,
    ExecutionRow,
    ExecutionState,
    PointRow,
    StatementChoice,
    StatementRow,
    TimelineKind,
)
from models.identity import AccountRow
from models.jobs import JobRow
from models.notifications import NotificationRow
from models.posts import PostKind, RevisionRow
from models.requests import RequestAction, RequestState
from models.storage.paging import PageArgs
from models.storage.rows import execute
from resolvers import posts
from resolvers.deliberations import analysis, executions, outcomes, statements, timeline, topics
from resolvers.deliberations.executions import Item
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.jobs import PREPARATIONS, Worker
from resolvers.requests import handling, opening
from resolvers.requests.handling import Act
from resolvers.requests.opening import Place, RequestDraft
from schema.node import global_id
from subscriptions.events import Kind
from tests import asking
from tests.deliberation_scene import Estates, estates
from tests.world import World, counted

P = DeliberationPhase
S = ExecutionState
AGREE, DISAGREE, PASS = StatementChoice.AGREE, StatementChoice.DISAGREE, StatementChoice.PASS
LATER = timedelta(hours=1)


@pytest.fixture
async def scene(world: World) -> Estates:
    return await estates(world, residents=10)


async def disputed(scene: Estates) -> tuple[DeliberationRow, list[StatementRow]]:
    """Five love dogs, five do not; all want clean lawns (the last two statements)."""
    row = await scene.voting()
    said = [await scene.say(row, f"第{number}条") for number in range(6)]
    for place, resident in enumerate(scene.residents):
        for number, statement in enumerate(said):
            against = number < 4 and (place < 5) == (number % 2 == 0)
            await scene.vote(resident, statement, DISAGREE if against else AGREE)
    return row, said


async def the_map(scene: Estates, row: DeliberationRow) -> AnalysisRow | None:
    (found,) = await analysis.maps_of(await scene.world.context(), [row])
    return found


# The map


async def test_votes_become_a_map_without_names(scene: Estates) -> None:
    row, said = await disputed(scene)
    # However many votes ask for it, it is computed once.
    assert await JobRow.filter(kind=analysis.ANALYSE, done_at=None).count() == 1
    assert await the_map(scene, row) is None
    await scene.tick(now() + LATER)
    found = await the_map(scene, row)
    assert found is not None
    assert (found.version, found.participant_count, found.vote_count) == (1, 10, 60)
    assert sorted(group["size"] for group in found.result["groups"]) == [5, 5]
    assert found.result["consensus"][:2] == sorted(str(statement.id) for statement in said[4:])
    text = str(found.result)
    assert not any(str(resident.id) in text or resident.id.hex in text for resident in scene.residents)
    assert found.result["points"] == sorted(found.result["points"])
    assert Kind.OPINIONS_ANALYSED in await scene.kinds()
    # Each knows the own point, the officer has none.
    ctx = await scene.world.context(scene.residents[0])
    (mine,) = await analysis.viewer_points_of(ctx, [found])
    assert mine is not None
    assert [mine.group, mine.x, mine.y] in found.result["points"]
    assert await analysis.viewer_points_of(await scene.world.context(scene.clerk), [found]) == [None]


async def test_more_votes_make_a_new_version_and_late_results_are_dropped(scene: Estates) -> None:
    row, said = await disputed(scene)
    prepare = PREPARATIONS[analysis.ANALYSE]
    early = await prepare(scene.world.services, row.id)
    await scene.vote(scene.residents[0], said[0], PASS)
    await scene.tick(now() + LATER)
    newest = await the_map(scene, row)
    assert newest is not None
    # The one that read the votes first comes last.
    async with (await scene.world.context()).unit_of_work() as work:
        await early(scene.world.services, work, row.id)
    assert await the_map(scene, row) == newest
    await scene.vote(scene.residents[0], said[0], DISAGREE)
    await scene.tick(now() + LATER)
    after = await the_map(scene, row)
    assert after is not None
    assert after.version == newest.version + 1
    assert await AnalysisRow.all().count() == 1
    assert await PointRow.all().count() == 10


async def test_few_participants_have_no_map_and_lose_it(scene: Estates) -> None:
    row = await scene.voting()
    said = [await scene.say(row, f"第{number}条") for number in range(2)]
    for resident in scene.residents[:6]:
        for statement in said:
            await scene.vote(resident, statement, AGREE)
    await scene.tick(now() + LATER)
    assert await the_map(scene, row) is None
    for resident in scene.residents[6:]:
        await scene.vote(resident, said[0], AGREE)
    # These four have voted on one of two; hidden, the other counts no more.
    await scene.tick(now() + LATER)
    assert await the_map(scene, row) is None
    clerk = await scene.world.context(scene.clerk)
    await statements.set_hidden(clerk, statement_id=said[1].id, hidden=True, reason="重复的问题")
    await scene.tick(now() + LATER)
    assert await the_map(scene, row) is not None
    await statements.set_hidden(clerk, statement_id=said[0].id, hidden=True, reason="重复的问题")
    await scene.tick(now() + LATER)
    assert await the_map(scene, row) is None
    assert await PointRow.all().count() == 0


async def test_the_computation_leaves_the_event_loop_free(
    scene: Estates, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    import time

    threads = []

    def slow(*_: Any, **__: Any) -> None:
        threads.append(threading.current_thread())
        time.sleep(0.3)

    monkeypatch.setattr(analysis, "compute_map", slow)
    row, _ = await disputed(scene)
    await JobRow.filter(subject_id=row.id).update(due_at=now())
    working = asyncio.ensure_future(Worker(scene.world.services).work())
    ticks = 0
    while not working.done():
        await asyncio.sleep(0.01)
        # Nor is a transaction open meanwhile: others read and write.
        await execute("UPDATE deliberation SET version = version WHERE id = ? RETURNING id", row.id)
        ticks += 1
    await working
    assert threads
    assert threading.main_thread() not in threads
    assert ticks > 5


# The outcome


async def test_an_outcome_cites_and_keeps_the_figures(scene: Estates) -> None:
    row, said = await disputed(scene)
    clerk = await scene.world.context(scene.clerk)
    cited = [said[5].id, said[4].id]

    async def publish(ctx: Any, body: str = "一、草坪保持干净", version: int = 0) -> DeliberationRow:
        return await outcomes.publish(ctx, deliberation_id=row.id, body=body, cited=cited, version=version)

    with pytest.raises(NotAllowed):
        await publish(clerk)
    await scene.move(row, P.OUTCOME)
    with pytest.raises(NotAllowed):
        await publish(await scene.world.context(scene.residents[0]))
    with pytest.raises(InvalidInput):
        await outcomes.publish(clerk, deliberation_id=row.id, body="好", cited=[new_id()], version=0)
    told = await NotificationRow.all().count()
    after = await publish(clerk)
    assert (after.outcome, after.outcome_version) == ("一、草坪保持干净", 1)
    assert await NotificationRow.all().count() == told + 10
    (citations,) = await outcomes.citations_of(clerk, [after])
    assert [(item.statement_id, item.agree_count, item.disagree_count) for item in citations] == [
        (said[5].id, 10, 0),
        (said[4].id, 10, 0),
    ]
    # A colleague who has not read it does not overwrite it.
    with pytest.raises(Conflict):
        await publish(await scene.world.context(scene.colleague), "别的")
    revised = await publish(clerk, "一、草坪保持干净，二、晚十点后不遛", 1)
    assert revised.outcome_version == 2
    assert await RevisionRow.filter(subject_id=row.id, body="一、草坪保持干净").count() == 1
    actions = [step.action for step in await scene.steps(row)]
    assert actions[-2:] == [DeliberationAction.OUTCOME_PUBLISHED, DeliberationAction.OUTCOME_REVISED]
    assert await AuditRow.filter(action="deliberation.outcome", refused=True).count() == 1
    await scene.move(row, P.CLOSED)


# What is done about it


async def concluded(scene: Estates, post_id: UUID | None = None) -> DeliberationRow:
    row = await scene.convene(post_id=post_id)
    await scene.move(row, P.OUTCOME)
    ctx = await scene.world.context(scene.clerk)
    return await outcomes.publish(ctx, deliberation_id=row.id, body="装狗厕所", cited=[], version=0)


async def added(
    scene: Estates, row: DeliberationRow, item: Item, by: AccountRow | None = None
) -> ExecutionRow:
    ctx = await scene.world.context(by or scene.clerk)
    return await executions.add(ctx, deliberation_id=row.id, item=item, key=str(new_id()))


async def said_to_be(
    scene: Estates, item: ExecutionRow, state: ExecutionState, by: AccountRow | None = None, note: str = ""
) -> ExecutionRow:
    ctx = await scene.world.context(by or scene.clerk)
    item = await existing(ExecutionRow, item.id)
    return await executions.set_state(ctx, item_id=item.id, state=state, note=note, version=item.version)


async def test_residents_have_the_last_word_on_what_is_done(scene: Estates) -> None:
    row = await concluded(scene)
    item = await added(scene, row, Item("装两个狗厕所", organisation_id=scene.property.id))

    async def check(number: int, confirmed: bool) -> ExecutionRow:
        ctx = await scene.world.context(scene.residents[number])
        return await executions.check(ctx, item_id=item.id, confirmed=confirmed)

    with pytest.raises(NotAllowed):
        await check(0, True)
    await said_to_be(scene, item, S.UNDER_WAY, scene.manager)
    with pytest.raises(InvalidInput):
        await said_to_be(scene, item, S.VERIFIED)
    with pytest.raises(NotAllowed):
        await said_to_be(scene, item, S.DONE, scene.residents[0])
    await said_to_be(scene, item, S.DONE, scene.manager, "已经装好")
    # Three find it not done: it goes back, whatever the office says.
    await check(0, False)
    await check(0, False)
    await check(1, False)
    back = await check(2, False)
    assert (back.state, back.disputed_count) == (S.UNDER_WAY, 0)
    done = await said_to_be(scene, item, S.DONE, scene.manager, "换了新的")
    assert done.version > back.version
    await check(0, True)
    assert (await check(0, True)).confirmed_count == 1
    await check(1, False)
    await check(2, True)
    assert (await check(3, True)).state is S.VERIFIED
    with pytest.raises(NotAllowed):
        await executions.check(await scene.world.context(scene.clerk), item_id=item.id, confirmed=True)
    assert (await scene.steps(row))[-1].action is DeliberationAction.EXECUTION_VERIFIED
    with pytest.raises(Conflict):
        await executions.set_state(
            await scene.world.context(scene.clerk), item_id=item.id, state=S.UNDER_WAY, note="", version=1
        )


async def test_nothing_is_counted_twice_however_many_check_at_once(scene: Estates) -> None:
    row = await concluded(scene)
    item = await added(scene, row, Item("装两个狗厕所"))
    await said_to_be(scene, item, S.DONE)

    async def check(number: int) -> None:
        ctx = await scene.world.context(scene.residents[number % 10])
        await executions.check(ctx, item_id=item.id, confirmed=True)

    await asyncio.gather(*(check(number) for number in range(20)))
    after = await existing(ExecutionRow, item.id)
    assert (after.confirmed_count, after.disputed_count, after.state) == (10, 0, S.VERIFIED)
    verified = [s for s in await scene.steps(row) if s.action is DeliberationAction.EXECUTION_VERIFIED]
    assert len(verified) == 1


async def test_only_what_is_concluded_is_carried_out_by_the_convenor(scene: Estates) -> None:
    row = await scene.convene()
    with pytest.raises(NotAllowed):
        await added(scene, row, Item("装两个狗厕所"))
    row = await concluded(scene)
    for account in (scene.residents[0], scene.chair):
        with pytest.raises(NotAllowed):
            await added(scene, row, Item("装两个狗厕所"), account)
    foreign = await scene.world.organisation(await scene.world.community())
    for item in (
        Item("好", ExecutionKind.REQUEST, new_id()),
        Item("好", ExecutionKind.MOTION, new_id()),
        Item("好", organisation_id=foreign.id),
        Item("好", ExecutionKind.REQUEST),
    ):
        with pytest.raises(InvalidInput):
            await added(scene, row, item)
    (page,) = await executions.items_of(await scene.world.context(), [row], PageArgs(first=5))
    assert page.items == []


async def test_one_case_from_the_complaint_to_the_verified_result(scene: Estates) -> None:
    world = scene.world
    resident = await world.context(scene.residents[0])
    post = await posts.create_post(
        resident, community_id=scene.community.id, kind=PostKind.COMPLAINT, body="到处是狗屎", key="p"
    )
    row = await concluded(scene, post.id)
    request = await opening.submit(
        resident,
        community_id=scene.community.id,
        draft=RequestDraft("REPAIR", "装狗厕所", "三号楼后面", Place()),
        key="r",
    )
    item = await added(scene, row, Item("装狗厕所", ExecutionKind.REQUEST, request.id))
    await execute(
        "UPDATE service_request SET state = ? WHERE id = ? RETURNING id", RequestState.CONFIRMED, request.id
    )
    assert await executions.states_of(resident, [item]) == [S.VERIFIED]
    with pytest.raises(NotAllowed):
        await said_to_be(scene, item, S.DONE)
    (page,) = await timeline.timelines_of(resident, [row], PageArgs(first=100))
    told = [entry.kind for entry in page.items]
    assert told[0] is TimelineKind.POST
    assert told.count(TimelineKind.STEP) == 4
    assert told.count(TimelineKind.REQUEST_STEP) >= 1
    assert [entry.at for entry in page.items] == sorted(entry.at for entry in page.items)
    (rest,) = await timeline.timelines_of(resident, [row], PageArgs(first=100, after=page.cursors[1]))
    assert rest.items == page.items[2:]
    (found,) = await topics.deliberations_of_posts(resident, [post], PageArgs(first=5))
    assert [item.id for item in found.items] == [row.id]
    # Another community's member sees nothing of it.
    stranger = await world.context(await world.neighbour(await world.community()))
    (hidden,) = await timeline.timelines_of(stranger, [row], PageArgs(first=100))
    assert {entry.kind for entry in hidden.items} <= {TimelineKind.STEP}
    with pytest.raises(NotFound):
        await executions.visible(stranger, item.id)


async def test_who_follows_is_told_when_a_linked_case_changes(scene: Estates) -> None:
    row = await concluded(scene)
    request = await opening.submit(
        await scene.world.context(scene.residents[0]),
        community_id=scene.community.id,
        draft=RequestDraft("REPAIR", "装狗厕所", "三号楼后面", Place()),
        key="r",
    )
    item = await added(scene, row, Item("装狗厕所", ExecutionKind.REQUEST, request.id))
    await handling.act(
        await scene.world.context(scene.manager),
        request_id=request.id,
        act=Act(action=RequestAction.ACCEPT, note="收到"),
        key="accept",
        version=request.version,
    )
    told = [
        (it.event.subject, it.event.thread)
        for it in await scene.world.events(f"community:{scene.community.id}")
        if it.event.kind is Kind.EXECUTION_CHECKED
    ]
    assert told == [(item.id, row.id)]
    ctx = await scene.world.context(scene.residents[1])
    assert await executions.states_of(ctx, [item]) == [S.UNDER_WAY]


# Over GraphQL

LIST = """query List($id: ID!, $phases: [DeliberationPhase!]) { node(id: $id) { ... on Community {
  viewerCanConvene
  deliberations(first: 12, phases: $phases) { edges { node {
    id title body phase phaseSince version commentCount likeCount statementCount voteCount participantCount
    author { displayName } organisation { id name } estate { id } post { id } community { id }
    viewerHasLiked viewerCanVote viewerCanLead viewerCanSuggest viewerCanComment viewerCanHide
    viewerStatementsLeft
    opinionMap { version participantCount silhouette explained points { x y group } viewerPoint { x y group }
      groups { number size x y hull { x y } representative { stance share shareOfOthers z statement { id } } }
      statements { x y agreement disagreement shared groups { group agree disagree passed }
        statement { body } }
      consensus { agreement statement { id body } } }
    statements(first: 5) { edges { node { id number body voteCount tally { agree } viewerVote
      author { id } } } }
    nextStatements(first: 3) { edges { node { id } } }
    outcome { body version author { displayName } citations { statement { body } tally { agree } } }
    execution(first: 3) { edges { node { id state subject { id } organisation { id } viewerCheck } } }
    steps(first: 5) { edges { node { action actor { displayName } item { id } } } }
    timeline(first: 5) { edges { node { at kind subject { id __typename } } } }
    comments(first: 2) { edges { node { body } } }
  } } } } } }"""


async def run(scene: Estates, by: AccountRow, text: str, **variables: Any) -> Any:
    return await asking.run(await scene.world.context(by), text, **variables)


def nodes(data: Any) -> Sequence[Any]:
    return [edge["node"] for edge in data["node"]["deliberations"]["edges"]]


async def test_a_list_takes_as_many_statements_whatever_its_length(scene: Estates) -> None:
    row, said = await disputed(scene)
    await scene.tick(now() + LATER)
    await scene.move(row, P.OUTCOME)
    clerk = await scene.world.context(scene.clerk)
    cited = [statement.id for statement in said[4:]]
    await outcomes.publish(clerk, deliberation_id=row.id, body="干净", cited=cited, version=0)
    await added(scene, row, Item("装两个狗厕所", organisation_id=scene.property.id))
    resident = scene.residents[0]
    here = global_id("Community", scene.community.id)
    async with counted() as one:
        (found,) = nodes(await run(scene, resident, LIST, id=here))
    assert [item["statement"]["body"] for item in found["opinionMap"]["consensus"]][:2] == ["第4条", "第5条"]
    assert len(found["opinionMap"]["points"]) == 10
    assert found["opinionMap"]["viewerPoint"] in found["opinionMap"]["points"]
    assert found["outcome"]["citations"][0] == {"statement": {"body": "第4条"}, "tally": {"agree": 10}}
    assert found["statements"]["edges"][0]["node"]["author"] is not None
    assert found["statements"]["edges"][0]["node"]["viewerVote"] == "DISAGREE"
    assert found["viewerCanVote"] is False
    for _ in range(9):
        other = await concluded(scene)
        await added(scene, other, Item("装两个狗厕所"))
    async with counted() as many:
        assert len(nodes(await run(scene, resident, LIST, id=here))) == 10
    assert many.count <= one.count
    assert nodes(await run(scene, resident, LIST, id=here, phases=["GATHERING", "STATEMENTS"])) == []
