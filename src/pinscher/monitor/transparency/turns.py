"""
One log's turn, in a thread of its own and within its time.

Rules of this file:

1. The thread belongs to no pool: nothing else waits for a log that is slow, and the program's end does not either.
2. A turn that is over begins to read nothing more, and what it proved until then counts.
3. A turn that is cut, long after that or because nobody waits for it any more, fetches nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
TURN_SECONDS = 60.0
"""How long one turn of one log goes on reading."""
THREAD = "pinscher log"
"""The name of every thread that reads a log."""
_TIMES_CUT = 3


class Turn:
    """The time that one log has; it begins when this is made."""

    def __init__(self, seconds: float = TURN_SECONDS) -> None:
        now = time.monotonic()
        self._over, self._cut = now + seconds, now + _TIMES_CUT * seconds
        self._is_ended = False

    def is_over(self) -> bool:
        """Whether nothing more is begun (rule 2)."""
        return self._is_ended or time.monotonic() >= self._over

    def is_cut(self) -> bool:
        """Whether nothing more is fetched (rule 3)."""
        return self._is_ended or time.monotonic() >= self._cut

    def end(self) -> None:
        """Cut it now."""
        self._is_ended = True


async def aside(work: Callable[[], T]) -> T:
    """Run *work* in a thread of its own (rule 1); a cancelled wait leaves the thread to its own end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        """Run, and tell whoever still waits."""
        try:
            told = functools.partial(_give, done, work())
        except BaseException as error:  # noqa: BLE001  (it is raised where it is waited for)
            told = functools.partial(_fail, done, error)
        # A loop that is closed waits for nothing.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(told)

    threading.Thread(target=run, name=THREAD, daemon=True).start()
    return await done


def _give(done: asyncio.Future[T], value: T) -> None:
    if not done.done():
        done.set_result(value)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
