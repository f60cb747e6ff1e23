"""GraphQL over WebSocket, the protocol graphql-transport-ws as graphql-ws 6 speaks it.

A subscription is not iterated here: its resolver says what to follow, and the hub feeds the
connection (subscriptions.hub). Malformed frames close the socket with 4400, as the protocol wants; a
document that does not parse or validate ends its own operation only.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson
from graphql import ExecutionResult, GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.messages import ENGLISH, Message
from models.visibility import Viewer
from resolvers.context import Context
from resolvers.errors import DomainError, NotAllowed
from schema.execution import SharedRun
from schema.serving.allowance import Payer, Preparation, Purse, purses_of
from schema.serving.documents import Documents, UnknownDocument
from schema.serving.endpoint import BadRequest, Parameters
from schema.serving.observability import REQUEST_ID, new_request_id
from schema.serving.operations import Operation
from schema.serving.results import INTERNAL, Refusal, Rejected, encode_bytes, formatted
from subscriptions.connection import CHECK_SECONDS, CLOSED, Close, Connection, Outbox
from subscriptions.events import Logged
from subscriptions.followers import Subscriber, Unrendered, key_of
from subscriptions.headers import headers_of
from subscriptions.hub import Hub
from subscriptions.recent import Recent
from subscriptions.streams import Request, StreamItem

SUBPROTOCOL = "graphql-transport-ws"
# Operations that one connection may have under way.
OPERATIONS = 100
ID_LENGTH = 128
# How often an admission is repeated because somebody's rights changed in the meantime.
ADMISSIONS = 10
# Whoever asks for so many documents in a row beyond its allowance is sent away.
REFUSALS = 20
PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'
GONE = object()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a connection speaks for. `expires_at` is the access token's end, in seconds of the epoch."""

    viewer: Viewer
    language: str
    expires_at: float | None
    address: str = ""
    device: str = ""


Admit = Callable[[WebSocket, dict[str, Any]], Awaitable[Admission]]
ContextFor = Callable[[Admission, Viewer | None], Context]


