"""
What an updater remembers between two starts, and a plain folder that remembers it.

Rules of this file:

1. One save is one state: whoever is killed while saving leaves the old files or the new ones, never some of each.
2. The floor is saved after the files that raise it, in a file of its own. So it is never ahead of them, and outlives
   them: somebody who removes the files has not lowered it.
3. Two processes do not refresh at the same time.
4. A file that is cut short or altered by accident is told; one altered on purpose is not. What is kept is believed only
   as far as its signatures verify. The sealed store tells both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Protocol

from pinscher.replacement import LEFTOVER, replace_file
from pinscher.updates.errors import StoreBusyError, UpdateStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

FLOOR_NAME = "floor.json"
"""The name under which the floor stands among the files of a state."""
_LARGEST = 128 * 1024 * 1024
"""Octets of a state file that is read."""


class BundleStore(Protocol):
    """
    Where an updater keeps what it accepted: names and octets, nothing that a store would have to understand.

    Every method raises a ``PinningError`` when the store fails, and the updater goes on with what it has in memory.
    """

    def load(self) -> Mapping[str, bytes]:
        """Return the files of the last save, the floor among them as ``floor.json``; empty when there was none."""

    def save(self, files: Mapping[str, bytes]) -> None:
        """Put these files in the place of all that were there, as a whole or not at all."""

    def exclusive(self, seconds: float) -> AbstractContextManager[None]:
        """Keep other processes from refreshing; wait for one that is."""


class DirectoryStore:
    """A plain folder, made when it is first saved to: ``state``, ``floor.json`` and ``lock``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._read: tuple[tuple[int, ...], dict[str, bytes]] | None = None

    def load(self) -> dict[str, bytes]:
        """Return the files of the last save; what has not changed on the disk is not read again."""
        try:
            files = self._load_state()
            floor = _content(os.path.join(self.path, FLOOR_NAME))
        except OSError as error:
            raise UpdateStoreError(f"the store cannot be read: {_why(error)}") from error
        return files if floor is None else {**files, FLOOR_NAME: floor}

    def _load_state(self) -> dict[str, bytes]:
        path = os.path.join(self.path, _STATE)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return {}
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._read is None or self._read[0] != mark:
            self._read = (mark, unpacked(_content(path) or b""))
        return dict(self._read[1])

    def save(self, files: Mapping[str, bytes]) -> None:
        """Replace the state as a whole, then the floor (rules 1 and 2)."""
        rest = {name: content for name, content in files.items() if name != FLOOR_NAME}
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            replace_file(os.path.join(self.path, _STATE), packed(rest), mode=0o600)
            if FLOOR_NAME in files:
                replace_file(os.path.join(self.path, FLOOR_NAME), files[FLOOR_NAME], mode=0o600)
        except OSError as error:
            raise UpdateStoreError(f"the store cannot be written: {_why(error)}") from error

    @contextlib.contextmanager
    def exclusive(self, seconds: float) -> Iterator[None]:
        """Hold the lock of the folder; the operating system lets go of it when the process dies (rule 3)."""
        from filelock import FileLock, Timeout  # noqa: PLC0415  (only who refreshes pays for it)

        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            # The lock's own memory of threads is not wanted: a store is used by one updater, which has one flight.
            lock = FileLock(os.path.join(self.path, "lock"), timeout=seconds, thread_local=False)
            lock.acquire()
        except Timeout:
            raise StoreBusyError(f"another process kept the store locked for {seconds:g} seconds") from None
        except (OSError, NotImplementedError) as error:
            raise UpdateStoreError(f"the store cannot be locked: {_why(error)}") from error
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    def _remove_leftovers(self) -> None:
        """Remove what a killed process began to write; nobody else is writing now."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.path):
                if name.startswith(LEFTOVER):
                    os.unlink(os.path.join(self.path, name))


_STATE = "state"


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return several files as one: a line of JSON with their names, lengths and digests, then their octets."""
    index = [[name, len(content), hashlib.sha256(content).hexdigest()] for name, content in sorted(files.items())]
    head = json.dumps({"format": 1, "files": index}).encode()
    return b"".join([head, b"\n", *(files[name] for name in sorted(files))])


def unpacked(octets: bytes) -> dict[str, bytes]:
    """Return the files that :func:`packed` packed; raise :class:`UpdateStoreError` for anything else."""
    head, _, rest = octets.partition(b"\n")
    files: dict[str, bytes] = {}
    try:
        table: Any = json.loads(head)
        if table["format"] != 1:
            raise UpdateStoreError(f"the store has the format {table['format']!r}, expected 1")
        place = 0
        for name, length, digest in table["files"]:
            content = rest[place : place + length]
            if length < 0 or len(content) != length or hashlib.sha256(content).hexdigest() != digest:
                raise UpdateStoreError(f"the store is damaged: {name!a} is not what was saved")
            files[str(name)] = content
            place += length
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UpdateStoreError("the store is damaged: its list of files cannot be read") from None
    if place != len(rest):
        raise UpdateStoreError("the store is damaged: it is longer than what was saved")
    return files


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read(_LARGEST)
    except FileNotFoundError:
        return None


def _why(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
