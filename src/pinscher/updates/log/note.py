"""
Signed notes, https://c2sp.org/signed-note, with Ed25519 keys: a text, an empty line, and who signed it.

A verifier is written as one word, ``name+id+key``, and a signer is a verifier's name with a private key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ModuleNotFoundError:
    raise ImportError("the log needs cryptography; install it with: pip install 'pinscher[updates]'") from None

from pinscher.errors import escaped
from pinscher.updates.log.errors import InvalidNoteError

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_NOTE = 64 * 1024
MOST_SIGNATURES = 64
_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,255}")
_VERIFIER = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_SIGNATURE = re.compile(r"— (\S{1,255}) ([A-Za-z0-9+/]+={0,2})")


class Verifier(Protocol):
    """What tells whether a signature under its name and id is over a text; :class:`NoteVerifier` is the usual one."""

    @property
    def name(self) -> str:
        """The name that the key signs as."""
        ...

    @property
    def id(self) -> bytes:
        """The four octets by which a signature says which key it is of."""
        ...

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Tell whether a signature over a text is this key's."""
        ...


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A key whose signature counts, under the name that it signs as."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a name that a note cannot hold, and a key that is no Ed25519 key."""
        if _NAME.fullmatch(self.name) is None:
            raise InvalidNoteError(f"a key called {self.name!a}, expected no spaces and no '+'")
        if len(self.key) != 32:
            raise InvalidNoteError(f"a key of {len(self.key)} octets, expected Ed25519's 32")

    @property
    def id(self) -> bytes:
        """The four octets by which a signature says which key it is of."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        """Return the verifier as one word."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what :meth:`__str__` wrote; raise :class:`InvalidNoteError` for anything else."""
        found = _VERIFIER.fullmatch(text)
        octets = _decoded(found[3]) if found else b""
        if found is None or octets[:1] != _ED25519:
            raise InvalidNoteError(f"{escaped(text)!r} is no verifier key, expected name+id+key with an Ed25519 key")
        made = cls(found[1], octets[1:])
        if str(made) != text:
            raise InvalidNoteError(
                f"the verifier key of {escaped(made.name)} has the id {made.id.hex()}, not {found[2]}"
            )
        return made

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Tell whether a signature over a text is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key, and the name that it signs as."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> NoteVerifier:
        """What verifies this signer's notes."""
        return NoteVerifier(self.name, self.private_key.public_key().public_bytes_raw())

    def sign(self, text: str) -> bytes:
        """Return a text as a signed note."""
        if not text.endswith("\n"):
            raise InvalidNoteError("a note's text ends with a line break")
        signature = base64.b64encode(self.verifier.id + self.private_key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n".encode()


def open_note(note: bytes, verifiers: Iterable[Verifier]) -> str:
    """
    Return a note's text if a known key signed it; raise :class:`InvalidNoteError` otherwise.

    Signatures of unknown keys are ignored. One bad signature under a known key's name and id refuses the whole note.
    """
    text, lines = _parts(note)
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    is_signed = False
    for line in lines:
        found = _SIGNATURE.fullmatch(line)
        octets = _decoded(found[2]) if found else b""
        if found is None or len(octets) < 5:
            raise InvalidNoteError(f"{escaped(line)!r} is no signature line of a note")
        verifier = known.get((found[1], octets[:4]))
        if verifier is None:
            continue
        if not verifier.has_signed(text, octets[4:]):
            raise InvalidNoteError(f"the signature of {escaped(verifier.name)} is not over this text")
        is_signed = True
    if not is_signed:
        names = ", ".join(escaped(verifier.name) for verifier in known.values()) or "nobody"
        raise InvalidNoteError(f"nobody who counts signed the note, expected {names}")
    return text


def _parts(note: bytes) -> tuple[str, list[str]]:
    if len(note) > LARGEST_NOTE:
        raise InvalidNoteError(f"a note of more than {LARGEST_NOTE} octets")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise InvalidNoteError("a note that is not UTF-8") from None
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n") or any(letter < " " and letter != "\n" for letter in whole):
        raise InvalidNoteError("no signed note: expected a text, an empty line and signatures")
    lines = signatures[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise InvalidNoteError(f"a note of more than {MOST_SIGNATURES} signatures")
    return text + "\n", lines


def _decoded(text: str) -> bytes:
    """Decode base64 in its one form; anything else is no octets."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return octets if base64.b64encode(octets).decode() == text else b""
