"""How often something may be done: sliding windows, counted in the database for all processes."""

import ipaddress
from dataclasses import dataclass, replace
from datetime import timedelta

from models.base import new_id, now
from models.storage.rows import execute
from resolvers.context import Context
from resolvers.errors import RateLimited
from subscriptions.addresses import origin

LONGEST_WINDOW = timedelta(days=2)
# So many times as much as one client may, all of a /48 may: a site has many homes or one sender of many.
NETWORK_SHARE = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` times in any `seconds`."""

    count: int
    seconds: int


async def check_rate(ctx: Context, action: str, most: int, seconds: int) -> None:
    """Count that the signed-in account does `action`. Raises RateLimited above `most` in `seconds`."""
    await check(f"{action}/{ctx.account_id}", Limit(most, seconds))


async def check(key: str, *limits: Limit) -> None:
    """Count one more `key`. Raises RateLimited if that is above one of `limits`.

    What is refused is not counted, so that trying again early does not make the wait longer. Count
    outside of a unit of work what must stay counted when the rest fails.
    """
    for limit in limits:
        await count(f"{key}/{limit.seconds}", limit)


async def counted(key: str, seconds: int) -> int:
    """Count one more `key`; how many that makes in the present window of so many seconds."""
    rows = await execute(
        'INSERT INTO rate_count (id, created_at, key, "window", count) VALUES (?, ?, ?, ?, 1)'
        ' ON CONFLICT (key, "window") DO UPDATE SET count = rate_count.count + 1 RETURNING count',
        new_id(),
        now(),
        key,
        int(now().timestamp()) // seconds,
    )
    return int(rows[0]["count"])


async def count(key: str, limit: Limit) -> None:
    # The share of the window before that the sliding window still covers counts in; integers only.
    at = int(now().timestamp())
    window, elapsed = divmod(at, limit.seconds)
    current = await counted(key, limit.seconds)
    earlier = await execute('SELECT count FROM rate_count WHERE key = ? AND "window" = ?', key, window - 1)
    before = int(earlier[0]["count"]) if earlier else 0
    if current * limit.seconds + before * (limit.seconds - elapsed) <= limit.count * limit.seconds:
        return
    await execute('UPDATE rate_count SET count = count - 1 WHERE key = ? AND "window" = ?', key, window)
    raise RateLimited(seconds_to_wait(limit, elapsed, current - 1, before))


def seconds_to_wait(limit: Limit, elapsed: int, current: int, before: int) -> int:
    """Seconds until one more fits, if nothing else comes in between."""
    if before and current < limit.count:
        # Until enough of the window before has slid out, at the latest when all of it has.
        room = (limit.count - current - 1) * limit.seconds // before
        return max(1, limit.seconds - elapsed - room)
    room = (limit.count - 1) * limit.seconds // max(current, 1)
    return max(1, 2 * limit.seconds - elapsed - room)


async def check_address(ctx: Context, action: str, *limits: Limit) -> None:
    """Count that the client's address does `action`. Raises RateLimited.

    A client without an address is one of our own commands. All whose address is none are one client.
    """
    for times, key in enumerate(address_keys(ctx, action)):
        await check(key, *(replace(limit, count=limit.count * NETWORK_SHARE**times) for limit in limits))


def address_keys(ctx: Context, action: str) -> list[str]:
    """What is counted for the client's address: the client, and the /48 that an IPv6 customer is given."""
    if not ctx.address:
        return []
    client = origin(ctx.address) or "unknown"
    keys = [f"{action}/{client}"]
    if ":" in client:
        keys.append(f"{action}/{ipaddress.ip_network((client, 48), strict=False)}")
    return keys


async def uncount_address(ctx: Context, action: str, limit: Limit) -> None:
    """Take back one that `check_address` has counted: it was not what the limit is for."""
    for key in address_keys(ctx, action):
        await execute(
            'UPDATE rate_count SET count = count - 1 WHERE key = ? AND "window" = ? AND count > 0',
            f"{key}/{limit.seconds}",
            int(now().timestamp()) // limit.seconds,
        )


async def sweep() -> None:
    """Forget windows that no limit reaches back to any more."""
    await execute("DELETE FROM rate_count WHERE created_at < ?", now() - LONGEST_WINDOW)
