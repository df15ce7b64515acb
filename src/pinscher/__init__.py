"""
Pinscher: certificate pinning for Python that does not brick.

Every name of the front door is loaded on its first use, so that ``import pinscher`` costs an application nothing it
does not use. ``docs/reference/api.md`` lists them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.chain import PresentedChain, ValidatedChain
    from pinscher.clients.errors import UnsupportedTransportError
    from pinscher.clients.guard import guard
    from pinscher.clients.injection import inject, injected
    from pinscher.der import SubjectPublicKeyInfo
    from pinscher.entry import HostPolicy, Mode, OnExpiry
    from pinscher.errors import PinningError
    from pinscher.host import HostPattern, InvalidHostError
    from pinscher.keeper import Keeper
    from pinscher.pin import InvalidPinError, Pin, PinSet
    from pinscher.policy import InvalidPolicyError, Policy
    from pinscher.tls import InsecureContextError, PinMismatchError, PinnedContext, enforce, verdict_of
    from pinscher.tls.counting import stats
    from pinscher.tls.selftest import selftest
    from pinscher.updates import Updater
    from pinscher.verdict import Action, Outcome, Verdict, evaluate

__all__ = [
    "Action",
    "HostPattern",
    "HostPolicy",
    "InsecureContextError",
    "InvalidHostError",
    "InvalidPinError",
    "InvalidPolicyError",
    "Keeper",
    "Mode",
    "OnExpiry",
    "Outcome",
    "Pin",
    "PinMismatchError",
    "PinSet",
    "PinnedContext",
    "PinningError",
    "Policy",
    "PresentedChain",
    "SubjectPublicKeyInfo",
    "UnsupportedTransportError",
    "Updater",
    "ValidatedChain",
    "Verdict",
    "enforce",
    "evaluate",
    "guard",
    "inject",
    "injected",
    "selftest",
    "stats",
    "verdict_of",
]

_ROOMS = {
    "pinscher.chain": ("PresentedChain", "ValidatedChain"),
    "pinscher.clients.errors": ("UnsupportedTransportError",),
    "pinscher.clients.guard": ("guard",),
    "pinscher.clients.injection": ("inject", "injected"),
    "pinscher.der": ("SubjectPublicKeyInfo",),
    "pinscher.entry": ("HostPolicy", "Mode", "OnExpiry"),
    "pinscher.errors": ("PinningError",),
    "pinscher.host": ("HostPattern", "InvalidHostError"),
    "pinscher.keeper": ("Keeper",),
    "pinscher.pin": ("InvalidPinError", "Pin", "PinSet"),
    "pinscher.policy": ("InvalidPolicyError", "Policy"),
    "pinscher.tls.counting": ("stats",),
    "pinscher.tls.selftest": ("selftest",),
    "pinscher.updates": ("Updater",),
    "pinscher.tls": ("InsecureContextError", "PinMismatchError", "PinnedContext", "enforce", "verdict_of"),
    "pinscher.verdict": ("Action", "Outcome", "Verdict", "evaluate"),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Load the room of a front-door name when the name is first used (PEP 562)."""
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'pinscher' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the front door."""
    return sorted([*__all__, "__version__"])


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  (reading the metadata costs more than the whole import)

    return version("pinscher")
