"""How much is taken of one sender: a bucket that fills at a steady rate and holds a burst."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.monitor.errors import TooManyError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SENDERS = 10_000
"""Senders that are remembered; the one that was silent longest is forgotten, and its bucket is full again."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    a_second: float
    burst: float


APPLICATION_RATE = Rate(a_second=1_000, burst=5_000)
"""Reports and heartbeats of one application."""
OCTET_RATE = Rate(a_second=16 * 2**20, burst=64 * 2**20)
"""Their octets, of which the number of requests says nothing: as many reports as it may send, of a usual size."""
STRANGER_RATE = Rate(a_second=1, burst=20)
"""Requests without a token that is known, of one network (``network_of``)."""


class Limiter:
    """Buckets by sender; *clock* counts seconds and never goes back."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sender: str, amount: float = 1) -> None:
        """Count one, or the *amount* of what is limited; raise :class:`TooManyError`, and count nothing."""
        now = self._clock()
        left, at = self._buckets.get(sender, (self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.a_second)
        self._buckets[sender] = (left - amount if left >= amount else left, now)
        self._buckets.move_to_end(sender)
        if len(self._buckets) > MOST_SENDERS:
            self._buckets.popitem(last=False)
        if left < amount:
            raise TooManyError(math.ceil((amount - left) / self._rate.a_second))


def network_of(address: str) -> str:
    """Return what an address counts as: whoever has one of IPv6 has the other 2^64 of its network too."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.IPv6Address(int(known) >> 64 << 64))
