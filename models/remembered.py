"""What was made once and may be asked for again, in bounded memory."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """What `make` makes of each key, at most so many at a time: the next one empties it.

    A look-up is a dictionary's, without a call, which is what it is for: where a call does not count,
    functools has the same. Nothing is remembered if `make` raises.
    """

    def __init__(self, make: Callable[[K], V], most: int) -> None:
        super().__init__()
        self._make = make
        self._most = most

    def __missing__(self, key: K) -> V:
        found = self._make(key)
        if len(self) >= self._most:
            self.clear()
        self[key] = found
        return found
