"""
Argon2id, one derivation at a time in a process.

Rules of this file:

1. Each derivation takes tens of megabytes and a thread for each of its lanes, and several at once only take them from
   each other. Whoever derives a key or compares a hash holds :func:`one_derivation` meanwhile.
2. It is held by the thread that derives, until that thread is done: a caller who no longer waits lets nobody in.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pinscher.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

_TURN = Turn()


@contextlib.contextmanager
def one_derivation() -> Iterator[None]:
    """Wait until no other thread of this process derives anything by Argon2id, and keep the others out."""
    with _TURN.lock:
        yield
