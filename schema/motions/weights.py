"""Heads and their area, and the shares of them that must be reached, as clients see them."""

from collections.abc import Mapping
from typing import Any

import strawberry

from resolvers.motions.tally import Weight
from schema.motions.terms import Measure


@strawberry.type(description="Heads and their area, exact.")
class VoteWeight:
    heads: int = strawberry.field(description="Owners; co-owners are one, and so is an owner of many homes.")
    area_cm2: str = strawberry.field(
        description="Exclusive area in square centimetres: a whole number, as text,"
        " since it may exceed 32 bits."
    )


def weight_of(weight: Weight) -> VoteWeight:
    return VoteWeight(heads=weight.heads, area_cm2=str(weight.area))


def read_weight(content: Mapping[str, int]) -> VoteWeight:
    return VoteWeight(heads=content["heads"], area_cm2=str(content["area"]))


@strawberry.type(description="A share that must be reached, and where that is written.")
class VoteThreshold:
    numerator: int = strawberry.field(description="Of the fraction.")
    denominator: int = strawberry.field(description="Of the fraction.")
    strict: bool = strawberry.field(description="Whether it must be exceeded; else to reach it is enough.")
    clause: str = strawberry.field(description="The clause of the law or of the rules.")


def read_threshold(content: Mapping[str, Any]) -> VoteThreshold:
    return VoteThreshold(**{name: content[name] for name in ("numerator", "denominator", "strict", "clause")})


@strawberry.type(description="A test with its figures: `part` of `whole` against the threshold.")
class VoteTest:
    measure: Measure = strawberry.field(description="Area or heads.")
    part: str = strawberry.field(description="A whole number, as text.")
    whole: str = strawberry.field(description="A whole number, as text.")
    threshold: VoteThreshold = strawberry.field(description="What must be reached.")
    passed: bool = strawberry.field(description="Whether it is.")


def read_test(content: Mapping[str, Any]) -> VoteTest:
    return VoteTest(
        measure=Measure(content["measure"]),
        part=str(content["part"]),
        whole=str(content["whole"]),
        threshold=read_threshold(content),
        passed=content["passed"],
    )
