"""Files replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from pathlib import Path


class UnwritableFileError(PinningError):
    """A file that could not be replaced, and is as it was; ``path`` says which."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot write '{escaped(str(path))}': {reason}")
        self.path = path


def replace_file(path: Path, content: bytes, *, expected: bytes | None) -> None:
    """
    Put *content* in place of a file whose content is *expected* (None: there is none), or raise and change nothing.

    A reader sees the old file or the new one. The new one is on the disk before it takes the old one's name, and has
    its permissions. A symbolic link is followed, and stays.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write(temporary, content, mode=target.stat().st_mode & 0o7777 if expected is not None else None)
        if _content(target) != expected:
            raise UnwritableFileError(path, "somebody else changed it meanwhile; look at it and run this again")
        temporary.replace(target)
        _sync_directory(target.parent)
    except OSError as error:
        raise UnwritableFileError(path, (error.strerror or str(error)).lower()) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write(path: Path, content: bytes, *, mode: int | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        if mode is not None:
            path.chmod(mode)
        os.fsync(descriptor)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sync_directory(path: Path) -> None:
    if os.name == "nt":
        # Windows has no descriptor for a directory, and writes its entries through.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
