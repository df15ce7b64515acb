"""
A policy file that is followed while a forwarder runs.

Rules of this file:

1. A change is read once the file has kept still from one look to the next, for it may be half written. Whoever
   replaces the file in one step (``mv``) is never in doubt.
2. A file that cannot be used is told, and the policy in force stays. It is read again when it changes again.
3. A policy that says the same is not put in force again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, TypeAlias

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.policy import Policy

Signature: TypeAlias = tuple[int, int, int, int] | None
INTERVAL = 0.5
"""Seconds between two looks."""


class PolicyFile:
    """A file that holds a policy; *load* reads it, and raises ``PinningError`` where it cannot be used."""

    def __init__(self, path: str, load: Callable[[], Policy]) -> None:
        self._path = path
        self._load = load
        self._used = self._seen = _signature(path)
        self._asked = asyncio.Event()
        self.policy = load()
        """The policy that was read last."""

    def reload(self) -> None:
        """Have the file read at the next turn of :meth:`follow`, whether it changed or not."""
        self._asked.set()

    async def follow(
        self, *, changed: Callable[[Policy], object], failed: Callable[[str], object], every: float = INTERVAL
    ) -> None:
        """Call *changed* with every other policy and *failed* with the reason of every failure, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), every)
            if self.look():
                await self._read(changed, failed)

    def look(self) -> bool:
        """Look at the file once, and tell whether it is time to read it (rule 1)."""
        before, self._seen = self._seen, _signature(self._path)
        is_due = self._asked.is_set() or (self._seen == before and self._seen != self._used)
        if is_due:
            self._asked.clear()
            self._used = self._seen
        return is_due

    async def _read(self, changed: Callable[[Policy], object], failed: Callable[[str], object]) -> None:
        try:
            policy = await asyncio.to_thread(self._load)
        except (PinningError, OSError) as error:
            failed(str(error) if isinstance(error, PinningError) else escaped(str(error)))
            return
        if policy.digest != self.policy.digest:
            self.policy = policy
            changed(policy)


def _signature(path: str) -> Signature:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
