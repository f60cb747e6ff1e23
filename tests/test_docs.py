"""The documentation's tables and examples, held to the code in both directions."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, validate
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from websockets.frames import CloseCode

from resolvers import errors
from schema.build import graphql_schema
from schema.media import endpoint as media_endpoint
from schema.serving import documents, limits, results
from schema.settings import PREFIX, Settings
from subscriptions.connection import Close
from tests.servers import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
# What clients are told of a request that was refused before execution.
REFUSED = {
    results.PARSE_FAILED,
    results.VALIDATION_FAILED,
    results.UNRESOLVED,
    results.BAD_USER_INPUT,
    limits.TOO_COMPLEX,
    documents.NOT_FOUND,
    documents.NOT_TRUSTED,
    documents.MISMATCH,
}


def section(page: str, heading: str) -> str:
    """The part of a page below the heading."""
    _, _, rest = (DOCS / page).read_text().partition(f"\n## {heading}\n")
    assert rest, f"{page} has no section {heading!r}"
    return rest.partition("\n## ")[0]


def table(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose first column is headed `first`, without backticks."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, f"There is no table of {first}"
    return [
        [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for line in found[1].splitlines()
    ]


def calls(path: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


def test_the_table_of_settings_is_what_is_read() -> None:
    """Cell by cell, the default and the description of each."""
    expected = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "—" if default in (None, "", (), frozenset(), False) else f"`{default}`"
        expected.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    rows = [line for line in section("operations.md", "Settings").splitlines() if line.startswith("| `")]
    assert rows == expected


def test_the_table_of_metrics_is_what_is_measured() -> None:
    # It imports all that measures.
    importlib.import_module("main")
    measured = set()
    for collector in {*REGISTRY._collector_to_names}:
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("linli_"):
            total = "_total" if collector._type == "counter" else ""
            labels = ",".join(collector._labelnames)
            measured.add(f"{collector._name}{total}" + (f"{{{labels}}}" if labels else ""))
    documented = [row[0] for row in table(section("operations.md", "What to watch"), "metric")]
    assert sorted(documented) == sorted(measured)


def test_the_table_of_error_codes_is_what_clients_can_meet() -> None:
    domain = {error.code for error in errors.DomainError.__subclasses__()}
    documented = [row[0] for row in table(section("clients.md", "Errors"), "code")]
    assert sorted(documented) == sorted(domain | REFUSED | {results.INTERNAL})


def test_every_constant_that_is_a_code_is_in_the_tables() -> None:
    """A code that is added elsewhere is found here."""
    named = set()
    for path in sorted((ROOT / "schema").rglob("*.py")):
        for code in re.findall(
            r"code\"?\s*[=:]\s*\"([A-Z][A-Z_]+)\"|Final = \"([A-Z]+_[A-Z_]+)\"", path.read_text()
        ):
            named |= {one for one in code if one}
    text = (DOCS / "clients.md").read_text()
    assert {code for code in named if f"`{code}`" not in text} == set()


def refusals(path: Path) -> set[tuple[int, str]]:
    """The statuses and codes of the requests that a module refuses as malformed."""
    found = set()
    for call in calls(path, "BadRequest"):
        given = {
            keyword.arg: keyword.value.value
            for keyword in call.keywords
            if isinstance(keyword.value, ast.Constant)
        }
        found.add((int(str(given.get("status", 400))), str(given.get("code", "BAD_REQUEST"))))
    return found


def statuses(page: str, heading: str) -> list[tuple[int, str]]:
    return [(int(status), code) for status, code, *_ in table(section(page, heading), "status")]


def test_the_table_of_statuses_is_what_graphql_is_answered_with() -> None:
    endpoint = refusals(ROOT / "schema/serving/endpoint.py")
    assert sorted(statuses("clients.md", "HTTP statuses")) == sorted(
        endpoint | {(401, errors.Unauthenticated.code), (500, results.INTERNAL)}
    )


def test_the_table_of_statuses_is_what_uploads_are_answered_with() -> None:
    domain = {(status, code) for code, status in media_endpoint.STATUS.items()}
    assert sorted(statuses("clients.md", "Pictures and documents")) == sorted(
        refusals(ROOT / "schema/media/endpoint.py") | domain | {(500, results.INTERNAL)}
    )


def test_the_table_of_close_codes_is_what_the_server_closes_with() -> None:
    documented = [int(row[0]) for row in table(section("clients.md", "Live"), "close code")]
    # A frame that is too large is closed by websockets.
    assert documented == sorted({*map(int, Close), int(CloseCode.MESSAGE_TOO_BIG)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_documentation_asks_fits_the_schema(page: Path) -> None:
    text = page.read_text()
    for example in re.findall(r"^```graphql\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert validate(graphql_schema, parse(example)) == []
    for example in re.findall(r"^linli '\{\"query\": \"(.*?)\"\}'", text, re.MULTILINE | re.DOTALL):
        asked = example.replace('\\"', '"').replace("'\"$COMMUNITY\"'", "x")
        assert validate(graphql_schema, parse(asked)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    """But for tables, whose rows cannot be broken."""
    long = [line for line in page.read_text().splitlines() if len(line) > 120 and not line.startswith("|")]
    assert long == []


PACKAGES = "bench|demo|models|resolvers|schema|subscriptions|tests|tools"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_that_is_named_is_there(page: Path) -> None:
    """Files by their path, with or without what is in them: `models/x.py`, `models.x.NAME`."""
    for named in re.findall(r"`([^`\n]+)`", page.read_text()):
        if re.fullmatch(rf"(?:{PACKAGES})/[\w/.-]*", named):
            assert (ROOT / named).exists(), f"{page.name}: {named}"
        elif re.fullmatch(rf"(?:{PACKAGES})(?:\.\w+)+(?<!\.graphql)", named):
            assert resolved(named), f"{page.name}: {named}"


def resolved(named: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = named.split(".")
    for most in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:most]))
        except ModuleNotFoundError:
            continue
        for part in parts[most:]:
            found = getattr(found, part, None)
        return found is not None
    return False
