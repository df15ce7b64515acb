"""
Every limit of an update, with its unit: sizes in octets, times in seconds or as a ``timedelta``.

Whoever serves an update chooses its size, its speed and how often it is asked for; these numbers bound all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one refresh may cost."""

    root_octets: int = 512 * 1024
    timestamp_octets: int = 16 * 1024
    snapshot_octets: int = 2 * 1024 * 1024
    targets_octets: int = 4 * 1024 * 1024
    bundle_octets: int = 32 * 1024 * 1024
    """The largest policy document; what the targets metadata say of one bundle bounds it further."""
    root_rotations: int = 256
    """New versions of root that one refresh climbs."""
    delegations: int = 32
    """Roles that are asked about one bundle."""
    idle_seconds: float = 10.0
    """How long one read from the network may take."""
    file_seconds: float = 30.0
    """How long one file may take from the first octet sent to the last received, name resolution apart."""
    lock_seconds: float = 60.0
    """How long to wait for another process that is refreshing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often the repository is asked."""

    every: timedelta = timedelta(hours=1)
    """Between two refreshes that succeed."""
    least: timedelta = timedelta(seconds=30)
    """Between any two refreshes, whatever provokes them."""
    most: timedelta = timedelta(hours=6)
    """Between two refreshes after failures, however many there were."""
    jitter: float = 0.2
    """The share of an interval by which it is varied, so that a fleet does not ask in step."""

    def __post_init__(self) -> None:
        """Refuse intervals that contradict each other."""
        if not timedelta() <= self.least <= self.every <= self.most:
            raise ValueError("expected intervals with least <= every <= most")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"expected a jitter from 0 to below 1, found {self.jitter!r}")

    def delay(self, failures: int, chance: float) -> float:
        """
        Return the seconds until the next refresh.

        Args:
            failures: how many refreshes have failed in a row; the wait begins at the minimum and doubles with each.
            chance: a random number from 0 to below 1.
        """
        wait: timedelta = min(self.least * 2 ** min(failures - 1, 20), self.most) if failures else self.every
        varied: float = wait.total_seconds() * (1 + self.jitter * (2 * chance - 1))
        return max(varied, self.least.total_seconds())


LONGEST_OVERRIDE = timedelta(hours=72)
"""How far ahead an emergency policy may reach; a client refuses one that reaches further."""
ROOT_LIFETIME = timedelta(days=365)
TARGETS_LIFETIME = timedelta(days=120)
SNAPSHOT_LIFETIME = timedelta(days=7)
TIMESTAMP_LIFETIME = timedelta(days=2)
"""How long a frozen mirror can hide a newer bundle before clients notice: the timestamp's lifetime."""
CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far a clock may be behind a time that an accepted update proved."""
