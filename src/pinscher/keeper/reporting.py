"""
A keeper's reports: verdicts, alarms and heartbeats, told to the channels that the policy in force names.

Rules of this file:

1. Nothing is begun before a policy names a channel: no thread, no folder, and nothing is sent.
2. A channel's context is its own: it holds the channel's pins and none of the policy's, which may be what is wrong.
3. Whoever tells never waits: the spool is opened, written and delivered by threads of the reporter.
4. An alarm that is raised before there is a policy is kept until one says whom to tell.
5. A forked child has none of its parent's threads, places and counts; it begins anew with what it has to tell first.
6. An alarm leaves the machine without what the store's errors say, for that names paths of this machine.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import importlib.metadata
import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.entry import HostPolicy
from pinscher.errors import PinningError
from pinscher.host import HostPattern
from pinscher.keeper.spooling import OpenSpool, open_spool
from pinscher.pin import PinSet
from pinscher.policy import Policy
from pinscher.reports import Alarm, Channel, ChannelRefusedError, Pulse, Reporter, Spool
from pinscher.reports.reporter import HEARTBEAT, INTERVAL
from pinscher.tls import PinnedContext
from pinscher.tls.counting import stats
from pinscher.updates import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pinscher.entry import ReportChannel
    from pinscher.tls.counting import Count
    from pinscher.updates import BundleStore
    from pinscher.verdict import Verdict

ALARMS_KEPT = 16
"""Alarms that are kept until a policy says whom to tell (rule 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """
    How a keeper serves the report channels of its policy.

    Args:
        spool: the folder in which reports wait, with a number after it; in or beside the keeper's store when None.
        tokens: what tells a collector which application reports, by the channel's name.
        trust: the trust anchors of the channels' contexts, as a ``PinnedContext`` takes them; the platform's when None.
        interval: seconds in which the same is told once.
        heartbeat: seconds between two heartbeats.
    """

    spool: str | os.PathLike[str] | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust: str | os.PathLike[str] | bytes | None = None
    interval: float = INTERVAL
    heartbeat: float = HEARTBEAT


class Reports:
    """Serves the channels of the policy in force, from the first one that a policy names until :meth:`stop`."""

    def __init__(
        self,
        settings: Reporting,
        *,
        policy: Callable[[], Policy],
        store: BundleStore,
        log_head: Callable[[], str | None],
    ) -> None:
        self._settings, self._policy, self._store, self._log_head = settings, policy, store, log_head
        self._contexts: dict[ReportChannel, PinnedContext] = {}
        self.names: set[str] = set()
        """The names of the policies whose verdicts the heartbeats count."""
        self._lock = threading.Lock()
        self._early: collections.deque[Alarm] = collections.deque(maxlen=ALARMS_KEPT)
        self._reporter: Reporter | None = None
        self._spool: OpenSpool | None = None
        self._pulse: Pulse | None = None
        self._is_stopped = False
        self._quiet_until = 0.0
        _ALL.add(self)

    def begin(self) -> Reporter | None:
        """Return what tells, begun if it was not and the policy in force names a channel (rule 1)."""
        reporter = self._reporter
        if (reporter is not None and not self._early) or self._is_stopped or not self._policy().reporting:
            return reporter
        with self._lock:
            if self._reporter is None and not self._is_stopped:
                self._reporter = self._begun()
            reporter = self._reporter
            while reporter is not None and self._early:
                reporter.on_alarm(self._early.popleft())
        return reporter

    def _begun(self) -> Reporter:
        self._pulse = self._pulse or Pulse(self._counted, _version(), self._log_head)
        made = Reporter(
            self._open, self._channel, self._policy, library=_version(), pulse=self._pulse,
            interval=self._settings.interval, heartbeat=self._settings.heartbeat,
        )  # fmt: skip
        made.start()
        return made

    def resume(self) -> None:
        """Begin again after :meth:`stop`."""
        self._is_stopped = False
        self.begin()

    def on_verdict(self, verdict: Verdict) -> None:
        """Tell a verdict to the channels of its host's entry, if a report of it is due."""
        reporter = self.begin()
        if reporter is not None:
            reporter.on_verdict(verdict)

    def on_event(self, event: Event) -> None:
        """Tell an alarm to every channel; a forked log has a heartbeat sent, which tells which log this client sees."""
        alarm, reporter = alarm_of(event), self.begin()
        if reporter is None:
            with self._lock:
                self._early.append(alarm)
            # A policy that names a channel may have come meanwhile.
            self.begin()
            return
        reporter.on_alarm(alarm)
        if event.kind is EventKind.FORKED and time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + self._settings.interval
            reporter.beat_soon()

    def stop(self, seconds: float) -> None:
        """Put what was told in the spool, deliver what is due, and end within so many seconds."""
        with self._lock:
            self._is_stopped = True
            reporter, self._reporter = self._reporter, None
        # A thread that a dead disk holds up keeps its place, for it may still write there.
        if reporter is not None and reporter.stop(seconds) and self._spool is not None:
            self._spool.close()
            self._spool = None

    @property
    def failures(self) -> dict[str, str]:
        """Why each channel that does not work does not, by its name."""
        reporter = self._reporter
        return {} if reporter is None else dict(reporter.sender.failures)

    def _open(self) -> Spool:
        self._spool = open_spool(self._store, self._settings.spool)
        return self._spool.spool

    def _counted(self) -> Iterator[Count]:
        return (count for count in stats() if count.policy in self.names)

    def _channel(self, name: str) -> Channel:
        policy = self._policy()
        named = policy.reporting.get(name)
        if named is None:
            raise ChannelRefusedError(name, "the policy in force names no such channel")
        return Channel.of(policy, name, self._context(named), token=self._settings.tokens.get(name))

    def _context(self, named: ReportChannel) -> PinnedContext:
        """Return the channel's own context (rule 2)."""
        if named not in self._contexts:
            pattern = HostPattern.parse(named.host)
            entry = (
                HostPolicy(pattern, PinSet(named.pins))
                if named.pins
                else HostPolicy(pattern, unpinned="a report channel without pins of its own")
            )
            try:
                context = PinnedContext(Policy([entry], name="report-channel"), trust=self._settings.trust)
            except PinningError as error:
                raise ChannelRefusedError(named.name, str(error)) from None
            self._contexts = {**self._contexts, named: context}
        return self._contexts[named]

    def forget_parent(self) -> None:
        """Leave the parent's threads, place and counts alone in a forked child (rule 5)."""
        self._lock, self._reporter = threading.Lock(), None
        if self._pulse is not None:
            self._pulse = Pulse(self._counted, _version(), self._log_head)
            self._pulse.skip(datetime.now(UTC))
        spool, self._spool = self._spool, None
        if spool is not None:
            with contextlib.suppress(OSError):
                spool.close()


_ALL: weakref.WeakSet[Reports] = weakref.WeakSet()


def _in_child() -> None:
    for reports in tuple(_ALL):
        reports.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def alarm_of(event: Event) -> Alarm:
    """Return what is told of an event elsewhere (rule 6)."""
    error = event.error
    mirror = getattr(error, "mirror", None)
    host = event.host or (mirror and urlsplit(mirror).hostname) or ""
    is_of_store = event.kind is EventKind.STORE and error is not None
    return Alarm(
        name=event.kind.value,
        at=event.at,
        said="" if is_of_store else " ".join(event.text.split()),
        host=host,
        error="" if error is None else type(error).__name__,
    )


@functools.cache
def _version() -> str:
    return importlib.metadata.version("pinscher")
