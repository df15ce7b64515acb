"""
The files of a folder, and each of them read by its reader.

Links are not followed, and what is not a regular file is not opened: a pipe in a folder would never end. Folders of
version control and of packages that a tool installed are somebody else's, and are named as skipped.
"""

from __future__ import annotations

import io
import os
import stat
from typing import IO, TYPE_CHECKING, cast

from pinscher.discover.limits import MOST_FILES
from pinscher.discover.readers import BEGINNING, READERS, reader_of
from pinscher.discover.sighting import Place, Skipped, Source, UnreadableSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from pinscher.discover.endpoint import Inventory

_OTHERS = frozenset({
    ".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache", ".ruff_cache",
    ".gradle", "Pods", ".idea", "site-packages",
})  # fmt: skip


def files_below(path: str, inventory: Inventory) -> Iterator[tuple[str, int]]:
    """Yield the path and size of every regular file at or below a path, in the order of their names."""
    inventory.root = path if os.path.isdir(path) else os.path.dirname(path)
    if not os.path.isdir(path):
        size = _size(path, inventory, follows=True)
        if size is not None:
            yield path, size
        return
    count = 0
    for folder, folders, files in os.walk(path, onerror=lambda error: inventory.add(_unreadable(error))):
        for name in sorted(set(folders) & _OTHERS):
            inventory.add(
                Skipped("a folder of installed packages or version control", Place(os.path.join(folder, name)))
            )
        folders[:] = sorted(set(folders) - _OTHERS)
        for name in sorted(files):
            count += 1
            if count > MOST_FILES:
                inventory.add(Skipped(f"more than {MOST_FILES} files", Place(folder)))
                return
            file = os.path.join(folder, name)
            size = _size(file, inventory, follows=False)
            if size is not None:
                yield file, size


def _unreadable(error: OSError) -> Skipped:
    return Skipped("a folder that cannot be read", Place(str(error.filename)))


def _size(file: str, inventory: Inventory, *, follows: bool) -> int | None:
    try:
        status = os.stat(file, follow_symlinks=follows)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "a name with a NUL"
        inventory.add(Skipped(f"cannot be read: {reason.lower()}", Place(file)))
        return None
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    inventory.add(Skipped("a link or something that is no regular file", Place(file)))
    return None


def read_file(
    file: str, inventory: Inventory, *, reader: str | None = None, on_octets: Callable[[int], None] = lambda _: None
) -> UnreadableSourceError | None:
    """Read one file into the inventory; return what stopped it, which is counted as skipped as well."""
    try:
        with open(file, "rb") as stream:
            return read_stream(file, cast("BinaryIO", _Counted(stream, on_octets)), inventory, reader=reader)
    except OSError as error:
        return _stopped(
            UnreadableSourceError(Place(file), f"cannot be read: {(error.strerror or '?').lower()}"), inventory
        )


def read_stream(
    name: str, stream: BinaryIO, inventory: Inventory, *, reader: str | None = None
) -> UnreadableSourceError | None:
    """Read one stream into the inventory, as ``read_file`` does."""
    beginning = stream.read(BEGINNING)
    stream.seek(0)
    chosen = reader or reader_of(name, beginning)
    if chosen is None:
        inventory.add(Skipped("no reader for files of this kind", Place(name)))
        return UnreadableSourceError(Place(name), "no reader for files of this kind; --as names one")
    inventory.files += 1
    try:
        for find in READERS[chosen](Source(name, stream)):
            inventory.add(find)
    except UnreadableSourceError as error:
        return _stopped(error, inventory)
    return None


def _stopped(error: UnreadableSourceError, inventory: Inventory) -> UnreadableSourceError:
    inventory.add(Skipped(error.reason, error.place))
    return error


class _Counted(io.RawIOBase):
    """A stream that says how far it has been read."""

    def __init__(self, stream: IO[bytes], on_octets: Callable[[int], None]) -> None:
        super().__init__()
        self._stream = stream
        self._on_octets = on_octets
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        return self._told(self._stream.read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._told(self._stream.readline(-1 if size is None else size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def _told(self, octets: bytes) -> bytes:
        place = self._stream.tell()
        if place > self._furthest:
            self._on_octets(place - self._furthest)
            self._furthest = place
        return octets
