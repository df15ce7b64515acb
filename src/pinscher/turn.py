"""A lock that a forked child does not inherit from a thread that it does not have."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Turn:
    """
    Whose turn it is in this process, for as long as the process lives.

    A child that is forked while another thread holds a lock would wait for it for ever; it begins with a free one.
    Take ``lock`` once and release the one that was taken: it is another one in a child.

    Args:
        make: what makes the lock; ``threading.RLock`` where a signal may interrupt the one whose turn it is, and its
            handler wants the same.
    """

    __slots__ = ("_make", "lock")
    lock: Any

    def __init__(self, make: Callable[[], Any] = threading.Lock) -> None:
        self._make = make
        self.begin_anew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin_anew)

    def begin_anew(self) -> None:
        """Let the next one in, whoever is in."""
        self.lock = self._make()
