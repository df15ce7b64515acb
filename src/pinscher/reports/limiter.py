"""
How often the same is told: at once when it is new, then no more often than an interval, with the number in between.

The same is a verdict's id: one refusal under one policy, whenever it happens. A retry is not a second attack.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_KINDS = 256
"""Different reports that are remembered; beyond them the one that was told the longest ago is forgotten."""


@dataclass(slots=True)
class _Told:
    at: float
    since: int = 0


@dataclass(slots=True)
class Limiter:
    """Decides what is told now; times are seconds of a clock that does not go back."""

    interval: float
    _told: OrderedDict[tuple[str, str], _Told] = field(default_factory=OrderedDict)
    forgotten: int = 0
    """Repetitions whose number nobody was told, because too many different things happened."""

    def times(self, channel: str, kind: str, now: float) -> int:
        """Return how many *kind* stands for if it is to be told now, or 0 if it was told a moment ago."""
        told = self._told.get((channel, kind))
        if told is not None and now - told.at < self.interval:
            told.since += 1
            return 0
        times = 1 + (0 if told is None else told.since)
        self._told[(channel, kind)] = _Told(now)
        self._told.move_to_end((channel, kind))
        if len(self._told) > MOST_KINDS:
            self.forgotten += self._told.popitem(last=False)[1].since
        return times

    def take_forgotten(self) -> int:
        """Return the number of repetitions that nobody was told, and begin to count anew."""
        forgotten, self.forgotten = self.forgotten, 0
        return forgotten
