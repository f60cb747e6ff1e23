"""Rights that end while a stream is open."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from models.identity import ResidencyRow
from models.organisations import AppointmentRow
from models.roles import Role
from resolvers.identity.sessions import open_session
from resolvers.tokens import Tokens
from schema.node import global_id
from tests.client import Refused
from tests.faults.scene import Scene
from tests.wire import COMMENTS, POSTS, asked, wired

pytestmark = pytest.mark.anyio

MOVE_OUT = """mutation MoveOut($input: MoveOutInput!) { moveOut(input: $input) { __typename
  ... on Problem { code message } } }"""
REVOKE = """mutation Revoke($input: RevokeRoleInput!) { revokeRole(input: $input) { __typename
  ... on Problem { code message } } }"""
END = "mutation End { endSession(input: {}) { __typename ... on Problem { code message } } }"
SECONDS = 5


async def ends_with_error(scene: Scene, token: str, end: Callable[[], Awaitable[None]]) -> None:
    """On each server `token`'s streams are fed, `end` ends the right to them, and they end with an error."""
    for server in scene.servers[1:]:
        async with wired(server, token) as there, wired(scene.servers[0], token) as here:
            wires = (here, there)
            for wire in wires:
                await wire.subscribe(COMMENTS, subject=scene.subject)
                await wire.subscribe(POSTS, community=scene.community_id)
                opened = {(await wire.event())["event"]["__typename"] for _ in range(2)}
                assert opened == {"StreamOpened"}
            said = await scene.comment()
            for wire in wires:
                assert (await wire.event())["event"]["comment"]["body"] == said
            await end()
            for wire in wires:
                for _ in range(2):
                    with pytest.raises(Refused) as refused:
                        async with asyncio.timeout(SECONDS):
                            await wire.event()
                    assert refused.value.codes == ["NOT_ALLOWED"]
            # The connection stays, and nothing comes over it any more, nor can it be asked for again.
            await scene.comment()
            for wire in wires:
                await wire.subscribe(COMMENTS, subject=scene.subject)
                with pytest.raises(Refused) as refused:
                    await wire.event()
                assert refused.value.codes == ["NOT_FOUND"]
                await wire.send({"type": "ping"})
                assert await wire.receive() == {"type": "pong"}


async def test_moving_out_in_mid_stream(pair: Scene) -> None:
    """A resident moves out, told to one server: her streams end with an error within seconds on both."""
    leaver = pair.people.pop()
    token = pair.tokens.pop()
    residency = await ResidencyRow.get(account_id=leaver.id)

    async def move_out() -> None:
        input = {"residencyId": global_id("Residency", residency.id)}
        data = await asked(pair.http, pair.servers[0], token, MOVE_OUT, input=input)
        assert data["moveOut"]["__typename"] == "MoveOutPayload", data

    async with asyncio.timeout(30):
        await ends_with_error(pair, token, move_out)
    pair.check_quiet()


async def test_a_role_revoked_in_mid_stream(pair: Scene) -> None:
    """An officer who lives elsewhere loses the office: the streams end with an error within seconds."""
    committee = await pair.world.organisation(pair.community)
    admin = await pair.token(await pair.world.officer(committee, Role.ADMIN))
    officer = await pair.world.officer(committee)
    appointment = await AppointmentRow.get(account_id=officer.id)

    async def revoke() -> None:
        input = {"appointmentId": global_id("Appointment", appointment.id)}
        data = await asked(pair.http, pair.servers[1], admin, REVOKE, input=input)
        assert data["revokeRole"]["__typename"] == "RevokeRolePayload", data

    async with asyncio.timeout(30):
        await ends_with_error(pair, await pair.token(officer), revoke)
    pair.check_quiet()


async def test_a_session_ended_in_mid_stream(pair: Scene) -> None:
    """Signing out on one server closes that session's connections on the other, for good (4401), and no other
    session's."""
    token, other = pair.reader, await pair.token(pair.people[0])
    async with (
        asyncio.timeout(30),
        wired(pair.servers[1], token) as ended,
        wired(pair.servers[1], other) as stays,
    ):
        await stays.subscribe(COMMENTS, subject=pair.subject)
        await stays.event()
        await asked(pair.http, pair.servers[0], token, END)
        assert await ended.closed() == 4401
        pair.tokens[0] = other
        said = await pair.comment()
        assert (await stays.event())["event"]["comment"]["body"] == said
    pair.check_quiet()


async def test_an_access_token_that_expires_in_mid_stream(alone: Scene) -> None:
    """The connection is closed with 4403, after which a client comes back with a fresh token and its cursor,
    and has missed nothing."""
    services = alone.world.services
    brief = Tokens(services.tokens.secret, timedelta(seconds=2))
    session = await open_session(services, alone.people[0].id, "expiry")
    token = brief.access_token(alone.people[0].id, session.session_id)
    async with asyncio.timeout(30):
        async with wired(alone.servers[0], token) as wire:
            await wire.subscribe(COMMENTS, subject=alone.subject)
            await wire.event()
            said = await alone.comment()
            envelope = await wire.event()
            assert envelope["event"]["comment"]["body"] == said
            assert await wire.closed() == 4403
        missed = await alone.comment()
        async with wired(alone.servers[0], session.access_token) as wire:
            await wire.subscribe(COMMENTS, subject=alone.subject, after=envelope["cursor"])
            assert (await wire.event())["cursor"] == envelope["cursor"]
            assert (await wire.event())["event"]["comment"]["body"] == missed
    alone.check_quiet()
