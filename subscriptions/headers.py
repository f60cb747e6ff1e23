"""The header fields of a request, by their names."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

_KEPT: Final = "linli.headers"


def headers_of(scope: MutableMapping[str, Any]) -> Mapping[str, str]:
    """The header fields by their names in lower case, those of the same name as one (RFC 9110, section 5.3).

    They are kept in the ASGI scope. Starlette looks through all of them for each one.
    """
    kept: dict[str, str] | None = scope.get(_KEPT)
    if kept is None:
        kept = scope[_KEPT] = {}
        for line in scope["headers"]:
            name, value = line[0].decode("latin-1"), line[1].decode("latin-1")
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept
