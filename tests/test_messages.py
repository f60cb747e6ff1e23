"""What people read, in every language that there is."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir

from models.messages import ENGLISH, LANGUAGES, Message, catalogue, in_language
from resolvers import errors
from schema.serving.languages import language_of
from tests.servers import ROOT

LAYERS = ("models", "subscriptions", "resolvers", "schema", "demo")
# Who reads the Chinese has no use for the names of types.
SAID_SHORTER = {"Is not the id of a {type}"}
PLACE = re.compile(r"\{(\w+)\}")


def messages() -> set[str]:
    """The ids of all messages in the code."""
    return {
        str(id)
        for layer in LAYERS
        for _, _, id, _, _ in extract_from_dir(
            ROOT / layer, [("**.py", "python")], keywords={"Message": None}
        )
    }


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Where the code makes a message, and how."""
    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Message":
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_catalogues_say_what_the_code_says() -> None:
    found = messages()
    assert len(found) > 300
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        texts = catalogue(language)
        assert found == set(texts), "run: make messages"
        for id, text in texts.items():
            assert text, f"{language} lacks: {id}"
            assert set(PLACE.findall(text)) == set(PLACE.findall(id)) or id in SAID_SHORTER, (language, id)
            # GB/T 15834: no half-width punctuation beside Chinese.
            assert not re.search(r"[一-鿿][,;:?!()]|[,;:?!()][一-鿿]", text), (language, text)


def test_the_code_gives_messages_what_they_name() -> None:
    extracted = messages()
    for place, call in calls():
        match call.args:
            case [ast.Constant(value=str(id))]:
                assert id in extracted, place
                assert {keyword.arg for keyword in call.keywords} == set(PLACE.findall(id)), place
            case [ast.Subscript()]:
                # An id from the database.
                assert place.startswith("schema/identity/residencies.py"), place
            case _:
                pytest.fail(f"{place}: an id is a constant")


def test_a_message_is_english_by_itself_and_chinese_with_all_that_is_in_it() -> None:
    message = Message(
        "You may not publish {severity} {category} notices for this organisation",
        severity=Message("emergency"),
        category=Message("outage"),
    )
    assert message == "You may not publish emergency outage notices for this organisation"
    assert message.in_language("en") == message
    assert message.in_language("zh-Hans") == "贵单位无权发布“紧急”级别的“停水停电”通知"
    assert message.in_language("zh-Hant") == "貴單位無權發布「緊急」級別的「停水停電」通知"
    assert Message("Said by nobody else").in_language("zh-Hans") == "Said by nobody else"


def test_an_error_is_worded_whole() -> None:
    error = errors.InvalidInput(
        body=Message("At most {most} characters", most=80), key=Message("Must not be empty")
    )
    told: Any = in_language({"message": error.message, **error.extensions()}, "zh-Hans")
    assert told == {
        "message": "部分内容填写有误，请检查",
        "fields": {"body": "不得超过80个字", "key": "不能为空"},
    }
    assert error.fields["key"] == "Must not be empty"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh-Hans"),
        ("", "zh-Hans"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-Hans-TW", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-Hant-CN, en;q=0.5", "zh-Hant"),
        ("fr, en;q=0.5, zh;q=0.4", "en"),
        ("en;q=0.4, zh;q=0.5", "zh-Hans"),
        ("fr", "zh-Hans"),
        ("en;q=nonsense", "zh-Hans"),
    ],
)
def test_the_language_is_the_one_most_wanted(header: str | None, language: str) -> None:
    assert language_of(header) == language
