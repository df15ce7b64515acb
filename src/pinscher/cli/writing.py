"""A person's files, replaced only while they are what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher import replacement
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

    A reader sees the old file or the new one, which has the old one's permissions. A symbolic link is followed, and
    stays.
    """
    target = path.resolve()

    def check() -> None:
        if _content(target) != expected:
            raise UnwritableFileError(path, "somebody else changed it meanwhile; look at it and run this again")

    try:
        permissions = target.stat().st_mode & 0o7777 if expected is not None else None
        replacement.replace_file(str(target), content, mode=0o666, permissions=permissions, check=check)
    except OSError as error:
        raise UnwritableFileError(path, (error.strerror or str(error)).lower()) from None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
