"""Sessions: access tokens, refresh tokens that work once, and signing out."""

import asyncio
import json
import secrets
import string
import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.base import new_id, now
from models.identity import AccountRow, SessionEnd, SessionRow
from models.storage.paging import PageArgs
from models.visibility import viewers
from resolvers.context import Context
from resolvers.errors import NotFound, Unauthenticated
from resolvers.identity.accounts import account_of
from resolvers.identity.sessions import (
    GRACE,
    SignedIn,
    end_session,
    open_session,
    refresh_session,
    sessions_of,
    sign_out_everywhere,
    successor,
    viewer_of,
    visible_sessions_by_id,
)
from resolvers.tokens import AccessToken, Tokens
from subscriptions.events import STANDING, Kind
from tests.world import World


@pytest.fixture
async def account(world: World) -> AccountRow:
    return await world.account()


@pytest.fixture
async def signed_in(world: World, account: AccountRow) -> SignedIn:
    return await open_session(world.services, account.id, "phone")


async def at_device(world: World, device: str = "phone") -> Context:
    ctx = await world.context()
    ctx.device = device
    return ctx


async def speaking(world: World, signed_in: SignedIn) -> Context:
    key = signed_in.account.id
    return Context(world.services, (await viewers({key: signed_in.session_id}))[key])


async def ended(world: World) -> list[object]:
    return [e.event.subject for e in await world.events(STANDING) if e.event.kind is Kind.SESSION_ENDED]


async def test_an_access_token_speaks_for_its_account(world: World, signed_in: SignedIn) -> None:
    viewer, expires_at = await viewer_of(world.services, signed_in.access_token)
    assert (viewer.account_id, viewer.session_id) == (signed_in.account.id, signed_in.session_id)
    assert timedelta(minutes=9) < expires_at - now() <= timedelta(minutes=10)


async def test_a_token_that_was_read_before_expires_all_the_same(signed_in: SignedIn) -> None:
    tokens = Tokens(secrets.token_hex(32), timedelta(seconds=-5))
    token = tokens.access_token(signed_in.account.id, signed_in.session_id)
    # As it was read while it was good.
    tokens.known[token] = AccessToken(
        signed_in.account.id, signed_in.session_id, now() - timedelta(seconds=5)
    )
    with pytest.raises(Unauthenticated):
        tokens.read(token)


async def test_a_token_is_verified_once(world: World, signed_in: SignedIn) -> None:
    tokens = world.services.tokens
    assert tokens.read(signed_in.access_token) is tokens.read(signed_in.access_token)


async def test_a_forged_or_expired_token_speaks_for_nobody(world: World, signed_in: SignedIn) -> None:
    foreign = Tokens(secrets.token_hex(32)).access_token(signed_in.account.id, signed_in.session_id)
    old = Tokens(world.services.tokens.secret, timedelta(seconds=-5)).access_token(
        signed_in.account.id, signed_in.session_id
    )
    unsigned = jwt.encode({"sub": str(signed_in.account.id)}, "", algorithm="none")
    other = world.services.tokens.access_token(new_id(), signed_in.session_id)
    for token in (
        foreign,
        old,
        unsigned,
        other,
        "",
        "x",
        signed_in.access_token[:-2],
        signed_in.refresh_token,
    ):
        with pytest.raises(Unauthenticated):
            await viewer_of(world.services, token)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"aud": ["linli-api", "another"]},
        {"sub": "x"},
        {"sub": 1},
        {"sid": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        *({missing: ...} for missing in ("iss", "aud", "sub", "sid", "exp")),
    ],
)
def test_what_our_own_key_has_signed_for_something_else_speaks_for_nobody(claims: dict[str, Any]) -> None:
    tokens = Tokens(secrets.token_hex(32))
    good = {
        "iss": "linli",
        "aud": "linli-api",
        "sub": str(new_id()),
        "sid": str(new_id()),
        "exp": time.time() + 60,
    }
    assert tokens.read(jwt.encode(good, tokens.secret, "HS256")).expires_at > now()
    wrong = {name: value for name, value in (good | claims).items() if value is not ...}
    signed = jwt.PyJWS().encode(json.dumps(wrong).encode(), tokens.secret, "HS256")
    with pytest.raises(Unauthenticated):
        tokens.read(signed)
    assert signed not in tokens.known


