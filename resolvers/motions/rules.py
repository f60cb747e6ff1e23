"""The rules of voting, as versions: the law's own, and what the owners adopt within it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.identity import CommunityRow
from models.messages import Message
from models.motions import RulesRow, can_put_motions
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, columns, select_one
from models.storage.tables import by_ids, insert
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import locked
from resolvers.motions.tally import (
    STATUTORY_ORDINARY,
    STATUTORY_QUORUM,
    STATUTORY_SPECIAL,
    Threshold,
    Thresholds,
)
from resolvers.organisations import organisation_for
from resolvers.paging import pages

# Regulation on Property Management, article 14: 15 days before the meeting.
STATUTORY_NOTICE_HOURS = 15 * 24
LARGEST_DENOMINATOR = 1000
LONGEST_HOURS = 24 * 366


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesDraft:
    """Rules to adopt. A binding vote's may be stricter than the law and never laxer."""

    name: str = "民法典第二百七十八条"
    binding: bool = True
    quorum: Threshold = STATUTORY_QUORUM
    ordinary: Threshold = STATUTORY_ORDINARY
    special: Threshold = STATUTORY_SPECIAL
    changes_allowed: bool = True
    proxies_allowed: bool = True
    notice_hours: int = STATUTORY_NOTICE_HOURS
    most_extensions: int = 0
    extension_hours: int = 0


STATUTORY = RulesDraft()


def thresholds_of(rules: RulesRow) -> Thresholds:
    return Thresholds(Threshold.of(rules.quorum), Threshold.of(rules.ordinary), Threshold.of(rules.special))


def check_rules(wanted: RulesDraft) -> None:
    """Raises InvalidInput naming what the law, or sense, does not allow."""
    for field, threshold, law in (
        ("quorum", wanted.quorum, STATUTORY_QUORUM),
        ("ordinary", wanted.ordinary, STATUTORY_ORDINARY),
        ("special", wanted.special, STATUTORY_SPECIAL),
    ):
        if not 0 < threshold.numerator <= threshold.denominator <= LARGEST_DENOMINATOR:
            raise InvalidInput(
                **{
                    field: Message(
                        "Must be a share above 0 and up to 1, in {most}ths at most", most=LARGEST_DENOMINATOR
                    )
                }
            )
        if threshold.strict and threshold.numerator == threshold.denominator:
            raise InvalidInput(**{field: Message("A share of more than all cannot be asked for")})
        if wanted.binding and not threshold.at_least_as_strict_as(law):
            raise InvalidInput(**{field: Message("A binding vote cannot ask for less than the law")})
    if wanted.binding and wanted.notice_hours < STATUTORY_NOTICE_HOURS:
        raise InvalidInput(
            noticeHours=Message("A binding vote is announced at least 15 days (360 hours) before")
        )
    for field, hours in (("noticeHours", wanted.notice_hours), ("extensionHours", wanted.extension_hours)):
        if not 0 <= hours <= LONGEST_HOURS:
            raise InvalidInput(**{field: Message("From 0 to {most}", most=LONGEST_HOURS)})
    if not 0 <= wanted.most_extensions <= 10:
        raise InvalidInput(mostExtensions=Message("From 0 to 10"))
    if (wanted.most_extensions > 0) != (wanted.extension_hours > 0):
        raise InvalidInput(extensionHours=Message("Extensions and their hours go together"))


async def adopt(ctx: Context, *, organisation_id: UUID, base_version: int, wanted: RulesDraft) -> RulesRow:
    """Make these the newest rules of the community; votes under older versions keep theirs.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict if `base_version` is not the newest (0 where there
    is none).
    """
    _ = ctx.account_id
    organisation = await organisation_for(ctx, organisation_id)
    name = check_text("name", wanted.name, 80)
    check_rules(wanted)
    if not can_put_motions(ctx.viewer, organisation.id):
        raise await audit.refuse(
            ctx,
            "adoptVoteRules",
            Message("Only officers who put motions to the owners may do this"),
            organisation,
        )
    async with ctx.unit_of_work():
        await locked(CommunityRow, organisation.community_id)
        newest = await newest_of(organisation.community_id)
        if (newest.version if newest else 0) != base_version:
            raise Conflict(Message("Other rules were adopted meanwhile"), newest)
        made = rules_of(organisation.community_id, base_version + 1, name, wanted, ctx.account_id)
        await insert(made)
        await audit.record(
            ctx,
            "adoptVoteRules",
            organisation,
            subject_id=made.id,
            detail=Message("version {version}", version=made.version),
        )
    return made


async def newest_or_law(community_id: UUID) -> RulesRow:
    """The newest rules; the law's become version 1 where none were adopted. Call it in a transaction."""
    await locked(CommunityRow, community_id)
    newest = await newest_of(community_id)
    if newest is None:
        newest = rules_of(community_id, 1, STATUTORY.name, STATUTORY, None)
        await insert(newest)
    return newest


async def newest_of(community_id: UUID) -> RulesRow | None:
    return await select_one(
        RulesRow,
        f"SELECT {columns(RulesRow)} FROM vote_rules t WHERE t.community_id = ? ORDER BY"
        f" t.version DESC LIMIT 1",
        community_id,
    )


def rules_of(community_id: UUID, version: int, name: str, wanted: RulesDraft, by: UUID | None) -> RulesRow:
    return RulesRow(
        community_id=community_id,
        version=version,
        name=name,
        binding=wanted.binding,
        quorum=wanted.quorum.content(),
        ordinary=wanted.ordinary.content(),
        special=wanted.special.content(),
        changes_allowed=wanted.changes_allowed,
        proxies_allowed=wanted.proxies_allowed,
        notice_hours=wanted.notice_hours,
        most_extensions=wanted.most_extensions,
        extension_hours=wanted.extension_hours,
        adopted_by_id=by,
    )


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[RulesRow | None]:
    """The rules with these ids in communities that the viewer belongs to."""
    return await by_ids(RulesRow, ids, Where("t.community_id IN (?)", (ctx.viewer.communities,)))


async def rules_of_communities(
    ctx: Context, communities: Sequence[CommunityRow], args: PageArgs
) -> list[Page[RulesRow]]:
    """The versions of each community's rules, newest first, for who belongs to it."""
    return await pages(
        RulesRow,
        [row.id for row in communities],
        by="community_id",
        args=args,
        where=Where("t.community_id IN (?)", (ctx.viewer.communities,)),
    )
