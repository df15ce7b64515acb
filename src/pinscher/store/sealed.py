"""
The sealed store: named entries that nobody can read, change, cut or exchange unseen.

Rules of this file:

1. The index is the store: an entry is in it, in a file of its own and by that file's digest, or it is not there. One
   write puts the new entries' files beside the old ones and then replaces the index, so that whoever is killed leaves
   everything as it was or everything as it is to be.
2. Whatever was not sealed by this program on this machine with this key is :class:`SealBrokenError`, and so is an
   index older than one this process has seen, or one whose floor is below the counter beside the key.
3. The order is: index, counter beside the key, removal of what is no longer referred to. So the counter is never
   ahead of the store.
4. Readers take no lock of the machine. Writers take one. Threads that share a store read and replace its index one
   after the other, for an index that was read before another thread's write is no older copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from pinscher.replacement import LEFTOVER
from pinscher.store.errors import SealBrokenError
from pinscher.store.floor import check_floor, is_below, rollback_floor, write_floor
from pinscher.store.folder import Folder, Privacy
from pinscher.store.header import Derivation, Header, HeaderError, Kind
from pinscher.store.index import LARGEST_ENTRY, LARGEST_INDEX, MOST_ENTRIES, Index, Place, check_name
from pinscher.store.lock import locked
from pinscher.store.machine import UNBOUND, machine_identity, machine_mark
from pinscher.store.seal import OVERHEAD, NotOpenedError, opened, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pinscher.store.custody import Custody
    from pinscher.store.floor import Floor

_INDEX, _LOCK = "index", "lock"
_ENTRY = re.compile(r"[0-9a-f]{32}\.entry", re.ASCII)
_LOCK_SECONDS = 10.0
NONE: Floor = MappingProxyType({})
"""No floor."""


class SealedStore:
    """
    A store on the disk; open it with :meth:`open`.

    Another process may write to the same store; every read sees the last finished write.
    """

    def __init__(
        self, folder: Folder, custody: Custody, header: Header, key: bytes, *, embedded_floor: Floor, machine: bytes
    ) -> None:
        self._folder, self._custody, self._header, self._key = folder, custody, header, key
        self._embedded_floor, self._machine = embedded_floor, machine
        self._generation = 0
        self._turn = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        custody: Custody,
        *,
        embedded_floor: Floor = NONE,
        identity: Callable[[], bytes] = machine_identity,
    ) -> Self:
        """
        Open a store, or make an empty one where there has been none.

        Args:
            path: the store's folder, in one that is there.
            custody: where its key comes from.
            embedded_floor: the rollback floor that the program was shipped with.
            identity: what tells this machine from others; no octets bind the store to no machine.

        Raises:
            SealBrokenError: the store is changed, cut, older, foreign, or gone while its key remembers it.
            UnsafeFileError: somebody else owns or reaches a file of it.
            KeyUnavailableError: the key cannot be had.
            StoreUnavailableError: the operating system refuses.
        """
        place = os.fspath(path)
        folder = Folder.make(place, Privacy.CLOSED)
        try:
            content = folder.read(_INDEX, limit=LARGEST_INDEX)
            if content is None:
                with _locked(folder):
                    content = folder.read(_INDEX, limit=LARGEST_INDEX) or _begin(folder, custody, identity())
            store = cls._of(folder, custody, content, embedded_floor=embedded_floor, machine=identity())
        except BaseException:
            folder.close()
            raise
        return store

    @classmethod
    def open_existing(
        cls,
        path: str | os.PathLike[str],
        custody: Custody,
        *,
        embedded_floor: Floor = NONE,
        identity: Callable[[], bytes] = machine_identity,
    ) -> Self | None:
        """Open a store as :meth:`open` does, or return None where there is none and none is missed."""
        place = os.fspath(path)
        folder = Folder.open(place, Privacy.CLOSED)
        if folder is not None and folder.read(_INDEX, limit=0) is not None:
            folder.close()
            return cls.open(place, custody, embedded_floor=embedded_floor, identity=identity)
        if folder is not None:
            folder.close()
        _check_not_missed(place, custody)
        return None

    @classmethod
    def start_over(
        cls,
        path: str | os.PathLike[str],
        custody: Custody,
        *,
        embedded_floor: Floor = NONE,
        identity: Callable[[], bytes] = machine_identity,
    ) -> Self:
        """
        Make an empty store in place of a broken one, with a new key.

        The counter beside the key stays, and so the rollback floor does; what the store held is gone.
        """
        folder = Folder.make(os.fspath(path), Privacy.CLOSED)
        try:
            with _locked(folder):
                content = _make(
                    folder, custody, identity(), floor=rollback_floor(custody.counter, embedded_floor), anew=True
                )
                _remove_leftovers(folder, frozenset())
            return cls._of(folder, custody, content, embedded_floor=embedded_floor, machine=identity())
        except BaseException:
            folder.close()
            raise

    @classmethod
    def _of(cls, folder: Folder, custody: Custody, content: bytes, *, embedded_floor: Floor, machine: bytes) -> Self:
        try:
            header = Header.read(content)
        except HeaderError as error:
            raise _broken(folder, str(error)) from None
        if header.machine not in (UNBOUND, machine_mark(machine, header.store)):
            raise _broken(folder, "sealed on another machine")
        store = cls(folder, custody, header, custody.key_of(header), embedded_floor=embedded_floor, machine=machine)
        index = store._index_of(content)
        counter = custody.counter
        if is_below(index.floor, counter):
            sealed_floor, kept = write_floor(index.floor), write_floor(counter)
            raise _broken(folder, f"an older copy: its floor is {sealed_floor}, and beside the key stands {kept}")
        if is_below(counter, index.floor) or not custody.has_made_a_store():
            # Whoever wrote this index was killed before the counter followed (rule 3).
            custody.settle(index.floor)
        return store

    @property
    def path(self) -> str:
        """The store's folder."""
        return self._folder.path

    @property
    def key_place(self) -> str:
        """Where the key comes from, for people."""
        return self._custody.place

    @property
    def generation(self) -> int:
        """How many writes the store has seen."""
        return self._index().generation

    @property
    def floor(self) -> Floor:
        """The rollback floor, the greatest of the embedded one, the sealed one and the one beside the key."""
        return rollback_floor(self._embedded_floor, self._index().floor, self._custody.counter)

    def names(self) -> tuple[str, ...]:
        """Return the entries' names, sorted."""
        return tuple(sorted(self._index().places))

    def length(self, name: str) -> int | None:
        """Return how many octets an entry has, without reading it, or None."""
        place = self._index().places.get(name)
        return None if place is None else place.length

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None if there is none of that name."""
        index = self._index()
        while True:
            place = index.places.get(name)
            if place is None:
                return None
            try:
                return self._entry(name, place)
            except SealBrokenError:
                # A writer may have replaced the entry since the index was read, and removed its file.
                newer = self._index()
                if newer.generation == index.generation:
                    raise
                index = newer

    def write(self, entries: Mapping[str, bytes | None], *, floor: Floor = NONE) -> None:
        """
        Put entries in the store and take others (None) out, all of them or none (rule 1).

        *floor* raises the rollback floor, counter by counter; a lower one than before changes nothing.
        """
        check_floor(floor)
        for name, content in entries.items():
            check_name(name)
            if content is not None and len(content) > LARGEST_ENTRY:
                raise ValueError(f"an entry of {len(content)} octets, expected at most {LARGEST_ENTRY}")
        with _locked(self._folder):
            index = self._index()
            places = {name: place for name, place in index.places.items() if name not in entries}
            if len(places) + len(entries) > MOST_ENTRIES:
                raise ValueError(f"more than {MOST_ENTRIES} entries in one store")
            for name, content in entries.items():
                if content is not None:
                    places[name] = self._add(content)
            new = Index(index.generation + 1, rollback_floor(index.floor, floor), places)
            with self._turn:
                self._folder.replace(_INDEX, sealed(new.write(), self._fresh(Kind.INDEX), self._key))
                self._generation = new.generation
            self._custody.settle(new.floor)
            _remove_leftovers(self._folder, {place.file for place in places.values()})

    def check(self) -> int:
        """Open every entry, and return how many; raise :class:`SealBrokenError` for the first that is not whole."""
        names = self.names()
        for name in names:
            self.read(name)
        return len(names)

    def close(self) -> None:
        """Give the folder's descriptor back."""
        self._folder.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    def _index(self) -> Index:
        with self._turn:
            content = self._folder.read(_INDEX, limit=LARGEST_INDEX)
            if content is None:
                raise _broken(self._folder, "the index is gone")
            return self._index_of(content)

    def _index_of(self, content: bytes) -> Index:
        index_header, plain = self._opened(content, "index")
        if index_header.kind is not Kind.INDEX or index_header.store != self._header.store:
            raise _broken(self._folder, "the index is another store's")
        try:
            index = Index.read(plain)
        except ValueError as error:
            raise _broken(self._folder, str(error)) from None
        if index.generation < self._generation:
            raise _broken(self._folder, f"generation {index.generation}, after {self._generation}: an older copy")
        self._generation = index.generation
        return index

    def _entry(self, name: str, place: Place) -> bytes:
        file = self._folder.read(f"{place.file}.entry", limit=LARGEST_ENTRY + OVERHEAD)
        if file is None:
            raise _broken(self._folder, f"the file of entry {name} is gone")
        if hashlib.sha256(file).hexdigest() != place.digest:
            raise _broken(self._folder, f"the file of entry {name} is another than the index says")
        return self._opened(file, name)[1]

    def _opened(self, content: bytes, what: str) -> tuple[Header, bytes]:
        try:
            return opened(content, self._key)
        except NotOpenedError as error:
            raise _broken(self._folder, f"{what}: {error}") from None

    def _add(self, content: bytes) -> Place:
        header = self._fresh(Kind.ENTRY)
        file = sealed(content, header, self._key)
        self._folder.add(f"{header.file.hex()}.entry", file)
        return Place(header.file.hex(), hashlib.sha256(file).hexdigest(), len(content))

    def _fresh(self, kind: Kind) -> Header:
        return _header(kind, self._header.store, self._header.machine, self._header.derivation)


