"""
A bundle's proof that it is in the log, https://c2sp.org/tlog-proof: what a client checks without asking anybody.

It proves that whoever holds the log's key has signed a tree with this entry in it. That others see the same tree it
does not prove: for that, clients send their heads on, and somebody compares them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pinscher.updates.log.audit import head_of
from pinscher.updates.log.checkpoint import Checkpoint
from pinscher.updates.log.errors import InvalidProofError
from pinscher.updates.log.hashing import leaf_hash
from pinscher.updates.log.note import LARGEST_NOTE
from pinscher.updates.log.proofs import LONGEST_PROOF, verify_inclusion
from pinscher.updates.log.tiles import TileReader
from pinscher.updates.log.tree import inclusion_proof

if TYPE_CHECKING:
    from pinscher.policy import Policy
    from pinscher.updates.log.note import NoteVerifier
    from pinscher.updates.log.sources import Source

_FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
LARGEST_PROOF = LARGEST_NOTE + 8 * 1024


def pin_set_entry(policy: Policy) -> bytes:
    """
    Return what the log says of a policy: its name, version and digest, as canonical JSON.

    The policy itself is not in the log, and the digest is that of its canonical JSON, so that publishing the log
    publishes no pins.
    """
    table = {"digest": policy.digest, "format": 1, "name": policy.name, "version": policy.version}
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where in a log an entry is, the hashes that lead from it to a root, and the note that signs that root."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def make(cls, source: Source, verifier: NoteVerifier, index: int) -> Self:
        """Make the proof of an entry from a log's tiles."""
        head, note = head_of(source, verifier)
        if not 0 <= index < head.size:
            raise InvalidProofError(f"entry {index} of a log of {head.size}")
        return cls(index, tuple(inclusion_proof(TileReader(source, head.size).node, index, head.size)), note)

    def check(self, entry: bytes, verifier: NoteVerifier) -> Checkpoint:
        """Return the head that holds *entry*; raise ``InvalidNoteError`` or :class:`InvalidProofError` otherwise."""
        head = Checkpoint.open(self.checkpoint, verifier)
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.hashes, head.root)
        return head

    def write(self) -> bytes:
        """Return the proof as text."""
        lines = [_FIRST, f"index {self.index}", *(base64.b64encode(one).decode() for one in self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read a proof; raise :class:`InvalidProofError` for anything else. Extra data is refused: nothing uses it."""
        if len(content) > LARGEST_PROOF:
            raise InvalidProofError(f"a proof of more than {LARGEST_PROOF} octets")
        head, blank, checkpoint = content.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
            index = _INDEX.fullmatch(lines[1]) if lines[0] == _FIRST and len(lines) > 1 else None
            if not blank or index is None or len(lines) > LONGEST_PROOF + 2:
                raise ValueError("no proof")  # noqa: TRY301  (as what is not base64 in one)
            hashes = tuple(base64.b64decode(line, validate=True) for line in lines[2:])
        except (ValueError, binascii.Error):
            raise InvalidProofError(f"no proof of a log, expected {_FIRST}, an index and hashes") from None
        made = cls(int(index[1]), hashes, checkpoint)
        if made.write() != content:
            raise InvalidProofError("a proof whose hashes are not base64 in its one form")
        return made
