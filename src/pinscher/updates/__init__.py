"""
Pins that change safely: signed policy bundles, how they are published, and how a program follows them.

The format is that of The Update Framework, and so are the decisions about signatures; this room adds the floor below
which nothing is accepted, the bounds of what an update may cost, and the names of what is refused. Its names are loaded
on first use; the extra ``updates`` brings what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.updates.bundle import Override
    from pinscher.updates.errors import (
        EndlessDataError,
        ForkError,
        FreezeError,
        InvalidBundleError,
        MixAndMatchError,
        RepositoryUnreachableError,
        RollbackError,
        RootExpiredError,
        SlowRetrievalError,
        StoreBusyError,
        ThresholdError,
        UnloggedError,
        UnreadableMetadataError,
        UpdateError,
        UpdateStoreError,
        WrongTargetError,
    )
    from pinscher.updates.events import Event, EventKind
    from pinscher.updates.floor import Floor
    from pinscher.updates.limits import Intervals, Limits
    from pinscher.updates.sealed import SealedBundleStore
    from pinscher.updates.state import Refreshed, State
    from pinscher.updates.store import BundleStore, DirectoryStore
    from pinscher.updates.updater import Updater

__all__ = [
    "BundleStore",
    "DirectoryStore",
    "EndlessDataError",
    "Event",
    "EventKind",
    "Floor",
    "ForkError",
    "FreezeError",
    "Intervals",
    "InvalidBundleError",
    "Limits",
    "MixAndMatchError",
    "Override",
    "Refreshed",
    "RepositoryUnreachableError",
    "RollbackError",
    "RootExpiredError",
    "SealedBundleStore",
    "SlowRetrievalError",
    "State",
    "StoreBusyError",
    "ThresholdError",
    "UnloggedError",
    "UnreadableMetadataError",
    "UpdateError",
    "UpdateStoreError",
    "Updater",
    "WrongTargetError",
]

_FILES = {
    "bundle": ("Override",),
    "events": ("Event", "EventKind"),
    "floor": ("Floor",),
    "limits": ("Intervals", "Limits"),
    "sealed": ("SealedBundleStore",),
    "state": ("Refreshed", "State"),
    "store": ("BundleStore", "DirectoryStore"),
    "updater": ("Updater",),
}
_HOMES = {name: file for file, names in _FILES.items() for name in names}
_NEEDED = {"tuf", "securesystemslib", "filelock", "cryptography"}


def __getattr__(name: str) -> object:
    """Load the file of a name when the name is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'pinscher.updates' has no attribute {name!r}")
    try:
        module = importlib.import_module(f"pinscher.updates.{_HOMES.get(name, 'errors')}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise ModuleNotFoundError(
            f"signed updates need the package {error.name}: pip install 'pinscher[updates]'", name=error.name
        ) from None
    value = getattr(module, name)
    globals()[name] = value
    return value
