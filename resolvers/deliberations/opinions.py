"""Opinion groups and consensus, computed from who agrees with what: pure mathematics, no database.

The method is that of Polis (Small et al., "Polis: Scaling deliberation by mapping high dimensional opinion
spaces", 2021):

1. The votes are a sparse matrix, participants by statements: +1 agrees, -1 disagrees, 0 passes. Participants
   with fewer than seven votes (or than there are statements) say too little to be placed, and are left out.
2. What is missing takes its statement's mean. A principal component analysis brings the rows down to two
   dimensions; a participant who voted on few statements is pushed outwards by the square root of statements
   over votes, since the means pull him to the middle.
3. K-means makes 2 to 5 groups; the number with the best silhouette is kept. Below a silhouette of a quarter,
   or if a group would have fewer than three members, there is only one group.
4. A statement represents a group if its members agree (or disagree) with it more often than not, and more
   often than the others do: two tests of proportions, both above 90 %, with a Laplace smoothing of one.
5. A statement's consensus is the product, over the groups, of the smoothed probability that a member agrees:
   one group that disagrees spoils it, however large the others are.

Nothing depends on the order of the votes: participants and statements are put in an order of their own before
anything is computed, and every random choice has a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_VOTES_NEEDED = 7
MOST_GROUPS = 5
SMALLEST_GROUP = 3
LEAST_SILHOUETTE = 0.25
SILHOUETTE_SAMPLE = 1000
SEED = 20261
# One-sided, at 90 %.
SIGNIFICANT = 1.2816
MOST_REPRESENTATIVE = 5
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Cast:
    """One vote: +1 agrees, -1 disagrees, 0 passes."""

    participant: UUID
    statement: UUID
    value: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a participant stands, and in which group."""

    x: float
    y: float
    group: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How votes on one statement fell, all of them or a group's."""

    agree: int
    disagree: int
    passed: int

    @property
    def seen(self) -> int:
        return self.agree + self.disagree + self.passed


@dataclass(frozen=True, slots=True)
class Representative:
    """A statement that tells a group from the others."""

    statement: UUID
    agrees: bool
    # The smoothed share of the group's members that say so, and of the others'.
    share: float
    others: float
    z: float


@dataclass(frozen=True, slots=True)
class Group:
    number: int
    size: int
    x: float
    y: float
    hull: list[tuple[float, float]]
    representative: list[Representative]


@dataclass(frozen=True, slots=True)
class Position:
    """A statement on the map, what each group says of it, and how far all groups share it."""

    statement: UUID
    x: float
    y: float
    tallies: dict[int, Tally]
    # Products over the groups of the smoothed probability to agree, and to disagree.
    agree: float
    disagree: float
    # Whether in every group more agree (or in every group more disagree) than not.
    shared: bool


@dataclass(frozen=True, slots=True)
class Opinions:
    """The whole map."""

    placed: dict[UUID, Placed]
    groups: list[Group]
    positions: list[Position]
    silhouette: float
    # Which share of all variance each of the two axes shows.
    explained: tuple[float, float]
    votes: int

    @property
    def consensus(self) -> list[Position]:
        """What all groups share, the most shared first."""
        shared = [position for position in self.positions if position.shared]
        return sorted(shared, key=lambda position: -max(position.agree, position.disagree))


@dataclass(frozen=True, slots=True)
class Matrix:
    """The votes: a row per participant, a column per statement, NaN where nobody voted."""

    participants: list[UUID]
    statements: list[UUID]
    values: Floats

    @property
    def voted(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.values)


@dataclass(frozen=True, slots=True)
class Plane:
    """The two dimensions that the votes were brought down to."""

    points: Floats
    statements: Floats
    explained: tuple[float, float] = field(default=(0.0, 0.0))


def analyse(
    votes: Iterable[Cast], *, fewest: int, before: Mapping[UUID, Placed] | None = None
) -> Opinions | None:
    """The map of these votes; None with fewer than `fewest` participants who voted enough.

    `before` is where they stood on the last map: axes keep their direction and groups their number. Of two
    votes of one participant on one statement the last counts.
    """
    matrix = matrix_of(votes)
    if len(matrix.participants) < max(fewest, 1) or not matrix.statements:
        return None
    plane = aligned(matrix, plane_of(matrix), before or {})
    labels, silhouette = group_points(plane.points)
    numbers = number_groups(matrix.participants, plane.points, labels, before or {})
    labels = np.array([numbers[label] for label in labels], dtype=np.int64)
    counts = tallies(matrix, labels)
    return Opinions(
        placed={
            key: Placed(*rounded(point), int(label))
            for key, point, label in zip(matrix.participants, plane.points, labels, strict=True)
        },
        groups=[
            group_of(number, matrix, plane.points[labels == number], counts)
            for number in sorted(numbers.values())
        ],
        positions=[
            position_of(statement, plane.statements[column], column, counts)
            for column, statement in enumerate(matrix.statements)
        ],
        silhouette=round(silhouette, DIGITS),
        explained=plane.explained,
        votes=int(matrix.voted.sum()),
    )


