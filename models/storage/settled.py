"""Database work that a cancellation must not cut in the middle."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def settled(work: Awaitable[T]) -> T:
    """The result of `work`, which runs to its end even if the caller is cancelled.

    A BEGIN or COMMIT that nobody waits for leaves its connection in a state that nobody knows.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # retrieved, so that nobody complains
        raise cancelled
    return task.result()
