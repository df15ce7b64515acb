"""
Mozilla's root programme, as the dated list this release ships knew it.

The list explains and never decides: OpenSSL and the trust store decide whom to trust. ``tools/mozilla_roots.py`` writes
it anew.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from pinscher.diagnosis.shipped import read_shipped


@dataclass(frozen=True, slots=True)
class RootProgramme:
    """The SHA-256 of each root and of its key, where the list comes from, and the day it was true."""

    source: str
    date: datetime
    certificates: frozenset[bytes]
    keys: frozenset[bytes]

    def holds(self, certificate_der: bytes, key_digest: bytes | None) -> bool:
        """
        Tell whether a certificate is a root of the programme or carries the key of one.

        A cross-signed or reissued root is another certificate of the same key, and the key is what signs.
        """
        return key_digest in self.keys or hashlib.sha256(certificate_der).digest() in self.certificates


@functools.cache
def mozilla() -> RootProgramme:
    """Read the list; the first call costs a millisecond or two, and later ones nothing."""
    document = read_shipped("mozilla_roots.json")
    return RootProgramme(
        source=document["source"],
        date=datetime.fromisoformat(document["date"]).replace(tzinfo=UTC),
        certificates=frozenset(bytes.fromhex(certificate) for _, certificate, _ in document["roots"]),
        keys=frozenset(bytes.fromhex(key) for _, _, key in document["roots"]),
    )
