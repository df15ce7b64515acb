"""Trust stores: Mozilla's as certifi ships it, this machine's, and those of files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped
from pinscher.probe import KeySourceError, read_keys
from pinscher.probe.sources import LARGEST_FILE
from pinscher.rotation.survival.certificate import Certificate, UnreadableCertificateError, read_certificate

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_FILES = 2_000
"""Files of a folder of roots; a system's has about four hundred, links among them."""


class UnusableStoreError(PinningError):
    """A trust store that cannot be had, or has no certificate; ``name`` says which."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the trust store {escaped(name)!r} cannot be used: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TrustStore:
    """
    The roots that some clients trust, under the name that a person gave them.

    ``unreadable`` counts those that could not be read: paths to them are not known here, and are known to clients.
    """

    name: str
    certificates: tuple[Certificate, ...]
    unreadable: int = 0


def store_of(content: bytes, *, name: str) -> TrustStore:
    """Return the store of a PEM or DER file, which holds certificates and nothing else."""
    try:
        keys = read_keys(content, source=name)
    except KeySourceError as error:
        raise UnusableStoreError(name, error.reason) from None
    other = next((key for key in keys if key.certificate is None), None)
    if other is not None:
        raise UnusableStoreError(name, f"expected certificates, found a {other.kind.value} at {other.place}")
    return _store(name, (key.certificate for key in keys if key.certificate is not None))


def mozilla_store() -> TrustStore:
    """Return Mozilla's roots as the installed certifi has them, which some applications trust whatever the machine."""
    try:
        import certifi  # noqa: PLC0415  (a package of roots that only this store needs)
    except ModuleNotFoundError:
        raise UnusableStoreError("mozilla", "it comes with certifi; install it with: pip install certifi") from None
    return store_of(Path(certifi.where()).read_bytes(), name="mozilla")


def system_store() -> TrustStore:
    """Return the roots that this machine's OpenSSL loads by default, its folder of roots included."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    loaded = list(context.get_ca_certs(binary_form=True))
    folder = ssl.get_default_verify_paths().capath
    return _store("system", [*loaded, *_in_folder(folder)])


def _in_folder(folder: str | None) -> Iterable[bytes]:
    """Yield the certificates of a folder, from which OpenSSL loads one when it meets its name."""
    if folder is None:
        return
    for path in sorted(Path(folder).glob("*.[0-9]"))[:_MOST_FILES]:
        try:
            with path.open("rb") as stream:
                keys = read_keys(stream.read(LARGEST_FILE), source=path.name)
        except (OSError, KeySourceError):
            # OpenSSL passes over such a file as well.
            continue
        yield from (key.certificate for key in keys if key.certificate is not None)


def _store(name: str, ders: Iterable[bytes]) -> TrustStore:
    found: dict[Certificate, None] = {}
    unreadable = 0
    for der in dict.fromkeys(ders):
        try:
            found[read_certificate(der)] = None
        except UnreadableCertificateError:
            unreadable += 1
    if not found:
        raise UnusableStoreError(name, "it holds no certificate that can be read")
    return TrustStore(name, tuple(found), unreadable)
