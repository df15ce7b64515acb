"""
Holding a mirror to what its checkpoint signs.

``audit`` reads everything; ``follow`` reads the few tiles that lead from a head that was seen to the one that is
there. Either tells a fork from a damaged mirror: a fork is told only where the tiles were found genuine, that is, where
they lead to the root that was signed, and contradict a head that was signed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.updates.log.checkpoint import Checkpoint, check_follows
from pinscher.updates.log.errors import (
    ForkedLogError,
    InvalidProofError,
    LogBehindError,
    LogDamagedError,
    LogUnreachableError,
)
from pinscher.updates.log.note import LARGEST_NOTE
from pinscher.updates.log.proofs import verify_consistency
from pinscher.updates.log.tiles import CHECKPOINT, WIDTH, TileReader, complete_root, leaves_of, tiles_of
from pinscher.updates.log.tree import consistency_proof, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pinscher.updates.log.note import NoteVerifier
    from pinscher.updates.log.sources import Source


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found right: the head, its signed note, and how many tiles lead to it."""

    head: Checkpoint
    note: bytes
    tiles: int


def head_of(source: Source, verifier: NoteVerifier) -> tuple[Checkpoint, bytes]:
    """Return a mirror's head with its signed note."""
    note = source.fetch(CHECKPOINT, LARGEST_NOTE)
    if note is None:
        raise LogUnreachableError("there is no log: its checkpoint is missing")
    return Checkpoint.open(note, verifier), note


def audit(
    source: Source,
    verifier: NoteVerifier,
    *,
    seen: Checkpoint | None = None,
    on_tile: Callable[[], object] = lambda: None,
) -> Audit:
    """
    Hold every tile and every entry of a mirror to its checkpoint, and its beginning to a head that was *seen*.

    Raises:
        InvalidNoteError: nobody who counts signed the checkpoint.
        LogUnreachableError: there is no log, or it does not answer.
        LogDamagedError: a file is missing, cut or not what the checkpoint signs.
        LogBehindError: the mirror is older than what was seen.
        ForkedLogError: the mirror is whole, and contradicts what was seen.
    """
    head, note = head_of(source, verifier)
    reader = TileReader(source, head.size)
    count = 0
    for tile in tiles_of(head.size):
        hashes = reader.hashes(tile.level, tile.index)
        if hashes != _hashes_below(reader, tile.level, tile.index, tile.width):
            raise LogDamagedError(f"{tile.path} does not say what lies below it")
        count += 1
        on_tile()
    if root_of(reader.node, head.size) != head.root:
        raise LogDamagedError(f"the tiles lead to another root than the checkpoint signs for {head.size} entries")
    if seen is not None:
        _check_seen(reader, seen, head)
    return Audit(head, note, count)


def follow(source: Source, verifier: NoteVerifier, *, seen: Checkpoint) -> tuple[Checkpoint, bytes]:
    """Return a mirror's head if it continues the one that was *seen*; raise as :func:`audit` does."""
    head, note = head_of(source, verifier)
    _check_seen(TileReader(source, head.size), seen, head)
    return head, note


def check_continues(source: Source, *, seen: Checkpoint, head: Checkpoint) -> None:
    """Hold the beginning of a log at a signed *head* to one that was *seen* before; raise as :func:`audit` does."""
    if seen.size == head.size:
        check_follows(seen, head, ())
    else:
        _check_seen(TileReader(source, head.size), seen, head)


def proven_roots(source: Source, head: Checkpoint, sizes: Iterable[int]) -> dict[int, bytes]:
    """Return the roots of a log's beginnings, each proved up to a signed *head*; raise as :func:`audit` does."""
    reader = TileReader(source, head.size)
    return {size: _proven_root(reader, size, head) for size in sizes}


def entries_of(source: Source, head: Checkpoint) -> Iterator[bytes]:
    """Yield a log's entries in order; a head that :func:`audit` returned says that they are genuine."""
    reader = TileReader(source, head.size)
    for index in range(-(-head.size // WIDTH)):
        yield from reader.entries(index)


def _hashes_below(reader: TileReader, level: int, index: int, width: int) -> list[bytes]:
    """Return what a tile must hold by what lies below it: entries, or full tiles."""
    if level == 0:
        return leaves_of(reader.entries(index))
    first = index * WIDTH
    return [complete_root(reader.hashes(level - 1, below)) for below in range(first, first + width)]


def _check_seen(reader: TileReader, seen: Checkpoint, head: Checkpoint) -> None:
    if seen.origin != head.origin:
        raise InvalidProofError(f"the head that was seen is of another log: {seen}")
    if seen.size > head.size:
        raise LogBehindError(f"the log has {head.size} entries, and {seen.size} were seen: {seen}")
    if _proven_root(reader, seen.size, head) != seen.root:
        raise ForkedLogError(f"its first {seen.size} entries are others than were seen", older=seen, newer=head)


def _proven_root(reader: TileReader, size: int, head: Checkpoint) -> bytes:
    """Return the root of the first *size* entries, at most as many as the head has."""
    root = root_of(reader.node, size)
    proof = consistency_proof(reader.node, size, head.size)
    try:
        verify_consistency(size, root, head.size, head.root, proof)
    except InvalidProofError:
        raise LogDamagedError("the tiles do not lead to the root that the checkpoint signs") from None
    return root
