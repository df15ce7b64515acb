"""
What a log says, read from either kind in the same words.

Rules of this file:

1. A head is verified by the log's key before anything else is done with it.
2. Proofs are asked for where a log makes them (RFC 6962), and made from its tiles where it has those. Either way the
   caller verifies them against the head.
3. Whatever is served, only a ``LogError`` comes out.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from pinscher.errors import escaped
from pinscher.monitor.transparency.frontier import Frontier
from pinscher.monitor.transparency.heads import (
    LARGEST_HEAD,
    checkpoint_of,
    head_of_json,
    head_of_note,
)
from pinscher.monitor.transparency.leaves import Leaf, chain_beside, fingerprints_of, leaves_of_tile
from pinscher.monitor.transparency.logs import LogKind
from pinscher.updates.log import InvalidProofError, LogDamagedError, LogUnreachableError, check_continues
from pinscher.updates.log.proofs import verify_consistency, verify_inclusion
from pinscher.updates.log.tiles import WIDTH, TileReader, tile_at
from pinscher.updates.log.tree import consistency_proof

if TYPE_CHECKING:
    from pinscher.monitor.transparency.heads import TreeHead
    from pinscher.monitor.transparency.leaves import Entry
    from pinscher.monitor.transparency.logs import CtLog
    from pinscher.updates.log import Source

Answer = TypeVar("Answer")
LARGEST_ANSWER = 64 << 20
"""Octets of a tile of entries, or of as many entries as are asked for at once."""
_LARGEST_ISSUER = 64 * 1024
_LARGEST_PROOF = 64 * 1024


class View(Protocol):
    """What a follower asks of a log."""

    def head(self) -> TreeHead:
        """Return the newest head that is served, verified."""
        ...

    def check_continues(self, seen: TreeHead, head: TreeHead) -> None:
        """Raise a ``LogError`` unless a head continues an older one."""
        ...

    def frontier(self, head: TreeHead) -> Frontier:
        """Return the tree of a head, proved."""
        ...

    def leaves(self, start: int, head: TreeHead) -> list[Leaf]:
        """Return the leaves from a place on, at least one, as many as come at once; not proved."""
        ...

    def proof(self, size: int, head: TreeHead) -> list[bytes]:
        """Return what shall prove that a tree of a size is how a head's began."""
        ...

    def chain(self, entry: Entry, leaf: Leaf) -> list[bytes]:
        """Return the chain beside an entry, a claim."""
        ...


def view_of(log: CtLog, source: Source) -> View:
    """Return what reads a log of its kind."""
    return TiledView(log, source) if log.kind is LogKind.TILED else ListedView(log, source)


class TiledView:
    """A log of tiles (https://c2sp.org/static-ct-api)."""

    def __init__(self, log: CtLog, source: Source) -> None:
        self._log = log
        self._source = source
        self._reader: tuple[int, TileReader] | None = None
        self._issuers: dict[bytes, bytes | None] = {}

    def head(self) -> TreeHead:
        """Read the checkpoint."""
        return head_of_note(self._log, _there(self._source, "checkpoint", LARGEST_HEAD))

    def check_continues(self, seen: TreeHead, head: TreeHead) -> None:
        """Compute both roots from tiles."""
        older, newer = checkpoint_of(self._log, seen), checkpoint_of(self._log, head)
        check_continues(self._source, seen=older, head=newer)

    def frontier(self, head: TreeHead) -> Frontier:
        """Look the complete subtrees up, and hold them to the head."""
        hashes, start = [], 0
        for height in reversed(range(head.size.bit_length())):
            if head.size >> height & 1:
                hashes.append(self._tiles(head).node(height, start >> height))
                start += 1 << height
        made = Frontier(head.size, tuple(hashes))
        if made.root != head.root:
            raise LogDamagedError("the tiles do not lead to the root that the checkpoint signs")
        return made

    def leaves(self, start: int, head: TreeHead) -> list[Leaf]:
        """Read the tile that a place is in."""
        index, first = divmod(start, WIDTH)
        tile = tile_at(0, index, head.size)
        path, is_full = _data_path(tile.path), False
        content = self._source.fetch(path, LARGEST_ANSWER)
        if content is None:
            path, is_full = _data_path(tile.full.path), True
            content = _there(self._source, path, LARGEST_ANSWER)
        return leaves_of_tile(content, path, tile.width, is_full=is_full)[first:]

    def proof(self, size: int, head: TreeHead) -> list[bytes]:
        """Make the proof from tiles."""
        return consistency_proof(self._tiles(head).node, size, head.size)

    def chain(self, entry: Entry, leaf: Leaf) -> list[bytes]:  # noqa: ARG002  (as the protocol has it)
        """Fetch the issuers, each by the digest that it is held to; one that is not there ends the chain."""
        chain = []
        for fingerprint in fingerprints_of(leaf.beside):
            certificate = self._issuer(fingerprint)
            if certificate is None:
                break
            chain.append(certificate)
        return chain

    def _issuer(self, fingerprint: bytes) -> bytes | None:
        if fingerprint not in self._issuers:
            try:
                certificate = self._source.fetch(f"issuer/{fingerprint.hex()}", _LARGEST_ISSUER)
            except LogDamagedError:
                certificate = None
            if certificate is not None and hashlib.sha256(certificate).digest() != fingerprint:
                certificate = None
            self._issuers[fingerprint] = certificate
        return self._issuers[fingerprint]

    def _tiles(self, head: TreeHead) -> TileReader:
        if self._reader is None or self._reader[0] != head.size:
            self._reader = head.size, TileReader(self._source, head.size)
        return self._reader[1]


