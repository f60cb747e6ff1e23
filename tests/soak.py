"""What `make soak` does whole, and `make test` by a sample: random cases, crashes, each with each."""

import os
from typing import TypeVar

import pytest

T = TypeVar("T")

SOAK = os.environ.get("LINLI_SOAK") == "yes"
# For the tests that have more to do then.
soak = pytest.mark.soak


def sized(sample: T, whole: T) -> T:
    return whole if SOAK else sample
