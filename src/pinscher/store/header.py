"""
The header of a sealed file: what must be known to open it, in 128 octets in clear, authenticated as a whole.

    0  magic          7   PINSEAL
    7  version        1   1
    8  kind           1   1 index, 2 entry
    9  lanes          1   Argon2id; 0 where the key is no passphrase's
   10  reserved       2   0
   12  memory         4   Argon2id, KiB, big-endian
   16  passes         4   Argon2id, big-endian
   20  salt          16
   36  store         16   random, the same in every file of a store
   52  file          16   random, one for each file
   68  machine       32   which machine it was sealed on, or zeros
  100  nonce         12
  112  reserved      16   0
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Self

_FORM = struct.Struct(">7sBBB2sII16s16s16s32s12s16s")
HEADER_LENGTH = _FORM.size
_MAGIC = b"PINSEAL"
_VERSION = 1

LEAST_MEMORY, MOST_MEMORY = 8 * 1024, 256 * 1024
"""KiB that Argon2id may take; a header that asks for more is refused before any of it is taken."""
MOST_PASSES, MOST_LANES = 10, 8


class HeaderError(ValueError):
    """Octets that are no header of this version; the text says why."""


class Kind(enum.IntEnum):
    """What a sealed file holds."""

    INDEX = 1
    ENTRY = 2


@dataclass(frozen=True, slots=True)
class Derivation:
    """How Argon2id makes the key from a passphrase (RFC 9106); *memory* in KiB."""

    memory: int
    passes: int
    lanes: int
    salt: bytes

    def __post_init__(self) -> None:
        """Hold a header to the limits, whoever wrote it."""
        if not LEAST_MEMORY <= self.memory <= MOST_MEMORY:
            raise HeaderError(f"Argon2id with {self.memory} KiB, expected {LEAST_MEMORY} to {MOST_MEMORY}")
        if not 1 <= self.passes <= MOST_PASSES or not 1 <= self.lanes <= MOST_LANES:
            raise HeaderError(
                f"Argon2id with {self.passes} passes and {self.lanes} lanes, "
                f"expected at most {MOST_PASSES} and {MOST_LANES}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header; *derivation* is None where the key comes from somewhere else than a passphrase."""

    kind: Kind
    store: bytes
    file: bytes
    machine: bytes
    nonce: bytes
    derivation: Derivation | None

    def write(self) -> bytes:
        """Return the header's octets."""
        made = self.derivation
        memory, passes, lanes, salt = (
            (made.memory, made.passes, made.lanes, made.salt) if made else (0, 0, 0, bytes(16))
        )
        return _FORM.pack(
            _MAGIC, _VERSION, self.kind, lanes, bytes(2), memory, passes, salt,
            self.store, self.file, self.machine, self.nonce, bytes(16),
        )  # fmt: skip

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read the header of a file's content; raise :class:`HeaderError` for anything else."""
        if len(content) < HEADER_LENGTH:
            raise HeaderError(f"{len(content)} octets, expected a header of {HEADER_LENGTH}")
        magic, version, kind, lanes, odd, memory, passes, salt, store, file, machine, nonce, odder = _FORM.unpack_from(
            content
        )
        if magic != _MAGIC:
            raise HeaderError("no sealed file")
        if version != _VERSION:
            raise HeaderError(f"sealed in version {version}, expected {_VERSION}")
        if kind not in tuple(Kind) or any(odd) or any(odder):
            raise HeaderError("a header with unknown parts")
        is_derived = bool(memory or passes or lanes)
        if not is_derived and any(salt):
            raise HeaderError("a header with a salt and nothing to use it for")
        derivation = Derivation(memory, passes, lanes, salt) if is_derived else None
        return cls(kind=Kind(kind), store=store, file=file, machine=machine, nonce=nonce, derivation=derivation)
