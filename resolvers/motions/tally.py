"""The arithmetic of the vote: pure, in integers, by cross-multiplication.

Civil Code, article 278, paragraph 2. "以上" includes the number itself (article 1259), "过半数" does not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.motions import Channel, Choice, ItemClass


class Outcome(StrEnum):
    ADOPTED = "ADOPTED"
    REJECTED = "REJECTED"
    FAILED_PARTICIPATION = "FAILED_PARTICIPATION"


class Measure(StrEnum):
    AREA = "AREA"
    HEADS = "HEADS"


@dataclass(frozen=True, slots=True)
class Weight:
    heads: int = 0
    area: int = 0

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.heads + other.heads, self.area + other.area)

    def of(self, measure: Measure) -> int:
        return self.area if measure is Measure.AREA else self.heads


NONE = Weight()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A share that must be reached, or exceeded if `strict`, and where that is written."""

    numerator: int
    denominator: int
    strict: bool
    clause: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Threshold":
        return cls(content["numerator"], content["denominator"], content["strict"], content["clause"])

    def content(self) -> dict[str, Any]:
        return {
            "numerator": self.numerator,
            "denominator": self.denominator,
            "strict": self.strict,
            "clause": self.clause,
        }

    def met(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is enough; of nothing, nothing is."""
        if whole <= 0:
            return False
        left, right = part * self.denominator, whole * self.numerator
        return left > right if self.strict else left >= right

    def least(self, whole: int) -> int:
        """The smallest part of `whole` that is enough."""
        product = whole * self.numerator
        return product // self.denominator + 1 if self.strict else -(-product // self.denominator)

    def at_least_as_strict_as(self, other: "Threshold") -> bool:
        left, right = self.numerator * other.denominator, other.numerator * self.denominator
        return left > right or (left == right and (self.strict or not other.strict))


STATUTORY_QUORUM = Threshold(2, 3, False, "民法典第二百七十八条第二款第一句")
STATUTORY_ORDINARY = Threshold(1, 2, True, "民法典第二百七十八条第二款第三句")
STATUTORY_SPECIAL = Threshold(3, 4, False, "民法典第二百七十八条第二款第二句")


@dataclass(frozen=True, slots=True)
class Thresholds:
    quorum: Threshold = STATUTORY_QUORUM
    ordinary: Threshold = STATUTORY_ORDINARY
    special: Threshold = STATUTORY_SPECIAL

    def for_class(self, item_class: ItemClass) -> Threshold:
        return self.special if item_class.special else self.ordinary


@dataclass(frozen=True, slots=True)
class Test:
    """One test with its figures."""

    __test__ = False  # for pytest

    measure: Measure
    part: int
    whole: int
    threshold: Threshold

    @property
    def passed(self) -> bool:
        return self.threshold.met(self.part, self.whole)

    def content(self) -> dict[str, Any]:
        return {
            "measure": self.measure.value,
            "part": self.part,
            "whole": self.whole,
            **self.threshold.content(),
            "passed": self.passed,
        }


def tests(threshold: Threshold, part: Weight, whole: Weight) -> list[Test]:
    """By area and by heads; both must pass."""
    return [Test(measure, part.of(measure), whole.of(measure), threshold) for measure in Measure]


@dataclass(frozen=True, slots=True)
class CountedBallot:
    """A head's ballot that counts: its weight once, its choice for each item in their order.

    A secret one has no choices here.
    """

    weight: Weight
    channel: Channel
    choices: Sequence[Choice] = ()


Sums = dict[Choice, Weight]


def sums(pieces: Iterable[tuple[Choice, Weight]]) -> Sums:
    total = dict.fromkeys(Choice, NONE)
    for choice, weight in pieces:
        total[choice] += weight
    return total


def tally_result(
    thresholds: Thresholds,
    items: Sequence[ItemClass],
    total: Weight,
    ballots: Sequence[CountedBallot],
    secret: Sequence[tuple[int, Choice, Weight]] | None = None,
) -> dict[str, Any]:
    """The result as it is kept and published, with each test's figures.

    `secret` are the pieces of a secret vote's ballots: position of the item (from 1), choice, weight.
    """
    participating = sum((ballot.weight for ballot in ballots), NONE)
    quorum = tests(thresholds.quorum, participating, total)
    valid = all(test.passed for test in quorum)

    def of_item(position: int, chosen: Sequence[CountedBallot]) -> Sums:
        if secret is not None:
            return sums((choice, weight) for at, choice, weight in secret if at == position)
        return sums((ballot.choices[position - 1], ballot.weight) for ballot in chosen)

    results = []
    for position, item_class in enumerate(items, 1):
        found = of_item(position, ballots)
        needed = tests(thresholds.for_class(item_class), found[Choice.YES], participating)
        if not valid:
            outcome = Outcome.FAILED_PARTICIPATION
        else:
            outcome = Outcome.ADOPTED if all(test.passed for test in needed) else Outcome.REJECTED
        results.append(
            {
                "position": position,
                "class": item_class.value,
                **choice_counts(found),
                "tests": [test.content() for test in needed],
                "outcome": outcome.value,
            }
        )
    channels = []
    for channel in Channel:
        chosen = [ballot for ballot in ballots if ballot.channel is channel]
        channels.append(
            {
                "channel": channel.value,
                **content_of(sum((ballot.weight for ballot in chosen), NONE)),
                "items": []
                if secret is not None
                else [
                    {"position": position, **choice_counts(of_item(position, chosen))}
                    for position in range(1, len(items) + 1)
                ],
            }
        )
    return {
        "total": content_of(total),
        "participating": content_of(participating),
        "quorum": [test.content() for test in quorum],
        "items": results,
        "channels": channels,
    }


def choice_counts(found: Sums) -> dict[str, Any]:
    return {choice.value.lower(): content_of(weight) for choice, weight in found.items()}


def content_of(weight: Weight) -> dict[str, int]:
    return {"heads": weight.heads, "area": weight.area}
