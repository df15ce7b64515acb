"""
The reporter: takes verdicts from connections, and tells them in the background.

Rules of this file:

1. :meth:`Reporter.on_verdict` never blocks and never raises: a verdict goes into a bounded queue, or is counted as
   lost.
2. One thread makes reports and keeps them in the spool, another delivers; neither holds the other up, and neither
   keeps a program from ending.
3. What was lost (a full queue, a full disk, the spool's oldest, repetitions that nobody was told) is counted, and the
   next heartbeat says how many.
4. A verdict is told to the channels that its host's entry names, and to nobody else; an unlisted host has none.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import random
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pinscher.diagnosis import Facts, diagnose
from pinscher.errors import PinningError
from pinscher.reports.channel import Kind
from pinscher.reports.heartbeat import Install, Pulse
from pinscher.reports.limiter import Limiter
from pinscher.reports.sender import Sender
from pinscher.reports.violation import report_of
from pinscher.reports.wire import write_heartbeat, write_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from pinscher.policy import Policy
    from pinscher.reports.channel import Channel
    from pinscher.reports.spool import Spool
    from pinscher.verdict import Verdict

MOST_QUEUED = 256
"""Verdicts that wait to be made reports of."""
INTERVAL = 300.0
"""Seconds in which the same is told once, at most."""
HEARTBEAT = 3600.0
"""Seconds between two heartbeats, give or take a tenth."""


class Reporter:
    """
    Tells verdicts and heartbeats to the channels of a policy; use it in a ``with``, or ``start`` and ``stop`` it.

    Args:
        spool: keeps what is to be told.
        channel_of: returns the channel of a name, made with ``Channel.of`` and a context of its own.
        policy: returns the policy in force, which says who is told and who gets heartbeats.
        library: this library's version, as it is told.
        pulse: makes heartbeats; without one there are none.
        interval: seconds in which the same is told once.
        heartbeat: seconds between two heartbeats.

    """

    def __init__(
        self, spool: Spool, channel_of: Callable[[str], Channel], policy: Callable[[], Policy], *, library: str,
        pulse: Pulse | None = None, interval: float = INTERVAL, heartbeat: float = HEARTBEAT,
    ) -> None:  # fmt: skip
        self.spool = spool
        self.sender = Sender(spool, channel_of)
        self._policy = policy
        self._library = library
        self._pulse = pulse
        self._limiter = Limiter(interval)
        self._heartbeat = heartbeat
        self._queue: queue.Queue[Verdict | None] = queue.Queue(MOST_QUEUED)
        self._lost = itertools.count()
        self._told_lost = 0
        self._told_dropped = spool.dropped
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beat_at = time.monotonic() + heartbeat * random.uniform(0, 0.1)  # noqa: S311
        self._threads = [
            threading.Thread(target=self._make, name="pinscher reports", daemon=True),
            threading.Thread(target=self._send, name="pinscher reports, delivery", daemon=True),
        ]

    def start(self) -> None:
        """Begin to tell what the spool already holds, and what comes."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Keep what was taken so far in the spool, and end; a delivery under way gets so many seconds."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=seconds)
        self._wake.set()
        for thread in self._threads:
            thread.join(seconds)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def on_verdict(self, verdict: Verdict) -> None:
        """Take a verdict, as ``PinnedContext(on_verdict=…)`` hands it over (rule 1)."""
        entry = verdict.host_policy
        if not verdict.is_reportable or entry is None or not entry.report_to:
            return
        try:
            self._queue.put_nowait(verdict)
        except queue.Full:
            next(self._lost)

    @property
    def lost(self) -> int:
        """How many verdicts and reports of this process were lost before the spool (rule 3)."""
        return int(repr(self._lost).removeprefix("count(").removesuffix(")"))

    def _make(self) -> None:
        while (verdict := self._queue.get()) is not None:
            self._keep(verdict)
            self._wake.set()

    def _keep(self, verdict: Verdict) -> None:
        """Put a verdict in the spool for each of its channels, unless the same was told a moment ago."""
        entry = verdict.host_policy
        names = () if entry is None else entry.report_to
        for channel in names:
            times = self._limiter.times(channel, verdict.id, time.monotonic())
            if times:
                report = report_of(verdict, diagnose(verdict, Facts()), library=self._library, times=times)
                self._accept(channel, Kind.REPORT, write_report(report))

    def _accept(self, channel: str, kind: Kind, content: bytes) -> None:
        try:
            self.spool.accept(channel, kind, content)
        except (PinningError, OSError, ValueError):
            # A disk that is full or gone; the connection that is told about went its way long ago.
            next(self._lost)

    def _send(self) -> None:
        while not self._stopping.is_set():
            self._beat_if_due()
            due = self._step()
            until_beat = max(0.0, self._beat_at - time.monotonic()) if self._pulse is not None else None
            waits = [wait for wait in (due, until_beat) if wait is not None]
            self._wake.wait(min(waits) if waits else None)
            self._wake.clear()

    def _step(self) -> float | None:
        try:
            return self.sender.step()
        except (PinningError, OSError):
            # The spool itself cannot be read or written; it may be again.
            return 60.0

    def _beat_if_due(self) -> None:
        if self._pulse is None or time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + self._heartbeat * random.uniform(0.9, 1.1)  # noqa: S311
        self.beat(self._pulse, datetime.now(UTC))

    def beat(self, pulse: Pulse, at: datetime) -> None:
        """Put a heartbeat in the spool for every channel of the policy that wants them."""
        policy = self._policy()
        wanting = [channel.name for channel in policy.reporting.values() if channel.heartbeats]
        if not wanting:
            return
        kept = self._read(self.spool.install)
        install = Install.read(kept, at)
        if install.write() != kept:
            self._read(lambda: self.spool.keep_install(install.write()))
        content = write_heartbeat(pulse.beat(policy, install, at, lost=self._take_lost()))
        for name in wanting:
            self._accept(name, Kind.HEARTBEAT, content)

    def _read(self, play: Callable[[], Any]) -> Any:
        try:
            return play()
        except (PinningError, OSError):
            return None

    def _take_lost(self) -> int:
        lost, dropped = self.lost, self.spool.dropped
        fresh = lost - self._told_lost + dropped - self._told_dropped + self._limiter.take_forgotten()
        self._told_lost, self._told_dropped = lost, dropped
        return fresh