class WebSocketEndpoint:
    """An ASGI application for a Starlette WebSocketRoute.

    admit        makes of connection_init's payload whom the connection speaks for; may raise a DomainError
    context_for  makes the context of one operation, or of one event executed for everyone (viewer None)
    origins      pages of other sites that may connect; None admits any
    most         connections admitted at once; further ones are told to try again later
    documents    those that clients may name instead of sending their text
    """

    def __init__(
        self,
        preparation: Preparation,
        hub: Hub,
        admit: Admit,
        context_for: ContextFor,
        *,
        origins: frozenset[str] | None,
        most: int,
        documents: Documents | None = None,
    ) -> None:
        self.preparation = preparation
        self.operations = preparation.operations
        self.hub = hub
        self.admit = admit
        self.context_for = context_for
        self.origins = origins
        self.most = most
        self.documents = documents or Documents()
        self.handlers: set[Handler] = set()
        self.outbox = Outbox()
        self.shared_runs: Recent[SharedRun | None] = Recent(hub.spawn)
        # Connections that have gone, while what they left is cleared away.
        self.ending: set[asyncio.Task[None]] = set()
        self._emptied: asyncio.Event = asyncio.Event()
        # Mutations under way, which no connection's end ends.
        self.mutations: set[asyncio.Task[None]] = set()
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        websocket = WebSocket(scope, receive, send)
        if not self._admits(websocket):
            await websocket.close()
            return
        offered = SUBPROTOCOL in scope.get("subprotocols", [])
        await websocket.accept(SUBPROTOCOL if offered else None)
        if not offered:
            await turn_away(websocket, Close.BAD_PROTOCOL, "Subprotocol not acceptable")
        elif self.draining or len(self.handlers) >= self.most:
            await turn_away(websocket, Close.TRY_AGAIN_LATER, "Too many connections; try again later")
        else:
            await Handler(self, websocket).serve()

    def _admits(self, websocket: WebSocket) -> bool:
        # Apps send no origin, or their server's; a browser sends the page's.
        headers = headers_of(websocket.scope)
        origin = headers.get("origin")
        return (
            self.origins is None
            or origin is None
            or origin in self.origins
            or ((host := host_of(origin)) is not None and host == headers.get("host"))
        )

    async def watch(self) -> None:
        """Look after the deadlines of all connections, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.shared_runs.forget()
            for handler in list(self.handlers):
                try:
                    handler.connection.check_deadlines(PING)
                except Exception as error:
                    # One connection's fault must not be the end of everybody's deadlines.
                    self.operations.masked(error)

    def left(self, handler: "Handler") -> None:
        self.handlers.discard(handler)
        if not self.handlers:
            self._emptied.set()

    async def drain(self, seconds: float) -> None:
        """Close all connections within `seconds`, a few at a time, so that they do not all return at
        once; whoever has not gone by then is dropped. Then wait for the mutations under way."""
        self.draining = True
        handlers = list(self.handlers)
        random.shuffle(handlers)
        batch = max(50, len(handlers) // 20)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for start in range(0, len(handlers), batch):
                    if start:
                        await asyncio.sleep(seconds / 25)
                    for handler in handlers[start : start + batch]:
                        handler.connection.close(Close.SERVICE_RESTART, "Service restart")
                while self.handlers:
                    self._emptied.clear()
                    await self._emptied.wait()
        for handler in self.handlers:
            handler.connection.abort()
        while self.mutations:
            await asyncio.wait(self.mutations)


async def turn_away(websocket: WebSocket, code: Close, reason: str) -> None:
    """Close a connection before there is a conversation."""
    CLOSED.labels(str(int(code))).inc()
    await websocket.close(code, reason)


class Handler:
    """One connection's conversation.

    With a wire it is called for each message and keeps no task meanwhile; what takes time is done in
    one, and what the client sends until then waits its turn.
    """

    __slots__ = (
        "admission",
        "connection",
        "endpoint",
        "followed",
        "initialising",
        "mutations",
        "purse",
        "refusals",
        "talk",
        "tasks",
        "waiting",
        "websocket",
    )

    def __init__(self, endpoint: WebSocketEndpoint, websocket: WebSocket) -> None:
        self.endpoint = endpoint
        # None once whoever connects has said who it is.
        self.websocket: WebSocket | None = websocket
        self.connection = Connection(websocket, self, endpoint.outbox)
        self.admission: Admission | None = None
        self.initialising = False
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.followed: dict[str, Subscriber] = {}
        self.mutations: dict[asyncio.Task[None], None] = {}
        # Pays for what is prepared; and how often in a row it could not.
        self.purse: Purse | None = None
        self.refusals = 0
        self.talk: asyncio.Task[None] | None = None
        self.waiting: list[str | None] = []

    @property
    def language(self) -> str:
        return self.admission.language if self.admission else ENGLISH

    # What the connection asks of its owner

    def subscriptions(self) -> Iterable[Subscriber]:
        return list(self.followed.values())

    def refuse(self, subscriber: Subscriber) -> None:
        for id, followed in list(self.followed.items()):
            if followed is subscriber:
                self._stop(id)
                error = self.endpoint.operations.domain_error(
                    NotAllowed(Message("You may no longer follow this"))
                )
                self._refuse(id, [error] if error else [])

    # The conversation

    async def serve(self) -> None:
        """Begin, and return if the wire calls us from now on; else talk until there is an end."""
        self.endpoint.handlers.add(self)
        self.endpoint.hub.sinks.add(self.connection)
        self.connection.start()
        if not self.connection.listen(self):
            await self._converse()

    def message(self, text: str | None) -> None:
        self.connection.heard()
        if self.talk is not None:
            self.waiting.append(text)
            self.connection.set_reading(on=False)
            return
        try:
            rest = self._receive(text)
        except Exception as error:
            self._give_up(error)
        else:
            if rest is not None:
                self.talk = asyncio.create_task(self._go_on(rest))

    async def _go_on(self, rest: Awaitable[None] | None) -> None:
        """Do what takes time, and then what has been heard meanwhile."""
        try:
            while rest is not None:
                await rest
                rest = None
                while rest is None and self.waiting:
                    rest = self._receive(self.waiting.pop(0))
        except Exception as error:
            self._give_up(error)
        finally:
            self.talk = None
            self.waiting.clear()
            self.connection.set_reading(on=True)

    def gone(self) -> None:
        task = asyncio.create_task(self._end())
        self.endpoint.ending.add(task)
        task.add_done_callback(self.endpoint.ending.discard)

    async def _converse(self) -> None:
        """Talk through ASGI."""
        try:
            while (text := await self._next()) is not GONE:
                self.connection.heard()
                rest = self._receive(text)
                if rest is not None:
                    await rest
        except Exception as error:
            self._give_up(error)
        finally:
            await self._end()

    async def _end(self) -> None:
        """Leave nothing behind."""
        self.endpoint.hub.sinks.discard(self.connection)
        if self.talk is not None:
            self.talk.cancel()
            await asyncio.wait({self.talk})
        for id in [*self.tasks, *self.followed]:
            self._stop(id)
        await self.connection.stop()
        self.endpoint.left(self)

    def _give_up(self, error: Exception) -> None:
        self.endpoint.operations.masked(error)
        self.connection.abort()

    async def _next(self) -> Any:
        """The text of the next frame, None if that is binary, GONE if there will be no more."""
        if self.websocket is None:
            return GONE
        try:
            message = await self.websocket.receive()
        except (WebSocketDisconnect, RuntimeError):
            return GONE
        return message.get("text") if message["type"] == "websocket.receive" else GONE

    def _receive(self, text: str | None) -> Awaitable[None] | None:
        """Act on a message. Returns what is still to be awaited before the next one."""
        if self.connection.closing:
            return None
        message = decoded(text)
        if message is None:
            self._bad("Messages are JSON objects in text frames")
            return None
        match message.get("type"):
            case "connection_init":
                return self._init(message)
            case "ping":
                self._pong(message.get("payload"))
            case "pong" if isinstance(message.get("payload"), dict | None):
                pass
            case "subscribe":
                return self._subscribe(message)
            case "complete" if isinstance(message.get("id"), str):
                self._stop(message["id"])
            case _:
                self._bad("No such message")
        return None

    def _pong(self, payload: Any) -> None:
        if payload is None:
            self.connection.reply(PONG)
        elif not isinstance(payload, dict):
            self._bad("ping's payload must be an object")
        else:
            try:
                self.connection.reply(orjson.dumps({"type": "pong", "payload": payload}))
            except orjson.JSONEncodeError:
                self._bad("ping's payload is nested too deep")

    def _init(self, message: dict[str, Any]) -> Awaitable[None] | None:
        if self.initialising or self.websocket is None:
            self.connection.close(Close.TOO_MANY_INITS, "Too many initialisation requests")
            return None
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            self._bad("connection_init's payload must be an object")
            return None
        self.initialising = self.connection.greeted = True
        return self._let_in(self.websocket, payload or {})

    async def _let_in(self, websocket: WebSocket, payload: dict[str, Any]) -> None:
        try:
            admission = await self._admitted(websocket, payload)
        except DomainError as error:
            # 4403, not 4401: the client may come back with a fresh token.
            self.connection.close(Close.FORBIDDEN, str(error))
            return
        except Exception as error:
            self.endpoint.operations.masked(error)
            self.connection.close(Close.TERMINATED, "Internal error")
            return
        if admission is None:
            self.connection.close(Close.TRY_AGAIN_LATER, "Too busy; try again later")
            return
        self.admission = admission
        if self.talk is not None:
            # Nothing is received through it.
            self.websocket = None
        self.connection.viewer = admission.viewer
        self.connection.expires_at = admission.expires_at
        self.connection.acknowledged = True
        self.connection.reply(b'{"type":"connection_ack"}')

    async def _admitted(self, websocket: WebSocket, payload: dict[str, Any]) -> Admission | None:
        # Until it is told whose connection this is, the hub cannot tell it of changed rights.
        for _ in range(ADMISSIONS):
            standing = self.endpoint.hub.standing
            admission = await self.endpoint.admit(websocket, payload)
            if self.endpoint.hub.standing == standing:
                return admission
        return None

    def _subscribe(self, message: dict[str, Any]) -> Awaitable[None] | None:
        if self.admission is None:
            self.connection.close(Close.UNAUTHORIZED, "Unauthorized")
            return None
        id = message.get("id")
        if not isinstance(id, str) or not 0 < len(id) <= ID_LENGTH:
            self._bad("subscribe needs an id")
            return None
        if id in self.tasks or id in self.followed:
            self.connection.close(Close.DUPLICATE_SUBSCRIBER, f"Subscriber for {id} already exists")
            return None
        try:
            parameters = Parameters.of(message.get("payload"))
        except BadRequest as error:
            self._bad(str(error))
            return None
        if len(self.tasks) + len(self.followed) >= OPERATIONS:
            many = Message("At most {most} operations at once", most=OPERATIONS)
            self._refuse(id, [GraphQLError(many, extensions={"code": "RATE_LIMITED"})])
            return None
        try:
            text = self.endpoint.documents.text(parameters.query, parameters.document)
            operation = self.endpoint.operations.known(text, parameters.operation_name)
        except Rejected as rejected:
            self._refuse(id, rejected.errors)
            return None
        except UnknownDocument as unknown:
            self._refuse(id, [unknown.error])
            return None
        if operation is None:
            return self._prepare(id, text, parameters, self.admission)
        return self._begin(id, operation, parameters, self.admission)

    async def _prepare(self, id: str, text: str, parameters: Parameters, admission: Admission) -> None:
        """Begin with a document that is not remembered; the client is not heard until it is its turn."""
        account = self.connection.viewer.account_id
        self.purse = self.purse or (Payer.CONNECTION, object())
        purses = [self.purse, *purses_of(admission.address, account)]
        try:
            operation = await self.endpoint.preparation.operation(text, parameters.operation_name, purses)
        except Rejected as rejected:
            self._refuse(id, rejected.errors)
            self.refusals = self.refusals + 1 if rejected.status == HTTPStatus.TOO_MANY_REQUESTS else 0
            if self.refusals >= REFUSALS:
                # Not 4429, after which clients stay away: an app in error is to get its streams again.
                self.connection.close(Close.TRY_AGAIN_LATER, "Too much asked for; try again later")
            return
        self.refusals = 0
        rest = self._begin(id, operation, parameters, admission)
        if rest is not None:
            await rest

    def _begin(
        self, id: str, operation: Operation, parameters: Parameters, admission: Admission
    ) -> Awaitable[None] | None:
        if operation.kind != "mutation":
            self.tasks[id] = asyncio.create_task(self._operate(id, operation, parameters, admission))
            return None
        if len(self.mutations) >= OPERATIONS:
            return self._mutate_later(id, operation, parameters, admission)
        self._mutate(id, operation, parameters, admission)
        return None

    def _mutate(self, id: str, operation: Operation, parameters: Parameters, admission: Admission) -> None:
        task = asyncio.create_task(self._operate(id, operation, parameters, admission))
        self.tasks[id] = task
        self.mutations[task] = None
        self.endpoint.mutations.add(task)
        task.add_done_callback(self.mutations.pop)
        task.add_done_callback(self.endpoint.mutations.discard)

    async def _mutate_later(
        self, id: str, operation: Operation, parameters: Parameters, admission: Admission
    ) -> None:
        # Those whose client has lost interest go on; it is not heard while there are too many.
        while len(self.mutations) >= OPERATIONS:
            await asyncio.wait(set(self.mutations), return_when=asyncio.FIRST_COMPLETED)
        self._mutate(id, operation, parameters, admission)

    async def _operate(
        self, id: str, operation: Operation, parameters: Parameters, admission: Admission
    ) -> None:
        task = asyncio.current_task()
        # The task's own context: whatever is logged for this operation carries its id.
        REQUEST_ID.set(new_request_id())
        try:
            if operation.kind == "subscription":
                await self._follow(id, task, operation, parameters, admission)
            else:
                context = self.endpoint.context_for(admission, self.connection.viewer)
                result = await self.endpoint.operations.execute(operation, parameters.variables, context)
                self._answer(id, task, result)
        except Exception as error:
            masked = self.endpoint.operations.masked(error)
            self._answer(id, task, Refusal([masked]))
        finally:
            if self.tasks.get(id) is task:
                del self.tasks[id]

    async def _follow(
        self,
        id: str,
        task: asyncio.Task[Any] | None,
        operation: Operation,
        parameters: Parameters,
        admission: Admission,
    ) -> None:
        operations, connection = self.endpoint.operations, self.connection
        context = self.endpoint.context_for(admission, connection.viewer)
        request = await operations.subscribe(operation, parameters.variables, context)
        if not isinstance(request, Request):
            self._refuse(id, request.errors or [])
            return

        key = shared_key(operation, parameters.variables, admission.language)

        def place_of(message: StreamItem) -> Hashable:
            return key, request.stream.topic, key_of(message)

        async def shared(message: StreamItem) -> SharedRun | None:
            """What all accounts that follow with this operation are told of an event."""
            if not isinstance(message, Logged):
                return None
            everyone = self.endpoint.context_for(admission, None)
            return await self.endpoint.shared_runs.get(
                place_of(message),
                lambda: operations.share(operation, parameters.variables, everyone, message),
            )

        async def render(message: StreamItem, viewer: Viewer) -> bytes:
            holder = viewer if operation.uses_viewer else None
            shared_run = await shared(message) if holder else None
            context = self.endpoint.context_for(admission, holder)
            result = await operations.execute(operation, parameters.variables, context, message, shared_run)
            payload = encode_bytes(result, admission.language) + b"}"
            if any((error.extensions or {}).get("code") == INTERNAL for error in result.errors or ()):
                # The database may be away for a moment, and the event would be lost on the client.
                self.endpoint.shared_runs.drop(place_of(message))
                raise Unrendered(payload)
            return payload

        subscriber = await self.endpoint.hub.follow(
            connection,
            request,
            key=(key, connection.viewer.account_id if operation.uses_viewer else None),
            render=render,
            opening=opening(id),
        )
        if self.tasks.get(id) is task and not connection.closing:
            self.followed[id] = subscriber
            # Rights may have been lost between the check and the registration.
            if not connection.viewer.may_see(request.stream.requires):
                self.refuse(subscriber)
        else:
            self.endpoint.hub.leave(subscriber)

    def _answer(self, id: str, task: asyncio.Task[Any] | None, result: ExecutionResult) -> None:
        if self.tasks.get(id) is not task:
            return
        del self.tasks[id]
        if isinstance(result, Refusal):
            self._refuse(id, result.errors or [])
        else:
            self.connection.reply(opening(id) + encode_bytes(result, self.language) + b"}")
            self._send(id, "complete")

    def _stop(self, id: str) -> None:
        task = self.tasks.pop(id, None)
        # A mutation that was sent is done, even if nobody wants its answer.
        if task is not None and task not in self.mutations:
            task.cancel()
        subscriber = self.followed.pop(id, None)
        if subscriber is not None:
            self.endpoint.hub.leave(subscriber)

    def _refuse(self, id: str, errors: Iterable[GraphQLError]) -> None:
        self._send(id, "error", formatted(errors, self.language))

    def _send(self, id: str, type: str, payload: Any = None) -> None:
        message = {"id": id, "type": type} | ({} if payload is None else {"payload": payload})
        self.connection.reply(orjson.dumps(message))

    def _bad(self, reason: str) -> None:
        self.connection.close(Close.BAD_MESSAGE, reason)


def host_of(origin: str) -> str | None:
    """The host and port of an origin; None if it is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def decoded(text: str | None) -> dict[str, Any] | None:
    """The object in a text frame, or None if there is none."""
    if text is None:
        return None
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def opening(id: str) -> bytes:
    """How the frame of an operation's result begins; the payload and a brace follow."""
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(id)


def shared_key(operation: Operation, variables: dict[str, Any] | None, language: str) -> Hashable:
    """What must be equal for two subscriptions to share what does not depend on the viewer."""
    shared = {name: value for name, value in (variables or {}).items() if name != operation.resume_variable}
    return operation.digest, orjson.dumps(shared, option=orjson.OPT_SORT_KEYS), language
