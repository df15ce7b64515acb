"""
Pins: the SHA-256 of a public key or of a whole certificate, and the sets of them that one host accepts.

Rules of this file:

1. A pin is SHA-256 and nothing else (RFC 7469 section 2.4 never standardised another); SHA-1 and MD5 are refused.
2. Its text has one form only: canonical, padded base64 of exactly 32 octets. Two texts are never the same pin.
3. An SPKI pin and a certificate pin of the same digest are different pins.
4. Any one accepted pin matches; a pin both accepted and denied could never match, and is refused.
"""

from __future__ import annotations

import binascii
import enum
import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pinscher.der import SubjectPublicKeyInfo
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIGEST_SIZE = 32
"""Octets of a SHA-256 digest."""


class InvalidPinError(PinningError, ValueError):
    """A text or a digest that is no pin, told with what a pin looks like; ``pin`` holds what was given."""

    def __init__(self, pin: object, reason: str) -> None:
        shown = f"'{escaped(pin, limit=120)}'" if isinstance(pin, str) else repr(type(pin).__name__)
        super().__init__(f"pin {shown} cannot be used: {reason}")
        self.pin = pin
        self.reason = reason

    def __reduce__(self) -> tuple[type[Self], tuple[object, str]]:
        """Pickle by the two values the error was made from."""
        return type(self), (self.pin, self.reason)


class PinKind(enum.Enum):
    """What a pin is the digest of; the value is the text in front of the digest."""

    SPKI = "sha256/"
    CERTIFICATE = "cert-sha256/"


_new, _set = object.__new__, object.__setattr__

