"""A client that has stopped reading."""

import asyncio
import socket
from contextlib import AsyncExitStack

import psutil
import pytest

from models.base import new_id, now
from models.posts import CommentRow, SubjectKind
from models.storage.tables import insert
from resolvers import comments
from subscriptions.events import Kind
from subscriptions.work import unit_of_work
from tests.faults.scene import Scene, eventually, set_up
from tests.neighbourhood import prepared, running
from tests.servers import Deployment
from tests.wire import Follower, bodies, wired

pytestmark = pytest.mark.anyio

EVENTS = 2_000
BATCH = 200
# Of a process that holds a 64 MB cache for SQLite, and of which half of the growth is the allocator's.
GROWTH_BYTES = 64 << 20
# So that the test need not wait for half a minute.
PRELUDE = "import subscriptions.connection as c; c.STALLED_SECONDS = 2.0"

# Nine times the text, so that the kernel's buffers do not hold it all.
FAT = """subscription Fat($subject: ID!, $after: String) {
  commentEvents(subjectId: $subject, after: $after) { cursor event { __typename ... on CommentAdded {
    comment { body b1: body b2: body b3: body b4: body b5: body b6: body b7: body b8: body } } } } }"""


async def comment_in_bulk(scene: Scene, batch: int) -> None:
    """BATCH comments of 1 KB in one transaction, as by a process that gives no hints."""
    ctx = await scene.world.context(scene.people[0])
    subject = await comments.visible_subject(ctx, SubjectKind.POST, scene.subject_key)
    async with unit_of_work(scene.world.live) as work:
        for n in range(BATCH):
            body = f"{batch * BATCH + n:04} " + "x" * 1_000
            row = CommentRow(
                id=new_id(),
                community_id=scene.community.id,
                subject_kind=SubjectKind.POST,
                subject_id=scene.subject_key,
                author_id=scene.people[0].id,
                reply_to_id=None,
                parent_id=scene.subject_key,
                body=body,
                like_count=0,
                reply_count=0,
                created_at=now(),
                edited_at=None,
                deleted_at=None,
            )
            await insert(row)
            work.record(comments.event(Kind.COMMENT_ADDED, row, subject.audience))


async def test_a_client_that_never_reads(one_process: Deployment) -> None:
    """Behind a full socket 2,000 events of 1 KB wait for a client that reads nothing: others, of the same
    operation too, get all of them at once, the server does not grow, and the client is aborted at last."""
    one_process.servers[0].prelude = PRELUDE
    async with (
        running(one_process),
        prepared(one_process) as made,
        set_up(made) as scene,
        asyncio.timeout(90),
        AsyncExitStack() as stack,
    ):
        (server,) = scene.servers
        assert server.process is not None
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", server.port))
        silent = await stack.enter_async_context(
            wired(server, scene.tokens[1], sock=deaf, max_queue=1, ping_interval=None)
        )
        same = Follower(scene.servers, scene.reader, FAT, subject=scene.subject)
        others = [same, scene.follower()]
        for other in others:
            await stack.enter_async_context(other)
        await silent.subscribe(FAT, subject=scene.subject)
        await scene.comment("000")
        for other in others:
            await other.has(1)

        process = psutil.Process(server.process.pid)
        before = most = process.memory_info().rss
        for batch in range(EVENTS // BATCH):
            await comment_in_bulk(scene, batch)
            await scene.comment(f"{batch:03}")
            wanted = 1 + (batch + 1) * (BATCH + 1)
            for other in others:
                await other.has(wanted, 10)
            most = max(most, process.memory_info().rss)
        for other in others:
            assert [body[:4] for body in bodies(other) if len(body) > 3] == [f"{n:04}" for n in range(EVENTS)]
            assert other.connections == 1
        assert most - before < GROWTH_BYTES, f"{(most - before) >> 20} MB"

        async def aborted() -> bool:
            return await scene.metric(server, 'linli_closed_total{code="aborted"}') == 1

        await eventually(aborted)
        assert await silent.closed() == 1006
        assert await scene.metric(server, "linli_connections") == 2
        scene.check_quiet()
