"""
The reporter: takes verdicts and alarms, and tells them in the background.

Rules of this file:

1. :meth:`Reporter.on_verdict` and :meth:`Reporter.on_alarm` never block and never raise: what they are told goes into
   a bounded queue, or is counted as lost. Not even the spool is opened by whoever tells.
2. One thread makes reports and keeps them in the spool, another delivers; neither holds the other up, and neither
   keeps a program from ending.
3. What was lost (a full queue, a full disk, the spool's oldest, repetitions that nobody was told) is counted, and the
   next heartbeat says how many.
4. A verdict is told to the channels that its host's entry names, and to nobody else; an unlisted host has none. Where
   another policy healed it, an emergency one, the entry of the policy in force says whom to tell. An alarm is about the
   whole policy, and is told to every channel that it names.
5. An alarm that the spool does not take, because the disk itself is the trouble, is told at once or is lost.
6. The end is bounded: what was taken goes into the spool, a last heartbeat with it, and what is due is tried once.
7. A spool that cannot be opened ends no thread: it is opened when there is something to tell again, and what was
   counted until then stands in the first heartbeat that it takes.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import random
import secrets
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pinscher.diagnosis import Facts, diagnose
from pinscher.errors import PinningError
from pinscher.reports.alarm import Alarm, alarm_report
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
    Tells verdicts, alarms and heartbeats to a policy's channels; use it in a ``with``, or ``start`` and ``stop`` it.

    Args:
        spool: keeps what is to be told; or what opens it, called once and by a thread of the reporter.
        channel_of: returns the channel of a name, made with ``Channel.of`` and a context of its own.
        policy: returns the policy in force, which says who is told and who gets heartbeats.
        library: this library's version, as it is told.
        pulse: makes heartbeats; without one there are none.
        interval: seconds in which the same is told once.
        heartbeat: seconds between two heartbeats.

    """

    def __init__(
        self, spool: Spool | Callable[[], Spool], channel_of: Callable[[str], Channel], policy: Callable[[], Policy], *,
        library: str, pulse: Pulse | None = None, interval: float = INTERVAL, heartbeat: float = HEARTBEAT,
    ) -> None:  # fmt: skip
        self._open = spool if callable(spool) else lambda: spool
        self._opening = threading.Lock()
        self._opened: Spool | None = None
        self._channel_of = channel_of
        self._policy = policy
        self._library = library
        self._pulse = pulse
        self._limiter = Limiter(interval)
        self._heartbeat = heartbeat
        self._queue: queue.Queue[Verdict | Alarm | None] = queue.Queue(MOST_QUEUED)
        self._lost = itertools.count()
        self._told_lost = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._beat_at = time.monotonic() + heartbeat * random.uniform(0, 0.1)  # noqa: S311
        self._threads = [
            threading.Thread(target=self._make, name="pinscher reports", daemon=True),
            threading.Thread(target=self._send, name="pinscher reports, delivery", daemon=True),
        ]

    def start(self) -> None:
        """Begin to tell what the spool already holds, and what comes."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 5.0) -> bool:
        """Keep what was taken in the spool, deliver what is due, and end within *seconds*; tell whether all ended."""
        deadline = time.monotonic() + seconds
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=seconds)
        self._wake.set()
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        self._over.set()
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def spool(self) -> Spool:
        """What keeps what is to be told; opened at the first use."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
                self._told_dropped = self._opened.dropped
                self._sender = Sender(self._opened, self._channel_of, is_over=self._over.is_set)
            return self._opened

    @property
    def sender(self) -> Sender:
        """What delivers, and knows why a channel does not work."""
        _ = self.spool
        return self._sender

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
        if (verdict.is_reportable or verdict.steps) and self._names(verdict):
            self._take(verdict)

    def on_alarm(self, alarm: Alarm) -> None:
        """Take an alarm (rule 1)."""
        if self._names(alarm):
            self._take(alarm)

    def _take(self, told: Verdict | Alarm) -> None:
        try:
            self._queue.put_nowait(told)
        except queue.Full:
            next(self._lost)

    def _names(self, told: Verdict | Alarm) -> tuple[str, ...]:
        """Return the channels that are told (rule 4)."""
        if isinstance(told, Alarm):
            return tuple(self._policy().reporting)
        entry = told.host_policy
        if entry is not None and not entry.report_to and told.steps:
            entry = self._policy().lookup_canonical(entry.host if told.host is None else told.host)
        return () if entry is None else entry.report_to

    @property
    def lost(self) -> int:
        """How many verdicts and reports of this process were lost before the spool (rule 3)."""
        return int(repr(self._lost).removeprefix("count(").removesuffix(")"))

    def _make(self) -> None:
        while (told := self._queue.get()) is not None:
            self._keep(told)
            self._wake.set()

    def _keep(self, told: Verdict | Alarm) -> None:
        """Put a report in the spool for each of its channels, unless the same was told a moment ago."""
        for channel in self._names(told):
            times = self._limiter.times(channel, told.id, time.monotonic())
            if not times:
                continue
            if isinstance(told, Alarm):
                report = alarm_report(told, self._policy(), library=self._library, times=times)
            else:
                report = report_of(told, diagnose(told, Facts()), library=self._library, times=times)
            content = write_report(report)
            if not self._accept(channel, Kind.REPORT, content):
                self._lose(told, channel, content)

    def _accept(self, channel: str, kind: Kind, content: bytes) -> bool:
        try:
            self.spool.accept(channel, kind, content)
        except (PinningError, OSError, ValueError):
            # A disk that is full or gone; the connection that is told about went its way long ago.
            return False
        return True

    def _lose(self, told: Verdict | Alarm, channel: str, content: bytes) -> None:
        """Tell an alarm at once (rule 5), or count what is lost."""
        if isinstance(told, Alarm):
            try:
                self._channel_of(channel).deliver(Kind.REPORT, content, key=secrets.token_hex(16))
            except PinningError:
                pass
            else:
                return
        next(self._lost)

    def _send(self) -> None:
        while not self._stopping.is_set():
            self._beat_if_due()
            due = self._step()
            until_beat = max(0.0, self._beat_at - time.monotonic()) if self._pulse is not None else None
            waits = [wait for wait in (due, until_beat) if wait is not None]
            self._wake.wait(min(waits) if waits else None)
            self._wake.clear()
        self._end()

    def _end(self) -> None:
        """Tell what is left, once (rule 6)."""
        self._threads[0].join()
        if self._over.is_set():
            return
        if self._pulse is not None:
            self.beat(self._pulse, datetime.now(UTC), is_last=True)
        self._step()

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

    def beat_soon(self) -> None:
        """Have the next heartbeat now; what it tells is needed before its time."""
        self._beat_at = 0.0
        self._wake.set()

    def beat(self, pulse: Pulse, at: datetime, *, is_last: bool = False) -> None:
        """Put a heartbeat in the spool for every channel that wants them; a last one only where it tells something."""
        policy = self._policy()
        wanting = [channel.name for channel in policy.reporting.values() if channel.heartbeats]
        if not wanting or self._read(lambda: self.spool) is None:
            # Nothing is taken from the counts before there is a spool for them (rule 7).
            return
        kept = self._read(self.spool.install)
        install = Install.read(kept, at)
        if install.write() != kept:
            self._read(lambda: self.spool.keep_install(install.write()))
        heartbeat = pulse.beat(policy, install, at, lost=self._take_lost())
        if is_last and not heartbeat.counts and not heartbeat.lost:
            return
        content = write_heartbeat(heartbeat)
        for name in wanting:
            if not self._accept(name, Kind.HEARTBEAT, content):
                next(self._lost)

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
