"""
The sealed store: what a program remembers between two starts, so that nobody can change it unseen.

Its names are loaded on first use: what is embedded in a program (``embedded``) is read without a third-party package,
and sealing needs the extra ``updates``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.store.credential import SystemdCredential
    from pinscher.store.custody import Custody, KeptKey, Passphrase, ProvidedKey
    from pinscher.store.embedded import Embedded, EmbeddedPinsError
    from pinscher.store.errors import (
        KeyUnavailableError,
        SealBrokenError,
        StoreError,
        StoreUnavailableError,
        UnsafeFileError,
    )
    from pinscher.store.floor import rollback_floor
    from pinscher.store.key_file import KeyFile, provided_key
    from pinscher.store.key_ring import KeyRing
    from pinscher.store.sealed import SealedStore
    from pinscher.store.tpm import Tpm

__all__ = [
    "Custody",
    "Embedded",
    "EmbeddedPinsError",
    "KeptKey",
    "KeyFile",
    "KeyRing",
    "KeyUnavailableError",
    "Passphrase",
    "ProvidedKey",
    "SealBrokenError",
    "SealedStore",
    "StoreError",
    "StoreUnavailableError",
    "SystemdCredential",
    "Tpm",
    "UnsafeFileError",
    "provided_key",
    "rollback_floor",
]

_FILES = {
    "credential": ("SystemdCredential",),
    "custody": ("Custody", "KeptKey", "Passphrase", "ProvidedKey"),
    "embedded": ("Embedded", "EmbeddedPinsError"),
    "errors": ("KeyUnavailableError", "SealBrokenError", "StoreError", "StoreUnavailableError", "UnsafeFileError"),
    "floor": ("rollback_floor",),
    "key_file": ("KeyFile", "provided_key"),
    "key_ring": ("KeyRing",),
    "sealed": ("SealedStore",),
    "tpm": ("Tpm",),
}
_HOMES = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load the file of a name when the name is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pinscher.store' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pinscher.store.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