def _header(kind: Kind, store: bytes, machine: bytes, derivation: Derivation | None) -> Header:
    return Header(
        kind=kind, store=store, file=secrets.token_bytes(16), machine=machine, nonce=secrets.token_bytes(12),
        derivation=derivation,
    )  # fmt: skip


def _begin(folder: Folder, custody: Custody, machine: bytes) -> bytes:
    _check_not_missed(folder.path, custody)
    return _make(folder, custody, machine, floor=custody.counter, anew=False)


def _check_not_missed(path: str, custody: Custody) -> None:
    if custody.has_made_a_store():
        raise SealBrokenError(
            f"the store is gone, and its key ({custody.place}) remembers it",
            path=path,
            remedy="find out who removed it; then start over with a new key: pinscher store reset, or start_over()",
        )


def _make(folder: Folder, custody: Custody, machine: bytes, *, floor: Floor, anew: bool) -> bytes:
    """Write an empty index, and return it; the caller has the lock."""
    key, derivation = custody.begin(anew=anew)
    store = secrets.token_bytes(16)
    header = _header(Kind.INDEX, store, machine_mark(machine, store), derivation)
    content = sealed(Index(1, floor, {}).write(), header, key)
    folder.replace(_INDEX, content)
    custody.settle(floor)
    return content


def _remove_leftovers(folder: Folder, kept: frozenset[str] | set[str]) -> None:
    """Remove what a killed writer began, and what no entry refers to any more."""
    for name in [*folder.names()]:
        is_entry = _ENTRY.fullmatch(name) is not None and name.removesuffix(".entry") not in kept
        if is_entry or name.startswith(LEFTOVER):
            folder.remove(name)


def _locked(folder: Folder) -> AbstractContextManager[None]:
    return locked(os.path.join(folder.path, _LOCK), _LOCK_SECONDS)


def _broken(folder: Folder, reason: str) -> SealBrokenError:
    return SealBrokenError(
        f"the seal is broken: {reason}",
        path=folder.path,
        remedy="keep a copy if this may be an attack; then start over with a new key: pinscher store reset, or "
        "start_over(); the rollback floor beside the key stays",
    )
