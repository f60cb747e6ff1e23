"""The rules of voting, as clients see them, and how others are adopted."""

from datetime import datetime

import strawberry

from models.motions import RulesRow
from resolvers.motions import rules
from resolvers.motions.tally import Threshold
from schema.execution.type_resolution import IsA
from schema.motions.weights import VoteThreshold, read_threshold
from schema.mutations import payload, shown
from schema.node import Node, fetched_by


@fetched_by(rules.visible_by_ids)
@strawberry.type(
    description="A version of the rules of voting. It never changes; other rules are another version."
)
class VoteRules(Node):
    version: int = strawberry.field(description="1 and rising, in a community.")
    name: str = strawberry.field(description="What they are called.")
    binding: bool = strawberry.field(
        description="Whether votes under them bind in law; else they are an opinion survey (意见征询)."
    )
    changes_allowed: bool = strawberry.field(
        description="Whether a ballot can be changed until the close. A secret one never can."
    )
    proxies_allowed: bool = strawberry.field(description="Whether others may vote for owners.")
    notice_hours: int = strawberry.field(description="Hours between announcement and opening, at least.")
    most_extensions: int = strawberry.field(
        description="How often a vote in which too few took part is extended; nobody can extend it otherwise."
    )
    extension_hours: int = strawberry.field(description="How long an extension is.")
    created_at: datetime = strawberry.field(description="Since when.")

    @strawberry.field(description="Who must take part, of all heads and of all area.")
    @staticmethod
    def quorum(root: strawberry.Parent[RulesRow]) -> VoteThreshold:
        return read_threshold(root.quorum)

    @strawberry.field(description="Who must agree to ordinary items, of those who take part.")
    @staticmethod
    def ordinary(root: strawberry.Parent[RulesRow]) -> VoteThreshold:
        return read_threshold(root.ordinary)

    @strawberry.field(description="Who must agree to items 6 to 8, of those who take part.")
    @staticmethod
    def special(root: strawberry.Parent[RulesRow]) -> VoteThreshold:
        return read_threshold(root.special)

    is_type_of = IsA(RulesRow)


@strawberry.input(description="A share that must be reached.")
class ThresholdInput:
    numerator: int = strawberry.field(description="Of the fraction.")
    denominator: int = strawberry.field(description="Of the fraction, 1,000 at most.")
    strict: bool = strawberry.field(description="Whether it must be exceeded.")
    clause: str = strawberry.field(description="Where it is written; at most 200 characters.")


def threshold_of(given: ThresholdInput | None, law: Threshold) -> Threshold:
    if given is None:
        return law
    return Threshold(given.numerator, given.denominator, given.strict, given.clause[:200])


@strawberry.input(description="Rules of voting. What is left out is the law's.")
class AdoptVoteRulesInput:
    organisation_id: strawberry.ID = strawberry.field(description="In whose name.")
    base_version: int = strawberry.field(description="The newest version until now; 0 if there is none.")
    name: str = strawberry.field(description="At most 80 characters.")
    binding: bool = strawberry.field(description="Whether votes under them bind; then the law is the least.")
    changes_allowed: bool = strawberry.field(description="Whether ballots can be changed until the close.")
    proxies_allowed: bool = strawberry.field(description="Whether others may vote for owners.")
    notice_hours: int = strawberry.field(
        description="Between announcement and opening; 360 at least for a binding vote."
    )
    most_extensions: int = strawberry.field(
        description="How often a vote is extended in which too few took part; 0 for never."
    )
    extension_hours: int = strawberry.field(description="How long an extension is.")
    quorum: ThresholdInput | None = strawberry.field(default=None, description="Who must take part.")
    ordinary: ThresholdInput | None = strawberry.field(default=None, description="Who must agree.")
    special: ThresholdInput | None = strawberry.field(
        default=None, description="Who must agree to items 6 to 8."
    )


@payload("The rules are adopted.")
class AdoptVoteRulesPayload:
    rules: RulesRow = shown(VoteRules, "The new version.")
