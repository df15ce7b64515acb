"""Live connections are held weakly, and the dead do not pile up."""

from __future__ import annotations

import ssl
import threading
import weakref
from typing import TYPE_CHECKING

from pinscher.tls import registry

from .conftest import HOST

if TYPE_CHECKING:
    from pinscher.tls import PinnedObject

    from .conftest import Scene


def _connection(scene: Scene) -> PinnedObject:
    connection = scene.context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    connection.verdict = "what let it through"
    return connection


def test_the_dead_are_swept(scene: Scene) -> None:
    """A context that makes connections for ever remembers about as many as live."""
    live = registry.LiveConnections()
    kept = _connection(scene)
    live.add(weakref.ref(kept))
    for _ in range(3 * registry._SWEPT_FROM):
        live.add(weakref.ref(_connection(scene)))
        if len(live.references) >= live.sweep_at:
            live.sweep()
    assert (kept,) == live.connections
    assert len(live.references) <= registry._SWEPT_FROM


def test_a_sweep_under_way_is_not_begun_again(scene: Scene) -> None:
    """Two threads that find many dead do not sweep at the same time, and neither waits."""
    live = registry.LiveConnections()
    for _ in range(registry._SWEPT_FROM):
        live.add(weakref.ref(_connection(scene)))
    with registry._SWEEPING.lock:
        live.sweep()
        assert registry._SWEPT_FROM == len(live.references)
    live.sweep()
    assert 0 == len(live.references)


def test_threads_that_look_while_another_sweeps_miss_nobody(scene: Scene) -> None:
    """Whoever lists the connections while the dead are swept sees every one that lives."""
    live = registry.LiveConnections()
    kept = {_connection(scene) for _ in range(100)}
    for connection in kept:
        live.add(weakref.ref(connection))
    over, missed = threading.Event(), []

    def look() -> None:
        while not over.is_set():
            missed.extend(kept.difference(live.connections))

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(500):
        live.sweep_at = 1
        live.sweep()
    over.set()
    looking.join()
    assert [] == missed


def test_only_what_was_let_through_is_listed(scene: Scene) -> None:
    """A connection that was not judged yet, or was refused, is not among the live ones."""
    live = registry.LiveConnections()
    kept = _connection(scene)
    live.add(weakref.ref(kept))
    assert (kept,) == live.connections
    kept.verdict = None
    assert () == live.connections
