"""The live connections of a context, held weakly, so that a changed policy can reach them."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

    from pinscher.tls._cpython import PinnedObject, PinnedSocket

_SWEPT_FROM = 256
"""References below which nothing is swept."""


class LiveConnections:
    """
    Connections that somebody still holds; those that were let through have the ``verdict`` that did so.

    A queue of weak references: adding and copying are each one step for other threads. The dead are swept when they may
    be half of all, which costs a connection less than a callback at its death would.
    """

    __slots__ = ("_references", "_sweep_at", "_sweeping", "add")
    add: Callable[[weakref.ref[Any]], None]
    """Adds a reference; the queue's own method, because every connection calls it."""

    def __init__(self) -> None:
        self._references: collections.deque[weakref.ref[PinnedSocket | PinnedObject]] = collections.deque()
        self._sweep_at = _SWEPT_FROM
        self._sweeping = threading.Lock()
        self.add = self._references.append

    def sweep_if_due(self) -> None:
        """Forget the dead, where many may be among the references and nobody else is at it."""
        if len(self._references) < self._sweep_at or not self._sweeping.acquire(blocking=False):
            return
        try:
            for _ in range(len(self._references)):
                # Added again before it is taken away, so that whoever copies the queue in between misses nobody.
                reference = self._references[0]
                if reference() is not None:
                    self._references.append(reference)
                self._references.popleft()
            self._sweep_at = max(2 * len(self._references), _SWEPT_FROM)
        finally:
            self._sweeping.release()

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that were let through, live, and were not refused since."""
        found = dict.fromkeys(reference() for reference in list(self._references))
        return tuple(one for one in found if one is not None and one.verdict is not None and not _is_refused(one))


def _is_refused(connection: PinnedSocket | PinnedObject) -> bool:
    return connection.gate is not None and connection.gate.is_refused
