"""No sequence of calls brings a case into an illegal state, or loses a step of it."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models import requests
from models.identity import AccountRow
from models.jobs import JobRow
from models.requests import CLOSED, LIFE, MAY, RequestAction, RequestRow, RequestState, StepRow, TenureRow
from resolvers.errors import Conflict, NotAllowed
from resolvers.requests import deadlines
from tests.requests_scene import Scene, scene_in
from tests.world import World

pytestmark = pytest.mark.anyio

A, S = RequestAction, RequestState

# The life of a case once more, told by its arrows, so that the table is not checked against itself.
ARROWS = """
SUBMITTED: ACCEPT>ACCEPTED HAND_OVER>HANDED_OVER MERGE>DUPLICATE WITHDRAW>WITHDRAWN
HANDED_OVER: TAKE_OVER>ACCEPTED REFUSE>SUBMITTED RECALL>ACCEPTED WITHDRAW>WITHDRAWN
ACCEPTED: ASSIGN>ASSIGNED START>IN_PROGRESS VISIT>IN_PROGRESS WAIT>WAITING FINISH>DONE HAND_OVER>HANDED_OVER MERGE>DUPLICATE WITHDRAW>WITHDRAWN
ASSIGNED: ASSIGN>ASSIGNED START>IN_PROGRESS VISIT>IN_PROGRESS WAIT>WAITING FINISH>DONE HAND_OVER>HANDED_OVER MERGE>DUPLICATE WITHDRAW>WITHDRAWN
IN_PROGRESS: ASSIGN>ASSIGNED VISIT>IN_PROGRESS WAIT>WAITING FINISH>DONE HAND_OVER>HANDED_OVER MERGE>DUPLICATE WITHDRAW>WITHDRAWN
WAITING: ASSIGN>ASSIGNED START>IN_PROGRESS VISIT>IN_PROGRESS FINISH>DONE MERGE>DUPLICATE WITHDRAW>WITHDRAWN
RETURNED: ASSIGN>ASSIGNED START>IN_PROGRESS VISIT>IN_PROGRESS WAIT>WAITING FINISH>DONE HAND_OVER>HANDED_OVER MERGE>DUPLICATE WITHDRAW>WITHDRAWN
DONE: CONFIRM>CONFIRMED RETURN>RETURNED
CONFIRMED: RATE>CONFIRMED RETURN>RETURNED
DUPLICATE: RETURN>RETURNED
WITHDRAWN:
"""  # noqa: E501
NEXT = {
    (state, action): target
    for state, arrows in (line.split(":") for line in ARROWS.strip().splitlines())
    for action, target in (arrow.split(">") for arrow in arrows.split())
}
BY_REPORTER = {"CONFIRM", "RETURN", "WITHDRAW", "RATE"}
BY_OFFERED = {"TAKE_OVER", "REFUSE"}
PEOPLE = ["reporter", "neighbour", "clerk", "owner", "manager"]
OFFICE_OF = {"clerk": "property", "owner": "owners", "manager": "committee"}
DONE_BY_PEOPLE = sorted(action.value for action in MAY)


@dataclass
class Model:
    """What the case should be."""

    state: str = "SUBMITTED"
    office: str = "property"
    offered: str | None = None
    version: int = 1
    steps: int = 1

    def may(self, person: str, action: str) -> bool:
        if person == "reporter":
            return action in BY_REPORTER or action == "NOTE"
        office = OFFICE_OF.get(person)
        if office is None or action in BY_REPORTER:
            return False
        if action == "NOTE":
            return office in (self.office, self.offered, "committee")
        return office == (self.offered if action in BY_OFFERED else self.office)

    def can(self, action: str, target: str) -> bool:
        if action == "NOTE":
            return True
        if action == "HAND_OVER" and target == self.office:
            return False
        return (self.state, action) in NEXT

    def do(self, action: str, target: str) -> None:
        self.steps += 1
        if action == "NOTE":
            return
        self.version += 1
        self.state = NEXT[self.state, action]
        match action:
            case "HAND_OVER":
                self.offered = target
            case "TAKE_OVER":
                self.office, self.offered = self.offered or "", None
            case "REFUSE":
                self.office, self.offered = "committee", None
            case "RECALL" | "WITHDRAW":
                self.offered = None


@dataclass(frozen=True)
class Call:
    person: str
    action: str
    target: str
    stale: bool


calls = st.builds(
    Call,
    person=st.sampled_from(PEOPLE),
    action=st.sampled_from(DONE_BY_PEOPLE),
    target=st.sampled_from(["property", "owners", "committee"]),
    stale=st.integers(0, 9).map(lambda n: n == 0),
)


def way(*moves: str) -> list[Call]:
    """Calls as in ``clerk:ACCEPT`` or ``clerk:HAND_OVER:owners``."""
    parts = [[*move.split(":"), "property"][:3] for move in moves]
    return [Call(person, action, target, False) for person, action, target in parts]


@given(st.lists(calls, min_size=1, max_size=25))
@example(way("clerk:ACCEPT", "clerk:WAIT", "clerk:FINISH", "reporter:RETURN", "clerk:START", "clerk:FINISH",
             "reporter:CONFIRM", "reporter:RATE", "reporter:RETURN", "clerk:HAND_OVER:owners", "owner:REFUSE",
             "manager:HAND_OVER:owners", "owner:TAKE_OVER", "owner:MERGE", "reporter:RETURN"))  # fmt: skip
@example(way("clerk:HAND_OVER:owners", "clerk:RECALL", "clerk:HAND_OVER:committee", "manager:REFUSE",
             "manager:ACCEPT", "manager:ASSIGN", "manager:VISIT", "reporter:WITHDRAW",
             "reporter:RETURN"))  # fmt: skip
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_every_sequence_of_calls_is_legal(world: World, sequence: list[Call]) -> None:
    scene = await scene_in(world)
    row = await scene.submit()
    other = await scene.submit()
    model = Model()
    for call in sequence:
        before = await scene.row(row.id)
        history = await scene.steps(row)
        may, can = model.may(call.person, call.action), model.can(call.action, call.target)
        stale = call.stale and call.action not in ("NOTE", "RATE")
        office: UUID = getattr(scene, call.target).id
        by: AccountRow = getattr(scene, call.person)
        failure: type[Exception] | None = None
        try:
            await scene.act(
                by,
                before,
                RequestAction(call.action),
                version=model.version - 1 if stale else model.version,
                to_office_id=office if call.action == "HAND_OVER" else None,
                into_id=other.id if call.action == "MERGE" else None,
                rating=4 if call.action == "RATE" else None,
            )
        except Exception as error:
            failure = type(error)
        if may and can and not stale:
            assert failure is None
            model.do(call.action, call.target)
        elif not may:
            assert failure is NotAllowed
        elif call.action == "HAND_OVER" and not stale and (model.state, call.action) in NEXT:
            assert failure is not None  # to the office that has it
        else:
            assert failure is Conflict
        await check(scene, row.id, model, before, history, changed=failure is None)


async def check(
    scene: Scene, request_id: UUID, model: Model, before: RequestRow, history: list[StepRow], *, changed: bool
) -> None:
    after = await scene.row(request_id)
    steps = await scene.steps(after)
    if not changed:
        assert (after, steps) == (before, history)
    assert after.state.value == model.state
    assert (after.version, after.step_count) == (model.version, model.steps)
    assert [step.ordinal for step in steps] == list(range(1, model.steps + 1))
    assert steps[: len(history)] == history
    # Each step begins where the one before ended, and ends where the case is.
    assert [step.from_state for step in steps] == [None, *(step.to_state for step in steps[:-1])]
    assert steps[-1].to_state is after.state
    assert after.office_id == getattr(scene, model.office).id
    offered = getattr(scene, model.offered).id if model.offered else None
    assert after.offered_to_id == offered
    assert after.holder_id == (offered or after.office_id)
    # One clock at most, and something that acts when it ends.
    assert after.due_at == deadlines.deadline(after)
    assert (after.due_at is None) == (after.paused_at is not None)
    assert (after.confirm_by is not None) == (after.state is S.DONE)
    assert (after.closed_at is not None) == (after.state in CLOSED)
    kinds = sorted(job.kind for job in await JobRow.filter(subject_id=request_id, done_at=None))
    if after.due_at is not None:
        assert kinds == [deadlines.ESCALATE, deadlines.REMIND]
    elif after.state is S.DONE:
        assert kinds == [deadlines.CONFIRM, deadlines.REMIND_TO_CONFIRM]
    else:
        assert kinds == []
    # Some office has it, and its time is counted once.
    tenures = await TenureRow.filter(request_id=request_id)
    current = [tenure for tenure in tenures if tenure.ended_at is None]
    held = {after.tenure_id, after.offered_tenure_id} - {None}
    assert {tenure.id for tenure in current} == (set() if after.state is S.WITHDRAWN else held)


def test_the_table_says_what_its_arrows_say() -> None:
    for state in RequestState:
        for action in MAY:
            told = NEXT.get((state.value, action.value))
            expected = state.value if action is A.NOTE else told
            found = requests.state_after(state, action)
            assert (found.value if found else None) == expected, (state, action)
    # Nothing is done by nobody, and only what the clock does is done by no party.
    clocks = {action for actions in LIFE.values() for action in actions if action not in MAY}
    assert clocks == {A.CONFIRM_BY_TIME}


def test_no_state_but_withdrawn_is_a_dead_end() -> None:
    assert [state for state in RequestState if not LIFE[state]] == [S.WITHDRAWN]
