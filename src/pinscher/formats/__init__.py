"""
Foreign dialects of pinning, one file each: bytes to a policy, and a policy to bytes.

A file that is written decides every host and every chain as the policy does, or ``FormatLossError`` says why not and
what the nearest honest choices are. A file that is read becomes a policy that decides as the platform would, and every
place where it pins less than it seems to is reported.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

try:
    import defusedxml as _defusedxml  # noqa: F401  (asked for here, so that its absence is one sentence)
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "foreign formats need defusedxml; install it with: pip install 'pinscher[cli]'", name="defusedxml"
    ) from None

from pinscher.formats import (
    android,
    apple,
    chromium,
    curl,
    dart,
    envoy,
    fingerprint,
    go,
    hpkp,
    node,
    okhttp,
    react_native,
    spreadsheet,
    swift,
    tlsa,
    trustkit,
)
from pinscher.formats.format import WEAKENINGS, Choices, Format, Reading, UnreadableFileError, Weakening
from pinscher.formats.loss import LOSSES, FormatLossError, Loss

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMATS",
    "LOSSES",
    "WEAKENINGS",
    "Choices",
    "Format",
    "FormatLossError",
    "Loss",
    "Reading",
    "UnreadableFileError",
    "Weakening",
]

_MODULES = (
    android,
    apple,
    trustkit,
    okhttp,
    swift,
    dart,
    react_native,
    node,
    go,
    curl,
    envoy,
    hpkp,
    chromium,
    fingerprint,
    tlsa,
    spreadsheet,
)
FORMATS: Mapping[str, Format] = MappingProxyType({module.FORMAT.name: module.FORMAT for module in _MODULES})
"""Every dialect by its name."""
