"""Vaults for a spool where there is no sealed store: a plain folder, and memory where there is no disk either."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped
from pinscher.replacement import LEFTOVER, replace_file, sync_folder
from pinscher.reports.spool import LARGEST_ITEM

if TYPE_CHECKING:
    from collections.abc import Mapping


class VaultError(PinningError):
    """A folder that cannot hold a spool; ``path`` says which and ``reason`` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the spool in '{escaped(path)}' cannot be used: {reason}")
        self.path = path
        self.reason = reason


class VaultBusyError(VaultError):
    """A folder that another process has."""


class FolderLock:
    """
    A folder of this user that one process has until it closes it or ends.

    Nobody else can enter it; where what is in it is safe by itself, it is enough that nobody else can write it.
    """

    def __init__(self, path: str | os.PathLike[str], *, may_be_entered: bool = False) -> None:
        """Make the folder where it is missing, and take its lock; raise :class:`VaultError`."""
        self.path = os.fspath(path)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
            if os.name == "posix":
                _check_own(self.path, may_be_entered=may_be_entered)
            self._lock = os.open(os.path.join(self.path, ".lock"), os.O_RDWR | os.O_CREAT | _PLAIN, 0o600)
        except OSError as error:
            raise VaultError(self.path, (error.strerror or str(error)).lower()) from None
        try:
            _take(self._lock)
        except OSError:
            os.close(self._lock)
            raise VaultBusyError(self.path, "another process uses it; give each a folder of its own") from None

    def close(self) -> None:
        """Give the lock back; a second time does nothing, for the descriptor may be another file's by then."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


class FolderVault(FolderLock):
    """A vault in a plain folder that only this user can read; each entry is a file, replaced as a whole."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Take the folder, and remove what a killed writer began; raise :class:`VaultError`."""
        super().__init__(path)
        for name in os.listdir(self.path):
            if name.startswith(LEFTOVER):
                self._remove(name)

    def names(self) -> list[str]:
        """Return the entries' names."""
        return [name for name in os.listdir(self.path) if not name.startswith(".")]

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None."""
        try:
            descriptor = os.open(os.path.join(self.path, name), os.O_RDONLY | _PLAIN)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(LARGEST_ITEM + 1)

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Put entries in, each atomically, then take others out; in one folder, synchronised once."""
        try:
            for name, content in entries.items():
                if content is not None:
                    self._put(name, content)
            for name, content in entries.items():
                if content is None:
                    self._remove(name)
            sync_folder(self.path)
        except OSError as error:
            raise VaultError(self.path, (error.strerror or str(error)).lower()) from None

    def _put(self, name: str, content: bytes) -> None:
        replace_file(os.path.join(self.path, name), content, mode=0o600, syncs_folder=False)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.path, name))


class MemoryVault:
    """A vault that ends with the process, for one that may write nowhere."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """Return the entries' names."""
        return list(self._entries)

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None."""
        return self._entries.get(name)

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Put entries in and take others out."""
        for name, content in entries.items():
            if content is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = content


_PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _check_own(path: str, *, may_be_entered: bool) -> None:
    status = os.lstat(path)
    refused, verb, mend = (0o022, "write", "go-w") if may_be_entered else (0o077, "enter", "go-rwx")
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & refused:
        raise VaultError(path, f"expected a folder of this user that nobody else can {verb}; run chmod {mend} on it")


def _take(descriptor: int) -> None:
    try:
        import fcntl  # noqa: PLC0415  (not on Windows, where opening the file has to do)
    except ModuleNotFoundError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
