"""How a database would go about the statements of a piece of code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tortoise import Tortoise

from models.storage.rows import dialect


@dataclass
class Statement:
    text: str
    values: list[Any]


@asynccontextmanager
async def recorded() -> AsyncIterator[list[Statement]]:
    """The statements that are read meanwhile, with their values."""
    kind: Any = type(Tortoise.get_connection("default"))
    original = kind.fetch
    found: list[Statement] = []

    async def run(self: Any, query: str, values: Any) -> Any:
        found.append(Statement(query, list(values)))
        return await original(self, query, values)

    kind.fetch = run
    try:
        yield found
    finally:
        kind.fetch = original


async def plan(statement: Statement) -> str:
    """How the database would go about it."""
    explain = "EXPLAIN QUERY PLAN " if dialect() == "sqlite" else "EXPLAIN "
    connection = Tortoise.get_connection("default")
    rows = await connection.execute_query_dict(explain + statement.text, statement.values)
    return "\n".join(str(list(row.values())) for row in rows)
