"""
A Certificate Transparency log of one's own: what a CA would log, under a key of the moment.

It answers as a log of RFC 6962 and as one of tiles (https://c2sp.org/static-ct-api), over one tree. It admits whatever
it is given, checks no chain, and belongs in nobody's list of trusted logs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pinscher.lab.keys import SigningKey
from pinscher.updates.log.hashing import leaf_hash, node_hash
from pinscher.updates.log.tree import consistency_proof, inclusion_proof, root_of

if TYPE_CHECKING:
    from pinscher.lab.authority import AnyKey, HeldCertificate

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TILE = 256


class CtLog:
    """A log in memory; what was added is shown once :meth:`publish` has signed it."""

    def __init__(self, origin: str = "log.lab.example/2026", key: AnyKey = None) -> None:
        """Make an empty log that signs by a name and a key, P-256 if no other is given."""
        self.origin = origin
        self.key = SigningKey.of(key)
        self.entries: list[tuple[bytes, bytes, bytes]] = []
        """Of each entry what is hashed, what ``get-entries`` has beside it, and what a tile of entries holds."""
        self.issuers: dict[str, bytes] = {}
        self.size = 0
        self.at = datetime.now(UTC)
        self._nodes: dict[tuple[int, int], bytes] = {}

    @property
    def id(self) -> bytes:
        """The SHA-256 of the log's key."""
        return hashlib.sha256(self.key.spki).digest()

    @property
    def root(self) -> bytes:
        """The root of what is published."""
        return root_of(self.node, self.size)

    def add(self, held: HeldCertificate, *, is_precertificate: bool = False, at: datetime | None = None) -> int:
        """
        Add a certificate with its chain up to the root, and return its place.

        As a precertificate its TBSCertificate is added, without the poison that a CA's would have beside it.
        """
        chain = (*held.authority.presented, held.authority.trust_anchor.certificate)
        signed, issuer_key = held.der, b""
        if is_precertificate:
            signed = x509.load_der_x509_certificate(held.der).tbs_certificate_bytes
            issuer_key = hashlib.sha256(held.authority.key.spki).digest()
        return self.add_entry(signed, chain, issuer_key=issuer_key, whole=held.der, at=at)

    def add_entry(
        self, signed: bytes, chain: tuple[bytes, ...] = (), *, issuer_key: bytes = b"", whole: bytes = b"",
        at: datetime | None = None,
    ) -> int:  # fmt: skip
        """Add any octets as a certificate, or with an issuer's key as a precertificate, and return their place."""
        moment = (at or datetime.now(UTC)) - _EPOCH
        entry = (moment // _MILLISECOND).to_bytes(8) + (b"\x00\x01" + issuer_key if issuer_key else b"\x00\x00")
        entry += _prefixed(signed, 3) + b"\x00\x00"
        before = _prefixed(whole, 3) if issuer_key else b""
        listed = b"".join(_prefixed(one, 3) for one in chain)
        self.issuers |= {hashlib.sha256(one).hexdigest(): one for one in chain}
        fingerprints = b"".join(hashlib.sha256(one).digest() for one in chain)
        return self.add_raw(
            b"\x00\x00" + entry, before + _prefixed(listed, 3), entry + before + _prefixed(fingerprints, 2)
        )

    def add_raw(self, hashed: bytes, beside: bytes = b"", in_tile: bytes = b"") -> int:
        """Add a leaf of any octets, whether or not they are an entry."""
        self.entries.append((hashed, beside, in_tile))
        return len(self.entries) - 1

    def publish(self, *, at: datetime | None = None) -> None:
        """Sign a head over all that was added."""
        self.size, self.at = len(self.entries), at or datetime.now(UTC)

    def forked(self, size: int) -> CtLog:
        """Return a second log of the same name and key whose tree is the same only up to a size."""
        other = CtLog(self.origin, self.key)
        other.entries, other.issuers = self.entries[:size], dict(self.issuers)
        other.size, other.at = size, self.at
        return other

    def node(self, height: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        if height == 0:
            return leaf_hash(self.entries[index][0])
        if (height, index) not in self._nodes:
            left, right = self.node(height - 1, 2 * index), self.node(height - 1, 2 * index + 1)
            self._nodes[height, index] = node_hash(left, right)
        return self._nodes[height, index]

    def sth(self) -> bytes:
        """Return the head as ``get-sth`` does."""
        return _json(
            tree_size=self.size, timestamp=self._timestamp, sha256_root_hash=self.root,
            tree_head_signature=self._signature(),
        )  # fmt: skip

    def checkpoint(self) -> bytes:
        """Return the head as a note."""
        text = f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"
        name = hashlib.sha256(self.origin.encode() + b"\n\x05" + self.id).digest()[:4]
        signature = base64.b64encode(name + self._timestamp.to_bytes(8) + self._signature()).decode()
        return f"{text}\n\N{EM DASH} {self.origin} {signature}\n".encode()

    def entries_json(self, first: int, last: int) -> bytes:
        """Return entries as ``get-entries`` does, at most 256."""
        shown = self.entries[first : min(last + 1, self.size, first + _TILE)]
        return _json(entries=[{"leaf_input": _text(one), "extra_data": _text(beside)} for one, beside, _ in shown])

    def consistency_json(self, first: int, second: int) -> bytes:
        """Return a proof as ``get-sth-consistency`` does."""
        return _json(consistency=[_text(one) for one in consistency_proof(self.node, first, second)])

    def inclusion_json(self, hashed: bytes, size: int) -> bytes | None:
        """Return a proof as ``get-proof-by-hash`` does."""
        places = [place for place, entry in enumerate(self.entries[:size]) if leaf_hash(entry[0]) == hashed]
        if not places:
            return None
        path = inclusion_proof(self.node, places[-1], size)
        return _json(leaf_index=places[-1], audit_path=[_text(one) for one in path])

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile of hashes."""
        return b"".join(self.node(8 * level, place) for place in range(index * _TILE, index * _TILE + width))

    def data_tile(self, index: int, width: int) -> bytes:
        """Return a tile of entries."""
        return b"".join(entry[2] for entry in self.entries[index * _TILE : index * _TILE + width])

    def listed(self, url: str, *, is_tiled: bool) -> bytes:
        """Return the list of logs, in the shape of browsers' lists, that names this log at a URL and no other."""
        about = {"description": f"lab log {self.origin}", "key": _text(self.key.spki), "log_id": _text(self.id),
                 "mmd": 86_400, "state": {"usable": {"timestamp": "2026-01-01T00:00:00Z"}}}  # fmt: skip
        if is_tiled:
            logs = {"tiled_logs": [about | {"monitoring_url": url, "submission_url": f"https://{self.origin}"}]}
        else:
            logs = {"logs": [about | {"url": url}]}
        return json.dumps({"version": "3", "operators": [{"name": "lab", **logs}]}).encode()

    @property
    def _timestamp(self) -> int:
        return (self.at - _EPOCH) // _MILLISECOND

    def _signature(self) -> bytes:
        """Sign the head; SHA-256 with RSA or ECDSA, as RFC 5246 numbers them."""
        signed = b"\x00\x01" + self._timestamp.to_bytes(8) + self.size.to_bytes(8) + self.root
        kind = b"\x04\x01" if isinstance(self.key.private, rsa.RSAPrivateKey) else b"\x04\x03"
        return kind + _prefixed(self.key.sign(signed), 2)


def _prefixed(octets: bytes, width: int) -> bytes:
    return len(octets).to_bytes(width) + octets


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _json(**fields: object) -> bytes:
    return json.dumps({name: _text(one) if isinstance(one, bytes) else one for name, one in fields.items()}).encode()
