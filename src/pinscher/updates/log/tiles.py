"""
The layout of a log as static files, https://c2sp.org/tlog-tiles: tiles of 256 hashes, and bundles of entries.

    checkpoint                      the signed head
    tile/<level>/<index>            256 hashes, each of a complete subtree of height 8 x level
    tile/<level>/<index>.p/<width>  the rightmost tile of a level while it has fewer
    tile/entries/<index>[.p/<width>]  the entries under a tile of level 0, each with its length before it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.updates.log.errors import LogDamagedError
from pinscher.updates.log.hashing import HASH_LENGTH, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.updates.log.sources import Source

HEIGHT = 8
WIDTH = 1 << HEIGHT
LONGEST_ENTRY = 2**16 - 1
CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's place; a *width* of 256 is a full tile."""

    level: int
    index: int
    width: int

    @property
    def path(self) -> str:
        """The tile's path below the log's prefix."""
        return f"tile/{self.level}/{self._tail}"

    @property
    def entries_path(self) -> str:
        """The path of the entries under a tile of level 0."""
        return f"tile/entries/{self._tail}"

    @property
    def full(self) -> Tile:
        """The same tile once it is full."""
        return Tile(self.level, self.index, WIDTH)

    @property
    def _tail(self) -> str:
        groups, rest = [f"{self.index % 1000:03}"], self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        return "/".join(groups) + (f".p/{self.width}" if self.width < WIDTH else "")


def tiles_of(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a tree of *size*, level by level, without those that a tree of *since* has too."""
    level = 0
    while count := size >> HEIGHT * level:
        before = since >> HEIGHT * level
        for index in range(before // WIDTH, -(-count // WIDTH)):
            tile = tile_at(level, index, size)
            if tile.index * WIDTH + tile.width > before:
                yield tile
        level += 1


def tile_at(level: int, index: int, size: int) -> Tile:
    """Return a tile of a tree of *size*."""
    return Tile(level, index, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


class TileReader:
    """The complete subtrees of a tree of *size*, looked up in tiles that are fetched once and not verified."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size
        self._known: dict[tuple[int, int], list[bytes]] = {}

    def node(self, height: int, index: int) -> bytes:
        """Return the hash of the complete subtree of a height, the n-th of that height."""
        level, inside = divmod(height, HEIGHT)
        first = index << inside
        hashes = self.hashes(level, first // WIDTH)[first % WIDTH :][: 1 << inside]
        return complete_root(hashes)

    def hashes(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile."""
        if (level, index) not in self._known:
            self._known[level, index] = self._fetch(tile_at(level, index, self._size))
        return self._known[level, index]

    def entries(self, index: int) -> list[bytes]:
        """Return the entries under a tile of level 0."""
        tile = tile_at(0, index, self._size)
        limit = WIDTH * (LONGEST_ENTRY + 2)
        content = _either(self._source, tile.entries_path, tile.full.entries_path, limit)
        return split_entries(content, tile.entries_path)[: tile.width]

    def _fetch(self, tile: Tile) -> list[bytes]:
        content = _either(self._source, tile.path, tile.full.path, WIDTH * HASH_LENGTH)
        if len(content) not in (tile.width * HASH_LENGTH, WIDTH * HASH_LENGTH):
            raise LogDamagedError(f"{tile.path} has {len(content)} octets, expected {tile.width * HASH_LENGTH}")
        return [content[place : place + HASH_LENGTH] for place in range(0, tile.width * HASH_LENGTH, HASH_LENGTH)]


def _either(source: Source, path: str, full: str, limit: int) -> bytes:
    """Fetch a partial tile, or the full one that a log may have put in its place since."""
    content = source.fetch(path, limit)
    if content is None and full != path:
        content = source.fetch(full, limit)
    if content is None:
        raise LogDamagedError(f"{path} is missing")
    return content


def complete_root(hashes: list[bytes]) -> bytes:
    """Return the root above a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def join_entries(entries: list[bytes]) -> bytes:
    """Return entries as a bundle."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def split_entries(content: bytes, path: str) -> list[bytes]:
    """Return the entries of a bundle; raise :class:`LogDamagedError` for anything else."""
    entries, place = [], 0
    while place < len(content):
        end = place + 2 + int.from_bytes(content[place : place + 2], "big")
        if place + 2 > len(content) or end > len(content):
            raise LogDamagedError(f"{path} is cut within an entry")
        entries.append(content[place + 2 : end])
        place = end
    return entries


def leaves_of(entries: list[bytes]) -> list[bytes]:
    """Return the entries' hashes."""
    return [leaf_hash(entry) for entry in entries]
