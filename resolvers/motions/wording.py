"""What the notices of a vote say: that it is announced, called off or extended, and its result.

A notice stays on record and is the same for everybody, so it is in the language of the record.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from models.messages import OF_RECORD, Message
from models.motions import Choice, ItemRow, MotionRow, RulesRow
from resolvers.motions.tally import Outcome
from resolvers.tables import beijing_time

LONGEST_BODY = 3000

ITEMS_OF_LAW: Final = (
    Message("1"),
    Message("2"),
    Message("3"),
    Message("4"),
    Message("5"),
    Message("6"),
    Message("7"),
    Message("8"),
    Message("9"),
)
OUTCOMES: Final = {
    Outcome.ADOPTED: Message("adopted"),
    Outcome.REJECTED: Message("rejected"),
    Outcome.FAILED_PARTICIPATION: Message("no decision: too few owners took part"),
}
CHOICES: Final = {Choice.YES: Message("Yes"), Choice.NO: Message("No"), Choice.ABSTAIN: Message("Abstained")}


def kind_of_vote(under: RulesRow) -> Message:
    return Message("Owners' vote") if under.binding else Message("Opinion survey")


def announced(motion: MotionRow, items: Sequence[ItemRow], under: RulesRow) -> tuple[str, str]:
    """The title and the body of the announcement."""
    title = Message("{vote} announced: {title}", vote=kind_of_vote(under), title=motion.title)
    binding = Message("this vote binds in law")
    survey = Message("this is an opinion survey and does not bind in law")
    lines: list[str] = [
        Message(
            "Voting from {opens_at} to {closes_at} (Beijing time).",
            opens_at=beijing_time(motion.opens_at),
            closes_at=beijing_time(motion.closes_at),
        ),
        Message(
            "Scope: {scope}. {ballot}; {nature}.",
            scope=motion.scope_label,
            ballot=Message("Secret ballot") if motion.secret else Message("Open ballot"),
            nature=binding if under.binding else survey,
        ),
        *(
            Message(
                "{number}. {title} (Civil Code, article 278, paragraph 1, item {item})",
                number=item.position,
                title=item.title,
                item=ITEMS_OF_LAW[item.item_class.number - 1],
            )
            for item in items
        ),
        "",
        motion.body[:LONGEST_BODY],
    ]
    return written(title, lines)


def called_off(motion: MotionRow, under: RulesRow, reason: str) -> tuple[str, str]:
    """The title and the body of the notice that a vote does not take place."""
    return written(
        Message("{vote} called off: {title}", vote=kind_of_vote(under), title=motion.title), [reason]
    )


def extended(motion: MotionRow, under: RulesRow, closes_at: datetime) -> tuple[str, str]:
    """The title and the body of the notice that owners have until `closes_at`."""
    title = Message("{vote} extended: {title}", vote=kind_of_vote(under), title=motion.title)
    lines = [
        participation(motion.heads_cast, motion.heads, motion.area_cast_cm2, motion.area_cm2),
        Message(
            "That is less than the rules ask for. Under version {version} of the rules of voting, the vote"
            " goes on until {closes_at} (Beijing time). Ballots that were cast remain valid.",
            version=under.version,
            closes_at=beijing_time(closes_at),
        ),
    ]
    return written(title, lines)


def closed(
    motion: MotionRow, items: Sequence[ItemRow], under: RulesRow, result: Mapping[str, Any]
) -> tuple[str, str]:
    """The title and the body of the result, with the figures of participation and of each item."""
    title = Message("{vote}, result: {title}", vote=kind_of_vote(under), title=motion.title)
    total, cast = result["total"], result["participating"]
    lines: list[str] = [
        Message("This result binds in law.")
        if under.binding
        else Message("This result is an opinion survey's and does not bind in law."),
        participation(cast["heads"], total["heads"], cast["area"], total["area"]),
    ]
    for item, found in zip(items, result["items"], strict=True):
        lines.append(
            Message(
                "{number}. {title}: {outcome}",
                number=item.position,
                title=item.title,
                outcome=OUTCOMES[Outcome(found["outcome"])],
            )
        )
        lines += [
            Message(
                "{choice}: {heads} owners, {area} square metres",
                choice=choice_name,
                heads=found[choice.value.lower()]["heads"],
                area=square_metres(found[choice.value.lower()]["area"]),
            )
            for choice, choice_name in CHOICES.items()
        ]
    return written(title, [*lines, Message("Check value of the ballot box: {hash}", hash=motion.last_hash)])


def participation(heads: int, all_heads: int, area: int, all_area: int) -> Message:
    return Message(
        "Took part: {heads} of {all_heads} owners ({heads_share}%), with {area} of {all_area} square metres"
        " ({area_share}%).",
        heads=heads,
        all_heads=all_heads,
        heads_share=percentage(heads, all_heads),
        area=square_metres(area),
        all_area=square_metres(all_area),
        area_share=percentage(area, all_area),
    )


def written(title: Message, lines: Sequence[str]) -> tuple[str, str]:
    said = [line.in_language(OF_RECORD) if isinstance(line, Message) else line for line in lines]
    return title.in_language(OF_RECORD), "\n".join(said)


def percentage(part: int, whole: int) -> str:
    """With two decimals, and never rounded up to a share that was not reached."""
    hundredths = part * 10_000 // whole if whole else 0
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def square_metres(area_cm2: int) -> str:
    """Exact, with two decimals at least."""
    decimals = f"{area_cm2 % 10_000:04d}"
    return f"{area_cm2 // 10_000}.{decimals[:2]}{decimals[2:].rstrip('0')}"
