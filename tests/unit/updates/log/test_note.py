"""Signed notes and checkpoints."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pinscher.updates.log import (
    Checkpoint,
    ForkedLogError,
    InvalidNoteError,
    InvalidProofError,
    NoteSigner,
    NoteVerifier,
    check_follows,
)
from pinscher.updates.log.hashing import EMPTY_ROOT
from pinscher.updates.log.note import open_note

PETER = NoteVerifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()
"""The example in the documentation of Go's package golang.org/x/mod/sumdb/note."""


def checkpoint(size: int = 3, root: bytes = bytes(32), origin: str = "pins.example/log") -> Checkpoint:
    """Return a head."""
    return Checkpoint(origin, size, root)


def test_gos_example_is_opened() -> None:
    """The example of the package that introduced the format is signed by its key, and its verifier is one word."""
    assert NOTE.decode().partition("\n\n")[0] + "\n" == open_note(NOTE, [PETER])
    assert "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" == str(PETER)


def test_a_note_by_others_does_not_count(signer: NoteSigner) -> None:
    """A note without a signature that counts is refused, and a stranger's further signature is ignored."""
    with pytest.raises(InvalidNoteError, match=r"nobody who counts signed the note, expected pins\.example/log"):
        open_note(NOTE, [signer.verifier])
    with pytest.raises(InvalidNoteError, match="expected nobody"):
        open_note(NOTE, [])
    both = signer.sign("text\n") + NOTE.rpartition(b"\n\n")[2]
    assert "text\n" == open_note(both, [signer.verifier])
    with pytest.raises(InvalidNoteError, match="PeterNeumann is not over this text"):
        open_note(both, [signer.verifier, PETER])


@given(st.data())
def test_any_changed_octet_refuses_the_note(data: st.DataObject) -> None:
    """A note with any octet changed is refused, with this room's own error."""
    place, octet = data.draw(st.integers(0, len(NOTE) - 1)), data.draw(st.integers(0, 255))
    changed = NOTE[:place] + bytes([octet]) + NOTE[place + 1 :]
    if changed != NOTE:
        with pytest.raises(InvalidNoteError):
            open_note(changed, [PETER])


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_octets_are_refused_as_a_note(content: bytes) -> None:
    """Any octets in place of a note raise this room's own error."""
    with pytest.raises(InvalidNoteError):
        open_note(content, [PETER])


@given(st.text())
def test_any_text_is_refused_as_a_verifier(text: str) -> None:
    """Any text in place of a verifier raises this room's own error."""
    with pytest.raises(InvalidNoteError):
        NoteVerifier.parse(text)


@pytest.mark.parametrize("text", [
    "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10=",
    "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
])  # fmt: skip
def test_a_verifier_is_whole(text: str) -> None:
    """A verifier with another id, a shorter key or another algorithm is refused."""
    with pytest.raises(InvalidNoteError):
        NoteVerifier.parse(text)


def test_odd_names_and_texts_are_refused(signer: NoteSigner) -> None:
    """A key's name has no space or plus, a note's text ends its line, and a note is bounded."""
    for name in ("", "a b", "a+b", "a\n"):
        with pytest.raises(InvalidNoteError, match="a key called"):
            NoteVerifier(name, bytes(32))
    with pytest.raises(InvalidNoteError, match="a key of 31 octets"):
        NoteVerifier("a", bytes(31))
    with pytest.raises(InvalidNoteError, match="ends with a line break"):
        signer.sign("text")
    with pytest.raises(InvalidNoteError, match="more than 65536 octets"):
        open_note(signer.sign("x" * 65536 + "\n"), [signer.verifier])
    note = signer.sign("text\n")
    with pytest.raises(InvalidNoteError, match="more than 64 signatures"):
        open_note(note + note.rpartition(b"\n\n")[2] * 64, [signer.verifier])
    assert b"private" not in repr(signer).encode()


def test_a_checkpoint_is_read_as_it_was_signed(signer: NoteSigner) -> None:
    """A head is read back from its signed note, extension lines are let be, and it is shown on one line."""
    assert checkpoint() == Checkpoint.open(checkpoint().signed(signer), signer.verifier)
    assert checkpoint() == Checkpoint.open(signer.sign(checkpoint().text + "more\n"), signer.verifier)
    assert f"pins.example/log 3 {'A' * 43}=" == str(checkpoint())


@pytest.mark.parametrize("text", [
    "pins.example/log\n", "pins.example/log\n3\n", "other\n3\nAAAA\n", f"other\n3\n{'A' * 43}=\n",
    f"pins.example/log\n03\n{'A' * 43}=\n", f"pins.example/log\n-3\n{'A' * 43}=\n", f"pins.example/log\n{2**63}\n{'A' * 43}=\n",
    "pins.example/log\n3\nAAAA\n", "pins.example/log\n3\n???\n", f"pins.example/log\n0\n{'A' * 43}=\n",
    f"pins.example/log\n3\n{'A' * 42}B=\n", f"pins.example/log\n3\n{'A' * 43}=\n\n",
])  # fmt: skip
def test_odd_checkpoints_are_refused(signer: NoteSigner, text: str) -> None:
    """A signed text that is no head of this log in its one form is refused."""
    with pytest.raises(InvalidNoteError):
        Checkpoint.open(signer.sign(text), signer.verifier)


def test_split_view_between_two_heads_of_one_size() -> None:
    """Two heads of one size with two roots are a fork, and the error has both; heads of two logs are not compared."""
    with pytest.raises(ForkedLogError, match=r"two roots for one size\n  one head: .* 3 AAA") as fork:
        check_follows(checkpoint(), checkpoint(root=b"\x01" * 32), [])
    assert (checkpoint(), checkpoint(root=b"\x01" * 32)) == (fork.value.older, fork.value.newer)
    with pytest.raises(InvalidProofError, match="heads of two logs"):
        check_follows(checkpoint(), checkpoint(origin="other"), [])
    with pytest.raises(InvalidProofError, match="is not how"):
        check_follows(checkpoint(), checkpoint(4), [bytes(32)])
    check_follows(checkpoint(), checkpoint(), [])
    check_follows(checkpoint(0, EMPTY_ROOT), checkpoint(), [])


def test_a_stolen_name_without_the_key_signs_nothing(signer: NoteSigner) -> None:
    """Another key under the log's name has another id, and does not count."""
    thief = NoteSigner(signer.name, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
    with pytest.raises(InvalidNoteError, match="nobody who counts"):
        Checkpoint.open(checkpoint().signed(thief), signer.verifier)
