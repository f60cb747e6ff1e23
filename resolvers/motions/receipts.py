"""Receipts: what a voter checks the own ballot with, and what secret ballots are made of.

In an open vote the server can write a receipt's code again at any time. In a secret vote it cannot: the code
is a secret of the voter's, of which only digests are kept. The ballot lies in the box as a commitment, and
its choices lie apart as pieces: one head, and the area in round pieces, each item by itself, under codes that
only the secret connects. The sums are exact, and neither an area nor a pattern of answers gives a home away.
"""

import base64
import json
import random
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from models.messages import Message
from models.motions import BoxEntryRow, Choice, EntryKind, MotionPhase, MotionRow, SecretChoiceRow, Standing
from models.storage.rows import Where, execute
from models.storage.tables import every, insert_all, one
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.motions import reading
from resolvers.motions.ballot_box import canonical, digest

# Codes carry at least 128 bits: 26 of 32 letters, or more digits.
SECRET = re.compile(r"[A-Z0-9]{26,64}")
# No piece of area is larger: a large owner leaves many pieces, and no rare one.
LARGEST_PIECE = 1 << 19


def normal_code(code: str) -> str:
    return re.sub(r"[\s-]", "", code).upper()


def in_groups_of_four(code: str) -> str:
    """In groups of four, for people."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def code_of(ctx: Context, entry_id: UUID) -> str:
    """The receipt's code of an open ballot."""
    return in_groups_of_four(ctx.services.keys.index("ballot-receipt", entry_id.hex)[:32].upper())


def new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(20)).decode()


def check_secret(given: str | None) -> str:
    """The voter's secret, or a new one. Raises InvalidInput for what can be guessed."""
    if given is None:
        return new_secret()
    code = normal_code(given)
    if not SECRET.fullmatch(code) or len(set(code)) < 8:
        raise InvalidInput(receiptSecret=Message("26 to 64 random letters and digits"))
    return code


def digest_of(code: str) -> str:
    """What the box keeps of a receipt's code."""
    return digest("receipt|" + normal_code(code))


def commitment(secret: str, choices: list[Choice]) -> str:
    """What binds a secret ballot to its choices without telling them."""
    return digest(canonical({"choices": [choice.value for choice in choices], "secret": secret}))


def piece_code(secret: str, motion_id: UUID, position: int, piece: int) -> str:
    return digest(f"piece|{secret}|{motion_id.hex}|{position}|{piece}")


def pieces_of(area: int) -> list[int]:
    """The area in powers of two, none larger than LARGEST_PIECE: they sum up to it exactly."""
    large, rest = divmod(area, LARGEST_PIECE)
    return [LARGEST_PIECE] * large + [1 << bit for bit in range(19) if rest >> bit & 1]


async def put_pieces(motion: MotionRow, secret: str, choices: list[Choice], area: int) -> None:
    """Put a secret ballot's choices into the pool, in no order and at no time."""
    rows = []
    for position, choice in enumerate(choices, 1):
        weights = [(1, 0), *((0, piece) for piece in pieces_of(area))]
        for piece, (heads, size) in enumerate(weights):
            rows.append((position, choice, heads, size, piece_code(secret, motion.id, position, piece)))
    await write_pieces(motion, rows)


async def write_pieces(motion: MotionRow, rows: list[tuple[int, Choice, int, int, str]]) -> None:
    random.SystemRandom().shuffle(rows)
    await insert_all(
        [
            SecretChoiceRow(
                # An id of ours says when it was made.
                id=uuid4(),
                created_at=motion.opens_at,
                motion_id=motion.id,
                position=position,
                choice=choice,
                heads=heads,
                area_cm2=area,
                code=code,
            )
            for position, choice, heads, area, code in rows
        ]
    )


async def secret_pieces(motion_id: UUID) -> list[SecretChoiceRow]:
    """All pieces, ordered by their codes, which is no order at all."""
    return await every(SecretChoiceRow, Where("t.motion_id = ?", (motion_id,)), "t.code")