def _data_path(path: str) -> str:
    """Return where the entries under a tile of level 0 are."""
    return path.replace("tile/0/", "tile/data/", 1)


class ListedView:
    """A log of RFC 6962, which answers questions."""

    def __init__(self, log: CtLog, source: Source) -> None:
        self._log = log
        self._source = source

    def head(self) -> TreeHead:
        """Ask ``get-sth``."""
        return head_of_json(self._log, _there(self._source, "ct/v1/get-sth", LARGEST_HEAD))

    def check_continues(self, seen: TreeHead, head: TreeHead) -> None:
        """Ask for the proof, and verify it."""
        try:
            verify_consistency(seen.size, seen.root, head.size, head.root, self.proof(seen.size, head))
        except InvalidProofError:
            raise LogDamagedError(f"the log does not prove that its head continues an older one: {seen}") from None

    def frontier(self, head: TreeHead) -> Frontier:
        """Ask for the last leaf's proof, for all that stands beside its way is what there is to know."""
        if head.size == 0:
            return Frontier()
        leaf, last = self._entries(head.size - 1, head.size - 1)[0].hash, head.size - 1
        hashed = quote(base64.b64encode(leaf).decode(), safe="")
        path = f"ct/v1/get-proof-by-hash?hash={hashed}&tree_size={head.size}"
        told = _decoded(_there(self._source, path, _LARGEST_PROOF), _Inclusion, path)
        try:
            verify_inclusion(leaf, last, head.size, told.audit_path, head.root)
        except InvalidProofError:
            raise LogDamagedError("the log does not prove that its last entry is in its tree") from None
        return Frontier.of_last_leaf(leaf, head.size, told.audit_path)

    def leaves(self, start: int, head: TreeHead) -> list[Leaf]:
        """Ask ``get-entries``, which answers with fewer than were asked for where it likes."""
        last = min(start + WIDTH, head.size) - 1
        return self._entries(start, last)

    def proof(self, size: int, head: TreeHead) -> list[bytes]:
        """Ask ``get-sth-consistency``."""
        if size in (0, head.size):
            return []
        path = f"ct/v1/get-sth-consistency?first={size}&second={head.size}"
        return _decoded(_there(self._source, path, _LARGEST_PROOF), _Consistency, path).consistency

    def chain(self, entry: Entry, leaf: Leaf) -> list[bytes]:
        """Return what came beside the entry."""
        return chain_beside(entry.kind, leaf.beside)

    def _entries(self, first: int, last: int) -> list[Leaf]:
        path, asked = f"ct/v1/get-entries?start={first}&end={last}", last - first + 1
        content = _there(self._source, path, LARGEST_ANSWER)
        # Each entry is an object, and a brace that opens one is written in one way alone.
        if content.count(b"{") > _BRACES * (asked + 1):
            raise LogDamagedError(f"{path} was answered with more than {asked} entries")
        entries = _decoded(content, _Entries, path).entries
        if not 1 <= len(entries) <= asked:
            raise LogDamagedError(f"{path} was answered with {len(entries)} entries")
        return [Leaf(one.leaf_input, one.extra_data) for one in entries]


_BRACES = 4
"""For each entry, and for the answer: a log may add fields of its own."""


class _Served(msgspec.Struct):
    leaf_input: bytes
    extra_data: bytes = b""


class _Entries(msgspec.Struct):
    entries: list[_Served]


class _Inclusion(msgspec.Struct):
    audit_path: list[bytes]


class _Consistency(msgspec.Struct):
    consistency: list[bytes]


def _there(source: Source, path: str, limit: int) -> bytes:
    content = source.fetch(path, limit)
    if content is None:
        raise LogUnreachableError(f"{path} is not there")
    return content


def _decoded(content: bytes, answer: type[Answer], path: str) -> Answer:
    try:
        return msgspec.json.decode(content, type=answer)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise LogDamagedError(f"{path} cannot be read: {escaped(str(error))}") from None
