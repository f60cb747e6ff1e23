"""Linli as it is shipped, as a contender."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.comparison import Contender
from tests.servers import ROOT


def environment(secrets: dict[str, str], url: str, directory: Path, **more: str) -> dict[str, str]:
    """A production deployment's, but for the texts that it sends."""
    return {
        **secrets,
        "LINLI_MODE": "production",
        "LINLI_SMS_URL": "http://127.0.0.1:9/",
        "LINLI_SMS_TOKEN": "none",
        "LINLI_DATA_DIR": str(directory),
        "LINLI_DATABASE_URL": url,
        **more,
    }


def linli(
    requests: Sequence[str],
    env: dict[str, str],
    *,
    name: str = "Linli",
    module: str | None = None,
    expect: str = "",
    processes: int = 1,
) -> Contender:
    """`python main.py`, or with `module` something that serves in its place."""
    command = [sys.executable, "-m", module] if module else [sys.executable, str(ROOT / "main.py")]
    return Contender(name, command, requests, env, expect=expect, processes=processes)
