"""Tortoise's asyncpg client, whose transactions give their connection back whatever happens.

Tortoise keeps the connection when BEGIN fails or is cancelled: after as many such accidents as the
pool has connections, every later query waits for ever.
"""

from contextlib import suppress
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

from models.settled import settled


class PooledTransactionContext(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        client = self.client
        client._connection = await client._parent._pool.acquire()
        try:
            await settled(client.begin())
        except BaseException:
            await self._release()
            raise
        self.token = get_connections().set(self.connection_name, client)
        return client

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


class PostgresClient(AsyncpgDBClient):
    def _in_transaction(self) -> TransactionContext:
        return PooledTransactionContext(TransactionWrapper(self), self._pool_init_lock)


def get_client_class(_db_info: dict[str, Any]) -> type[AsyncpgDBClient]:
    """Called by Tortoise for the engine ``models.postgres``."""
    return PostgresClient
