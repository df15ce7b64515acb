"""The live connections of a context, held weakly, so that a changed policy can reach them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.tls._cpython import PinnedObject, PinnedSocket

_SWEPT_FROM = 256
"""References below which nothing is swept."""


class LiveConnections:
    """
    Connections that were let through and that somebody still holds; each has the ``verdict`` that let it through.

    A plain dictionary of weak references: adding, removing and copying it are each one step for other threads. The dead
    are swept when they may be half of all, which costs a connection less than a callback at its death would.
    """

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[PinnedSocket | PinnedObject]] = {}
        self._sweep_at = _SWEPT_FROM

    def add(self, connection: PinnedSocket | PinnedObject) -> None:
        """Remember a connection for as long as somebody else holds it."""
        self._references[id(connection)] = weakref.ref(connection)
        if len(self._references) >= self._sweep_at:
            self._sweep()

    def discard(self, connection: PinnedSocket | PinnedObject) -> None:
        """Forget a connection that was refused after all."""
        self._references.pop(id(connection), None)

    def _sweep(self) -> None:
        for key, reference in list(self._references.items()):
            # A new connection may have taken a dead one's place between the two steps, and stays.
            if reference() is None and self._references.get(key) is reference:
                self._references.pop(key, None)
        self._sweep_at = max(2 * len(self._references), _SWEPT_FROM)

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that live now."""
        found = (reference() for reference in list(self._references.values()))
        return tuple(connection for connection in found if connection is not None)
