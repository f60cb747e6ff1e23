"""What errors say, in both languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolvers import errors
from schema.messages import CHINESE, language_of, said, worded
from tests.servers import ROOT

# Whoever raises one of these, or hands a text to one of these, speaks to a client.
SPEAKERS = {name for name, value in vars(errors).items() if isinstance(value, type)} | {
    "BadPage",
    "BadCursor",
    "Partial",
    "BadCell",
    "Misspelt",
    "refuse",
    "refused",
}


def messages() -> Iterator[tuple[str, Path]]:
    for layer in ("models", "subscriptions", "resolvers", "schema"):
        for path in (ROOT / layer).rglob("*.py"):
            tree = ast.parse(path.read_text())
            speakers = SPEAKERS | ({"BadRequest"} if path.parent.name == "media" else set())
            constants = {
                target.id: node.value
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and speaker(call) in speakers:
                    for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
                        for text in texts(argument, constants):
                            yield text, path


def speaker(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def texts(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """The messages that an argument may be. A word alone is a name of an action, not a message."""
    match node:
        case ast.Constant(value=str(text)) if " " in text:
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in values)
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body, constants)
            yield from texts(orelse, constants)
        case ast.Dict(values=values):
            for value in values:
                yield from texts(value, constants)
        case ast.Name(id=name) if name in constants:
            yield from texts(constants[name], {})


def test_every_message_has_its_chinese() -> None:
    missing = {f"{path.relative_to(ROOT)}: {text}" for text, path in messages() if text not in CHINESE}
    assert not missing, "\n".join(sorted(missing))


def test_every_translation_is_of_something_that_is_said() -> None:
    spoken = {text for text, _ in messages()}
    defaults = {
        "Some of the input cannot be accepted",
        "There is no such thing, or you may not see it",
        "You may not do this",
        "Sign in first",
        "Too often; try again in {} seconds",
    }
    assert set(CHINESE) - spoken - defaults == set()


@pytest.mark.parametrize("english", sorted(CHINESE))
def test_a_translation_keeps_what_the_message_holds(english: str) -> None:
    assert CHINESE[english].count("{}") == english.count("{}")
    told = said(english.format(*range(11, 11 + english.count("{}"))), "zh-Hans")
    assert told == CHINESE[english].format(*range(11, 11 + english.count("{}")))
    assert said(english, "en") == english


def test_an_error_is_worded_whole_and_keeps_its_code() -> None:
    class Where:
        language = "zh-Hans"

    error = errors.InvalidInput(body="At most 80 characters", key="Must not be empty")
    told = worded(error, Where())
    assert isinstance(told, errors.InvalidInput)
    assert (str(told), told.code) == ("部分内容无法接受", "INVALID_INPUT")
    assert told.fields == {"body": "最多80个字", "key": "不能为空"}
    assert error.fields["key"] == "Must not be empty"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh-Hans"),
        ("", "zh-Hans"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("fr, en;q=0.5, zh;q=0.4", "en"),
        ("en;q=0.4, zh;q=0.5", "zh-Hans"),
        ("fr", "zh-Hans"),
        ("en;q=nonsense", "zh-Hans"),
    ],
)
def test_the_language_is_the_one_most_wanted(header: str | None, language: str) -> None:
    assert language_of(header) == language
