"""Where the files are. A file's name is the digest of what is in it, never anything that a user chose."""

import asyncio
import contextlib
import os
import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import Protocol

NAME = re.compile(r"[0-9a-f]{64}(\.thumbnail)?")


class Storage(Protocol):
    """Keeps files by name. All processes of a deployment share one."""

    async def put(self, name: str, data: bytes) -> None:
        """Keep a file; what has this name already is as new again."""

    async def get(self, name: str) -> bytes | None: ...

    async def remove(self, name: str, *, put_before: datetime) -> None:
        """Forget a file, unless it was put since."""


class Directory:
    """Files in a directory; a server's umask keeps them from others on the machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, self._path(name), data)

    async def get(self, name: str) -> bytes | None:
        return await asyncio.to_thread(self._read, self._path(name))

    async def remove(self, name: str, *, put_before: datetime) -> None:
        await asyncio.to_thread(self._unlink, self._path(name), put_before)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError("Not the name of a file here")
        return self.root / name[:2] / name

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _read(self, path: Path) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        return None

    def _unlink(self, path: Path, put_before: datetime) -> None:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < put_before.timestamp():
                path.unlink()
