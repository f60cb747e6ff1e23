"""Short messages to phones, through whichever gateway the deployment has."""

import asyncio
import json
import sys
import urllib.request
from dataclasses import dataclass
from typing import Protocol

from models.privacy import mask_phone


class SmsGateway(Protocol):
    async def send(self, phone: str, text: str) -> None:
        """Hand the message over, or raise OSError within a few seconds."""


class ConsoleSms:
    """Writes messages to the server's terminal: for trying Linli without a gateway, never in production."""

    async def send(self, phone: str, text: str) -> None:
        print(f"SMS to {mask_phone(phone)}: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, repr=False)
class HttpSms:
    """Posts ``{"phone": …, "text": …}`` as JSON to a gateway, with its token, if it has one, as bearer.

    Raises ValueError for an address that is not one of the web.
    """

    address: str
    token: str = ""
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if not self.address.startswith(("https://", "http://")):
            raise ValueError("The SMS gateway's address must begin with https:// or http://")

    async def send(self, phone: str, text: str) -> None:
        await asyncio.to_thread(self.post, json.dumps({"phone": phone, "text": text}).encode())

    def post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            self.address, data=body, headers=headers
        )
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
            answer.read()
