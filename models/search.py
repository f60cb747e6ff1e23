"""What can be found by words: one entry for each thing, and the scopes that may find it.

Chinese has no spaces, and the words that matter have two characters (停水). So a text is kept as its
*bigrams*, made here and not by the database: SQLite's trigram index finds no two characters, and
PostgreSQL's depends on the locale. An entry matches when it has every bigram of the words asked for.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from models.base import Table
from models.storage import fields
from models.storage.rows import Where, dialect, execute
from models.storage.tables import Row
from models.visibility import Viewer, held_by

# More than anybody types; what follows is not looked for.
MOST_BIGRAMS = 40

RUN = re.compile(r"[^\W_]{2,}")


class SearchKind(StrEnum):
    """What can be found."""

    POST = "POST"
    NOTICE = "NOTICE"
    DELIBERATION = "DELIBERATION"


class SearchEntryRow(Row):
    """The bigrams of one thing, whose id the entry has."""

    # SQLite's row id, by which its index refers to entries.
    number: int = fields.IntField(primary_key=True)
    id: UUID = fields.UUIDField(unique=True)
    community_id: UUID = fields.UUIDField()
    kind: SearchKind = fields.CharEnumField(SearchKind, max_length=16)
    bigrams: str = fields.TextField()

    class Meta:
        table = "search_entry"
        indexes = (("community_id", "id"), ("community_id", "kind", "id"))


class SearchAudienceRow(Table):
    """A scope whose holders may find an entry."""

    entry_id: UUID = fields.UUIDField()
    scope_id: UUID = fields.UUIDField()

    class Meta:
        table = "search_audience"
        unique_together = (("entry_id", "scope_id"),)


@dataclass(slots=True)
class FoundRow:
    id: UUID
    community_id: UUID
    kind: SearchKind


def bigrams(text: str) -> list[str]:
    """Each two neighbouring letters or digits of a text, once, in the order in which they first come.

    Whatever looks the same is the same: width and case do not count (Unicode's NFKC, case folded).
    """
    runs = RUN.findall(unicodedata.normalize("NFKC", text).casefold())
    return list(dict.fromkeys(run[at : at + 2] for run in runs for at in range(len(run) - 1)))


def containing_all(wanted: Iterable[str]) -> Where:
    """The entries (as ``t``) that have all these bigrams."""
    wanted = list(wanted)[:MOST_BIGRAMS]
    if dialect() == "postgres":
        return Where(f"{POSTGRES_WORDS} @> ARRAY[?]::text[]", (wanted,))
    # Letters and digits only, so that nothing in the expression is an operator.
    expression = " AND ".join(f'"{bigram}"' for bigram in wanted)
    return Where("t.number IN (SELECT i.rowid FROM search_index i WHERE search_index MATCH ?)", (expression,))


def visible_to(viewer: Viewer) -> Where:
    """The entries (as ``t``) whose audience the viewer is in."""
    held = held_by(viewer, "a.scope_id")
    return Where(
        f"EXISTS (SELECT 1 FROM search_audience a WHERE a.entry_id = t.id AND {held.text})", held.params
    )


POSTGRES_WORDS = "string_to_array(t.bigrams, ' ')"

# Neither is known to the ORM, whose migrations would have to be written by hand.
POSTGRES_INDEX = """
CREATE INDEX IF NOT EXISTS search_entry_bigrams ON search_entry USING gin (string_to_array(bigrams, ' '))
"""

ADDED = "INSERT INTO search_index (rowid, bigrams) VALUES (NEW.number, NEW.bigrams);"
# As FTS5 wants it of whoever keeps the text elsewhere.
REMOVED = (
    "INSERT INTO search_index (search_index, rowid, bigrams) VALUES ('delete', OLD.number, OLD.bigrams);"
)
SQLITE_INDEX = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS search_index USING fts5(bigrams, content = 'search_entry',
    content_rowid = 'number', detail = 'none', tokenize = 'unicode61 remove_diacritics 0')
;;
CREATE TRIGGER IF NOT EXISTS search_entry_added AFTER INSERT ON search_entry BEGIN {ADDED} END
;;
CREATE TRIGGER IF NOT EXISTS search_entry_removed AFTER DELETE ON search_entry BEGIN {REMOVED} END
;;
CREATE TRIGGER IF NOT EXISTS search_entry_changed AFTER UPDATE OF bigrams ON search_entry
    BEGIN {REMOVED} {ADDED} END
"""


async def install_index() -> None:
    """Have the database keep its index of bigrams; does nothing where it does already."""
    statements = POSTGRES_INDEX if dialect() == "postgres" else SQLITE_INDEX
    for statement in statements.split(";;"):
        await execute(statement)
