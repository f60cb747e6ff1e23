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
    described_enum: Any = enum
    # A type that has a field of the enum may have made it part of the schema already.
    if not hasattr(enum, "__strawberry_definition__"):
        described_enum = strawberry.enum(enum)
    definition = described_enum.__strawberry_definition__
    definition.description = description
    for value in definition.values:
        value.description = values[value.name]
