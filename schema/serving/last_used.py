"""What was used lately, as much of it as may be kept in all."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, ValuesView
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LastUsed(Generic[K, V]):
    """At most `most` values, of at most the weight `heaviest` together; what was used longest ago goes first.

    `weigh` says what a key weighs with its value.
    """

    def __init__(self, most: int, heaviest: int, weigh: Callable[[K, V], int]) -> None:
        self.weight = 0
        self._most = most
        self._heaviest = heaviest
        self._weigh = weigh
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def values(self) -> ValuesView[V]:
        return self._values.values()

    def get(self, key: K) -> V | None:
        """The value of `key`, which is now the last one used; None if it is not kept."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep `value`, and what was used before it as far as there is room."""
        if key in self._values:
            self.weight -= self._weigh(key, self._values.pop(key))
        self._values[key] = value
        self.weight += self._weigh(key, value)
        while len(self._values) > self._most or self.weight > self._heaviest:
            self.weight -= self._weigh(*self._values.popitem(last=False))
