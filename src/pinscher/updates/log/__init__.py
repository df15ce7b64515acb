"""
A transparency log of one's own pin sets: whoever is shown a bundle that others are not shown can be told.

Tiles (https://c2sp.org/tlog-tiles), signed heads (https://c2sp.org/tlog-checkpoint) and proofs
(https://c2sp.org/tlog-proof) are those of other logs, so that other tools read this one. The room knows nothing of
updates: entries are octets.
"""

from __future__ import annotations

from pinscher.updates.log.audit import Audit, audit, check_continues, entries_of, follow, head_of, proven_roots
from pinscher.updates.log.checkpoint import Checkpoint, check_follows
from pinscher.updates.log.errors import (
    ForkedLogError,
    InvalidNoteError,
    InvalidProofError,
    LogBehindError,
    LogDamagedError,
    LogError,
    LogUnreachableError,
)
from pinscher.updates.log.inclusion import LogProof, pin_set_entry
from pinscher.updates.log.note import NoteSigner, NoteVerifier
from pinscher.updates.log.sources import FolderSource, HttpSource, Source, source_of
from pinscher.updates.log.writer import LogWriter

__all__ = [
    "Audit",
    "Checkpoint",
    "FolderSource",
    "ForkedLogError",
    "HttpSource",
    "InvalidNoteError",
    "InvalidProofError",
    "LogBehindError",
    "LogDamagedError",
    "LogError",
    "LogProof",
    "LogUnreachableError",
    "LogWriter",
    "NoteSigner",
    "NoteVerifier",
    "Source",
    "audit",
    "check_continues",
    "check_follows",
    "entries_of",
    "follow",
    "head_of",
    "pin_set_entry",
    "proven_roots",
    "source_of",
]
