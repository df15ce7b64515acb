"""
One folder of this user's own files, each replaced as a whole or not at all.

Rules of this file:

1. What is checked is what is read: owner and mode are those of the open descriptor, a symbolic link is never followed,
   and names are looked up in the folder that was opened, wherever its name points to by now.
2. What is replaced is replaced as a whole or not at all, and at most a leftover that :meth:`Folder.leftovers` finds is
   left of it; see ``replacement``.
3. No read is longer than its limit.
"""

from __future__ import annotations

import contextlib
import enum
import os
import stat
from typing import TYPE_CHECKING, Self

from pinscher.replacement import LEFTOVER, remove, replace_file, sync_folder, write_new
from pinscher.store.errors import StoreUnavailableError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Privacy(enum.Enum):
    """What others may do; the values are the permission bits that a folder and its files must not have."""

    CLOSED = (0o077, 0o077)
    CLOSED_FILES = (0o022, 0o077)
    PROVIDED_FILES = (0o022, 0o037)
    READABLE = (0o022, 0o022)


class Folder:
    """An open folder whose owner and mode were checked on its descriptor (rule 1)."""

    def __init__(self, path: str, privacy: Privacy) -> None:
        self.path = path
        self._privacy = privacy
        self._descriptor: int | None = None

    @classmethod
    def open(cls, path: str, privacy: Privacy) -> Self | None:
        """Open a folder that is there, or return None; raise :class:`UnsafeFileError` for one that is not safe."""
        folder = cls(path, privacy)
        flags = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
        if os.name == "nt":
            # Windows opens no folder; its profile folders are their owner's by an access list.
            return folder if os.path.isdir(path) else None
        try:
            folder._descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable("cannot open the folder", path, error) from None
        try:
            check_status(os.fstat(folder._descriptor), path, refused=privacy.value[0])
        except UnsafeFileError:
            folder.close()
            raise
        return folder

    @classmethod
    def make(cls, path: str, privacy: Privacy) -> Self:
        """Open a folder, or make it where its parent is there."""
        try:
            os.mkdir(path, 0o777 & ~privacy.value[0])
        except FileExistsError:
            pass
        except OSError as error:
            raise _unavailable("cannot make the folder", path, error) from None
        else:
            sync_folder(os.path.dirname(os.path.abspath(path)))
        folder = cls.open(path, privacy)
        if folder is None:
            raise StoreUnavailableError("the folder went away", path=path, remedy="run this again")
        return folder

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def read(self, name: str, *, limit: int) -> bytes | None:
        """Return a file's content, one octet more than *limit* at most, or None if there is no such file (rule 1)."""
        path = os.path.join(self.path, name)
        try:
            descriptor = self._open(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable("cannot read", path, error) from None
        try:
            check_status(os.fstat(descriptor), path, refused=self._privacy.value[1])
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return stream.read(limit + 1)
        except OSError as error:
            raise _unavailable("cannot read", path, error) from None
        finally:
            os.close(descriptor)

    def replace(self, name: str, content: bytes) -> None:
        """Put *content* under a name, in place of what may be there (rule 2)."""
        try:
            replace_file(self._at(name), content, mode=self._mode, folder=self._descriptor)
        except OSError as error:
            raise _unavailable("cannot write", os.path.join(self.path, name), error) from None

    def add(self, name: str, content: bytes) -> None:
        """Write a file that nothing refers to yet; the next :meth:`replace` in this folder makes its name lasting."""
        try:
            write_new(self._at(name), content, mode=self._mode, folder=self._descriptor)
        except OSError as error:
            self.remove(name)
            raise _unavailable("cannot write", os.path.join(self.path, name), error) from None

    def remove(self, name: str) -> None:
        """Remove a file if that is possible; a file that stays is a leftover and no error."""
        with contextlib.suppress(OSError):
            remove(self._at(name), folder=self._descriptor)

    def names(self) -> Iterator[str]:
        """Yield the names in the folder."""
        try:
            yield from os.listdir(self.path if self._descriptor is None else self._descriptor)
        except OSError as error:
            raise _unavailable("cannot list the folder", self.path, error) from None

    def leftovers(self) -> Iterator[str]:
        """Yield the names of what a killed writer began and did not finish."""
        return (name for name in self.names() if name.startswith(LEFTOVER))

    @property
    def _mode(self) -> int:
        return 0o666 & ~self._privacy.value[1]

    def _at(self, name: str) -> str:
        """Return a name as it is looked up: in the open folder, or by its path where the system opens no folder."""
        return name if self._descriptor is not None else os.path.join(self.path, name)

    def _open(self, name: str) -> int:
        if self._descriptor is None:
            return os.open(self._at(name), _READ)
        return os.open(name, _READ, dir_fd=self._descriptor)


def check_status(status: os.stat_result, path: str, *, refused: int) -> None:
    """Raise :class:`UnsafeFileError` unless it is this user's or root's, and has none of the *refused* bits."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UnsafeFileError(
            "neither a regular file nor a folder", path=path, remedy="find out what put it there, and remove it"
        )
    if os.name != "posix":
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeFileError(
            f"owned by user {status.st_uid}, expected {os.geteuid()} or root", path=path, remedy="give it to this user"
        )
    if status.st_mode & refused:
        raise UnsafeFileError(
            f"others can reach it, its mode is {stat.S_IMODE(status.st_mode):04o}",
            path=path,
            remedy=f"find out who changed it, then run chmod {'go-rwx' if refused & 0o044 else 'go-w'} on it",
        )


def _unavailable(what: str, path: str, error: OSError) -> StoreUnavailableError:
    reason = (error.strerror or str(error)).lower()
    return StoreUnavailableError(
        f"{what} ({reason})", path=path, remedy="make room, or make it readable and writable for this user"
    )
