"""The mathematics of opinion groups: it finds what was planted, whatever the order, and never breaks."""

import math
import random
import warnings
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers.deliberations.opinions import (
    MOST_GROUPS,
    SMALLEST_GROUP,
    Cast,
    Opinions,
    Placed,
    analyse,
    hull_of,
    proportion_test,
    smoothed,
    two_proportion_test,
)

STATEMENTS = 16


def person(number: int) -> UUID:
    return UUID(int=number)


def statement(number: int) -> UUID:
    return UUID(int=(1 << 100) + number)


def planted(groups: int, size: int, *, noise: float, turnout: float, seed: int) -> list[Cast]:
    """Votes of `groups` groups, each with an opinion of its own on most; all share the last two."""
    chance = random.Random(seed)
    votes = []
    for number in range(groups * size):
        for about in range(STATEMENTS):
            if chance.random() > turnout:
                continue
            leaning = 1 if about >= STATEMENTS - 2 or favours(number % groups, about, groups) else -1
            value = leaning if chance.random() > noise else chance.choice([-1, 0, 1])
            votes.append(Cast(person(number), statement(about), value))
    return votes


def favours(kind: int, about: int, groups: int) -> bool:
    """Up to three groups have a favour each; four are a square's corners: a plane shows no more."""
    return bool(kind >> about % 2 & 1) if groups == 4 else about % groups == kind


def found(votes: list[Cast], fewest: int = 7) -> Opinions:
    result = analyse(votes, fewest=fewest)
    assert result is not None
    return result


def partition(result: Opinions) -> set[frozenset[UUID]]:
    groups: dict[int, set[UUID]] = {}
    for key, placed in result.placed.items():
        groups.setdefault(placed.group, set()).add(key)
    return {frozenset(members) for members in groups.values()}


@pytest.mark.parametrize("groups", [2, 3, 4])
@pytest.mark.parametrize("turnout", [1.0, 0.75])
def test_planted_groups_are_found(groups: int, turnout: float) -> None:
    result = found(planted(groups, 15, noise=0.1, turnout=turnout, seed=groups))
    assert len(result.groups) == groups
    wrong = 0
    for members in partition(result):
        kinds = [member.int % groups for member in members]
        wrong += len(kinds) - max(kinds.count(kind) for kind in set(kinds))
    assert wrong <= 2
    assert sum(group.size for group in result.groups) == len(result.placed)
    assert result.silhouette > 0.25


def test_what_all_share_comes_first_and_what_divides_is_no_consensus() -> None:
    result = found(planted(3, 12, noise=0.1, turnout=0.9, seed=5))
    consensus = [position.statement for position in result.consensus]
    shared = {statement(STATEMENTS - 1), statement(STATEMENTS - 2)}
    assert set(consensus[:2]) == shared
    scores = [max(position.agree, position.disagree) for position in result.consensus]
    assert scores == sorted(scores, reverse=True)
    # Among three groups no other statement has more than one group's favour.
    assert all(not p.shared or p.statement in shared or p.disagree > p.agree for p in result.positions)


def test_each_group_is_told_by_its_own_statements() -> None:
    result = found(planted(3, 12, noise=0.05, turnout=1.0, seed=9))
    for group in result.groups:
        (kind,) = {key.int % 3 for key, placed in result.placed.items() if placed.group == group.number}
        said = {found.statement for found in group.representative if found.agrees}
        assert said
        assert said <= {statement(about) for about in range(STATEMENTS - 2) if about % 3 == kind}
        for representative in group.representative:
            assert representative.share > representative.others
            assert representative.z > 1.28


def test_one_group_against_spoils_a_consensus_however_small() -> None:
    votes = [
        Cast(person(number), statement(about), (-1 if number < 5 else 1) if about < 8 else 1)
        for number in range(45)
        for about in range(10)
    ]
    result = found(votes)
    assert len(result.groups) == 2
    by_statement = {position.statement: position for position in result.positions}
    # 40 of 45 agree with the first, and it is no consensus.
    assert not by_statement[statement(0)].shared
    assert by_statement[statement(9)].shared
    assert by_statement[statement(9)].agree > by_statement[statement(0)].agree


def test_numbers_and_axes_stay_when_more_votes_come() -> None:
    votes = planted(3, 12, noise=0.1, turnout=0.9, seed=3)
    first = found(votes)
    more = planted(3, 16, noise=0.1, turnout=0.9, seed=4)
    newcomers = [vote for vote in more if vote.participant not in first.placed]
    second = analyse([*votes, *newcomers], fewest=7, before=first.placed)
    assert second is not None
    stayed = sum(second.placed[key].group == placed.group for key, placed in first.placed.items())
    assert stayed >= len(first.placed) - 2
    # Mirrored before, the map comes out mirrored.
    mirrored = {key: Placed(-placed.x, placed.y, placed.group) for key, placed in first.placed.items()}
    turned = analyse(votes, fewest=7, before=mirrored)
    assert turned is not None
    for key, placed in turned.placed.items():
        assert placed.x == pytest.approx(-first.placed[key].x, abs=1e-5)
        assert placed.group == first.placed[key].group