async def reshuffle(motion: MotionRow) -> list[SecretChoiceRow]:
    """The pool, written anew by lot, so that not even a place in the file tells of a ballot."""
    rows = await secret_pieces(motion.id)
    await execute("DELETE FROM secret_choice WHERE motion_id = ? RETURNING id", motion.id)
    await write_pieces(
        motion, [(row.position, row.choice, row.heads, row.area_cm2, row.code) for row in rows]
    )
    return rows


# Checking


@dataclass(slots=True)
class Receipt:
    """What a receipt's code shows to whoever holds it."""

    motion: MotionRow
    number: int
    hash: str
    previous_hash: str
    cast_at: datetime
    standing: Standing
    # The own ballot's only: None for anybody else's.
    choices: list[Choice] | None
    # Whether, in a secret vote, every piece that belongs to the code is in the pool.
    pieces_found: bool | None


async def check(ctx: Context, *, motion_id: UUID, code: str) -> Receipt | None:
    """The ballot of this receipt, as it lies in the box; None if there is none.

    What it says is shown only to who cast it; in a secret vote to who holds the code. Raises NotFound.
    """
    _ = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    found = await one(
        BoxEntryRow, Where("t.motion_id = ? AND t.receipt = ?", (motion.id, digest_of(code[:200])))
    )
    if found is None or found.standing is None:
        return None
    content = json.loads(found.content)
    choices: list[Choice] | None = None
    pieces: bool | None = None
    if motion.secret:
        choices = await secret_choices(motion, normal_code(code))
        pieces = content["commitment"] == commitment(normal_code(code), choices or [])
        # Whoever entered a paper ballot knew its code; what it says is not shown again before the close.
        if found.cast_by_id is None and reading.phase(motion) is not MotionPhase.CLOSED:
            choices = None
    elif found.cast_by_id == ctx.account_id:
        choices = [Choice(value) for value in content["choices"]]
    return Receipt(
        motion=motion,
        number=found.number,
        hash=found.hash,
        previous_hash=content["previous"],
        cast_at=datetime.fromisoformat(content["at"]),
        standing=found.standing,
        choices=choices,
        pieces_found=pieces,
    )


async def secret_choices(motion: MotionRow, secret: str) -> list[Choice] | None:
    """What lies in the pool under this secret, one choice an item; None unless all are there."""
    (items,) = await reading.items([motion.id])
    codes = [piece_code(secret, motion.id, item.position, 0) for item in items]
    rows = await every(SecretChoiceRow, Where("t.motion_id = ? AND t.code IN (?)", (motion.id, codes)))
    found = {row.code: row.choice for row in rows}
    return [found[code] for code in codes] if len(found) == len(codes) else None


@dataclass(slots=True)
class OwnBallot:
    """A ballot that the viewer cast, with its receipt and, in an open vote, what it says."""

    entry: BoxEntryRow
    receipt: str | None

    @property
    def id(self) -> UUID:
        return self.entry.id

    @property
    def choices(self) -> list[Choice] | None:
        found = json.loads(self.entry.content).get("choices")
        return None if found is None else [Choice(value) for value in found]


async def own_ballots_of(ctx: Context, heads: Sequence[reading.OwnHead]) -> list[list[OwnBallot]]:
    """The ballots that the viewer cast for each head, newest first."""
    rows = await every(
        BoxEntryRow,
        Where(
            "t.cast_by_id = ? AND t.motion_id IN (?) AND t.kind = ?",
            (ctx.account_id, {head.motion.id for head in heads}, EntryKind.BALLOT),
        ),
        "t.number DESC",
    )
    secret = {head.motion.id for head in heads if head.motion.secret}
    found: dict[UUID | None, list[OwnBallot]] = {}
    for row in rows:
        receipt = None if row.motion_id in secret else code_of(ctx, row.id)
        found.setdefault(row.elector_id, []).append(OwnBallot(row, receipt))
    return [found.get(head.elector.id, []) for head in heads]
