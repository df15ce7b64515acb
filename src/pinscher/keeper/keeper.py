"""
The keeper: a pinned context whose pins are kept up to date, and whose refusals may heal.

Rules of this file:

1. Until there is a policy, every host is refused; afterwards there is always one.
2. Whatever a callback raises is logged, and changes nothing.
3. A matching handshake is the context's alone: the keeper hears of trouble, and of nothing else.
4. The policy on the updates' own channel reports, and never refuses.
5. An injection that is kept has the policy in force, and its mismatches heal as those of the context do.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import os
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from pinscher.clients.injection import inject_kept
from pinscher.entry import HostPolicy
from pinscher.host import HostPattern
from pinscher.keeper.healer import Doctor
from pinscher.keeper.reporting import Reporting, Reports
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.tls import PinnedContext
from pinscher.updates import DirectoryStore, Event, EventKind, Intervals, Updater
from pinscher.updates.channel import report_only, reporting_context
from pinscher.updates.state import head_line
from pinscher.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pinscher.clients.injection import Injection
    from pinscher.updates import BundleStore, State
    from pinscher.verdict import Verdict

_LOGGER = logging.getLogger("pinscher.keeper")
NOTHING_YET = Policy(
    [HostPolicy(HostPattern.parse("nothing-yet.invalid"), PinSet([Pin(hashlib.sha256(b"nothing yet").digest())]))],
    name="nothing-yet",
)
"""What is in force before the first policy: a name that no host has, a pin that no key has, and all else denied."""
INTERVALS = Intervals(least=timedelta(seconds=5))
HEAL_SECONDS = 8.0


class Keeper:
    """
    Keeps one context's pins: follows a repository, heals handshakes, tells what somebody should hear of.

    Hand ``context`` to any client, and use the keeper as a context manager or call :meth:`start` and :meth:`close`.
    Code that takes no context is pinned by :meth:`inject`. The report channels of the policy in force are served.

    Args:
        repository: the address of a repository of signed policies, or several; see ``Updater``.
        root: the root metadata that came with the program.
        store: a folder, or where else to keep what was accepted.
        embedded: a policy that came with the program.
        trust: the trust anchors of the context; the platform's when None.
        channel_trust: the trust anchors of the updates' own channel; the platform's when None.
        on_verdict: called with every verdict of the context, as by ``PinnedContext``.
        on_event: called with every event of the updates, and with the keeper's own.
        report: called with every verdict and every alarm that a report is due for, beside the policy's channels.
        reporting: how the policy's report channels are served.
        heal_seconds: how long a connection waits at most for a policy that mends it.
        intervals: how often to ask; five seconds lie between two refreshes at least.
        most_patience: after how many seconds the same mismatch, never mended, asks again at the latest.
        now: the time, aware.
        updating: what else an ``Updater`` takes.

    Raises:
        ValueError: as an ``Updater`` does.
        UpdateError: the root cannot be used.
    """

    def __init__(
        self,
        repository: str | Sequence[str],
        *,
        root: bytes,
        store: BundleStore | str | os.PathLike[str],
        embedded: Policy | bytes | None = None,
        trust: str | os.PathLike[str] | bytes | None = None,
        channel_trust: str | bytes | None = None,
        on_verdict: Callable[[Verdict], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        report: Callable[[Verdict | Event], object] | None = None,
        reporting: Reporting | None = None,
        heal_seconds: float = HEAL_SECONDS,
        intervals: Intervals = INTERVALS,
        most_patience: float = 60.0,
        now: Callable[[], datetime] | None = None,
        **updating: Any,
    ) -> None:
        self._on_event, self._report, self._on_verdict = on_event, report, on_verdict
        self._now, self._heal_seconds = now or functools.partial(datetime.now, UTC), heal_seconds
        self._told: set[tuple[object, ...]] = set()
        self._told_lock = threading.Lock()
        self._injections: weakref.WeakSet[Injection] = weakref.WeakSet()
        kept = DirectoryStore(store) if isinstance(store, str | os.PathLike) else store
        self.reports = Reports(
            reporting or Reporting(), policy=lambda: self.policy, store=kept,
            log_head=lambda: head_line(self.updater.log_head),
        )  # fmt: skip
        """What serves the policy's report channels."""
        self.channel = reporting_context(
            NOTHING_YET, at=self._now(), on_verdict=self._hear_of_channel, trust=channel_trust
        )
        """The context that updates travel by; its policy only reports (rule 4)."""
        self.context = PinnedContext(NOTHING_YET, trust=trust, on_verdict=on_verdict, now=self._now, healer=self)
        """The context to hand to a client; its policy is always the one in force."""
        self.updater = Updater(
            repository, root=root, store=kept, embedded=embedded, on_policy=self._put_in_force, on_event=self._tell,
            intervals=intervals, now=self._now, context=self.channel, **updating,
        )  # fmt: skip
        self._doctor = Doctor(self.updater, least=intervals.least.total_seconds(), most=most_patience)
        self.updater.start()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.context.policy

    @property
    def state(self) -> State:
        """What a person wants to know of the updates."""
        return self.updater.state

    def start(self) -> Self:
        """
        Follow the repository in a thread; where there is no policy yet, ask for the first one before returning.

        Raises:
            UpdateError: there is no policy yet, and none can be had.
        """
        self.reports.resume()
        if self.updater.policy is None:
            self.updater.refresh()
        self.updater.follow()
        return self

    async def start_async(self) -> Self:
        """Do as :meth:`start` does, without holding the event loop up."""
        return await asyncio.to_thread(self.start)

    async def refreshed(self, seconds: float | None = None) -> bool:
        """
        Wait until the repository was asked once more, and tell whether it was.

        For asyncio clients, between a refusal and the next try: what was published by now is in force by then.
        """
        limit = self._heal_seconds if seconds is None else seconds
        return await asyncio.to_thread(self._doctor.ask, limit) is None

    def inject(self) -> Injection:
        """
        Pin every connection that a context of this process makes from now on, by the policy in force at any time.

        It is ``pinscher.inject``, kept: mismatches heal and are reported, and ``on_verdict`` hears of every verdict.
        Until there is a policy, every host is refused. It is in force until its ``undo()``, also after :meth:`close`.
        """
        injection = inject_kept(self.policy, healer=self, on_verdict=self._on_verdict, now=self._now)
        with self._told_lock:
            self._injections.add(injection)
        while injection.policy is not self.policy:
            # Another came into force since it was read, and may not have found this injection yet.
            injection.policy = self.policy
        return injection

    @contextlib.contextmanager
    def injected(self) -> Iterator[Injection]:
        """Pin every context's connections for as long as a block lasts, in all threads; see :meth:`inject`."""
        injection = self.inject()
        try:
            yield injection
        finally:
            injection.undo()

    def close(self, seconds: float = 5.0) -> None:
        """
        Stop following, and tell what is left to tell, within so many seconds.

        The context stays usable with the policy that it has; what could not be delivered waits for the next start.
        """
        deadline = time.monotonic() + seconds
        self._doctor.close(seconds)
        self.updater.close(max(deadline - time.monotonic(), 0.0))
        self.reports.stop(max(deadline - time.monotonic(), 0.0))

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start_async()

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await asyncio.to_thread(self.close)

    def refresh(self, refused: Verdict, seconds: float) -> str:
        """Have a newer policy put in force; the context calls this for a mismatch."""
        if seconds > 0:
            return self._doctor.refresh(refused, min(seconds, self._heal_seconds))
        return self._doctor.ask_elsewhere(refused, self._heal_seconds)

    def override(self, refused: Verdict) -> Policy | None:
        """Return the emergency policy for a refused host, or None; the context calls this for a mismatch."""
        found = self.updater.override
        if found is None or refused.host is None or found.lookup(refused.host, self._now()) is None:
            return None
        self.reports.names.add(found.policy.name)
        return found.policy

    def hear(self, verdict: Verdict) -> None:
        """Hear of trouble; the context calls this."""
        if verdict.action is Action.ALLOW and verdict.steps and verdict.steps[-1].startswith("override:"):
            text = f"{verdict.host} was let through by the emergency policy, version {verdict.policy.version}"
            about = verdict.host, verdict.policy.digest
            self._raise(EventKind.OVERRIDE_USED, text, *about, policy=verdict.policy, host=verdict.host)
        if verdict.is_expired:
            self._tell_expired()
        self._report_verdict(verdict)

    def _hear_of_channel(self, verdict: Verdict) -> None:
        if verdict.is_reportable:
            self._report_verdict(verdict)

    def _report_verdict(self, verdict: Verdict) -> None:
        self._hand_on(self.reports.on_verdict, verdict)
        self._hand_on(self._report, verdict)

    def _put_in_force(self, policy: Policy) -> None:
        self.reports.names.add(policy.name)
        self.context.policy = policy
        self.channel.policy = report_only(policy, self._now())
        with self._told_lock:
            injections = tuple(self._injections)
        for injection in injections:
            injection.policy = policy
        self.reports.begin()

    def _tell_expired(self) -> None:
        policy, at = self.policy, self._now()
        past = [entry.host for entry in policy.hosts if entry.expires is not None and at > entry.expires]
        if past:
            text = f"pins of {', '.join(past[:3])}{' and more' if past[3:] else ''} have expired"
            self._raise(EventKind.EXPIRED, text, policy.digest, policy=policy)

    def _raise(self, kind: EventKind, text: str, *about: object, policy: Policy, host: str | None = None) -> None:
        """Tell an alarm of the keeper's own, once for what it is about."""
        with self._told_lock:
            if (kind, *about) in self._told:
                return
            self._told.add((kind, *about))
        _LOGGER.warning("%s: %s", kind.value, text)
        self._tell(Event(kind, self._now(), text, version=policy.version, host=host))

    def _tell(self, event: Event) -> None:
        self._hand_on(self._on_event, event)
        if event.kind.is_alarm:
            self._hand_on(self.reports.on_event, event)
            self._hand_on(self._report, event)
        if event.kind in {EventKind.ACCEPTED, EventKind.NOTHING_NEW, EventKind.UNREACHABLE}:
            self._tell_expired()

    @staticmethod
    def _hand_on(callback: Callable[..., object] | None, told: object) -> None:
        if callback is None:
            return
        try:
            callback(told)
        except Exception:
            _LOGGER.exception("a callback of the keeper failed")
