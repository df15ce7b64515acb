"""Live connections are held weakly, and the dead do not pile up."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from pinscher.tls import registry

from .conftest import HOST

if TYPE_CHECKING:
    from pinscher.tls import PinnedObject

    from .conftest import Scene


def _connection(scene: Scene) -> PinnedObject:
    return scene.context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)


def test_the_dead_are_swept(scene: Scene) -> None:
    """A context that makes connections for ever remembers about as many as live."""
    live = registry.LiveConnections()
    kept = _connection(scene)
    live.add(kept)
    for _ in range(3 * registry._SWEPT_FROM):
        live.add(_connection(scene))
    assert kept in live.connections
    assert len(live._references) <= registry._SWEPT_FROM


def test_a_refused_connection_is_forgotten(scene: Scene) -> None:
    """What was registered and refused after all is no longer among the live."""
    live = registry.LiveConnections()
    kept = _connection(scene)
    live.add(kept)
    assert (kept,) == live.connections
    live.discard(kept)
    assert () == live.connections
