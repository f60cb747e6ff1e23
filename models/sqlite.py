"""Tortoise's SQLite client with the transactions that a server needs.

Tortoise opens transactions with a deferred ``BEGIN``: two processes that read and then write fail
with "database is locked", whatever the busy time-out. Here every transaction takes the write lock
when it begins. And whatever fails or is cancelled on the way, a transaction that was begun is ended,
and the connection's lock released: Tortoise leaves both to the next one who comes.
"""

import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from models.settled import settled


def text_of(moment: datetime) -> str:
    # Moments are compared as text, which is right only if all are in one zone.
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat(" ")


sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(datetime, text_of)


class ImmediateTransaction(SqliteTransactionWrapper):
    async def begin(self) -> None:
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise TransactionManagementError(error) from error


class ImmediateTransactionContext(SqliteTransactionContext):
    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await settled(self.connection.begin())
        except BaseException:
            await self._end()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection  # type: ignore[no-any-return]

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if exc_type is None and not self.connection._finalized:
                await settled(self.connection.commit())
        finally:
            get_connections().reset(self.token)
            await self._end()

    async def _end(self) -> None:
        # Does nothing after a commit that succeeded.
        try:
            with suppress(sqlite3.Error, ValueError, AttributeError):
                await settled(self.connection._connection.rollback())
        finally:
            self._trxlock.release()


class ImmediateSqliteClient(SqliteClient):
    def _in_transaction(self) -> TransactionContext:
        return ImmediateTransactionContext(ImmediateTransaction(self), self._lock)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)


def get_client_class(_db_info: dict[str, Any]) -> type[SqliteClient]:
    """Called by Tortoise for the engine ``models.sqlite``."""
    return ImmediateSqliteClient
