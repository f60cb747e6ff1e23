"""resolvers.markdown: what is written is shown, and nothing that harms."""

from html.parser import HTMLParser
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import new_id
from resolvers.errors import InvalidInput
from resolvers.markdown import ATTRIBUTES, LINK, TAGS, check_markdown, render, sanitise, with_addresses

PICTURE = new_id()
REFERENCE = f"media:{PICTURE.hex}"


def html(text: str) -> str:
    return render("body", text)[0]


def test_the_usual_things() -> None:
    assert html("# 标题\n\n正文 **重点** *强调*\n\n- 一") == (
        "<h1>标题</h1>\n<p>正文 <strong>重点</strong> <em>强调</em></p>\n<ul>\n<li>一</li>\n</ul>\n"
    )


def test_links_lead_to_the_web_and_vouch_for_nothing() -> None:
    assert html("[网站](https://example.cn/?a=1&b=2)") == (
        '<p><a href="https://example.cn/?a=1&amp;b=2" rel="noopener nofollow">网站</a></p>\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](//evil.example)",
        "[x](/media/x)",
        "<javascript:alert(1)>",
        '[x](https://a.cn "\\" onmouseover=alert(1) x=\\"")',
        "```\n<script>\n```",
        "<!-- --><iframe src='https://e.x'>",
        "[x]: javascript:alert(1)\n\n[x]",
    ],
)
def test_nothing_harmful_comes_through(text: str) -> None:
    check_harmless(html(text))


class Checker(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
            if name == "href":
                assert LINK.match(value or "")
            if name == "src":
                assert (value or "").startswith("media:")


def check_harmless(made: str) -> None:
    checker = Checker()
    checker.feed(made)
    checker.close()


PIECES = st.sampled_from(
    [
        *"<>[]()!*_`#&;\"'=\\/ \n:",
        "a",
        "javascript:",
        "https://a.cn",
        "data:",
        "<img src=x",
        "onerror=",
        "```",
    ]
)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_nothing_harmful_comes_through_whatever_is_written(text: str) -> None:
    try:
        made = html(text)
    except InvalidInput:
        return
    check_harmless(made)


@given(st.text())
@settings(max_examples=100, deadline=None, database=None)
def test_the_sanitiser_alone_lets_nothing_through(text: str) -> None:
    check_harmless(
        sanitise(f"<p onclick='x'>{text}</p><script>{text}</script><img src='https://e.x/{text}'>")
    )


def test_pictures_are_uploads() -> None:
    made, shown = render("body", f"![图]({REFERENCE})\n\n![又]({REFERENCE})")
    assert shown == [PICTURE]
    assert made.count(f'src="{REFERENCE}"') == 2
    addressed = with_addresses(made, lambda key: f"/media/{key.hex}?a=1&b=2")
    assert f'src="/media/{PICTURE.hex}?a=1&amp;b=2"' in addressed
    assert "media:" not in addressed


@pytest.mark.parametrize(
    "text", ["![x](https://evil.example/pixel.png)", "![x][r]\n\n[r]: http://evil.example/pixel.png"]
)
def test_no_picture_comes_from_elsewhere(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        html(text)
    assert refused.value.fields == {"body": "Only uploaded pictures can be shown"}


def test_too_many_pictures_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        html("\n".join(f"![x](media:{new_id().hex})" for _ in range(21)))
    assert refused.value.fields == {"body": "At most 20 pictures"}


def test_numbers_are_masked_and_names_of_pictures_are_not() -> None:
    digits = UUID(int=int("1" * 32, 16))
    assert digits.hex.isdecimal()
    text = f"证号11010519491231002X ![x](media:{digits.hex})"
    kept = check_markdown("body", text, 200)
    assert "11010519491231002X" not in kept
    assert f"media:{digits.hex}" in kept
