"""Whatever people and organisers do, in whatever order: the capacity holds, and nobody is overtaken."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from models import database
from models.activities import ActivityRow, SignUpRow, SignUpState
from models.identity import AccountRow
from resolvers.activities import organising, sign_ups
from resolvers.errors import Conflict, DomainError, InvalidInput
from tests.activity_scene import Scene, scene_in
from tests.world import World

T = TypeVar("T")
PEOPLE = 6
PERSON = st.integers(0, PEOPLE - 1)
COMPANIONS = 2


class Queue(RuleBasedStateMachine):
    """An activity, and beside it what should be true of it."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    scene: Scene
    people: list[AccountRow]

    def __init__(self) -> None:
        super().__init__()
        self.capacity: int | None = 4
        # Person → party, in the order of the queue.
        self.going: dict[int, int] = {}
        self.waiting: dict[int, int] = {}
        self.activity: ActivityRow = self.run(self.scene.hold(capacity=4, most_companions=COMPANIONS))

    @property
    def taken(self) -> int:
        return sum(self.going.values())

    def fits(self, party: int) -> bool:
        return self.capacity is None or self.taken + party <= self.capacity

    def move_up(self) -> None:
        while self.waiting:
            person, party = next(iter(self.waiting.items()))
            if not self.fits(party):
                return
            self.going[person] = self.waiting.pop(person)

    async def sign_ups(self) -> list[SignUpRow]:
        return await SignUpRow.filter(activity_id=self.activity.id).order_by("number")

    @rule(person=PERSON, companions=st.integers(0, COMPANIONS))
    def sign_up(self, person: int, companions: int) -> None:
        party = 1 + companions
        before = self.going.get(person) or self.waiting.get(person)
        more = party - before if before else 0
        refused = more > 0 and (person in self.waiting or bool(self.waiting) or not self.fits(more))
        try:
            self.run(self.scene.sign_up(self.people[person], self.activity, companions))
            assert not refused
        except Conflict:
            assert refused
            return
        if before is None:
            (self.waiting if self.waiting or not self.fits(party) else self.going)[person] = party
        else:
            (self.going if person in self.going else self.waiting)[person] = party
        self.move_up()

    @rule(person=PERSON)
    def sign_off(self, person: int) -> None:
        try:
            self.run(self.scene.leave(self.people[person], self.activity))
        except DomainError:
            assert person not in self.going.keys() | self.waiting.keys()
        self.going.pop(person, None)
        self.waiting.pop(person, None)
        self.move_up()

    @rule(capacity=st.none() | st.integers(COMPANIONS + 1, 8))
    def resize(self, capacity: int | None) -> None:
        refused = capacity is not None and capacity < max(self.taken, *self.waiting.values(), 0)
        try:
            self.run(self.scene.edit(self.activity, capacity=capacity))
            assert not refused
        except InvalidInput:
            assert refused
            return
        self.capacity = capacity
        self.move_up()

    @invariant()
    def what_is_kept_is_what_should_be(self) -> None:
        counted = self.run(self.scene.counters(self.activity))
        assert counted == (self.taken, len(self.going), len(self.waiting))
        assert self.capacity is None or counted[0] <= self.capacity
        rows = self.run(self.sign_ups())
        places = {account.id: n for n, account in enumerate(self.people)}
        waiting = [places[row.account_id] for row in rows if row.state is SignUpState.WAITING]
        assert waiting == list(self.waiting)
        # Whoever is next does not fit, or would be there.
        if waiting:
            assert not self.fits(self.waiting[waiting[0]])


def test_the_capacity_holds_and_nobody_is_overtaken(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ups, "SIGN_UPS_A_MINUTE", 1_000_000)
    monkeypatch.setattr(organising, "EDITS_A_MINUTE", 1_000_000)
    monkeypatch.setattr(organising, "CREATED_A_DAY", 1_000_000)
    path = tmp_path / "linli.db"
    path.write_bytes(sqlite_template.read_bytes())
    with asyncio.Runner() as runner:
        opened = database.database(f"sqlite://{path}")
        runner.run(opened.__aenter__())
        try:
            scene = runner.run(scene_in(World()))

            class Here(Queue):
                run = staticmethod(runner.run)

            Here.scene = scene
            Here.people = runner.run(scene.neighbours(PEOPLE))
            run_state_machine_as_test(
                Here,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opened.__aexit__(None, None, None))
