"""Documents that clients name by their SHA-256 instead of sending their text.

*Trusted* documents are those that an app was built with: a deployment gives their texts beforehand
(``LINLI_DOCUMENTS``, as relay-compiler and graphql-codegen write them), and may accept no others.
Otherwise a client that names an unknown document is told so, sends the text along with the name once
(Apollo's "automatic persisted queries"), and the text is remembered for a while.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from graphql import GraphQLError

from models.messages import BadValue, Message
from schema.serving.last_used import LastUsed

# Texts remembered for clients that send them once; more than this and the oldest go.
LEARNED: Final = 10_000
LEARNED_CHARS: Final = 1 << 20

NOT_FOUND: Final = "PERSISTED_QUERY_NOT_FOUND"
NOT_TRUSTED: Final = "DOCUMENT_NOT_TRUSTED"
MISMATCH: Final = "PERSISTED_QUERY_MISMATCH"

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class UnknownDocument(Exception):
    """No text belongs to the request; `error` says why, in the words that clients act upon."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.error = GraphQLError(message, extensions={"code": code})


class BadName(BadValue):
    """What should name a document is of another form."""


class Documents:
    """The texts that this process knows by their hash.

    With `trusted_only`, a text that is none of `trusted` is refused, named or not.
    """

    def __init__(self, trusted: Mapping[str, str] | None = None, *, trusted_only: bool = False) -> None:
        self.trusted = dict(trusted or {})
        self.trusted_only = trusted_only
        self._learned: LastUsed[str, str] = LastUsed(LEARNED, LEARNED_CHARS, lambda _, text: len(text))

    def text(self, query: str | None, name: str | None) -> str:
        """The document's text, of which the client sent the text, the name or both.

        Raises UnknownDocument.
        """
        if name is None:
            if query is None:
                raise UnknownDocument(Message("The request names no document."), NOT_FOUND)
            if self.trusted_only and sha256(query) not in self.trusted:
                raise UnknownDocument(Message("This document is not one of the app's."), NOT_TRUSTED)
            return query
        known = self.trusted.get(name)
        if known is None and self.trusted_only:
            raise UnknownDocument(Message("This document is not one of the app's."), NOT_TRUSTED)
        if query is None:
            known = known or self._learned.get(name)
            if known is None:
                # Apollo's and urql's links look for this very message, and send the text with the next try.
                raise UnknownDocument("PersistedQueryNotFound", NOT_FOUND)
            return known
        if sha256(query) != name:
            raise UnknownDocument(Message("The document's SHA-256 does not match."), MISMATCH)
        if known is None and len(query) <= LEARNED_CHARS:
            self._learned.put(name, query)
        return query


def sha256(text: str) -> str:
    """The name of a document's text. What is no Unicode text has a name that nobody sends."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def named(body: Mapping[str, Any]) -> str | None:
    """The SHA-256 by which a request names its document, if it names one.

    As ``extensions.persistedQuery`` (Apollo, urql) or ``documentId`` (GraphQL over HTTP, persisted
    documents). Raises BadName for a name of another form.
    """
    extensions = body.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is not None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise BadName(Message("Persisted queries are of version 1."))
        name = persisted.get("sha256Hash")
    else:
        name = body.get("documentId")
        if name is None:
            return None
        name = name.removeprefix("sha256:") if isinstance(name, str) else name
    if not isinstance(name, str) or not _SHA256.fullmatch(name):
        raise BadName(Message("A document is named by its SHA-256, 64 hexadecimal digits."))
    return name


def manifest(text: bytes) -> dict[str, str]:
    """The documents of an app's manifest, by SHA-256: ``{"<sha256>": "<text>"}``.

    Raises ValueError, which names the entry, for a manifest of another form or a wrong hash.
    """
    entries = orjson.loads(text)
    if not isinstance(entries, dict):
        raise ValueError("the manifest is not a JSON object")  # noqa: TRY004
    found: dict[str, str] = {}
    for key, document in entries.items():
        name = key.removeprefix("sha256:")
        if not isinstance(document, str) or sha256(document) != name:
            raise ValueError(f"{key[:80]} is not the SHA-256 of its text")
        found[name] = document
    return found
