"""
What certificates of publicly trusted CAs have in common, and which of it a leaf lacks.

Nothing here is proof. A CA that was fooled issues a certificate that lacks nothing; one that lacks something was not
issued as the rules of that day demand, and whoever made it did not care for browsers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pinscher.diagnosis.shipped import read_shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.diagnosis.particulars import Particulars


@dataclass(frozen=True, slots=True)
class PublicCustom:
    """The limits on lifetimes by the day they began, the newest first, and since when the rest is demanded."""

    lifetimes: tuple[tuple[datetime, timedelta], ...]
    logged_since: datetime
    serial_since: datetime
    serial_octets: int

    def longest(self, issued: datetime) -> timedelta | None:
        """Return how long a certificate that was issued at that time may be valid, or None before any limit."""
        return next((longest for since, longest in self.lifetimes if issued >= since), None)


@functools.cache
def public_custom() -> PublicCustom:
    """Read the dated file of what is demanded."""
    document = read_shipped("public_certificates.json")
    return PublicCustom(
        tuple((_day(one["from"]), timedelta(days=one["days"])) for one in reversed(document["lifetimes"])),
        _day(document["sct-list"]["from"]),
        _day(document["serial"]["from"]),
        document["serial"]["octets"],
    )


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def lacks(leaf: Particulars) -> Iterator[str]:
    """Yield what a leaf lacks of what a public CA's has, each as the end of a sentence about it."""
    issued, lifetime = leaf.not_before, leaf.lifetime
    if issued is None or lifetime is None:
        return
    custom = public_custom()
    if leaf.has_extensions and not leaf.has_scts and issued >= custom.logged_since:
        yield "it carries no proof of logging (SCT list)"
    longest = custom.longest(issued)
    if longest is not None and lifetime > longest:
        yield f"it is valid for {lifetime.days} days, and {longest.days} are the limit of its day"
    if issued >= custom.serial_since and len(leaf.serial) < custom.serial_octets:
        yield f"its serial number has {len(leaf.serial)} octets, too few for the chance that is demanded"
    wide = next((name for name in leaf.names if is_too_wide(name)), None)
    if wide is not None:
        yield f"it is for {wide}, which no public CA certifies"


def is_too_wide(name: str) -> bool:
    """Tell whether a name stands for every host there is, or for every one of a top-level domain."""
    return name.startswith("*") and name.count(".") <= 1
