"""Secrets of a demo, which has no deployment to give them."""

import base64
import os
import secrets
from pathlib import Path


def secrets_in(data_dir: Path) -> dict[str, str]:
    """The `LINLI_…` secrets of the demo in `data_dir`, made at its first start."""
    path = data_dir / "demo-secrets.env"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        lines = [
            f"LINLI_KEYS=demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_INDEX_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
            f"LINLI_TOKEN_KEY={base64.b64encode(secrets.token_bytes(32)).decode()}",
        ]
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(path)
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
