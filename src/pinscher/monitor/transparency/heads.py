"""
Signed tree heads, as RFC 6962 section 3.5 signs them and static-ct-api (https://c2sp.org/static-ct-api) writes them.

Both kinds sign the same octets: version 1, a tree's hash, the moment, the size and the root. A head of the one kind
comes as JSON, one of the other as a note. What no key of the log signed raises ``InvalidNoteError`` and is no head.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pinscher.errors import escaped
from pinscher.updates.log import Checkpoint, InvalidNoteError
from pinscher.updates.log.hashing import EMPTY_ROOT, HASH_LENGTH
from pinscher.updates.log.proofs import LARGEST_SIZE

if TYPE_CHECKING:
    from pinscher.monitor.transparency.logs import CtLog

LARGEST_HEAD = 64 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHA256, _RSA, _ECDSA = 4, 1, 3
"""The numbers of RFC 5246 section 7.4.1.4.1."""
_NOTE_KIND = b"\x05"
"""The kind of a note's signature that is RFC 6962's."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a log has signed: so many entries at a moment, under this root; ``signed`` is how it was served."""

    size: int
    root: bytes
    at: datetime
    signed: bytes

    def __str__(self) -> str:
        """Return the head on one line."""
        return f"{self.size} entries at {self.at:%Y-%m-%d %H:%M:%S} UTC, root {base64.b64encode(self.root).decode()}"


def head_of_json(log: CtLog, content: bytes) -> TreeHead:
    """Read what ``get-sth`` answers, and verify it."""
    try:
        told = msgspec.json.decode(content, type=_Told)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidNoteError(f"no signed tree head: {escaped(str(error))}") from None
    _check_signed(log, told.timestamp, told.tree_size, told.sha256_root_hash, told.tree_head_signature)
    return _head(told.tree_size, told.sha256_root_hash, told.timestamp, content)


class _Told(msgspec.Struct):
    tree_size: int
    timestamp: int
    sha256_root_hash: bytes
    tree_head_signature: bytes


def head_of_note(log: CtLog, note: bytes) -> TreeHead:
    """Read a checkpoint, and verify it."""
    verifier = _NoteKey(log)
    checkpoint = Checkpoint.open(note, verifier)
    return _head(checkpoint.size, checkpoint.root, _timestamp(note, verifier), note)


def checkpoint_of(log: CtLog, head: TreeHead) -> Checkpoint:
    """Return a head that was verified as the log's auditor knows it."""
    return Checkpoint(log.origin, head.size, head.root)


def _head(size: int, root: bytes, timestamp: int, signed: bytes) -> TreeHead:
    if size == 0 and root != EMPTY_ROOT:
        raise InvalidNoteError("the head of an empty log with another root than an empty log has")
    try:
        return TreeHead(size, root, _EPOCH + timedelta(milliseconds=timestamp), signed)
    except OverflowError:
        raise InvalidNoteError("a head of a moment beyond the year 9999") from None


def _check_signed(log: CtLog, timestamp: int, size: int, root: bytes, signature: bytes) -> None:
    if not (0 <= timestamp < 2**64 and 0 <= size <= LARGEST_SIZE and len(root) == HASH_LENGTH):
        raise InvalidNoteError("a tree head whose moment, size or root is none")
    signed = b"\x00\x01" + struct.pack(">QQ", timestamp, size) + root
    if not is_signed(log.key, signed, signature):
        raise InvalidNoteError(f"a tree head that the key of {log.name} did not sign")


def is_signed(key: bytes, signed: bytes, signature: bytes) -> bool:
    """Tell whether a ``digitally-signed`` struct (RFC 5246 section 4.7) is a key's signature over some octets."""
    if len(signature) < 4 or int.from_bytes(signature[2:4]) != len(signature) - 4 or signature[0] != _SHA256:
        return False
    algorithm, octets, public = signature[1], signature[4:], _public(key)
    try:
        if isinstance(public, ec.EllipticCurvePublicKey) and algorithm == _ECDSA:
            public.verify(octets, signed, ec.ECDSA(SHA256()))
            return True
        if isinstance(public, rsa.RSAPublicKey) and algorithm == _RSA:
            public.verify(octets, signed, padding.PKCS1v15(), SHA256())
            return True
    except InvalidSignature:
        return False
    return False


@functools.lru_cache(maxsize=256)
def _public(key: bytes) -> object:
    return load_der_public_key(key)


class _NoteKey:
    """A log's key, as a note names it."""

    def __init__(self, log: CtLog) -> None:
        self._log = log
        self.name = log.origin
        self.id = hashlib.sha256(log.origin.encode() + b"\n" + _NOTE_KIND + log.id).digest()[:4]

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Tell whether a signature with its moment before it is over the head that a text says."""
        lines = text.split("\n")
        try:
            size, root = int(lines[1][:20]), base64.b64decode(lines[2], validate=True)
            _check_signed(self._log, int.from_bytes(signature[:8]), size, root, signature[8:])
        except (InvalidNoteError, ValueError, IndexError):
            return False
        return True


def _timestamp(note: bytes, verifier: _NoteKey) -> int:
    """Return the moment of the newest of the log's signatures under a note, each of which was verified."""
    moments = [0]
    for line in note.decode().splitlines():
        words = line.split(" ")
        if len(words) == 3 and words[:2] == ["\N{EM DASH}", verifier.name]:
            octets = binascii.a2b_base64(words[2])
            if octets[:4] == verifier.id:
                moments.append(int.from_bytes(octets[4:12]))
    return max(moments)
