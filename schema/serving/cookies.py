"""A secret in a cookie: no script reads it, and no page of another site can use it."""

from collections.abc import Mapping
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit


class SecretCookie:
    """The cookie `name`, which browsers keep for `lifetime`.

    Where connections are encrypted the name has the prefix by which browsers take it from this very host
    only (RFC 6265bis, section 4.1.3.2).
    """

    def __init__(self, name: str, lifetime: timedelta, *, encrypted: bool) -> None:
        self.name = f"__Host-{name}" if encrypted else name
        self._ending = "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if encrypted else "")
        self._lifetime = int(lifetime.total_seconds())

    def sent(self, headers: Mapping[str, str]) -> str | None:
        """What a request brings. Whether a page of our own has sent it is for the caller to ask."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.name)
        except CookieError:
            return None
        return found.value if found and found.value else None

    def given(self, value: str) -> str:
        """The header field that sets the cookie; with an empty `value`, that removes it."""
        return f"{self.name}={value}; Max-Age={self._lifetime if value else 0}{self._ending}"


def is_of_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of the origin that is asked has sent this: browsers say so, and let no page say it."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    # Not all browsers send both; of what is sent, each must agree.
    return origin == headers.get("host") if origin else site is not None