def test_the_order_of_votes_makes_no_difference() -> None:
    votes = planted(3, 10, noise=0.2, turnout=0.8, seed=11)
    shuffled = list(votes)
    random.Random(1).shuffle(shuffled)
    assert analyse(shuffled, fewest=7) == analyse(votes, fewest=7)


def test_who_participants_are_makes_no_difference() -> None:
    votes = planted(3, 10, noise=0.2, turnout=0.8, seed=12)
    numbers = list(range(30))
    random.Random(2).shuffle(numbers)
    renamed = [Cast(person(numbers[vote.participant.int]), vote.statement, vote.value) for vote in votes]
    before, after = found(votes), found(renamed)
    for number, other in enumerate(numbers):
        if person(number) in before.placed:
            assert after.placed[person(other)] == before.placed[person(number)]
    assert after.groups == before.groups


def test_the_last_vote_counts_and_none_twice() -> None:
    votes = planted(2, 10, noise=0.0, turnout=1.0, seed=1)
    changed = [Cast(vote.participant, vote.statement, -vote.value) for vote in votes]
    assert analyse([*changed, *votes, *votes], fewest=7) == analyse(votes, fewest=7)


def test_few_are_protected() -> None:
    votes = planted(2, 3, noise=0.0, turnout=1.0, seed=1)
    assert analyse(votes, fewest=7) is None
    # Nine, of whom three voted too little to be placed.
    few = [Cast(person(100 + number), statement(0), 1) for number in range(3)]
    assert analyse([*votes, *few], fewest=7) is None
    # One who thinks otherwise is not shown as a group of one.
    alone = [Cast(person(n), statement(s), -1 if n == 0 else 1) for n in range(9) for s in range(8)]
    assert [group.size for group in found(alone).groups] == [9]


@pytest.mark.parametrize(
    "vote",
    [
        lambda n, s: 1,
        lambda n, s: 0,
        lambda n, s: 1 if n % 2 else -1,
        lambda n, s: 1 if n == s else None,
        lambda n, s: 1 if s == 0 else None,
        lambda n, s: (n % 3) - 1 if s < 2 else None,
    ],
)
def test_degenerate_votes_give_a_map_or_none(vote: Callable[[int, int], int | None]) -> None:
    votes = [
        Cast(person(n), statement(s), value)
        for n in range(12)
        for s in range(9)
        if (value := vote(n, s)) is not None
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(analyse(votes, fewest=1))
    assert analyse([], fewest=1) is None


def check(result: Opinions | None) -> None:
    """What every map holds."""
    if result is None:
        return
    sizes = [group.size for group in result.groups]
    assert 1 <= len(sizes) <= MOST_GROUPS
    assert len(sizes) == 1 or min(sizes) >= SMALLEST_GROUP
    assert sum(sizes) == len(result.placed)
    numbers = {group.number for group in result.groups}
    assert {placed.group for placed in result.placed.values()} == numbers
    counted = sum(tally.seen for position in result.positions for tally in position.tallies.values())
    assert counted == result.votes
    for placed in result.placed.values():
        assert math.isfinite(placed.x)
        assert math.isfinite(placed.y)
    for position in result.positions:
        assert math.isfinite(position.x)
        assert math.isfinite(position.y)
        assert 0 <= position.agree <= 1
        assert 0 <= position.disagree <= 1
    corners = {corner for group in result.groups for corner in group.hull}
    assert corners <= {(placed.x, placed.y) for placed in result.placed.values()}


VOTES = st.lists(
    st.builds(
        Cast,
        st.integers(0, 14).map(person),
        st.integers(0, 9).map(statement),
        st.sampled_from([-1, 0, 1]),
    ),
    max_size=150,
)


@given(votes=VOTES, order=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_votes_give_a_sound_map_in_any_order(votes: list[Cast], order: random.Random) -> None:
    latest = list({(vote.participant, vote.statement): vote for vote in votes}.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = analyse(latest, fewest=1)
    check(result)
    order.shuffle(latest)
    assert analyse(latest, fewest=1) == result


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=100, deadline=None)
def test_the_tests_of_proportions_are_sound(said: int, rest: int, others: int, others_rest: int) -> None:
    z = two_proportion_test(said, others, said + rest, others + others_rest)
    assert math.isfinite(z)
    back = two_proportion_test(others, said, others + others_rest, said + rest)
    assert z == pytest.approx(-back)
    assert 0 < smoothed(said, said + rest) < 1
    assert math.isfinite(proportion_test(said, said + rest))


def test_a_hull_has_only_corners() -> None:
    import numpy as np

    square = [(0, 0), (2, 0), (2, 2), (0, 2), (1, 1), (1, 0)]
    assert hull_of(np.array(square, dtype=float)) == [(0, 0), (2, 0), (2, 2), (0, 2)]
    assert hull_of(np.array([(1.0, 1.0)] * 4)) == [(1.0, 1.0)]
    assert hull_of(np.array([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)])) == [(0.0, 0.0), (2.0, 2.0)]
