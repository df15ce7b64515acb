"""Pins on Python's own TLS: the context, its error, and the way from any client's error to the verdict."""

from __future__ import annotations

from pinscher.tls._cpython import PinnedObject, PinnedSocket, chains_of
from pinscher.tls.context import PinnedContext
from pinscher.tls.enforcement import PinMismatchError, enforce, verdict_of
from pinscher.tls.sessions import RememberedSession
from pinscher.tls.settings import InsecureContextError

__all__ = [
    "InsecureContextError",
    "PinMismatchError",
    "PinnedContext",
    "PinnedObject",
    "PinnedSocket",
    "RememberedSession",
    "chains_of",
    "enforce",
    "verdict_of",
]
