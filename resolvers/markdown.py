"""Longer texts are written in Markdown (CommonMark without HTML) and kept as HTML that is safe to show.

Pictures are uploads, named ``media:…``; nothing is loaded from elsewhere. Links lead to http and https.
The parser makes none of the rest, and the sanitiser, which shares no code with it, would let none through.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from models.messages import Message
from resolvers.checks import check_text
from resolvers.errors import InvalidInput
from resolvers.masking import mask

REFERENCE = re.compile(r"media:([0-9a-f]{32})")
LINK = re.compile(r"https?://", re.IGNORECASE)
# As the sanitiser writes it.
SOURCE = re.compile(r'src="media:([0-9a-f]{32})"')
MOST_PICTURES = 20

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "img"),
}
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}


def parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 12})
    # Which targets are links is an attribute to set, though its own class declares a method.
    made.validateLink = is_allowed  # type: ignore[method-assign, assignment]
    return made


def is_allowed(target: str) -> bool:
    return bool(LINK.match(target) or REFERENCE.fullmatch(target))


PARSER = parser()


def check_markdown(field: str, text: str, most: int) -> str:
    """The text to keep, numbers of documents and bank cards masked. Raises InvalidInput."""
    pieces = re.split(f"({REFERENCE.pattern.replace('(', '(?:')})", check_text(field, text, most))
    # A picture's name may hold what looks like such a number.
    return "".join(piece if REFERENCE.fullmatch(piece) else mask(piece) for piece in pieces)


def render(field: str, text: str) -> tuple[str, list[UUID]]:
    """The HTML of `text`, and the uploads that it shows. Raises InvalidInput naming `field`.

    The longest of texts takes a tenth of a second at worst: call it in a thread.
    """
    tokens = PARSER.parse(text)
    shown: dict[UUID, None] = {}
    for token in images(tokens):
        found = REFERENCE.fullmatch(str(token.attrs.get("src", "")))
        if found is None:
            raise InvalidInput(**{field: Message("Only uploaded pictures can be shown")})
        shown[UUID(found[1])] = None
    if len(shown) > MOST_PICTURES:
        raise InvalidInput(**{field: Message("At most {most} pictures", most=MOST_PICTURES)})
    made = PARSER.renderer.render(tokens, PARSER.options, {})
    return sanitise(made), list(shown)


def images(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "image":
            yield token
        yield from images(token.children or ())


def sanitise(made: str) -> str:
    return nh3.clean(
        made,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=allowed_attribute,
        url_schemes={"http", "https", "media"},
        link_rel="noopener nofollow",
    )


def allowed_attribute(tag: str, attribute: str, value: str) -> str | None:
    """Links lead to the web only, and pictures are uploads only."""
    if attribute == "href":
        return value if LINK.match(value) else None
    if attribute == "src":
        return value if REFERENCE.fullmatch(value) else None
    return value


def with_addresses(made: str, address: Callable[[UUID], str]) -> str:
    """The HTML with the address of each picture put in."""
    return SOURCE.sub(lambda found: f'src="{html.escape(address(UUID(found[1])))}"', made)
