"""Tortoise's asyncpg client, whose transactions give their connection back whatever happens.

Tortoise keeps the connection when BEGIN fails or is cancelled: after as many such accidents as the
pool has connections, every later query waits for ever. And a server that restarts leaves a pool of
connections of which only the first use shows that they are dead.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from asyncpg import Connection
from asyncpg.exceptions import InternalClientError
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError

from models.storage.settled import settled

# Of prepared statements for each connection.
CACHED = 512


class PooledConnection(Connection):
    def get_reset_query(self) -> str:
        # Nothing of ours changes a session or listens, and a transaction left open is rolled back all the
        # same. By default every release costs one more round trip.
        return ""


class Fetching(AsyncpgDBClient):
    def _check_loop(self) -> bool:
        # A client lives as long as the loop that opened it: database.database sees to that.
        return True

    @translate_exceptions
    async def fetch(
        self, text: str, values: Sequence[Any]
    ) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
        """The names of the columns, and the rows in their order; no names without rows."""
        async with self.acquire_connection() as connection:
            rows = await connection.fetch(text, *values)
        return (tuple(rows[0].keys()) if rows else (), rows)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        _, rows = await self.fetch(query, values or ())
        return [dict(row) for row in rows]


class PooledTransaction(Fetching, TransactionWrapper):
    pass


class PooledTransactionContext(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        dead = 0
        while not await self._began():
            dead += 1
            if dead > self.client._parent._pool.get_max_size():
                raise DBConnectionError("Every connection of the pool is dead")
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def _began(self) -> bool:
        """Whether BEGIN went through; where not, it has done nothing and another connection can have it."""
        client = self.client
        client._connection = await client._parent._pool.acquire()
        try:
            await settled(client.begin())
        except BaseException as error:
            dead = isinstance(error, InternalClientError) or client._connection.is_closed()
            await self._release()
            if dead and isinstance(error, Exception):
                return False
            raise
        return True

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if self.client._finalized:
                pass
            elif exc_type is None:
                await settled(self.client.commit())
            else:
                # What went wrong before matters more; the pool resets what it gets back.
                with suppress(Exception):
                    await settled(self.client.rollback())
        finally:
            get_connections().reset(self.token)
            await self._release()

    async def _release(self) -> None:
        if (pool := self.client._parent._pool) is not None:
            await settled(pool.release(self.client._connection))


class PostgresClient(Fetching):
    # Tortoise declares its own class here, of which ours is none: it has what the client asks of it.
    connection_class = PooledConnection  # type: ignore[assignment]

    def _in_transaction(self) -> TransactionContext:
        return PooledTransactionContext(PooledTransaction(self), self._pool_init_lock)


def get_client_class(_db_info: dict[str, Any]) -> type[AsyncpgDBClient]:
    """Called by Tortoise for the engine ``models.storage.postgres``."""
    return PostgresClient
