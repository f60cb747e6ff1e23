"""Opening, closing and migrating the one database of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tortoise import Tortoise
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.migrations.api import migrate as apply_migrations
from tortoise.migrations.autodetector import MigrationAutodetector

from models import audit, migrations, search
from models.storage import postgres, rows

COMMAND_SECONDS = 30

APP = "linli"
MODULES = [
    "models.identity",
    "models.organisations",
    "models.memberships",
    "models.groups",
    "models.posts",
    "models.search",
    "models.matching",
    "models.notices",
    "models.motions",
    "models.requests",
    "models.deliberations",
    "models.party.members",
    "models.media",
    "models.party.articles",
    "models.party.pioneers",
    "models.party.lessons",
    "models.party.opinions",
    "models.party.visits",
    "models.directory.entries",
    "models.directory.licences",
    "models.directory.bookings",
    "models.directory.offers",
    "models.directory.ratings",
    "models.activities",
    "models.notifications",
    "models.audit",
    "models.retries",
    "models.events",
    "models.jobs",
]


def config(url: str) -> dict[str, Any]:
    """Tortoise's configuration for ``sqlite:///path`` or ``postgres://…``.

    Raises ValueError for any other scheme.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        path = url.removeprefix("sqlite://")
        connection: dict[str, Any] = {
            "engine": "models.storage.sqlite",
            "credentials": {
                "file_path": path,
                "journal_mode": "WAL",
                # An acknowledged write survives a power cut.
                "synchronous": "FULL",
                # What was deleted is overwritten: personal data that is gone is not in the file either.
                "secure_delete": "ON",
                "busy_timeout": 10_000,
                "foreign_keys": "ON",
                "temp_store": "MEMORY",
                "cache_size": -65_536,
            },
        }
    elif scheme in ("postgres", "postgresql", "asyncpg"):
        connection = expand_db_url(url.replace(scheme, "asyncpg", 1))
        connection["engine"] = "models.storage.postgres"
        connection["credentials"].setdefault("minsize", 2)
        connection["credentials"].setdefault("maxsize", 10)
        connection["credentials"].setdefault("statement_cache_size", postgres.CACHED)
    else:
        raise ValueError(f"LINLI_DATABASE_URL: {scheme!r} is neither sqlite nor postgres")
    return {
        "connections": {"default": connection},
        "apps": {
            APP: {
                "models": MODULES,
                "default_connection": "default",
                "migrations": "models.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


@asynccontextmanager
async def database(url: str) -> AsyncIterator[None]:
    """The process's database, open for every task until the block ends."""
    settings = config(url)
    connection = settings["connections"]["default"]
    if connection["engine"] == "models.storage.postgres":
        # A server that vanished without a word must not hold its clients for ever.
        connection["credentials"].setdefault("command_timeout", COMMAND_SECONDS)
    await Tortoise.init(config=settings, _enable_global_fallback=True)
    try:
        # Connected here, where nothing can be cancelled half-way, and not by the first query.
        await rows.execute("SELECT 1")
        yield
    finally:
        await Tortoise.close_connections()
        # The next database of this process (a test's, say) starts from a clean slate. The cache holds
        # statements in this one's dialect.
        await Tortoise._reset_apps()
        EXECUTOR_CACHE.clear()


async def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema; safe to call on a current one."""
    settings = config(url)
    if settings["connections"]["default"]["engine"] == "models.storage.sqlite":
        path = Path(settings["connections"]["default"]["credentials"]["file_path"])
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        await apply_migrations(config=settings)
    finally:
        await Tortoise.close_connections()
    # Migrations know no triggers, and one that rebuilds a table drops them.
    async with database(url):
        await audit.install_guards()
        await search.install_index()


async def missing_migrations() -> list[str]:
    """Names of the migrations that the models need and ``models/migrations`` lacks."""
    async with unconnected() as detector:
        return [writer.name for writer in await detector.changes()]


async def make_migrations() -> list[str]:
    """Write the missing migrations; returns their paths."""
    async with unconnected() as detector:
        return [migrations.write(writer) for writer in await detector.changes()]


@asynccontextmanager
async def unconnected() -> AsyncIterator[MigrationAutodetector]:
    settings = config("sqlite://:memory:")
    await Tortoise.init(config=settings, init_connections=False)
    try:
        if (apps := Tortoise.apps) is None:
            raise RuntimeError("Tortoise has loaded no models")
        yield MigrationAutodetector(apps, settings["apps"])
    finally:
        await Tortoise._reset_apps()