# The matrix


def matrix_of(votes: Iterable[Cast]) -> Matrix:
    """The votes of those who voted on enough statements, in an order that is the votes' own."""
    latest = {(vote.participant, vote.statement): vote.value for vote in votes}
    participants = sorted({participant for participant, _ in latest})
    statements = sorted({statement for _, statement in latest})
    rows = {key: row for row, key in enumerate(participants)}
    columns = {key: column for column, key in enumerate(statements)}
    values = np.full((len(participants), len(statements)), np.nan)
    for (participant, statement), value in latest.items():
        values[rows[participant], columns[statement]] = value
    enough = (~np.isnan(values)).sum(axis=1) >= min(MOST_VOTES_NEEDED, len(statements))
    values = values[enough]
    kept = [key for key, keep in zip(participants, enough, strict=True) if keep]
    seen = (~np.isnan(values)).any(axis=0) if kept else np.zeros(len(statements), dtype=bool)
    values = values[:, seen]
    # By what was voted, so that not even the participants' ids make a difference.
    order = sorted(
        range(len(kept)), key=lambda row: (np.nan_to_num(values[row], nan=2.0).tolist(), kept[row])
    )
    return Matrix(
        [kept[row] for row in order],
        [key for key, keep in zip(statements, seen, strict=True) if keep],
        values[order],
    )


# The plane


def plane_of(matrix: Matrix) -> Plane:
    """Participants and statements in two dimensions."""
    from sklearn.decomposition import PCA

    means = np.nanmean(matrix.values, axis=0)
    full = np.where(matrix.voted, matrix.values, means)
    count, width = full.shape
    if not (full - means).any():
        return Plane(np.zeros((count, 2)), np.zeros((width, 2)))
    reduction = PCA(n_components=min(2, count, width), svd_solver="full")
    points = reduction.fit_transform(full)
    axes = reduction.components_
    explained = np.nan_to_num(reduction.explained_variance_ratio_)
    if points.shape[1] < 2:
        points = np.hstack([points, np.zeros((count, 1))])
        axes = np.vstack([axes, np.zeros((1, width))])
        explained = np.append(explained, 0.0)
    spread = np.sqrt(width / matrix.voted.sum(axis=1))
    # A statement stands where somebody would who agreed with it and voted on nothing else.
    statements = (axes * (1.0 - means)).T * np.sqrt(width)
    return Plane(
        np.round(points * spread[:, None], DIGITS),
        np.round(statements, DIGITS),
        (round(float(explained[0]), DIGITS), round(float(explained[1]), DIGITS)),
    )


def aligned(matrix: Matrix, plane: Plane, before: Mapping[UUID, Placed]) -> Plane:
    """The plane with its axes pointing as they did, for those who stood there before."""
    signs = np.ones(2)
    known = [row for row, key in enumerate(matrix.participants) if key in before]
    if known:
        stood = np.array([(before[key].x, before[key].y) for key in matrix.participants if key in before])
        signs = np.where((plane.points[known] * stood).sum(axis=0) < 0, -1.0, 1.0)
    # Adding zero turns -0.0 into 0.0.
    return Plane(plane.points * signs + 0.0, plane.statements * signs + 0.0, plane.explained)


# The groups


