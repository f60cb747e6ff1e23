"""What the Python rivals share: the data, and a queue for each subscriber."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class Author:
    id: str
    display_name: str


@dataclass
class Post:
    id: str
    body: str
    created_at: str
    comment_count: int
    like_count: int
    author: Author


class Broker:
    """An in-process publisher."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[Post]] = set()
        self.number = 0

    def publish(self, body: str) -> None:
        self.number += 1
        author = Author("TmVpZ2hib3VyOjAxOWFiYzAxLTIzNDUtNzg5MC1hYmNkLWVmMDEyMzQ1Njc4OQ", "邻居42")
        at = datetime.now(UTC).isoformat()
        post = Post(f"UG9zdDowMTlhYmMwMS0yMzQ1LTc4OTAtYWJjZC1l{self.number:010}", body, at, 0, 0, author)
        for queue in self.queues:
            queue.put_nowait(post)

    async def follow(self) -> AsyncIterator[Post]:
        queue: asyncio.Queue[Post] = asyncio.Queue()
        self.queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self.queues.discard(queue)


broker = Broker()