@pytest.mark.parametrize("payload", [b"[]", b"1", b"\xff", b""])
def test_what_is_signed_and_no_claims_speaks_for_nobody(payload: bytes) -> None:
    tokens = Tokens(secrets.token_hex(32))
    with pytest.raises(Unauthenticated):
        tokens.read(jwt.PyJWS().encode(payload, tokens.secret, "HS256"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_our_own_algorithm_counts(algorithm: str) -> None:
    tokens = Tokens(secrets.token_hex(64))
    claims = jwt.decode(
        tokens.access_token(new_id(), new_id()), tokens.secret, ["HS256"], audience="linli-api"
    )
    with pytest.raises(Unauthenticated):
        tokens.read(jwt.encode(claims, tokens.secret, algorithm))


def test_a_token_says_what_it_says_in_one_way_only() -> None:
    tokens = Tokens(secrets.token_hex(32))
    token = tokens.access_token(new_id(), new_id())
    claims = jwt.decode(token, tokens.secret, ["HS256"], audience="linli-api")
    assert tokens.read(jwt.encode(claims, tokens.secret, "HS256")) == tokens.read(token)
    # The last letter of a signature has two bits to spare.
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    other = letters[letters.index(token[-1]) ^ 1]
    headers: list[dict[str, Any]] = [{"kid": "1"}, {"typ": "at+jwt"}, {"crit": ["exp"]}, {"jku": "//x"}]
    spelled = [f"{token[:-1]}{other}", f"{token}=", f"{token}.", f".{token}", f"{token} ", f"{token}é"]
    for odd in [*spelled, *(jwt.encode(claims, tokens.secret, "HS256", headers=more) for more in headers)]:
        with pytest.raises(Unauthenticated):
            tokens.read(odd)
        assert odd not in tokens.known


def test_a_short_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="32"):
        Tokens("short")


def test_a_public_key_is_no_secret() -> None:
    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="another kind"):
        Tokens(pem)


async def test_refreshing_gives_new_tokens(world: World, signed_in: SignedIn) -> None:
    token = signed_in.refresh_token
    seen = {token}
    for _ in range(3):
        made = await refresh_session(await at_device(world), token=token)
        assert made.session_id == signed_in.session_id
        token = made.refresh_token
        assert token not in seen
        seen.add(token)
        viewer, _ = await viewer_of(world.services, made.access_token)
        assert viewer.account_id == signed_in.account.id
    assert await ended(world) == []


async def test_only_digests_are_kept(signed_in: SignedIn) -> None:
    session = await SessionRow.get()
    assert signed_in.refresh_token not in f"{session.refresh_digest} {session.previous_digest}"


async def test_a_used_token_ends_the_session(world: World, signed_in: SignedIn) -> None:
    second = await refresh_session(await at_device(world), token=signed_in.refresh_token)
    third = await refresh_session(await at_device(world), token=second.refresh_token)
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world), token=signed_in.refresh_token)
    assert (await SessionRow.get()).end is SessionEnd.REFRESH_TOKEN_REUSED
    assert await ended(world) == [signed_in.session_id]
    for made in (signed_in, second, third):
        with pytest.raises(Unauthenticated):
            await viewer_of(world.services, made.access_token)
        with pytest.raises(Unauthenticated):
            await refresh_session(await at_device(world), token=made.refresh_token)
    assert await ended(world) == [signed_in.session_id]


async def test_a_lost_answer_can_be_asked_for_again(world: World, signed_in: SignedIn) -> None:
    lost = await refresh_session(await at_device(world), token=signed_in.refresh_token)
    again = await refresh_session(await at_device(world), token=signed_in.refresh_token)
    assert again.refresh_token == lost.refresh_token
    onward = await refresh_session(await at_device(world), token=again.refresh_token)
    assert await ended(world) == []
    # It has been followed by another: whoever comes with the first one now holds a copy.
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world), token=signed_in.refresh_token)
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world), token=onward.refresh_token)
    assert await ended(world) == [signed_in.session_id]