def group_points(points: Floats) -> tuple[Ints, float]:
    """A label for each point, and the silhouette of the grouping, 0 for a single group."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    best: tuple[float, Ints] | None = None
    distinct = len(np.unique(points, axis=0))
    for groups in range(2, min(MOST_GROUPS, distinct, len(points) // SMALLEST_GROUP) + 1):
        labels = KMeans(groups, n_init=10, random_state=SEED).fit_predict(points).astype(np.int64)
        sizes = np.bincount(labels, minlength=groups)
        if sizes.min() < SMALLEST_GROUP or len(points) <= groups:
            continue
        sample = SILHOUETTE_SAMPLE if len(points) > SILHOUETTE_SAMPLE else None
        score = float(silhouette_score(points, labels, sample_size=sample, random_state=SEED))
        # Of groupings as good as each other the one with fewer groups.
        if best is None or score > best[0] + 1e-9:
            best = (score, labels)
    if best is None or best[0] < LEAST_SILHOUETTE:
        return np.zeros(len(points), dtype=np.int64), 0.0
    return best[1], best[0]


def number_groups(
    participants: Sequence[UUID], points: Floats, labels: Ints, before: Mapping[UUID, Placed]
) -> dict[int, int]:
    """The number of each label: that of the group before with which it shares most members.

    New groups take the free numbers from 1 on: the largest first, from left to right.
    """
    from scipy.optimize import linear_sum_assignment

    found = sorted({int(label) for label in labels})
    old = sorted({placed.group for placed in before.values()})
    numbers: dict[int, int] = {}
    if old:
        shared = np.zeros((len(found), len(old)))
        for key, label in zip(participants, labels, strict=True):
            if key in before:
                shared[found.index(int(label)), old.index(before[key].group)] += 1
        for row, column in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
            if shared[row, column]:
                numbers[found[row]] = old[column]

    def rank(label: int) -> Any:
        members = points[labels == label]
        return (-len(members), *members.mean(axis=0).tolist())

    free = (number for number in range(1, MOST_GROUPS * 2 + 1) if number not in numbers.values())
    for label in sorted((label for label in found if label not in numbers), key=rank):
        numbers[label] = next(free)
    return numbers


def tallies(matrix: Matrix, labels: Ints) -> dict[int, Ints]:
    """For each group a row per statement: how many agree, disagree, pass."""
    counts = {}
    for number in sorted({int(label) for label in labels}):
        votes = matrix.values[labels == number]
        counts[number] = np.stack([(votes == value).sum(axis=0) for value in (1, -1, 0)], axis=1).astype(
            np.int64
        )
    return counts


def group_of(number: int, matrix: Matrix, points: Floats, counts: Mapping[int, Ints]) -> Group:
    x, y = rounded(points.mean(axis=0))
    return Group(
        number=number,
        size=len(points),
        x=x,
        y=y,
        hull=hull_of(points),
        representative=representative_of(number, matrix.statements, counts),
    )


def hull_of(points: Floats) -> list[tuple[float, float]]:
    """The corners of the smallest convex shape around the points, counter-clockwise (Andrew's chain)."""
    ordered = sorted({rounded(point) for point in points})
    if len(ordered) < 3:
        return ordered

    def chain(corners: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for corner in corners:
            while len(kept) > 1 and cross(kept[-2], kept[-1], corner) <= 0:
                kept.pop()
            kept.append(corner)
        return kept

    return chain(ordered)[:-1] + chain(reversed(ordered))[:-1]


def cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def rounded(point: Any) -> tuple[float, float]:
    return round(float(point[0]), DIGITS) + 0.0, round(float(point[1]), DIGITS) + 0.0


# What the groups say


def smoothed(successes: float, seen: float) -> float:
    """The probability of success after `seen` trials, drawn to a half while there are few."""
    return (successes + 1) / (seen + 2)


def proportion_test(successes: int, seen: int) -> float:
    """How many standard deviations the share lies above a half, smoothed by one success."""
    share = (successes + 1) / (seen + 1)
    return float(2 * np.sqrt(seen + 1) * (share - 0.5))


def two_proportion_test(inside: int, outside: int, seen_inside: int, seen_outside: int) -> float:
    """How many standard deviations the share inside lies above that outside, both smoothed by one success."""
    inside, outside, seen_inside, seen_outside = (
        inside + 1,
        outside + 1,
        seen_inside + 1,
        seen_outside + 1,
    )
    pooled = (inside + outside) / (seen_inside + seen_outside)
    if pooled >= 1:
        return 0.0
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / seen_inside + 1 / seen_outside))
    return float((inside / seen_inside - outside / seen_outside) / deviation)


def representative_of(
    number: int, statements: Sequence[UUID], counts: Mapping[int, Ints]
) -> list[Representative]:
    """The statements that tell this group from the others, those that do so best first."""
    inside = counts[number]
    outside = sum((rows for other, rows in counts.items() if other != number), np.zeros_like(inside))
    ranked: list[tuple[float, Representative]] = []
    for column, statement in enumerate(statements):
        for agrees, side in ((True, 0), (False, 1)):
            said, seen = int(inside[column, side]), int(inside[column].sum())
            said_outside, seen_outside = int(outside[column, side]), int(outside[column].sum())
            within = proportion_test(said, seen)
            against = two_proportion_test(said, said_outside, seen, seen_outside)
            if len(counts) < 2 or within <= SIGNIFICANT or against <= SIGNIFICANT:
                continue
            share, others = smoothed(said, seen), smoothed(said_outside, seen_outside)
            found = Representative(
                statement, agrees, round(share, DIGITS), round(others, DIGITS), round(against, DIGITS)
            )
            ranked.append((share / others * against * share * within, found))
    ranked.sort(key=lambda pair: (-pair[0], pair[1].statement))
    return [found for _, found in ranked[:MOST_REPRESENTATIVE]]


def position_of(statement: UUID, point: Floats, column: int, counts: Mapping[int, Ints]) -> Position:
    of_groups = {number: Tally(*(int(count) for count in rows[column])) for number, rows in counts.items()}
    agree = [smoothed(tally.agree, tally.seen) for tally in of_groups.values()]
    disagree = [smoothed(tally.disagree, tally.seen) for tally in of_groups.values()]
    x, y = rounded(point)
    return Position(
        statement=statement,
        x=x,
        y=y,
        tallies=of_groups,
        agree=round(float(np.prod(agree)), DIGITS),
        disagree=round(float(np.prod(disagree)), DIGITS),
        shared=min(agree) > 0.5 or min(disagree) > 0.5,
    )
