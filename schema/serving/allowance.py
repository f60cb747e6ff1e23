"""What clients may have computed for documents that nobody has sent lately, and when it is their turn.

A document that is remembered costs nothing. To parse, survey, validate and plan any other one takes
milliseconds in which the event loop does nothing else. Therefore one is prepared at a time, whoever has
waited longest for a turn comes next, and the loop is left to everybody else for as long as it took. The time
is charged to all who asked for it: the connection, the address, the account.
"""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from prometheus_client import Counter, Histogram

from schema.serving.operations import Operation, Operations
from subscriptions.addresses import origin

# Payers that are known at a time; whoever paid longest ago is forgotten.
MOST_PAYERS: Final = 20_000

PREPARING: Final = Histogram(
    "linli_preparing_seconds",
    "Processor time to parse, survey, validate and plan a document that was not remembered.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
OVERDRAWN: Final = Counter(
    "linli_overdrawn_total",
    "Operations refused because a connection, an address or an account had too much computed.",
    ("payer",),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds of processor time: `most` at once, and `share` of each second that passes."""

    most: float
    share: float


class Payer(Enum):
    """Who is charged. Behind an address there may be a whole estate, behind an account several devices."""

    CONNECTION = Rate(0.5, 0.02)
    ACCOUNT = Rate(1.0, 0.05)
    ADDRESS = Rate(2.0, 0.1)


Purse = tuple[Payer, Hashable]


def purses_of(address: str, account: Hashable | None) -> list[Purse]:
    """Who pays for a client: its address, with all that it can choose from, and the account if it has one.

    Those that have no address pay together.
    """
    purses: list[Purse] = [(Payer.ADDRESS, origin(address) or "unknown")]
    if account is not None:
        purses.append((Payer.ACCOUNT, account))
    return purses


class Purses:
    """What each has left: for each payer, the moment at which all that was spent will be made up for."""

    def __init__(self) -> None:
        self._even_at: OrderedDict[Purse, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._even_at)

    def overdrawn(self, purses: Sequence[Purse]) -> tuple[Payer, int] | None:
        """Who of them has to wait longest before it may spend again, and for how many seconds."""
        present = time.monotonic()
        waits = [
            (self._even_at.get(purse, present) - present - purse[0].value.most / purse[0].value.share, purse)
            for purse in purses
        ]
        seconds, purse = max(waits, key=lambda wait: wait[0])
        return (purse[0], math.ceil(seconds)) if seconds > 0 else None

    def spend(self, purses: Sequence[Purse], seconds: float) -> None:
        """Charge each of them."""
        present = time.monotonic()
        for purse in purses:
            even_at = max(self._even_at.pop(purse, present), present)
            self._even_at[purse] = even_at + seconds / purse[0].value.share
        while len(self._even_at) > MOST_PAYERS:
            self._even_at.popitem(last=False)


class Preparation:
    """Prepares operations, for the whole process: one at a time, for each payer in its turn."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.purses = Purses()
        self._waiting: OrderedDict[Purse, deque[tuple[asyncio.Future[bool], tuple[str, str | None]]]] = (
            OrderedDict()
        )
        self._busy = False

    async def operation(self, text: str, name: str | None, purses: Sequence[Purse]) -> Operation:
        """The operation of that name in `text`, at the expense of `purses`, the first of which queues.

        Raises Rejected; if one of them is overdrawn, with the seconds to wait.
        """
        while (known := self.operations.known(text, name)) is None:
            self._check(purses)
            if await self._turn(purses[0], (text, name)):
                return self._prepare(text, name, purses)
        return known

    def _prepare(self, text: str, name: str | None, purses: Sequence[Purse]) -> Operation:
        """What to do with one's turn."""
        started = time.monotonic()
        try:
            # Others may have asked for too much in the name of the same payer.
            self._check(purses)
            return self._prepare_at_the_expense_of(purses, text, name)
        finally:
            asyncio.get_running_loop().call_later(time.monotonic() - started, self._next)

    def _prepare_at_the_expense_of(self, purses: Sequence[Purse], text: str, name: str | None) -> Operation:
        # Of this process alone: nobody pays for a machine that is busy with something else.
        started = time.thread_time()
        try:
            return self.operations.prepare(text, name)
        finally:
            seconds = time.thread_time() - started
            self.purses.spend(purses, seconds)
            PREPARING.observe(seconds)

    def _check(self, purses: Sequence[Purse]) -> None:
        overdrawn = self.purses.overdrawn(purses)
        if overdrawn is not None:
            payer, seconds = overdrawn
            OVERDRAWN.labels(payer.name.lower()).inc()
            raise self.operations.rate_limited(seconds)

    async def _turn(self, purse: Purse, wanted: tuple[str, str | None]) -> bool:
        """Wait. True if it is this one's turn, False if somebody else has prepared what is wanted."""
        if not self._busy:
            self._busy = True
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(purse, deque()).append((turn, wanted))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._next()
            raise

    def _next(self) -> None:
        """Give the turn to the next payer who has somebody waiting for what is still unknown."""
        while self._waiting:
            purse, turns = self._waiting.popitem(last=False)
            while turns:
                turn, wanted = turns.popleft()
                if turn.done():
                    continue
                mine = not self.operations.is_known(*wanted)
                turn.set_result(mine)
                if mine:
                    if turns:
                        self._waiting[purse] = turns
                    return
        self._busy = False
