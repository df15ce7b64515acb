"""
What a mismatch asks of an updater, and how often.

Rules of this file:

1. An answer, and a failure too, counts only when the repository was asked after the mismatch: a refresh that was under
   way by then may have looked before the mending policy was there.
2. Between two refreshes lies the updater's minimum interval, whatever provokes them.
3. A mismatch that a refresh did not mend is remembered. For the first minute the same one provokes again after the
   minimum interval, so that whoever waits for a mending policy gets it; from then on only after twice the time, up to
   a limit: somebody who shows a fleet a wrong key does not turn it against its own update server.
4. Nobody waits for longer than the time limit; where it is known that the answer comes later, nobody waits at all.
"""

from __future__ import annotations

import collections
import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import PinningError
from pinscher.updates import SlowRetrievalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.policy import Policy
    from pinscher.updates import Updater
    from pinscher.verdict import Verdict

MISMATCHES_REMEMBERED = 256
"""Mismatches of which is known how often they provoked a refresh in vain."""
PROMPT_SECONDS = 60.0
"""Seconds from its first time on in which a mismatch provokes again without waiting longer each time."""


@dataclass(slots=True)
class _Vain:
    """A mismatch that was not mended: since when, when last asked about, and how often after the first minute."""

    since: float
    at: float
    attempts: int
    times: int = 0


class Doctor:
    """
    Asks an updater on behalf of mismatches.

    Args:
        updater: who is asked.
        least: seconds after which a mismatch that was not mended provokes again, at first.
        most: seconds after which it does so at the latest.
        clock: seconds that never go back.
    """

    def __init__(
        self, updater: Updater, *, least: float, most: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._updater = updater
        self._least, self._most, self._clock = least, most, clock
        self._lock = threading.Lock()
        self._vain: collections.OrderedDict[bytes, _Vain] = collections.OrderedDict()
        self._thread: threading.Thread | None = None
        self._is_wanted = False
        self._closed = threading.Event()

    def refresh(self, refused: Verdict, seconds: float) -> str:
        """Ask, wait for *seconds* at most, and return in words what came of it."""
        began = self._clock()
        before = self._updater.attempts
        mismatch = _key(refused)
        pause = self._pause(mismatch)
        if pause > seconds:
            return f"not asked again, for it did not help before; the next time in {pause:.0f} s"
        self._closed.wait(pause)
        answer = self.ask(seconds - pause, before=before)
        is_mended = self._updater.policy != refused.policy
        if answer is None:
            self._remember(mismatch, is_mended=is_mended)
            answer = f"version {_version(self._updater.policy)}" if is_mended else "nothing newer"
        return f"{answer}, after {self._clock() - began:.2f} s"

    def ask(self, seconds: float, *, before: int | None = None) -> str | None:
        """Return None once the repository was asked after *before* attempts (rule 1), or why it was not."""
        updater, deadline = self._updater, self._clock() + seconds
        known = updater.attempts if before is None else before
        while not self._closed.is_set():
            left = deadline - self._clock()
            if updater.attempts == known and updater.patience > max(left, 0):
                return f"not asked, {updater.patience:.0f} s of the minimum interval are left"
            if updater.attempts == known:
                self._closed.wait(updater.patience)
            try:
                updater.refresh(max(deadline - self._clock(), 0.0))
            except SlowRetrievalError as error:
                return f"no answer in time ({error.reason})"
            except PinningError as error:
                # What was under way before failed before, and may succeed now.
                if updater.attempts > known:
                    return f"failed with {type(error).__name__}"
            if updater.attempts > known:
                return None
        return "not asked, the keeper is closed"

    def ask_elsewhere(self, refused: Verdict, seconds: float) -> str:
        """Ask in a thread of this object, which asks once more when it is called while it asks."""
        pause = self._pause(_key(refused))
        if pause > seconds:
            return f"not asked again, for it did not help before; the next time in {pause:.0f} s"
        with self._lock:
            self._is_wanted = True
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._run, args=(refused, seconds), name="pinscher-healer", daemon=True
                )
                self._thread.start()
        return "asked in the background, this connection does not wait"

    def _run(self, refused: Verdict, seconds: float) -> None:
        while True:
            with self._lock:
                if not self._is_wanted or self._closed.is_set():
                    self._thread = None
                    return
                self._is_wanted = False
            self.refresh(refused, seconds)

    def close(self, seconds: float) -> None:
        """End the thread; whoever waits is told."""
        self._closed.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _pause(self, mismatch: bytes) -> float:
        """Return the seconds until a mismatch may provoke again (rule 3)."""
        with self._lock:
            vain = self._vain.get(mismatch)
            if vain is None:
                return 0.0
            wait = min(self._least * 2.0 ** min(vain.times, 30), self._most)
            return max(vain.at + wait - self._clock(), 0.0)

    def _remember(self, mismatch: bytes, *, is_mended: bool) -> None:
        with self._lock:
            if is_mended:
                self._vain.clear()
                return
            now, attempts = self._clock(), self._updater.attempts
            vain = self._vain.pop(mismatch, None) or _Vain(now, now, attempts)
            if vain.attempts != attempts:
                # Of many connections that wait for one refresh, one counts.
                vain.at, vain.attempts = now, attempts
                vain.times += now - vain.since > PROMPT_SECONDS
            self._vain[mismatch] = vain
            if len(self._vain) > MISMATCHES_REMEMBERED:
                self._vain.popitem(last=False)


def _key(refused: Verdict) -> bytes:
    """Return what tells a mismatch from others: the host, the policy's version and the leaf."""
    leaf = b"" if refused.chain is None else refused.chain.leaf
    return hashlib.sha256(f"{refused.host} {refused.policy.version}\n".encode() + leaf).digest()


def _version(policy: Policy | None) -> int:
    return 0 if policy is None else policy.version
