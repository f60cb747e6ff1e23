"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta

import pytest

from models import base


class Clock:
    """What `models.base.now` says: the present moment, as far ahead as the test likes, or one that stands."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.standing: datetime | None = None

    def __call__(self) -> datetime:
        return (self.standing or datetime.now(UTC)) + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)

    def go(self, to: datetime) -> None:
        """It is `to` now, and the clock goes on from there."""
        self.forward(seconds=(to - self()).total_seconds())

    def stand(self, at: datetime) -> None:
        """From now on it is `at`, until the clock is moved forward or set again."""
        self.standing, self.ahead = at, timedelta()

    def reset(self) -> None:
        """It is the present moment again."""
        self.standing, self.ahead = None, timedelta()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(base, "clock", made)
    return made
