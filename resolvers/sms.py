"""Short messages to phones, through whichever gateway the deployment has."""

import asyncio
import ssl
import sys
from dataclasses import dataclass, field
from typing import Protocol

import httpx

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
    # Those whom the machine trusts, read once: it takes longer than a message.
    trusted: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def __post_init__(self) -> None:
        if not self.address.startswith(("https://", "http://")):
            raise ValueError("The SMS gateway's address must begin with https:// or http://")

    async def send(self, phone: str, text: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        # What answers is the gateway or nobody: the token and the message follow no redirect.
        client = httpx.AsyncClient(verify=self.trusted, follow_redirects=False)
        async with asyncio.timeout(self.timeout), client as gateway:
            try:
                answer = await gateway.post(
                    self.address, json={"phone": phone, "text": text}, headers=headers
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise OSError("The SMS gateway cannot be reached") from error
        if not answer.is_success:
            raise OSError(f"The SMS gateway answers {answer.status_code}")
