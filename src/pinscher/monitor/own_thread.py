"""
A thread for what takes long, apart from those that asyncio shares among everybody.

Rules of this file:

1. One thing is done after another, in the order in which they came; what nobody waits for any more is not begun.
2. At most so many wait; one more is refused at once.
3. The thread is there while there is something to do, and keeps no process from ending.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from queue import Full
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


class OwnThread:
    """Does one thing after another."""

    def __init__(self, name: str, *, most: int) -> None:
        self._name = name
        self._most = most
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_working = False
        self._lock = threading.Lock()

    def begin(self, work: Callable[[], _Result]) -> Future[_Result]:
        """Return what will hold the result; raise :class:`queue.Full` where too many wait (rule 2)."""
        future: Future[_Result] = Future()
        with self._lock:
            if len(self._waiting) >= self._most:
                raise Full
            if not self._is_working:
                # What a pool starts is waited for at the end of the process; a thread like this one is not (rule 3).
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._is_working = True
            self._waiting.append((future, work))
        return future

    def _work(self) -> None:
        while (next_one := self._next()) is not None:
            _do(*next_one)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            self._is_working = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  (it is raised where the result is waited for)
        future.set_exception(error)
    else:
        future.set_result(result)
