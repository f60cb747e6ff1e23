"""The domain of docs/adding-a-feature.md is built in a copy of the repository, checked and run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.soak import SOAK, sized, soak

PAGE = ROOT / "docs/adding-a-feature.md"
# The path, how the block goes in, and the block.
BLOCK = re.compile(
    r"^\*\*(\S+)\*\*, (a new file|at the end|(?:before|after) the line `[^\n]+`):\n\n"
    r"```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def put_in(copy: Path, path: str, how: str, block: str) -> None:
    """Put a block of the page into a file of the copy, as the page says."""
    file = copy / path
    if how == "a new file":
        assert not file.exists(), path
        file.write_text(block)
        return
    lines = file.read_text().splitlines(keepends=True)
    if how == "at the end":
        place = len(lines)
    else:
        where, _, line = how.partition(" the line ")
        (found,) = [n for n, each in enumerate(lines) if each.strip() == line.strip("`")]
        place = found + (where == "after")
    file.write_text("".join([*lines[:place], block, *lines[place:]]))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository as it stands here, without what git ignores."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    return Path(shutil.copytree(ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", *ignored)))


@soak
def test_the_domain_of_the_page_is_built_and_runs(copy: Path) -> None:
    """In `make soak` on both databases, and with its types."""

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == PAGE.read_text().count("\n```") / 2, "A block is not headed by where it goes"
    for path, how, block in blocks:
        put_in(copy, path, how, block)
    python = sorted({path for path, _, _ in blocks if path.endswith(".py")})
    run("-m", "ruff", "check", *python)
    run("-m", "ruff", "format", "--check", *python)
    run("main.py", "make-migrations")
    run("main.py", "check-migrations")
    assert "lentItems(" in run("main.py", "schema")
    if SOAK:
        run("-m", "mypy", "--no-error-summary", *python)
    databases = sized("sqlite", "(sqlite or postgres)")
    run(
        *("-m", "pytest", "-n", "0", "-p", "no:cacheprovider"),
        *("tests/test_lending.py", "tests/test_query_counts.py", "tests/test_messages.py"),
        *("-k", f"{databases} and (lending or lentItems) or catalogues"),
    )
    lines = {"domain": 0, "tests": 0}
    for path, _, block in blocks:
        written = [line for line in block.splitlines() if line]
        lines["tests" if path.startswith("tests/") else "domain"] += len(written)
    print(f"A domain in {lines['domain']} lines, and {lines['tests']} of tests")
