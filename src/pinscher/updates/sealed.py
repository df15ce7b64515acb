"""The sealed store as the place where an updater keeps what it accepted."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from pinscher.updates.floor import Floor
from pinscher.updates.store import FLOOR_NAME, DirectoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pinscher.store import SealedStore


class SealedBundleStore:
    """
    Keeps an updater's files as entries of a sealed store, under a prefix, beside whatever else is in it.

    The sealed store's rollback floor, and the one beside its key, count the policy's epoch and version, and the root's.
    What is reached through this object, :meth:`entries` too, is read and written by one thread at a time.
    """

    def __init__(self, store: SealedStore, *, prefix: str = "updates.") -> None:
        self._store = store
        self._prefix = prefix
        # A load reads entry after entry, and they are to be those of one save.
        self._lock = threading.RLock()

    @property
    def path(self) -> str:
        """The folder of the sealed store."""
        return self._store.path

    def entries(self, prefix: str) -> SealedEntries:
        """Return other entries of the same store, under a prefix of their own."""
        return SealedEntries(self._store, prefix, self._lock)

    def load(self) -> dict[str, bytes]:
        """Return the files of the last save, the greater of their floor and the sealed one among them."""
        with self._lock:
            return self._load()

    def _load(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for entry in self._store.names():
            content = self._store.read(entry) if entry.startswith(self._prefix) else None
            if content is not None:
                files[_named(entry.removeprefix(self._prefix))] = content
        kept = Floor.loads(files[FLOOR_NAME]) if FLOOR_NAME in files else Floor()
        counters = self._store.floor
        epoch, policy = counters.get("policy", (0, 0))
        floor = kept.raised(Floor(epoch=epoch, policy=policy, root=counters.get("root", (0,))[0]))
        return {**files, FLOOR_NAME: floor.to_json()} if floor != Floor() else files

    def save(self, files: Mapping[str, bytes]) -> None:
        """Replace the files and raise the sealed floor in one write."""
        with self._lock:
            self._save(files)

    def _save(self, files: Mapping[str, bytes]) -> None:
        entries: dict[str, bytes | None] = {
            entry: None for entry in self._store.names() if entry.startswith(self._prefix)
        }
        entries.update({self._prefix + _entry(name): content for name, content in files.items()})
        floor = Floor.loads(files[FLOOR_NAME]) if FLOOR_NAME in files else Floor()
        self._store.write(entries, floor={"policy": (floor.epoch, floor.policy), "root": (floor.root,)})

    @contextlib.contextmanager
    def exclusive(self, seconds: float) -> Iterator[None]:
        """Hold a lock in a folder beside the store's, so that reading and writing stay possible meanwhile."""
        with DirectoryStore(os.path.join(os.path.dirname(self._store.path) or ".", _LOCKS)).exclusive(seconds):
            yield


class SealedEntries:
    """Entries of a sealed store under a prefix: a vault for a report spool."""

    def __init__(self, store: SealedStore, prefix: str, lock: threading.RLock) -> None:
        self._store, self._prefix, self._lock = store, prefix, lock

    def names(self) -> list[str]:
        """Return the entries' names, without the prefix."""
        with self._lock:
            names = self._store.names()
        return [name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)]

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None."""
        with self._lock:
            return self._store.read(self._prefix + name)

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Put entries in and take others (None) out, all of them or none."""
        with self._lock:
            self._store.write({self._prefix + name: content for name, content in entries.items()})


_LOCKS = "updates-lock"


def _entry(name: str) -> str:
    """Return a file's name without what an entry's name does not hold."""
    return name.encode().hex()


def _named(entry: str) -> str:
    return bytes.fromhex(entry).decode()
