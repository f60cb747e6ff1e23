"""How the measured pages are executed: a change of a plan shows in review, as the printed plan's.

Written anew by `python main.py plan tests/printed_plans/feed.graphql > tests/printed_plans/feed.txt`.
"""

from pathlib import Path

import pytest
from graphql import parse, print_ast

import main
from bench.queries.pages import PAGES

HERE = Path(__file__).parent / "printed_plans"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_executed_as_its_printed_plan_says(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = HERE / f"{page}.graphql"
    assert file.read_text() == print_ast(parse(PAGES[page].query())) + "\n"
    assert main.main(["plan", str(file)]) == 0
    assert capsys.readouterr().out == file.with_suffix(".txt").read_text()


def test_a_plan_is_printed_of_what_the_variables_include(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.graphql"
    file.write_text(
        "query Some($deep: Boolean!, $id: ID!) { node(id: $id) { id ... on Post { __typename"
        " author @include(if: $deep) { id } } ... on Comment { by: author @include(if: $deep) { id } } } }"
    )
    assert main.main(["plan", str(file)]) == 1
    assert "$deep" in capsys.readouterr().err
    assert main.main(["plan", str(file), "--variables", '{"deep": false}']) == 0
    assert "authors_of" not in capsys.readouterr().out
    assert main.main(["plan", str(file), "--variables", '{"deep": true}']) == 0
    out = capsys.readouterr().out
    assert "    __typename: String!  is 'Post'\n" in out
    assert "2  resolvers.comments.authors_of() for " in out
    # Of all other nodes the same is asked.
    assert "Activity, ActivitySeries, " in next(
        line for line in out.split("\n") if line.startswith("    on A")
    )


def test_what_is_no_operation_has_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none.graphql"
    file.write_text("{ nothing }")
    assert main.main(["plan", str(file)]) == 1
    assert "nothing" in capsys.readouterr().err
