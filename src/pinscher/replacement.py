"""
A file replaced as a whole or not at all: the one place that does it.

Rules of this file:

1. A new content is on the disk before it takes the old one's name, and the name is on the disk before the call returns.
   Whoever is killed in between leaves the old content or the new one, and at most a leftover.
2. A leftover's name begins with :data:`LEFTOVER`; who is alone in a folder removes what is called so.
3. A new content never goes through a symbolic link, and never into a file that somebody else made.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEFTOVER = ".new-"
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | getattr(os, "O_NOFOLLOW", 0)


def replace_file(
    path: str,
    content: bytes,
    *,
    mode: int,
    folder: int | None = None,
    permissions: int | None = None,
    check: Callable[[], None] | None = None,
    syncs_folder: bool = True,
) -> None:
    """
    Put *content* under a name, in place of what may be there (rule 1); raise ``OSError`` and change nothing otherwise.

    Args:
        path: the file; a bare name when *folder* is given.
        content: what it is to hold.
        mode: the permission bits of a new file, of which the process's mask takes some away.
        folder: the descriptor of the open folder in which *path* is looked up.
        permissions: exactly these permission bits, whatever the mask.
        check: called when the content is on the disk and before it takes the name; what it raises leaves all as it was.
        syncs_folder: False leaves that to a caller who replaces several files and syncs their folder once.
    """
    temporary = os.path.join(os.path.dirname(path), f"{LEFTOVER}{secrets.token_hex(8)}")
    try:
        write_new(temporary, content, mode=mode, folder=folder, permissions=permissions)
        if check is not None:
            check()
        if folder is None:
            os.replace(temporary, path)
        else:
            os.replace(temporary, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(temporary, folder=folder)
        raise
    if syncs_folder and folder is None:
        sync_folder(os.path.dirname(path) or ".")
    elif syncs_folder and folder is not None:
        os.fsync(folder)


def write_new(
    path: str, content: bytes, *, mode: int, folder: int | None = None, permissions: int | None = None
) -> None:
    """
    Write a file that is not there yet (rule 3), and bring its content to the disk; its name follows its folder.

    What could not be written to its end is removed.
    """
    descriptor = os.open(path, _WRITE, mode) if folder is None else os.open(path, _WRITE, mode, dir_fd=folder)
    try:
        _fill(descriptor, content, path if folder is None else descriptor, permissions)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(path, folder=folder)
        raise


def _fill(descriptor: int, content: bytes, file: str | int, permissions: int | None) -> None:
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if permissions is not None:
            os.chmod(file, permissions)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str, *, folder: int | None = None) -> None:
    """Remove a file."""
    if folder is None:
        os.unlink(path)
    else:
        os.unlink(path, dir_fd=folder)


def sync_folder(path: str) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":
        # Windows has no descriptor for a folder, and writes its entries through.
        return
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
