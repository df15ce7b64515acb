"""The live connections of a context, held weakly, so that a changed policy can reach them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.tls._cpython import PinnedObject, PinnedSocket


class LiveConnections:
    """
    Connections that were let through and that somebody still holds; each has the ``verdict`` that let it through.

    A plain dictionary of weak references: adding, removing and copying it are each one step for other threads.
    """

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[PinnedSocket | PinnedObject]] = {}

    def add(self, connection: PinnedSocket | PinnedObject) -> None:
        """Remember a connection for as long as somebody else holds it."""
        references, key = self._references, id(connection)
        references[key] = weakref.ref(connection, lambda gone: _forget(references, key, gone))

    def discard(self, connection: PinnedSocket | PinnedObject) -> None:
        """Forget a connection that was refused after all."""
        self._references.pop(id(connection), None)

    @property
    def connections(self) -> tuple[PinnedSocket | PinnedObject, ...]:
        """The connections that live now."""
        found = (reference() for reference in list(self._references.values()))
        return tuple(connection for connection in found if connection is not None)


def _forget(
    references: dict[int, weakref.ref[PinnedSocket | PinnedObject]],
    key: int,
    gone: weakref.ref[PinnedSocket | PinnedObject],
) -> None:
    if references.get(key) is gone:
        references.pop(key, None)
