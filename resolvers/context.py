"""What a use case is given: who asks, from where, and the services of this process."""

from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.privacy import Keys
from models.pseudonyms import enciphered_with
from models.visibility import Viewer
from resolvers.errors import Unauthenticated
from resolvers.media.storage import Storage
from resolvers.sms import SmsGateway
from resolvers.tokens import Tokens
from subscriptions.work import Committed, Work, unit_of_work


@dataclass(frozen=True, slots=True)
class Services:
    """What a process has one of."""

    keys: Keys
    tokens: Tokens
    sms: SmsGateway
    live: Committed
    media: Storage
    # What text messages may cost: country codes that they are sent to, and how many an hour in all.
    sms_countries: tuple[str, ...] = ("86",)
    sms_an_hour: int = 5_000

    def __post_init__(self) -> None:
        enciphered_with(self.keys)


@dataclass(slots=True)
class RefreshCookie:
    """A refresh token that a web page of ours has where no script reads it.

    sent   what came with the request
    given  what goes with the answer: a token to keep, "" to keep none, None for no change
    """

    sent: str | None = None
    given: str | None = None


@dataclass(slots=True)
class Context:
    """One operation's. Over a WebSocket each operation and each event gets a new one.

    `holder` is None while an event is executed once for everyone who may see it: whatever depends
    on the viewer then fails loudly instead of showing one resident's view to another.
    """

    services: Services
    holder: Viewer | None
    language: str = "zh-Hans"
    address: str = ""
    device: str = ""
    memo: dict[Hashable, Any] = field(default_factory=dict)
    # None where the answer can set none, or asks a page of another site.
    cookie: RefreshCookie | None = None

    @property
    def viewer(self) -> Viewer:
        if self.holder is None:
            raise RuntimeError("This field depends on the viewer and is not marked so in the schema")
        return self.holder

    @property
    def account_id(self) -> UUID:
        """The signed-in account. Raises Unauthenticated."""
        account_id = self.viewer.account_id
        if account_id is None:
            raise Unauthenticated
        return account_id

    def unit_of_work(self) -> AbstractAsyncContextManager[Work]:
        return unit_of_work(self.services.live)
