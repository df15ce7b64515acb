"""
What a context tells of its verdicts: to ``on_verdict``, and to whoever asks for the last refusals.

Rules of this file:

1. Telling comes after deciding. Whatever ``on_verdict`` raises is counted and logged, and changes nothing.
2. Every verdict that lets a connection through is told. A refusal is told once a minute for as long as it repeats:
   clients retry by themselves, and four handshakes of one request are one attack.
3. The record is bounded.
4. A keeper hears only of what somebody should look at, so that a matching handshake pays nothing for being kept.
"""

from __future__ import annotations

import collections
import functools
import threading
import time
from typing import TYPE_CHECKING

from pinscher.turn import Turn
from pinscher.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.verdict import Verdict

REFUSALS_KEPT = 64
"""Refusals that a context remembers."""

QUIET_SECONDS = 60.0
"""For how long the same refusal is not told again."""

_RECORDING = Turn(threading.RLock)
"""One for all contexts, because refusals are few; taken again by a signal's handler that asks for verdicts."""


class VerdictRecord:
    """The last refusals of one context, and the way to its ``on_verdict``."""

    def __init__(
        self,
        on_verdict: Callable[[Verdict], object] | None,
        on_trouble: Callable[[Verdict], object] | None = None,
    ) -> None:
        self._on_verdict = on_verdict
        self._on_trouble = on_trouble
        self.has_listener = on_verdict is not None
        self._refusals: collections.deque[Verdict] = collections.deque(maxlen=REFUSALS_KEPT)
        self._told: collections.OrderedDict[str, float] = collections.OrderedDict()
        self.failures = 0
        """How often ``on_verdict`` raised."""

    @property
    def refusals(self) -> tuple[Verdict, ...]:
        """The last refusals, the newest last."""
        with _RECORDING.lock:
            return tuple(self._refusals)

    def telling(self, verdict: Verdict) -> Callable[[], None]:
        """Return what tells of a verdict once its connection is open, whole: a verdict kept keeps no connection."""
        _ = None if verdict.chain is None else verdict.chain.certificates
        return functools.partial(self.tell, verdict)

    def tell(self, verdict: Verdict) -> None:
        """Record a verdict and hand it on."""
        if verdict.action is Action.BLOCK:
            if not self._is_news(verdict):
                return
            self.tell_trouble(verdict)
        if self._on_verdict is not None:
            self._hand_on(self._on_verdict, verdict)

    def tell_trouble(self, verdict: Verdict) -> None:
        """Hand a verdict on to a keeper, if there is one (rule 4)."""
        if self._on_trouble is not None:
            self._hand_on(self._on_trouble, verdict)

    def _is_news(self, verdict: Verdict) -> bool:
        """Record a refusal, and tell whether it is another one than those of the last minute."""
        at, key = time.monotonic(), verdict.id
        with _RECORDING.lock:
            last = self._told.pop(key, None)
            is_news = last is None or at - last >= QUIET_SECONDS
            self._told[key] = at if last is None or is_news else last
            if len(self._told) > REFUSALS_KEPT:
                self._told.popitem(last=False)
            if is_news:
                self._refusals.append(verdict)
            return is_news

    def _hand_on(self, on_verdict: Callable[[Verdict], object], verdict: Verdict) -> None:
        try:
            on_verdict(verdict)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            self.failures += 1
            import logging  # noqa: PLC0415  (only a failing callback pays for it)

            logging.getLogger("pinscher").exception("on_verdict raised; the connection's verdict stands")
