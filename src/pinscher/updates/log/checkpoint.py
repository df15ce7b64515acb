"""The head of a log, https://c2sp.org/tlog-checkpoint: whose log it is, how many entries it has, and its root."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pinscher.errors import escaped
from pinscher.updates.log.errors import ForkedLogError, InvalidNoteError, InvalidProofError
from pinscher.updates.log.hashing import EMPTY_ROOT, HASH_LENGTH
from pinscher.updates.log.note import open_note
from pinscher.updates.log.proofs import LARGEST_SIZE, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.updates.log.note import NoteSigner, Verifier

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head; two heads of one origin say the same of their common beginning, or the log has forked."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        """Return the head on one line."""
        return f"{escaped(self.origin)} {self.size} {base64.b64encode(self.root).decode()}"

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, signer: NoteSigner) -> bytes:
        """Return the head as a signed note."""
        return signer.sign(self.text)

    @classmethod
    def open(cls, note: bytes, verifier: Verifier) -> Self:
        """Read a signed head of the verifier's log; raise :class:`InvalidNoteError` for anything else."""
        lines = open_note(note, [verifier]).split("\n")
        if len(lines) < 4 or any(not line for line in lines[:-1]):
            raise InvalidNoteError("no checkpoint: expected an origin, a size and a root, each on its line")
        origin, size, root = lines[:3]
        if origin != verifier.name:
            raise InvalidNoteError(f"a checkpoint of {escaped(origin)!r}, expected {escaped(verifier.name)!r}")
        if _SIZE.fullmatch(size) is None or int(size) > LARGEST_SIZE:
            raise InvalidNoteError(f"a checkpoint of size {escaped(size)!r}, expected a whole number")
        try:
            octets = base64.b64decode(root, validate=True)
        except (binascii.Error, ValueError):
            octets = b""
        if len(octets) != HASH_LENGTH or base64.b64encode(octets).decode() != root:
            raise InvalidNoteError(f"a checkpoint with the root {escaped(root)!r}, expected a SHA-256 in base64")
        if int(size) == 0 and octets != EMPTY_ROOT:
            raise InvalidNoteError("a checkpoint of an empty log with another root than an empty log has")
        return cls(origin, int(size), octets)


def check_follows(older: Checkpoint, newer: Checkpoint, proof: Sequence[bytes]) -> None:
    """
    Raise :class:`ForkedLogError` for two roots of one size, and ``InvalidProofError`` for a proof that does not hold.

    Two heads of the same size need no proof, and their signed notes are the evidence. A bad proof is none: whoever
    made it may have erred, and the tiles of the log decide (``audit``, ``follow``).
    """
    if older.origin != newer.origin:
        raise InvalidProofError(f"heads of two logs, {escaped(older.origin)!r} and {escaped(newer.origin)!r}")
    if older.size == newer.size and older.root != newer.root:
        raise ForkedLogError("two roots for one size", older=older, newer=newer)
    verify_consistency(older.size, older.root, newer.size, newer.root, proof)
