"""
Fuzz what a client reads of a transparency log: notes, checkpoints, verifier keys, proofs, entry bundles.

Invariant: any bytes are refused with the log's own errors, told in bounded printable ASCII, or are written back as the
same bytes; and no note is opened that the known key did not sign.
"""

from __future__ import annotations

from runner import run

from pinscher.updates.log import Checkpoint, LogDamagedError, LogError, LogProof, NoteVerifier
from pinscher.updates.log.note import open_note
from pinscher.updates.log.tiles import join_entries, split_entries

KEY = b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
VERIFIER = NoteVerifier.parse(KEY.decode())
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    TEXT
    + "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
SEEDS = (
    KEY,
    NOTE,
    b"c2sp.org/tlog-proof@v1\nindex 7\n" + b"A" * 43 + b"=\n\n" + NOTE,
    b"\x00\x02ab\x00\x00\x00\x01c",
)


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*."""
    try:
        assert open_note(data, [VERIFIER]) == TEXT
    except LogError as error:
        _check_told(error)
    for read, write in (
        (lambda: NoteVerifier.parse(data.decode("latin-1")), lambda made: str(made).encode("latin-1")),
        (lambda: LogProof.read(data), LogProof.write),
        (lambda: split_entries(data, "x"), join_entries),
    ):
        try:
            made = read()
        except (LogError, LogDamagedError) as error:
            _check_told(error)
        else:
            assert write(made) == data
    try:
        Checkpoint.open(data, VERIFIER)
    except LogError as error:
        _check_told(error)
    else:
        raise AssertionError("a checkpoint that nobody signed")


def _check_told(error: Exception) -> None:
    assert str(error).isascii(), error
    assert str(error).isprintable(), error
    assert len(str(error)) < 700, error


if __name__ == "__main__":
    run(fuzz, SEEDS)
