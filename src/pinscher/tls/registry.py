"""The live connections of a context, held weakly, so that a changed policy can reach them."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

from pinscher.tls._cpython import is_standing
from pinscher.turn import Turn

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

    from pinscher.tls._cpython import PinnedObject, PinnedSocket

_SWEPT_FROM = 256
"""References below which nothing is swept."""

_SWEEPING = Turn()


class LiveConnections:
    """
    Connections that somebody still holds; those that were let through have the ``verdict`` that did so.

    A queue of weak references: adding and copying are each one step for other threads. The dead are swept when they may
    be half of all, which costs a connection less than a callback at its death would.
    """

    __slots__ = ("add", "references", "sweep_at")
    add: Callable[[weakref.ref[Any]], None]
    """Adds a reference; the queue's own method, because every connection calls it."""
    references: collections.deque[weakref.ref[PinnedSocket | PinnedObject]]
    sweep_at: int
    """As many references as this, and whoever adds one sweeps; told, and not asked for, for the same reason."""

    def __init__(self) -> None:
        self.references = collections.deque()
        self.sweep_at = _SWEPT_FROM
        self.add = self.references.append

    def sweep(self) -> None:
        """Forget the dead, unless somebody is at it."""
        lock = _SWEEPING.lock
        if not lock.acquire(blocking=False):
            return
        try:
            for _ in range(len(self.references)):
                # Added again before it is taken away, so that whoever copies the queue in between misses nobody.
                reference = self.references[0]
                if reference() is not None:
                    self.references.append(reference)
                self.references.popleft()
            self.sweep_at = max(2 * len(self.references), _SWEPT_FROM)
        finally:
            lock.release()

    @property
    def standing(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that were not ended; some have no verdict yet, and some may only receive any more."""
        found = dict.fromkeys(reference() for reference in list(self.references))
        return tuple(one for one in found if one is not None and is_standing(one))

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that were let through, live, and were not refused since; each has a verdict."""
        return tuple(one for one in self.standing if one.verdict is not None)
