"""Reading a topic in the log's order, and what is said first to somebody who begins to follow it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Sequence

import structlog

from subscriptions import log
from subscriptions.events import CONFLATED, Logged
from subscriptions.followers import Group
from subscriptions.streams import Opened, Reset, ResetReason

# Events read from the log at once, by a feed and by a subscriber that catches up.
PAGE = 200
RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 5.0

logger = structlog.get_logger("linli.hub")


class Feed:
    """The reader of one topic. `position` is the last event it has taken from the log."""

    def __init__(
        self, topic: str, position: int, dispatch: "Callable[[Feed, Sequence[Logged], bool], Awaitable[None]]"
    ) -> None:
        self.topic = topic
        self.position = position
        self.groups: dict[Hashable, Group] = {}
        self._dispatch = dispatch
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """There may be something new in the log."""
        self._woken.set()

    def stop(self) -> asyncio.Task[None]:
        """Read no more. Returns the task that ends."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                while await self._advance():
                    pass
                failures = 0
            except Exception as error:
                # The database is away; the log keeps what is missed meanwhile.
                failures += 1
                logger.warning("feed_failed", error=type(error).__name__)
                await asyncio.sleep(pause(failures))
                self._woken.set()

    async def _advance(self) -> bool:
        events = await log.read(self.topic, self.position, PAGE)
        if not events:
            return False
        # Sequences have no holes: a hole means that the log was trimmed before it was read here.
        whole = events[0].seq == self.position + 1
        self.position = events[-1].seq
        await self._dispatch(self, newest(events), whole)
        return True


def greeting_at(at: log.Position, cursor: int) -> Opened | Reset:
    """What somebody is told first who stands at `cursor` of a topic."""
    if cursor < at.trimmed:
        return Reset(at.name, at.seq, ResetReason.LOG_TRIMMED)
    if cursor > at.seq:
        return Reset(at.name, at.seq, ResetReason.CURSOR_AHEAD)
    return Opened(at.name, cursor)


def newest(events: Sequence[Logged]) -> list[Logged]:
    """`events` without those that a later one about the same subject makes superfluous."""
    last = {sameness(e): e.seq for e in events if e.event.kind in CONFLATED}
    return [e for e in events if e.event.kind not in CONFLATED or last[sameness(e)] == e.seq]


def sameness(logged: Logged) -> Hashable:
    # With what decides who gets it: the later one must reach everyone whom the earlier would.
    event = logged.event
    return event.kind, event.subject, event.thread, event.audience, frozenset(event.facts.items())


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    longest = min(RETRY_SECONDS * 2.0 ** min(failures, 10), LONGEST_RETRY_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