async def test_of_two_sessions_nobody_can_tell_what_follows(world: World, signed_in: SignedIn) -> None:
    """A successor is made with the server's key, and not of what whoever holds a token can see."""
    made = await refresh_session(await at_device(world), token=signed_in.refresh_token)
    other = successor(World().services, signed_in.session_id, signed_in.refresh_token)
    assert made.refresh_token == successor(world.services, signed_in.session_id, signed_in.refresh_token)
    assert made.refresh_token != other


async def test_the_previous_token_of_another_device_ends_the_session(
    world: World, signed_in: SignedIn
) -> None:
    await refresh_session(await at_device(world), token=signed_in.refresh_token)
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world, "thief"), token=signed_in.refresh_token)
    assert await ended(world) == [signed_in.session_id]


async def test_the_previous_token_ends_the_session_when_it_comes_late(
    world: World, signed_in: SignedIn
) -> None:
    await refresh_session(await at_device(world), token=signed_in.refresh_token)
    await SessionRow.all().update(refreshed_at=now() - GRACE - timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world), token=signed_in.refresh_token)
    assert await ended(world) == [signed_in.session_id]


async def test_a_token_that_we_did_not_make_ends_nothing(world: World, signed_in: SignedIn) -> None:
    good = signed_in.refresh_token
    for token in (
        "",
        "x",
        "é",
        good[:-4],
        "Z" + good[1:],
        good[:-10] + "AAAAAAAAAA",
        secrets.token_urlsafe(48),
    ):
        with pytest.raises(Unauthenticated):
            await refresh_session(await at_device(world), token=token)
    assert await ended(world) == []
    await refresh_session(await at_device(world), token=good)


async def test_refreshing_at_the_same_time_gives_the_same_token(world: World, signed_in: SignedIn) -> None:
    calls = [refresh_session(await at_device(world), token=signed_in.refresh_token) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    tokens = {result.refresh_token for result in results if isinstance(result, SignedIn)}
    assert len(results) == 5
    (token,) = tokens
    assert not [result for result in results if isinstance(result, BaseException)]
    await refresh_session(await at_device(world), token=token)
    assert await ended(world) == []


async def test_an_expired_session_is_not_refreshed(world: World, signed_in: SignedIn) -> None:
    await SessionRow.all().update(expires_at=now() - timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await refresh_session(await at_device(world), token=signed_in.refresh_token)


async def test_signing_out_ends_the_session_that_asks(world: World, signed_in: SignedIn) -> None:
    other = await open_session(world.services, signed_in.account.id, "tablet")
    ctx = await speaking(world, signed_in)
    row = await end_session(ctx)
    assert row.id == signed_in.session_id
    assert row.ended_at is not None
    assert await ended(world) == [signed_in.session_id]
    with pytest.raises(Unauthenticated):
        await viewer_of(world.services, signed_in.access_token)
    await viewer_of(world.services, other.access_token)
    # Again: nothing more happens.
    await end_session(ctx)
    assert await ended(world) == [signed_in.session_id]


async def test_another_account_s_session_is_not_there(world: World, signed_in: SignedIn) -> None:
    stranger = await world.context(await world.account())
    with pytest.raises(NotFound):
        await end_session(stranger, session_id=signed_in.session_id)
    assert (await SessionRow.get(id=signed_in.session_id)).ended_at is None
    assert await ended(world) == []
    assert await visible_sessions_by_id(stranger, [signed_in.session_id]) == [None]
    assert await visible_sessions_by_id(await world.context(), [signed_in.session_id]) == [None]


async def test_signing_out_everywhere_ends_all_of_one_account(world: World, signed_in: SignedIn) -> None:
    await open_session(world.services, signed_in.account.id, "tablet")
    stranger = await open_session(world.services, (await world.account()).id, "phone")
    ctx = await speaking(world, signed_in)
    assert len((await sessions_of(ctx, [await account_of(ctx)], PageArgs(first=10)))[0].items) == 2
    assert await sign_out_everywhere(ctx) == 2
    assert len(await ended(world)) == 2
    assert (await sessions_of(ctx, [await account_of(ctx)], PageArgs(first=10)))[0].items == []
    await viewer_of(world.services, stranger.access_token)
