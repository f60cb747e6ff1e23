"""Enums of the models, as clients see them."""

from enum import Enum
from typing import Any

import strawberry


def described(enum: type[Enum], description: str, **values: str) -> None:
    """Make `enum` part of the schema, with a description for each of its values.

    Raises ValueError unless exactly the enum's values are described, so that none is forgotten.
    """
    if set(values) != set(enum.__members__):
        raise ValueError(f"{enum.__name__} needs descriptions of {', '.join(enum.__members__)}")
    definition: Any = strawberry.enum(enum, description=description)
    for value in definition.__strawberry_definition__.values:
        value.description = values[value.name]
