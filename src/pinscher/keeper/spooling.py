"""
Where a keeper's reports wait: beside its store, sealed where that is, and never in another process's way.

Rules of this file:

1. Processes that share a store have a spool each, told apart by a number; whoever comes takes the first that is free.
2. What other spools were left with, by processes that ended, goes along with the one that was taken.
3. Where nothing can be written, reports wait in memory, and the log says so.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pinscher.errors import PinningError
from pinscher.reports import FolderLock, FolderVault, MemoryVault, Spool, Vault, VaultBusyError
from pinscher.updates import DirectoryStore, SealedBundleStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pinscher.updates import BundleStore

_LOGGER = logging.getLogger("pinscher.keeper")
MOST_PROCESSES = 64
"""Processes on one store that have a spool on the disk; further ones keep their reports in memory."""


@dataclass(frozen=True, slots=True)
class OpenSpool:
    """A spool, and what gives its place back."""

    spool: Spool
    close: Callable[[], None]


class _Place(Vault, Protocol):
    """A vault that one process has until it closes it."""

    def close(self) -> None:
        """Give the place back."""


_Places = "Callable[[int], _Place]"


def open_spool(store: BundleStore, named: str | os.PathLike[str] | None) -> OpenSpool:
    """Return a spool in the folder that was *named*, or else in or beside a store (rules 1 to 3)."""
    try:
        return _opened(store, None if named is None else os.fspath(named))
    except (PinningError, OSError) as error:
        _LOGGER.warning("reports wait in memory: %s", error)
        return OpenSpool(Spool(MemoryVault()), _nothing)


def _nothing() -> None:
    return


def _opened(store: BundleStore, named: str | None) -> OpenSpool:
    if named is None and isinstance(store, SealedBundleStore):
        sealed = store
        base = f"{sealed.path}-reports"
        return _first_free(base, lambda number: _SealedPlace(sealed, f"{base}-{number}", f"reports-{number}."))
    if named is None and isinstance(store, DirectoryStore):
        named = os.path.join(store.path, "reports")
    if named is None:
        _LOGGER.info("reports wait in memory: the store has no place for them, and none was named")
        return OpenSpool(Spool(MemoryVault()), _nothing)
    os.makedirs(os.path.dirname(named) or ".", mode=0o700, exist_ok=True)
    return _first_free(named, lambda number: FolderVault(f"{named}-{number}"))


def _first_free(base: str, place: Callable[[int], _Place]) -> OpenSpool:
    """Open the first place that is free, and take along what others were left with (rules 1 and 2)."""
    for number in range(MOST_PROCESSES):
        try:
            mine = place(number)
        except VaultBusyError:
            continue
        try:
            spool = Spool(mine)
            _adopt(spool, base, place, number)
        except BaseException:
            mine.close()
            raise
        return OpenSpool(spool, mine.close)
    raise VaultBusyError(base, f"{MOST_PROCESSES} processes have a spool there")


def _adopt(spool: Spool, base: str, place: Callable[[int], _Place], mine: int) -> None:
    for number in range(MOST_PROCESSES):
        if number == mine or not os.path.isdir(f"{base}-{number}"):
            continue
        try:
            other = place(number)
        except VaultBusyError:
            continue
        try:
            spool.adopt(Spool(other))
        finally:
            other.close()


class _SealedPlace(FolderLock):
    """Entries of a sealed store; a folder beside the store is the lock of them."""

    def __init__(self, store: SealedBundleStore, lock: str, prefix: str) -> None:
        super().__init__(lock)
        self._entries = store.entries(prefix)

    def names(self) -> list[str]:
        """Return the entries' names."""
        return self._entries.names()

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None."""
        return self._entries.read(name)

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Put entries in and take others out."""
        self._entries.write(entries)