_PREFIXES = tuple((kind.value, kind) for kind in PinKind)
"""Read once: looking a value up in an enumeration costs more than all else that reading a pin takes."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One SHA-256 pin; ``str(pin)`` is its text and ``Pin.parse(str(pin)) == pin``."""

    digest: bytes
    kind: PinKind = field(default=PinKind.SPKI, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a digest that no certificate can have."""
        if type(self.digest) is not bytes or len(self.digest) != DIGEST_SIZE:
            raise InvalidPinError(self.digest, f"a SHA-256 digest has {DIGEST_SIZE} octets")

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read ``sha256/<base64>`` or ``cert-sha256/<base64>``; raise :class:`InvalidPinError` for anything else."""
        if not isinstance(text, str):
            raise InvalidPinError(text, "a pin is text, such as 'sha256/<base64>'")
        for prefix, kind in _PREFIXES:
            if text.startswith(prefix):
                # Made by hand, because a policy of thousands of hosts spends most of its time here.
                pin = _new(cls)
                _set(pin, "digest", _digest(text, text[len(prefix) :]))
                _set(pin, "kind", kind)
                return pin
        raise InvalidPinError(text, _why_not(text))

    @classmethod
    def of(cls, certificate_der: bytes, *, kind: str = "spki") -> Pin:
        """
        Return the pin of a DER certificate: of its key (``kind="spki"``) or of the whole (``kind="certificate"``).

        It proves nothing about the certificate: neither its signature nor its names are looked at. Bytes that are no
        certificate raise ``CertificateParseError``, for both kinds.
        """
        key_digest = spki_sha256(certificate_der)
        if kind == "spki":
            return cls(key_digest)
        if kind == "certificate":
            return cls(hashlib.sha256(certificate_der).digest(), kind=PinKind.CERTIFICATE)
        raise InvalidPinError(kind, "the kind of a pin is 'spki' or 'certificate'")

    def __str__(self) -> str:
        """Return the pin as a policy document writes it."""
        return self.kind.value + binascii.b2a_base64(self.digest, newline=False).decode("ascii")


_ENCODED_SIZE = 44
_LAST = frozenset("AEIMQUYcgkosw048")
"""The characters whose two lowest bits are zero, which alone end a canonical digest (RFC 4648 section 3.5)."""


def _digest(text: str, encoded: str) -> bytes:
    if len(encoded) % 4:
        raise InvalidPinError(text, _why_not_base64(encoded))
    try:
        digest = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise InvalidPinError(text, _why_not_base64(encoded)) from None
    if len(digest) != DIGEST_SIZE:
        raise InvalidPinError(text, _why_not_length(len(digest)))
    # 43 characters and the padding; four of the last one's six bits stand for the digest.
    if len(encoded) != _ENCODED_SIZE or encoded[-2] not in _LAST:
        raise InvalidPinError(text, "its base64 is not canonical: the unused bits at its end must be zero")
    return digest


_AROUND = " \t\r\n\"'`\ufeff"
"""What people copy along with a pin: spaces, line ends, quotes and a byte order mark."""


def _why_not(text: str) -> str:
    lowered = text.strip(_AROUND).lower()
    if lowered.startswith(("sha1", "md5", "sha-1")):
        return "SHA-1 and MD5 are broken; make a new pin from the certificate with 'pinscher pin FILE'"
    if lowered.startswith(("sha256/", "cert-sha256/", "sha256:", "sha256-", "pin-sha256", "sha-256")):
        return "write it as 'sha256/<base64>', lower case, without quotes or spaces"
    if len(lowered.replace(":", "")) == 2 * DIGEST_SIZE and not frozenset("0123456789abcdef:").issuperset(lowered):
        return "it has neither prefix nor base64"
    if len(lowered.replace(":", "")) == 2 * DIGEST_SIZE:
        return "a hexadecimal fingerprint is usually of the certificate: make the pin anew with 'pinscher pin FILE'"
    return "a pin is 'sha256/<base64>' of a public key or 'cert-sha256/<base64>' of a certificate"


def _why_not_base64(encoded: str) -> str:
    if encoded.startswith("/"):
        return "write one slash: 'sha256//' is curl's form"
    if "-" in encoded or "_" in encoded:
        return "it is base64url; write '+' for '-' and '/' for '_'"
    if len(encoded) % 4:
        return "its base64 is cut short or lacks its '=' at the end"
    return "it is not base64"


def _why_not_length(octets: int) -> str:
    known = {20: "SHA-1", 16: "MD5", 48: "SHA-384", 64: "SHA-512"}
    named = f", as {known[octets]} has" if octets in known else ""
    return f"a SHA-256 digest has {DIGEST_SIZE} octets, this one {octets}{named}"


_LARGEST_REMEMBERED = 8192
"""Octets of a certificate above which its digest is not remembered, so that a server cannot fill the memory."""


def spki_sha256(certificate_der: bytes) -> bytes:
    """Return the SHA-256 of a certificate's key, remembering the last thousand certificates of ordinary size."""
    if len(certificate_der) <= _LARGEST_REMEMBERED:
        return _remembered_spki_sha256(certificate_der)
    return SubjectPublicKeyInfo.of_certificate(certificate_der).sha256


@functools.lru_cache(maxsize=1024)
def _remembered_spki_sha256(certificate_der: bytes) -> bytes:
    return SubjectPublicKeyInfo.of_certificate(certificate_der).sha256


class PinSet:
    """
    What one host accepts: pins, backup pins (keys not deployed yet, which match all the same), and denied keys.

    At least one pin or backup pin is needed: an empty set would refuse everything, and is never "no pins".
    """

    __slots__ = ("_accepted", "_denied", "_recent", "backup_pins", "denied_keys", "pins")

    pins: tuple[Pin, ...]
    backup_pins: tuple[Pin, ...]
    denied_keys: tuple[Pin, ...]
    _accepted: _Table | None
    _denied: _Table | None
    _recent: tuple[bytes, Pin] | None
    """The certificate that last matched, and its pin: one server shows the same one again and again."""

    def __init__(
        self, pins: Iterable[Pin], *, backup_pins: Iterable[Pin] = (), denied_keys: Iterable[Pin] = ()
    ) -> None:
        _set(self, "pins", _checked("pins", pins))
        _set(self, "backup_pins", _checked("backup_pins", backup_pins))
        _set(self, "denied_keys", _checked("denied_keys", denied_keys))
        _set(self, "_accepted", None)
        _set(self, "_denied", None)
        _set(self, "_recent", None)
        _check_groups(self.pins + self.backup_pins, self.denied_keys)

    def accepted(self, certificate_der: bytes) -> Pin | None:
        """Return the pin or backup pin that a certificate matches, or None."""
        recent = self._recent
        if recent is not None and recent[0] == certificate_der:
            return recent[1]
        found = self._find_accepted(certificate_der)
        if found is not None and len(certificate_der) <= _LARGEST_REMEMBERED:
            object.__setattr__(self, "_recent", (certificate_der, found))
        return found

    def _find_accepted(self, certificate_der: bytes) -> Pin | None:
        table = self._accepted
        if table is None:
            table = _table(self.pins + self.backup_pins)
            object.__setattr__(self, "_accepted", table)
        return _lookup(table, certificate_der)

    def denied(self, certificate_der: bytes) -> Pin | None:
        """Return the denied pin that a certificate matches, or None."""
        table = self._denied
        if table is None:
            table = _table(self.denied_keys)
            object.__setattr__(self, "_denied", table)
        return _lookup(table, certificate_der)

    @property
    def has_denied(self) -> bool:
        """Whether any key is denied, so that every certificate of a chain has to be looked at."""
        return bool(self.denied_keys)

    def is_backup(self, pin: Pin) -> bool:
        """Tell whether an accepted pin is a backup."""
        return pin in self.backup_pins

    def __iter__(self) -> Iterator[Pin]:
        """Iterate over the pins, then the backup pins."""
        return iter(self.pins + self.backup_pins)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a pin set is a value, and a changed policy is a new one."""
        raise AttributeError(f"cannot set {name!r}: a pin set does not change")

    def __delattr__(self, name: str) -> None:
        """Refuse, as for setting."""
        raise AttributeError(f"cannot delete {name!r}: a pin set does not change")

    def __eq__(self, other: object) -> bool:
        """Compare by the three groups of pins."""
        if not isinstance(other, PinSet):
            return NotImplemented
        return self.groups == other.groups

    def __hash__(self) -> int:
        """Hash by the three groups of pins."""
        return hash(self.groups)

    @property
    def groups(self) -> tuple[tuple[Pin, ...], tuple[Pin, ...], tuple[Pin, ...]]:
        """The pins, the backup pins and the denied keys."""
        return self.pins, self.backup_pins, self.denied_keys

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the three groups of pins."""
        return _restored, self.groups

    def __repr__(self) -> str:
        """Return the counts; the pins themselves are for ``str`` of each."""
        return f"<PinSet {len(self.pins)} pins, {len(self.backup_pins)} backups, {len(self.denied_keys)} denied>"


def _checked(name: str, pins: Iterable[Pin]) -> tuple[Pin, ...]:
    group = tuple(pins)
    for pin in group:
        if type(pin) is not Pin and not isinstance(pin, Pin):
            raise InvalidPinError(pin, f"{name} holds Pin values; use Pin.parse for text")
    return group


def _restored(pins: tuple[Pin, ...], backup_pins: tuple[Pin, ...], denied_keys: tuple[Pin, ...]) -> PinSet:
    return PinSet(pins, backup_pins=backup_pins, denied_keys=denied_keys)


def _check_groups(accepted: tuple[Pin, ...], denied: tuple[Pin, ...]) -> None:
    if not accepted:
        raise InvalidPinError("", "a pin set without pins would refuse every server; give at least one")
    if len({pin.digest for pin in accepted}) != len(accepted):
        _check_twice(accepted)
    if denied:
        both = frozenset(accepted)
        for pin in denied:
            if pin in both:
                raise InvalidPinError(str(pin), "it is both accepted and denied, so it could never match")


def _check_twice(accepted: tuple[Pin, ...]) -> None:
    seen = set()
    for pin in accepted:
        if pin in seen:
            raise InvalidPinError(str(pin), "it stands twice among the pins and backup pins of one host")
        seen.add(pin)


_Table = tuple[dict[bytes, "Pin"], dict[bytes, "Pin"]]
"""Pins by digest: of keys, and of certificates, apart so that one kind is never taken for the other (rule 3)."""


def _table(pins: tuple[Pin, ...]) -> _Table:
    keys = {pin.digest: pin for pin in pins if pin.kind is PinKind.SPKI}
    if len(keys) == len(pins):
        return keys, {}
    return keys, {pin.digest: pin for pin in pins if pin.kind is PinKind.CERTIFICATE}


def _lookup(table: _Table, certificate_der: bytes) -> Pin | None:
    keys, certificates = table
    found = keys.get(spki_sha256(certificate_der))
    if found is None and certificates:
        return certificates.get(hashlib.sha256(certificate_der).digest())
    return found
