"""
The spool: what is to be told, kept through crashes, until its channel has answered that it is stored.

Rules of this file:

1. What :meth:`Spool.accept` has returned for is on the disk. It leaves by :meth:`Spool.acknowledge`, or as the oldest
   when there is no room, and then it is counted; there is no third way.
2. The content and the idempotency key of an item never change, so that telling it twice is harmless.
3. Items have numbers that only grow. The count of the dropped stands together with the greatest number that it
   counts, in one entry that is replaced as a whole: a crash between counting and removing counts nothing twice.
4. Whatever else lies in the vault is left alone; an item that cannot be read is removed and counted as dropped.
5. One process uses a vault's spool at a time.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pinscher.reports.channel import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_ITEMS = 1000
LARGEST_SPOOL = 16 * 1024 * 1024
"""Octets of all items together."""
LARGEST_ITEM = 1024 * 1024
_ITEM = re.compile(r"spool\.([0-9]{16})\.([0-9a-f]{32})\.(reports|heartbeats)\.([A-Za-z0-9._-]{1,128})", re.ASCII)
_DROPPED = "spool-dropped"
_INSTALL = "spool-install"
_COUNTED = re.compile(rb"([0-9]{1,18}) ([0-9]{1,16})")


class Vault(Protocol):
    """
    Named entries, each written as a whole or not at all; the sealed store is one, a plain folder another.

    One write puts entries in before it takes others out, wherever it is interrupted.
    """

    def names(self) -> Iterable[str]:
        """Return the entries' names."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None."""
        ...

    def write(self, entries: Mapping[str, bytes | None]) -> None:
        """Put entries in and take others (None) out; what it returned for is on the disk."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One thing to tell: its number, its idempotency key, what it is, and to which channel it goes."""

    number: int
    key: str
    kind: Kind
    channel: str

    @property
    def name(self) -> str:
        """The name of its entry."""
        return f"spool.{self.number:016d}.{self.key}.{self.kind.value}.{self.channel}"

    @classmethod
    def of(cls, name: str) -> Item | None:
        """Return the item of an entry's name, or None for another entry."""
        found = _ITEM.fullmatch(name)
        return None if found is None else cls(int(found[1]), found[2], Kind(found[3]), found[4])


class Spool:
    """A spool in a vault; several threads may use it."""

    def __init__(self, vault: Vault, *, most_items: int = MOST_ITEMS, largest: int = LARGEST_SPOOL) -> None:
        self._vault = vault
        self._most_items = most_items
        self._largest = largest
        self._lock = threading.Lock()
        self._sizes: dict[Item, int] = {}
        self._dropped, self._dropped_to = self._counted()
        self._next = self._dropped_to + 1
        self._open()

    def _counted(self) -> tuple[int, int]:
        found = _COUNTED.fullmatch(self._vault.read(_DROPPED) or b"")
        return (0, 0) if found is None else (int(found[1]), int(found[2]))

    def _open(self) -> None:
        """Take up what is there; what a crash left to be removed is removed now (rule 3)."""
        for item in sorted(filter(None, map(Item.of, self._vault.names()))):
            if item.number <= self._dropped_to:
                self._vault.write({item.name: None})
                continue
            content = self._vault.read(item.name)
            self._sizes[item] = 0 if content is None else len(content)
            self._next = item.number + 1
        self._make_room()

    @property
    def dropped(self) -> int:
        """How many items were dropped since the spool was made (rule 1)."""
        return self._dropped

    def items(self) -> tuple[Item, ...]:
        """Return what is to be told, the oldest first."""
        with self._lock:
            return tuple(sorted(self._sizes))

    def accept(self, channel: str, kind: Kind, content: bytes) -> Item:
        """Keep *content* for a channel; the oldest give way where there is no room (rule 1)."""
        if len(content) > LARGEST_ITEM:
            raise ValueError(f"an item of {len(content)} octets, at most {LARGEST_ITEM} are kept")
        return self._put(channel, kind, content, secrets.token_hex(16))

    def adopt(self, other: Spool) -> None:
        """Take over what another spool was left with, each item under its own key, so that a crash tells none twice."""
        for item in other.items():
            content = other.content(item)
            if content is not None:
                self._put(item.channel, item.kind, content, item.key)
            other.acknowledge(item)

    def _put(self, channel: str, kind: Kind, content: bytes, key: str) -> Item:
        with self._lock:
            item = Item(self._next, key, kind, channel)
            self._vault.write({item.name: content})
            self._next += 1
            self._sizes[item] = len(content)
            self._make_room()
        return item

    def content(self, item: Item) -> bytes | None:
        """Return an item's content; None for one that has left, or that cannot be read any more (rule 4)."""
        with self._lock:
            if item not in self._sizes:
                return None
            content = self._vault.read(item.name)
            if content is None:
                self._drop([item])
            return content

    def acknowledge(self, item: Item) -> None:
        """Let an item go, because its channel has answered that it is stored."""
        with self._lock:
            if item in self._sizes:
                self._vault.write({item.name: None})
                del self._sizes[item]

    def _make_room(self) -> None:
        octets = sum(self._sizes.values())
        gone: list[Item] = []
        for item in sorted(self._sizes)[:-1]:
            if len(self._sizes) - len(gone) <= self._most_items and octets <= self._largest:
                break
            octets -= self._sizes[item]
            gone.append(item)
        if gone:
            self._drop(gone)

    def _drop(self, gone: list[Item]) -> None:
        """Count, with the greatest number that counts, and remove; a vault puts in before it takes out (rule 3)."""
        dropped, to = self._dropped + len(gone), max(item.number for item in gone)
        older = [item for item in self._sizes if item.number <= to and item not in gone]
        # An item that cannot be read is not the oldest; those before it stay, and so must the mark.
        marked = self._dropped_to if older else max(to, self._dropped_to)
        counted: dict[str, bytes | None] = {_DROPPED: f"{dropped} {marked}".encode()}
        self._vault.write(counted | {item.name: None for item in gone})
        self._dropped, self._dropped_to = dropped, marked
        for item in gone:
            del self._sizes[item]

    def install(self) -> bytes | None:
        """Return what :meth:`keep_install` kept."""
        return self._vault.read(_INSTALL)

    def keep_install(self, content: bytes) -> None:
        """Keep the install's identity beside the items."""
        self._vault.write({_INSTALL: content})
