"""
Appending to a log in a folder that any web server or object store can serve.

Rules of this file:

1. Tiles and entries come first and the checkpoint last, each file replaced as a whole. Whoever is killed in between
   leaves the log as it was; what lies beyond its checkpoint nobody has seen, and the next append writes it anew.
2. Nothing is signed that does not continue the checkpoint that is there: before anything is appended, the tiles are
   held to it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pinscher.store.folder import Folder, Privacy
from pinscher.updates.log.checkpoint import Checkpoint
from pinscher.updates.log.errors import LogDamagedError, LogUnreachableError
from pinscher.updates.log.hashing import EMPTY_ROOT
from pinscher.updates.log.note import LARGEST_NOTE
from pinscher.updates.log.sources import FolderSource
from pinscher.updates.log.tiles import (
    CHECKPOINT,
    LONGEST_ENTRY,
    WIDTH,
    TileReader,
    complete_root,
    join_entries,
    leaves_of,
    tiles_of,
)
from pinscher.updates.log.tree import root_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pinscher.updates.log.note import NoteSigner

_LOCK_SECONDS = 30.0


class LogWriter:
    """A log that this process may append to; its origin is the signer's name."""

    def __init__(self, path: str | os.PathLike[str], signer: NoteSigner) -> None:
        self._path = os.fspath(path)
        self._signer = signer
        self._source = FolderSource(self._path)

    def head(self) -> Checkpoint:
        """Return the log's head, that of an empty log where there is none yet."""
        note = self._source.fetch(CHECKPOINT, LARGEST_NOTE)
        if note is not None:
            return Checkpoint.open(note, self._signer.verifier)
        return Checkpoint(self._signer.name, 0, EMPTY_ROOT)

    def append(self, entries: Sequence[bytes]) -> Checkpoint:
        """Append entries, and return the new head; with none, sign the head that is there anew."""
        for entry in entries:
            if len(entry) > LONGEST_ENTRY:
                raise ValueError(f"an entry of {len(entry)} octets, expected at most {LONGEST_ENTRY}")
        with self._locked():
            old = self.head()
            before = TileReader(self._source, old.size)
            if root_of(before.node, old.size) != old.root:
                raise LogDamagedError(
                    f"the tiles of {self._path!a} are not those of its checkpoint; nothing was signed"
                )
            size = old.size + len(entries)
            self._write_tiles(before, old.size, size, list(entries))
            head = Checkpoint(self._signer.name, size, root_of(TileReader(self._source, size).node, size))
            self._write(CHECKPOINT, head.signed(self._signer))
        return head

    def _write_tiles(self, before: TileReader, old: int, size: int, entries: list[bytes]) -> None:
        rows: dict[int, list[bytes]] = {}
        for tile in tiles_of(size, since=old):
            if tile.level not in rows:
                rows[tile.level] = self._row(before, tile.level, old, rows, entries)
            start = (tile.index - (old >> 8 * tile.level) // WIDTH) * WIDTH
            hashes = rows[tile.level][start : start + tile.width]
            if tile.level == 0:
                bundle = self._entries(before, tile.index, old, entries)
                self._write(tile.entries_path, join_entries(bundle[: tile.width]))
            self._write(tile.path, b"".join(hashes))

    @staticmethod
    def _row(
        before: TileReader, level: int, old: int, rows: dict[int, list[bytes]], entries: list[bytes]
    ) -> list[bytes]:
        """Return the hashes of a level from its last partial tile on."""
        count = old >> 8 * level
        held = before.hashes(level, count // WIDTH) if count % WIDTH else []
        if level == 0:
            return [*held, *leaves_of(entries)]
        below = rows[level - 1]
        full = range(0, len(below) - len(below) % WIDTH, WIDTH)
        return [*held, *(complete_root(below[place : place + WIDTH]) for place in full)]

    @staticmethod
    def _entries(before: TileReader, index: int, old: int, entries: list[bytes]) -> list[bytes]:
        start = index * WIDTH - old
        held = before.entries(index) if start < 0 else []
        return [*held, *entries[max(start, 0) : max(start + WIDTH, 0)]]

    def _write(self, path: str, content: bytes) -> None:
        place = os.path.join(self._path, path)
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        with contextlib.closing(Folder.make(os.path.dirname(place), Privacy.READABLE)) as folder:
            folder.replace(os.path.basename(place), content)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        import filelock  # noqa: PLC0415  (only who appends pays for it)

        os.makedirs(self._path, mode=0o755, exist_ok=True)
        try:
            with filelock.FileLock(os.path.join(self._path, ".lock"), timeout=_LOCK_SECONDS):
                yield
        except filelock.Timeout:
            raise LogUnreachableError(f"another process keeps {self._path!a} locked") from None
