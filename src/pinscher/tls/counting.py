"""
Verdicts, counted for the whole process: by host, outcome, pin, policy and whether the connection was resumed.

A handshake takes no lock for it: the interpreter advances a counter in one step, and adds a row in one. What a reader
returns may miss verdicts of this very moment, and counts none twice.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinscher.pin import Pin
    from pinscher.verdict import Action, Outcome, Verdict

MOST_COUNTED = 4096
"""Different counts that are kept; beyond them verdicts are counted under the host None."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often one thing was found since the process began; ``host`` is None where no usable name was given."""

    host: str | None
    outcome: Outcome
    action: Action
    matched: Pin | None
    policy: str
    version: int
    resumed: bool
    times: int


class Row:
    """One thing that was found, and how often; its counter goes on by one in one step, for all threads."""

    __slots__ = ("counter", "found")

    def __init__(self, found: tuple[Any, ...]) -> None:
        self.found = found
        self.counter = itertools.count()

    @property
    def times(self) -> int:
        """How often it was counted; a counter tells where it stands, without going on, in its text alone."""
        return int(repr(self.counter).removeprefix("count(").removesuffix(")"))


_ROWS: dict[tuple[Any, ...], Row] = {}
"""Every row, by what it counts."""
_SHORT_CUTS: dict[tuple[Any, ...], tuple[Row, tuple[Any, ...]]] = {}
"""
The rows by identities, because hashes of enumerations and pins cost more than the rest together.

Beside the row stands what the identities are of, which lives as long as its short cut.
"""


def count(verdict: Verdict) -> None:
    """Count one verdict of this process; what goes wrong here refuses nobody."""
    with contextlib.suppress(Exception):
        next(row_of(verdict).counter)


def row_of(verdict: Verdict) -> Row:
    """Return the row that counts verdicts like this one, for whoever is going to count many."""
    host, outcome, action, matched = verdict.host, verdict.outcome, verdict.action, verdict.matched
    rest = verdict.policy.name, verdict.policy.version, verdict.resumed
    key = (host, id(outcome), id(action), id(matched), *rest)
    known = _SHORT_CUTS.get(key)
    if known is not None:
        return known[0]
    if len(_SHORT_CUTS) >= MOST_COUNTED:
        # A policy that is read again brings equal pins of another identity.
        _SHORT_CUTS.clear()
    found = (host, outcome, action, matched, *rest)
    row = _ROWS.get(found)
    if row is None:
        if len(_ROWS) >= MOST_COUNTED:
            found = (None, outcome, action, None, *rest)
        row = _ROWS.setdefault(found, Row(found))
    _SHORT_CUTS[key] = row, (outcome, action, matched)
    return row


def stats() -> tuple[Count, ...]:
    """
    Return what every pinned context of this process has found so far, the most frequent first.

    It says that verdicts were made, and nothing of connections that went through no pinned context.
    """
    total: dict[tuple[Any, ...], int] = {}
    # Copying a dictionary is one step for the threads that write it.
    for row in list(_ROWS.values()):
        total[row.found] = total.get(row.found, 0) + row.times
    counts = [Count(*(*found, times)) for found, times in total.items() if times]
    return tuple(sorted(counts, key=lambda one: (-one.times, one.host or "", one.outcome.value)))
