"""
Verdicts, counted for the whole process: by host, outcome, pin, policy and whether the connection was resumed.

Every thread counts in a table of its own, so that a handshake takes no lock. A reader adds the tables up: what it
returns may miss verdicts of this very moment, and counts none twice.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.pin import Pin
    from pinscher.verdict import Action, Outcome, Verdict

MOST_COUNTED = 4096
"""Different counts that one thread keeps; beyond them verdicts are counted under the host None."""


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


_Table: TypeAlias = dict[tuple[Any, ...], list[Any]]
"""What was found, with enumerations and pins by identity, and how often, with the values themselves."""


class _End:
    """Lives as long as the thread-local that holds it: as its thread, or its greenlet."""


class _Own(threading.local):
    """The table of the thread that asks."""

    def __init__(self) -> None:
        self.table: _Table = {}
        self.end = _End()
        table = self.table
        with _LOCK:
            _fold()
            # The callback may run in the middle of anything, so that it does nothing but one append.
            _TABLES.append((weakref.ref(self.end, lambda _: _ENDED.append(table)), table))


_LOCK = threading.Lock()
_TABLES: list[tuple[weakref.ref[_End], _Table]] = []
_ENDED: collections.deque[_Table] = collections.deque()
_OF_THE_ENDED: _Table = {}


def _fold() -> None:
    """Add the tables of threads that ended to one, and forget them."""
    while _ENDED:
        ended = _ENDED.popleft()
        _add(_OF_THE_ENDED, ended)
        _TABLES[:] = [one for one in _TABLES if one[1] is not ended]


def count(verdict: Verdict) -> None:
    """Count one verdict of this process; what goes wrong here refuses nobody."""
    with contextlib.suppress(Exception):
        _count(verdict)


def _count(verdict: Verdict) -> None:
    host, outcome, action, matched = verdict.host, verdict.outcome, verdict.action, verdict.matched
    table, name, version = _own.table, verdict.policy.name, verdict.policy.version
    # Identities, because hashes of enumerations and pins cost more than the rest together; the row keeps them alive.
    key = (host, id(outcome), id(action), id(matched), name, version, verdict.resumed)
    found = table.get(key)
    if found is None:
        if len(table) >= MOST_COUNTED:
            host = matched = None
            key = (None, id(outcome), id(action), id(None), name, version, verdict.resumed)
        found = table.setdefault(key, [0, host, outcome, action, matched, name, version, verdict.resumed])
    found[0] += 1


def stats() -> tuple[Count, ...]:
    """
    Return what every pinned context of this process has found so far, the most frequent first.

    It says that verdicts were made, and nothing of connections that went through no pinned context.
    """
    total: dict[Any, int] = {}
    for times, *found in _rows():
        total[tuple(found)] = total.get(tuple(found), 0) + times
    counts = [Count(*(*found, times)) for found, times in total.items()]
    return tuple(sorted(counts, key=lambda one: (-one.times, one.host or "", one.outcome.value)))


def _rows() -> Iterator[list[Any]]:
    with _LOCK:
        _fold()
        tables = [_OF_THE_ENDED, *(table for _, table in _TABLES)]
        # Copying a dictionary is one step for the thread that writes it.
        return iter([list(row) for table in tables for row in list(table.values())])


def _add(total: _Table, table: _Table) -> None:
    for key, row in table.items():
        known = total.setdefault(key, [0, *row[1:]])
        known[0] += row[0]


_own = _Own()
