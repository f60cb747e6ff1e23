"""Calls that may be repeated: the same key and body give the same result, and no second effect."""

import json
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from models.base import now
from models.messages import Message
from models.retries import IdempotentCallRow
from models.storage.rows import execute
from models.storage.tables import insert
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict

# Longer than any client goes on repeating a call.
KEPT = timedelta(days=7)
# The digest of a call whose body may not be told any more.
FORGOTTEN = ""


async def earlier_result(ctx: Context, key: str, action: str, body: Any, result_id: UUID) -> UUID | None:
    """Claim `key` for `result_id`, inside the transaction that makes the result.

    Returns None if the claim is ours, or the id that the first call with this key made. `body` is
    whatever makes two calls the same: values, and the dataclasses of what was asked for. Raises Conflict
    if the key was used for another action or body, InvalidInput for a key that is empty or longer than
    64 characters.
    """
    key = check_text("idempotencyKey", key, 64)
    # Keyed, and another for every account and key: a plain digest of a short text is found by guessing.
    text = json.dumps([str(ctx.account_id), key, action, body], sort_keys=True, default=plain)
    digest = ctx.services.keys.index("idempotent-call", text)
    claimed = await insert(
        IdempotentCallRow(
            account_id=ctx.account_id, key=key, action=action, digest=digest, result_id=result_id
        ),
        "(account_id, key) DO NOTHING",
    )
    if claimed:
        return None
    (first,) = await execute(
        "SELECT digest, result_id FROM idempotent_call WHERE account_id = ? AND key = ?",
        ctx.account_id,
        key,
    )
    if first["digest"] not in (digest, FORGOTTEN):
        raise Conflict(Message("This idempotency key was used for something else"))
    return UUID(str(first["result_id"]))


async def forget(account_ids: Iterable[UUID], result_ids: Iterable[UUID]) -> None:
    """Keep nothing of what these accounts asked for in the calls that made these results.

    For whoever deletes what was sealed of them. Such a call still makes no second result, whatever its body.
    """
    await execute(
        "UPDATE idempotent_call SET digest = ? WHERE account_id IN (?) AND result_id IN (?) RETURNING id",
        FORGOTTEN,
        set(account_ids),
        set(result_ids),
    )


def plain(value: object) -> object:
    """What JSON holds instead of a value, the same for equal values."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


async def sweep() -> None:
    """Forget the keys of calls that nobody repeats any more."""
    await execute("DELETE FROM idempotent_call WHERE created_at < ? RETURNING id", now() - KEPT)
