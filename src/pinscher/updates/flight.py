"""One piece of work at a time, and everybody who asks for it meanwhile gets its result."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from pinscher.updates.errors import SlowRetrievalError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Flight(Generic[Result]):
    """Runs *work*, in the thread of whoever asks first, or in one of its own when somebody sets a time limit."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._future: Future[Result] | None = None
        self._pilot: int | None = None

    def join(self, seconds: float | None = None) -> Result:
        """Return the result of the work that is under way, or of new work; wait for *seconds* at most."""
        with self._lock:
            future, is_first = self._future or Future(), self._future is None
            self._future = future
            if not is_first and self._pilot == threading.get_ident():
                raise RuntimeError("a refresh was asked for from within a refresh")
        if is_first and seconds is None:
            self._fly(future)
        elif is_first:
            threading.Thread(target=self._fly, args=(future,), name="pinscher-refresh", daemon=True).start()
        try:
            return future.result(seconds)
        except TimeoutError:
            raise SlowRetrievalError(f"no refresh ended within {seconds:g} seconds") from None

    def _fly(self, future: Future[Result]) -> None:
        self._pilot = threading.get_ident()
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
            self._land()
            future.set_exception(error)
        else:
            self._land()
            future.set_result(result)

    def _land(self) -> None:
        with self._lock:
            self._future = self._pilot = None
