"""What a deployment decides, from its environment."""

import base64
import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from models import database
from models.privacy import Keys
from resolvers.context import Services
from resolvers.media.storage import Directory
from resolvers.sms import ConsoleSms, HttpSms, SmsGateway
from resolvers.tokens import Tokens
from schema.serving.documents import Documents, manifest
from subscriptions.bus import Bus
from subscriptions.work import Committed

PREFIX = "LINLI_"


class BadSettings(Exception):
    """The environment does not say what it must."""


def split(text: object) -> object:
    """The items of a list that is written with commas."""
    return [item.strip() for item in text.split(",") if item.strip()] if isinstance(text, str) else text


def origin(text: str) -> str:
    """Raises ValueError unless this is an origin as browsers send it (RFC 6454, section 6.2)."""
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?", text):
        raise ValueError("origins are written as https://host, without a path, in small letters")
    return text


def network(text: str) -> str:
    """Raises ValueError for what is no address and no network, and for a network of everybody."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("addresses and networks are written as 10.0.0.7,192.168.0.0/16") from None
    if found.prefixlen == 0:
        raise ValueError("whoever may claim any address is limited by none; name the proxies")
    return str(found)


Origin = Annotated[str, AfterValidator(origin)]
Network = Annotated[str, AfterValidator(network)]
Country = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}$")]


class Settings(BaseModel):
    """All that a deployment decides, read once from ``LINLI_*`` variables; an empty one is as none."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    mode: Literal["demo", "production"] = Field(
        "demo", description="`production`: no default secrets, no GraphiQL, no introspection, JSON logs"
    )
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=1, le=65_535, description="the port to listen on")
    data_dir: Path = Field(
        Path("data"),
        description="SQLite's file, uploads (`media/`) and the demo's secrets; all processes share `media/`",
    )
    database_url: str = Field(
        "",
        description="`sqlite:///path` or `postgres://user:password@host/db?minsize=2&maxsize=10`; without it"
        " SQLite in the data directory",
    )
    broadcast_url: str = Field(
        "memory://", description="`redis://…` or `rediss://…`; needed for more than one process"
    )
    processes: int = Field(
        1, ge=1, description="how many processes the deployment runs; above 1 needs PostgreSQL and Redis"
    )
    keys: str = Field(
        "",
        description="encryption keys for personal data, `id:base64,id2:base64`, 32 bytes each; the first"
        " encrypts, all decrypt",
    )
    index_key: str = Field(
        "",
        description="base64, 32 bytes: keyed hashes by which phones and documents are found. Must not change",
    )
    token_key: str = Field(
        "", description="at least 32 characters: signs access tokens and picture addresses"
    )
    sms_url: str = Field(
        "",
        description="the [SMS gateway](#the-sms-gateway), `https://` or on this host; needed in production",
    )
    sms_token: str = Field("", description="its bearer token")
    sms_countries: Annotated[tuple[Country, ...], BeforeValidator(split)] = Field(
        ("86",), description="country codes of the phones that codes are sent to, separated by commas"
    )
    sms_an_hour: int = Field(5_000, ge=1, description="the most codes sent in an hour, by all processes")
    metrics_token: str = Field(
        "", description="bearer token for `/metrics`; production without one serves no metrics"
    )
    origins: Annotated[frozenset[Origin], BeforeValidator(split)] = Field(
        frozenset(), description="allowed browser origins, comma-separated; empty: same origin only"
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(split)] = Field(
        (),
        description="proxy addresses or networks, comma-separated, whose `X-Forwarded-For` is trusted."
        " **Required behind a load balancer**; otherwise all residents share one rate limit",
    )
    connections: int = Field(
        20_000, ge=1, description="WebSockets per process; further ones are closed with 1013"
    )
    log_days: int = Field(7, ge=1, description="how many days the event log keeps")
    log_events: int = Field(200_000, ge=1_000, description="how many events per topic the event log keeps")
    execution: Literal["compiled", "reference"] = Field(
        "compiled",
        description="`reference`: graphql-core executes everything, several times slower, in case a plan"
        " ever answers wrongly ([execution](execution.md))",
    )
    documents: Path | None = Field(
        None,
        description='a JSON file `{"<sha256>": "<text>"}` of the apps\' documents, which clients then name'
        " instead of sending; prepared at the start",
    )
    documents_only: bool = Field(
        False,
        description="`yes`: no other document is executed. Leave it off while apps of unknown build are in"
        " use",
    )

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Self:
        """Raises BadSettings, which names the variable and never its value."""
        given = ours(env)
        if unknown := given.keys() - cls.model_fields.keys():
            name = min(unknown)
            likely = difflib.get_close_matches(name, cls.model_fields, 1)
            hint = f"; do you mean {PREFIX}{likely[0].upper()}?" if likely else ""
            raise BadSettings(f"{PREFIX}{name.upper()} is no setting{hint}")
        try:
            if given.get("mode", "demo") == "demo":
                given = {**ours(demo_secrets(Path(given.get("data_dir", "data")).resolve())), **given}
            return cls.model_validate(given)
        except OSError as error:
            raise BadSettings(f"LINLI_DATA_DIR: {error.strerror}") from None
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = f"{PREFIX}{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
            raise BadSettings(place + fault["msg"].removeprefix("Value error, ")) from None

    @field_validator("data_dir")
    @classmethod
    def absolute(cls, path: Path) -> Path:
        return path.resolve()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Raises ValueError, which names the variable, for settings that make no server."""
        for name in ("keys", "index_key", "token_key", *(("sms_url",) if self.production else ())):
            if not getattr(self, name):
                raise ValueError(f"{PREFIX}{name.upper()} is needed; there is no default for a secret")
        if self.processes > 1 and self.broadcast_url.startswith("memory:"):
            raise ValueError("LINLI_BROADCAST_URL: memory:// reaches one process only; several need redis://")
        if self.processes > 1 and self.production and self.database.startswith("sqlite:"):
            raise ValueError("LINLI_DATABASE_URL: several processes in production need PostgreSQL")
        if self.production and not is_private(self.sms_url):
            raise ValueError("LINLI_SMS_URL: must begin with https:// in production, but on this machine")
        if self.documents_only and not self.documents:
            raise ValueError("LINLI_DOCUMENTS_ONLY: name the documents in LINLI_DOCUMENTS")
        checks: dict[str, Callable[[], object]] = {
            "LINLI_DATABASE_URL": lambda: database.config(self.database),
            "LINLI_BROADCAST_URL": lambda: Bus(self.broadcast_url),
            "LINLI_KEYS, LINLI_INDEX_KEY": lambda: self.sealing,
            "LINLI_TOKEN_KEY": lambda: Tokens(self.token_key),
            "LINLI_SMS_URL": lambda: self.sms,
            "LINLI_DOCUMENTS": self.known_documents,
        }
        for name, check in checks.items():
            try:
                check()
            except OSError as error:
                raise ValueError(f"{name}: {error.strerror}") from None
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return self

    @property
    def production(self) -> bool:
        return self.mode == "production"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite://{self.data_dir / 'linli.db'}"

    @property
    def sealing(self) -> Keys:
        return Keys.from_text(self.keys, self.index_key)

    @property
    def sms(self) -> SmsGateway:
        return HttpSms(self.sms_url, self.sms_token) if self.sms_url else ConsoleSms()

    def known_documents(self) -> Documents:
        known = manifest(self.documents.read_bytes()) if self.documents else None
        return Documents(known, trusted_only=self.documents_only)

    def services(self, live: Committed) -> Services:
        """What use cases work with; `live` is told of what they have committed."""
        media = Directory(self.data_dir / "media")
        return Services(
            self.sealing,
            Tokens(self.token_key),
            self.sms,
            live,
            media,
            self.sms_countries,
            self.sms_an_hour,
        )


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there: encrypted, or never leaving this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def ours(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that are settings, by the names of their fields."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in env.items()
        if name.startswith(PREFIX) and value
    }


def demo_secrets(data_dir: Path) -> dict[str, str]:
    """Secrets of a demo, made at its first start and kept beside its database."""
    path = data_dir / "demo-secrets.env"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        lines = [
            f"LINLI_KEYS=demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_INDEX_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_TOKEN_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
        ]
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(path)
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
