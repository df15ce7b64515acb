"""
A leaf held against the one that was last accepted for its host: what a rotation keeps, and what a forger copies.

A rotation comes when the old certificate is near its end, has a serial number of its own and stays with its CA and its
kind of key. A forger copies names, dates or the serial number so that people see what they expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.diagnosis.particulars import Particulars

_RENEWED_IN_THE_LAST = 3
"""A renewal is due in the last third of a certificate's lifetime, as ACME clients have it."""

_CHANCE_OCTETS = 8
"""Serial numbers of fewer octets may be the same by chance, or be counted."""


def is_due(before: Particulars, at: datetime) -> bool:
    """Tell whether the accepted certificate is so near its end that a renewal is due."""
    if before.not_after is None or before.lifetime is None:
        return False
    return at >= before.not_after - before.lifetime / _RENEWED_IN_THE_LAST


def is_newer(leaf: Particulars, before: Particulars) -> bool:
    """Tell whether a leaf became valid after the accepted one."""
    return leaf.not_before is not None and before.not_before is not None and leaf.not_before > before.not_before


def has_copied_serial(leaf: Particulars, before: Particulars) -> bool:
    """Tell whether a leaf bears the serial number of the accepted one, which no CA gives twice (RFC 5280)."""
    return leaf.serial == before.serial and len(leaf.serial) >= _CHANCE_OCTETS


def is_copy(leaf: Particulars, before: Particulars) -> bool:
    """Tell whether a leaf looks in every way like the accepted one: subject, names and both dates."""
    return leaf.not_after is not None and _looks(leaf) == _looks(before)


def _looks(leaf: Particulars) -> tuple[object, ...]:
    return leaf.subject, leaf.names, leaf.not_before, leaf.not_after
