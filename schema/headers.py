"""The header fields of a request, by their names."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import HTTPConnection

_KEPT: Final = "linli.headers"


def headers_of(connection: HTTPConnection) -> Mapping[str, str]:
    """The header fields by their names in lower case, those of the same name as one (RFC 9110, section 5.3).

    They are kept in the connection's scope. Starlette looks through all of them for each one.
    """
    kept: dict[str, str] | None = connection.scope.get(_KEPT)
    if kept is None:
        kept = connection.scope[_KEPT] = {}
        for line in connection.scope["headers"]:
            name, value = (part.decode("latin-1") for part in line)
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept
