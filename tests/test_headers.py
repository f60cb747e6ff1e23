"""subscriptions.headers: fields by their names."""

from typing import Any

from subscriptions.headers import headers_of


def scope(*lines: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": list(lines)}


def test_fields_of_the_same_name_are_one_list() -> None:
    found = headers_of(
        scope((b"accept", b"text/html"), (b"host", b"a"), (b"accept", b"application/json;q=0.5"))
    )
    assert found == {"accept": "text/html, application/json;q=0.5", "host": "a"}
    assert "origin" not in found


def test_any_bytes_are_text() -> None:
    found = headers_of(scope((b"user-agent", bytes(range(1, 256)))))
    assert found == {"user-agent": "".join(map(chr, range(1, 256)))}


def test_whoever_asks_again_is_told_the_same() -> None:
    asked = scope((b"host", b"a"))
    assert headers_of(asked) is headers_of(asked)
