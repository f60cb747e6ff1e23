"""resolvers.sms: what a gateway is sent, and what comes of one that fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from resolvers.sms import HttpSms

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def gateway(answer: bytes, asked: list[bytes]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        asked.append(head + await reader.readexactly(int(length.split(b":")[1])))
        writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/send"


async def test_a_message_is_posted_as_json_with_the_token() -> None:
    asked: list[bytes] = []
    async with gateway(OK, asked) as address:
        await HttpSms(address, "secret").send("+8613900000000", "验证码 123456")
        await HttpSms(address).send("+8613900000000", "x")
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /send HTTP/1.1")
    assert b"\r\nauthorization: bearer secret" in head.lower()
    assert json.loads(body) == {"phone": "+8613900000000", "text": "验证码 123456"}
    assert b"authorization" not in asked[1].lower()


@pytest.mark.parametrize("answer", [FAILED, MOVED, b"no HTTP", b""])
async def test_a_gateway_that_fails_is_an_error_without_what_was_sent(answer: bytes) -> None:
    asked: list[bytes] = []
    async with gateway(answer, asked) as address:
        with pytest.raises(OSError) as caught:  # noqa: PT011 -- told by what follows
            await HttpSms(address, timeout=0.2).send("+8613900000000", "123456")
    assert len(asked) == 1
    assert "139" not in str(caught.value)
    assert "123456" not in str(caught.value)


async def test_a_gateway_that_is_not_there_is_an_error() -> None:
    async with gateway(OK, []) as address:
        pass
    with pytest.raises(OSError, match="cannot be reached"):
        await HttpSms(address).send("+8613900000000", "123456")


@pytest.mark.parametrize("address", ["", "ftp://x", "file:///etc/passwd", "gateway.example"])
def test_an_address_that_is_none_of_the_web_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="http"):
        HttpSms(address)
