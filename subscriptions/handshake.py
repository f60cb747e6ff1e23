"""The opening of a WebSocket: what a request must say, and what is answered (RFC 6455, section 4.2)."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus

VERSION = "13"
KEY_BYTES = 16
# Section 1.3.
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Headers = Iterable[tuple[bytes, bytes]]


class Unfit(Exception):
    """A request that opens no WebSocket, and how it is answered."""

    def __init__(self, status: HTTPStatus, why: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


def accept_of(method: str, version: str, headers: Mapping[str, str]) -> bytes:
    """Sec-WebSocket-Accept for a request whose headers ask for an upgrade. Raises Unfit."""
    if method != "GET":
        raise Unfit(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET opens a WebSocket", (b"allow", b"GET"))
    if version != "1.1":
        raise Unfit(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 opens a WebSocket")
    if headers.get("sec-websocket-version") != VERSION:
        wanted = (b"sec-websocket-version", VERSION.encode())
        raise Unfit(HTTPStatus.UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13", wanted)
    key = headers.get("sec-websocket-key", "")
    if not is_key(key):
        raise Unfit(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64")
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest())


def is_key(value: str) -> bool:
    try:
        return len(binascii.a2b_base64(value, strict_mode=True)) == KEY_BYTES
    except ValueError:
        return False


def subprotocols_of(headers: Mapping[str, str]) -> list[str]:
    """What the client offers to speak, the preferred first."""
    offered = headers.get("sec-websocket-protocol")
    return [] if offered is None else [token.strip() for token in offered.split(",")]


def head(status: HTTPStatus, *headers: Headers) -> bytes:
    """The head of a response, up to the empty line."""
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % header for some in headers for header in some]
    return b"\r\n".join([*lines, b"", b""])
