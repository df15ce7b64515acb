"""
The updater: follows a repository of signed policies, and never gives up what it has.

Rules of this file:

1. Whatever fails, the last accepted policy stays in force and an event tells; ``docs/reference/updates.md`` lists what
   can fail.
2. One refresh at a time in a process, and one among the processes that share a store.
3. Between two refreshes lies the minimum interval, whoever provokes them.
4. What a callback raises is logged, and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from pinscher.errors import PinningError
from pinscher.updates.bundle import Override, policy_of
from pinscher.updates.errors import (
    ForkError,
    FreezeError,
    RepositoryUnreachableError,
    SlowRetrievalError,
    StoreBusyError,
    UpdateError,
)
from pinscher.updates.events import Event, EventKind
from pinscher.updates.fetcher import Mirror
from pinscher.updates.flight import Flight
from pinscher.updates.floor import Floor
from pinscher.updates.limits import CLOCK_TOLERANCE, Intervals, Limits
from pinscher.updates.state import Refreshed, State, head_line
from pinscher.updates.step import LOG_HEAD, Held, Source, Step, reopened, without_bundles
from pinscher.updates.store import FLOOR_NAME, BundleStore, DirectoryStore
from pinscher.updates.trust import check_name

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from pinscher.policy import Policy
    from pinscher.updates.log import NoteVerifier
    from pinscher.updates.trust import Fetch

_LOGGER = logging.getLogger("pinscher.updates")


class Updater:
    """
    Follows one bundle of a repository.

    Args:
        repository: the address that ``metadata/`` and ``targets/`` lie under, or several, tried in order.
        root: the root metadata that came with the program; everything is believed because of it.
        store: a folder, or where else to keep what was accepted.
        bundle: the name of the bundle in the repository.
        log: the key of the repository's transparency log, ``name+id+key``, or None to know of none.
        override: the name of the emergency policy in the repository, or None to know of none.
        embedded: a policy that came with the program, in force until there is a newer one.
        floor: below what nothing is accepted; the embedded policy's version is part of it anyway.
        on_policy: called with each policy that comes into force, before the refresh returns.
        on_event: called with each event.
        intervals: how often to ask.
        limits: what one refresh may cost.
        context: what verifies the servers; the platform's default when None. It must only report, never refuse by pins.
        transport: makes of an address what fetches its files; HTTPS by *context* when None.
        now: the time, aware.
        clock: seconds that never go back.

    Raises:
        ValueError: an address that is not HTTPS, or no name of a bundle.
        UpdateError: the root cannot be used.
    """

    def __init__(
        self,
        repository: str | Sequence[str],
        *,
        root: bytes,
        store: BundleStore | str | os.PathLike[str],
        bundle: str = "policy.json",
        log: str | None = None,
        override: str | None = "override.json",
        embedded: Policy | bytes | None = None,
        floor: Floor | None = None,
        on_policy: Callable[[Policy], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        intervals: Intervals | None = None,
        limits: Limits | None = None,
        context: ssl.SSLContext | None = None,
        transport: Callable[[str], Fetch] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        addresses = [repository] if isinstance(repository, str) else list(repository)
        self._limits = limits or Limits()
        self._source = Source(
            root=root,
            bundle=check_name(bundle),
            override=override and check_name(override),
            limits=self._limits,
            log=None if log is None else _verifier(log),
        )
        made = transport or functools.partial(Mirror, limits=self._limits, context=context)
        self._mirrors = [(address, made(address)) for address in addresses]
        if not self._mirrors:
            raise ValueError("expected the address of a repository, found none")
        self._store: BundleStore = DirectoryStore(store) if isinstance(store, str | os.PathLike) else store
        self._embedded = policy_of(embedded) if isinstance(embedded, bytes) else embedded
        known = Floor(policy=self._embedded.version if self._embedded else 0)
        self._floor = (floor or Floor()).raised(known)
        self._on_policy, self._on_event = on_policy, on_event
        self._intervals = intervals or Intervals()
        self._now, self._clock = now, clock
        self._held = Held(floor=self._floor, policy=self._embedded, epoch=self._floor.epoch)
        Step(self._source, self._held, now())
        self._flight: Flight[Refreshed] = Flight(self._attempt)
        self._start_lock = threading.Lock()
        self._has_started = False
        self._asked_at: float | None = None
        self._attempts = 0
        self._refreshed: datetime | None = None
        self._failures = 0
        self._error: PinningError | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def policy(self) -> Policy | None:
        """The policy in force, or None before the first one."""
        return self._held.policy

    @property
    def override(self) -> Override | None:
        """The emergency policy that the repository offers, or None; its entries end by themselves."""
        return self._held.override

    @property
    def attempts(self) -> int:
        """How often a repository was asked so far; the one under way is counted."""
        return self._attempts

    @property
    def patience(self) -> float:
        """The seconds that are left of the minimum interval, before which nobody is asked (rule 3)."""
        past = self._clock() - (self._asked_at or 0.0)
        return max(self._intervals.least.total_seconds() - past, 0.0) if self._asked_at is not None else 0.0

    @property
    def state(self) -> State:
        """What a person wants to know of the updater."""
        held = self._held
        return State(
            policy=held.policy,
            floor=held.floor,
            refreshed=self._refreshed,
            failures=self._failures,
            error=self._error,
            signers=held.trust.signers if held.trust else {},
            expiries=held.trust.expiries if held.trust else {},
            override=held.override,
            log_head=head_line(held.files.get(LOG_HEAD)),
        )

    @property
    def log_head(self) -> bytes | None:
        """The newest head of the log as its key signed it, to be sent on and compared; None before the first."""
        return self._held.files.get(LOG_HEAD)

    def log_roots(self, sizes: Collection[int]) -> dict[int, bytes]:
        """Return the roots of the log's first so many entries, as ``logged.log_roots``; none before there is a head."""
        from pinscher.updates.logged import log_roots  # noqa: PLC0415  (who knows no log does not pay for it)

        seen, verifier = self.log_head, self._source.log
        return {} if seen is None or verifier is None else log_roots(sizes, verifier, seen, self._mirrors)

    def start(self) -> Policy | None:
        """Put what was accepted last time, or what is embedded, in force; without a network and without an error."""
        with self._start_lock:
            if not self._has_started:
                self._has_started = True
                held = self._reload()
                self._held = held
                if held.policy is not None:
                    self._call(self._on_policy, held.policy)
        return self._held.policy

    def _reload(self) -> Held:
        """Return what the store holds, or what is in force when the store fails or holds something older."""
        held = self._held
        floor = held.floor
        try:
            stored = self._store.load()
            if FLOOR_NAME in stored:
                floor = floor.raised(Floor.loads(stored[FLOOR_NAME]))
            if stored and stored == held.stored:
                return held
            found = reopened(self._source, stored, floor)
        except PinningError as error:
            self._tell(EventKind.STORE, f"what was accepted before cannot be used: {error}", error=error)
            return Held(held.files, floor, held.policy, held.epoch, held.override, held.trust)
        if found.policy is None or _rank(found) < _rank(held):
            files = held.files or without_bundles(found.files)
            found = Held(files, found.floor, held.policy, held.epoch, held.override, held.trust)
        if found.floor.policy > (found.policy.version if found.policy else 0) and found.floor.epoch >= found.epoch:
            in_force = f"version {found.policy.version}" if found.policy else "no policy"
            text = f"version {found.floor.policy} was accepted and is gone; {in_force} is in force until a refresh"
            self._tell(EventKind.STORE, text)
        return found

    def refresh(self, seconds: float | None = None) -> Refreshed:
        """
        Ask the repository once; join a refresh that is under way.

        Args:
            seconds: how long to wait; a refresh that takes longer goes on in the background.

        Raises:
            UpdateError: nothing was taken; the policy in force stays.
        """
        self.start()
        return self._flight.join(seconds)

    async def refresh_async(self) -> Refreshed:
        """Refresh without holding the event loop up."""
        return await asyncio.to_thread(self.refresh)

    def _attempt(self) -> Refreshed:
        asked_at = self._asked_at
        if asked_at is not None and self._clock() - asked_at < self._intervals.least.total_seconds():
            if self._held.policy is None:
                raise self._error or RepositoryUnreachableError("the minimum interval has not passed")
            return Refreshed(self._held.policy, has_changed=False, was_asked=False, mirror=None)
        self._attempts += 1
        try:
            with self._exclusive():
                refreshed = self._ask()
        except PinningError as error:
            self._failures += 1
            self._error = error
            raise
        finally:
            self._asked_at = self._clock()
        self._failures, self._error, self._refreshed = 0, None, self._now()
        return refreshed

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the store's lock (rule 2); go without where the disk does not even let it be locked."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._store.exclusive(self._limits.lock_seconds))
            except StoreBusyError as error:
                self._tell(EventKind.STORE, str(error), error=error)
                raise
            except PinningError as error:
                self._tell(EventKind.STORE, str(error), error=error)
            yield

    def _ask(self) -> Refreshed:
        before = self._held.policy
        held = self._reload()
        at = self._time(held.floor)
        errors: list[UpdateError] = []
        for address, fetch in self._mirrors:
            step = Step(self._source, held, at)
            try:
                taken = step.take(fetch)
            except UpdateError as error:
                errors.append(error if error.mirror else error.of(address))
                self._tell_refusal(errors[-1])
                held = step.after_failure
                continue
            for remark in step.remarks:
                self._tell_refusal(remark)
            self._accept(taken, before)
            assert taken.policy is not None  # noqa: S101  (a step that is taken has one)
            return Refreshed(taken.policy, has_changed=taken.policy != before, was_asked=True, mirror=address)
        self._settle(held)
        self._accept_from_neighbour(before)
        raise _gravest(errors)

    def _accept_from_neighbour(self, before: Policy | None) -> None:
        """Put in force what another process took while the repository does not answer this one."""
        policy = self._held.policy
        if policy is not None and policy != before:
            self._call(self._on_policy, policy)

    def _accept(self, taken: Held, before: Policy | None) -> None:
        known = self._held.override
        self._settle(taken)
        policy = taken.policy
        if policy is not None and policy != before:
            self._call(self._on_policy, policy)
            self._tell(EventKind.ACCEPTED, f"policy version {policy.version} is in force", version=policy.version)
        else:
            self._tell(EventKind.NOTHING_NEW, "the policy in force is the newest")
        override = taken.override
        if override is not None and (known is None or known.policy.digest != override.policy.digest):
            hosts = ", ".join(entry.host for entry in override.policy.hosts)
            text = f"an emergency policy for {hosts} is offered until {override.ends:%Y-%m-%d %H:%M} UTC"
            self._tell(EventKind.OVERRIDE, text, version=override.policy.version)

    def _settle(self, held: Held) -> None:
        """Hold *held*, and store it if it is another than what is stored."""
        self._held = held
        stored: Mapping[str, bytes] | None = None
        with contextlib.suppress(PinningError):
            # What is damaged was told when it was read, and is replaced.
            stored = self._store.load()
        try:
            if held.files and stored != held.stored:
                self._store.save(held.stored)
        except PinningError as error:
            self._tell(EventKind.STORE, f"what was accepted cannot be kept: {error}", error=error)

    def _time(self, floor: Floor) -> datetime:
        """Return the time, and not one before what an accepted update proved."""
        now = self._now()
        seen = datetime.fromtimestamp(min(floor.seen, _LAST_SECOND), UTC)
        if now < seen - CLOCK_TOLERANCE:
            text = f"the clock says {now:%Y-%m-%d %H:%M} UTC, and an update was accepted at {seen:%Y-%m-%d %H:%M} UTC"
            self._tell(EventKind.CLOCK, text)
        return max(now, seen)

    def _tell_refusal(self, error: UpdateError) -> None:
        if isinstance(error, FreezeError):
            kind = EventKind.LAPSED
        elif isinstance(error, ForkError):
            kind = EventKind.FORKED
        elif isinstance(error, RepositoryUnreachableError | SlowRetrievalError):
            kind = EventKind.UNREACHABLE
        else:
            kind = EventKind.REFUSED
        self._tell(kind, str(error), error=error)
        if kind is EventKind.UNREACHABLE:
            self._tell_if_lapsed()

    def _tell_if_lapsed(self) -> None:
        """Tell when nobody could prove for so long that the policy is the newest that the last proof has lapsed."""
        lapses = self._held.trust.expiries.get("timestamp") if self._held.trust else None
        if lapses is not None and self._now() >= lapses:
            self._tell(
                EventKind.LAPSED, f"the last proof that the policy is the newest lapsed at {lapses:%Y-%m-%d %H:%M}"
            )

    def _tell(
        self, kind: EventKind, text: str, *, error: PinningError | None = None, version: int | None = None
    ) -> None:
        _LOGGER.log(logging.WARNING if kind.is_alarm else logging.INFO, "%s: %s", kind.value, text)
        self._call(self._on_event, Event(kind, self._now(), text, error=error, version=version))

    @staticmethod
    def _call(callback: Callable[..., object] | None, argument: object) -> None:
        if callback is None:
            return
        try:
            callback(argument)
        except Exception:
            _LOGGER.exception("a callback of the updater failed")

    def follow(self) -> None:
        """Refresh in a daemon thread, now and at every interval, until :meth:`close`."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="pinscher-updater", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self._refresh_and_go_on()
            if self._wake.wait(self._delay()):
                # Provoked: within the minimum interval nobody is asked, so what is left of it is waited for (rule 3).
                self._stopping.wait(self.patience)

    async def follow_async(self) -> None:
        """Refresh in this task, now and at every interval, until it is cancelled."""
        while True:
            await asyncio.to_thread(self._refresh_and_go_on)
            await asyncio.sleep(self._delay())

    def _refresh_and_go_on(self) -> None:
        try:
            self.refresh()
        except PinningError:
            # It was told as an event where it happened.
            return
        except Exception:
            # The daemon's edge: a defect must not end the updates for good.
            _LOGGER.exception("a refresh failed in a way that it should not")
            self._failures += 1

    def _delay(self) -> float:
        return self._intervals.delay(self._failures, random.random())  # noqa: S311  (it spreads load, and guards nothing)

    def provoke(self) -> None:
        """Ask the thread of :meth:`follow` to refresh as soon as the minimum interval lets it, and return at once."""
        self._wake.set()

    def close(self, seconds: float = 5.0) -> None:
        """End the thread of :meth:`follow`; wait for a refresh under way, but no longer than *seconds*."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def __enter__(self) -> Self:
        """Begin to follow."""
        self.start()
        self.follow()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop following."""
        self.close()


_LAST_SECOND = int((datetime.max.replace(tzinfo=UTC) - timedelta(days=1)).timestamp())


def _verifier(text: str) -> NoteVerifier:
    """Read the key of a log; raise ``ValueError`` for what is none."""
    from pinscher.updates.log import NoteVerifier  # noqa: PLC0415  (who knows no log does not pay for it)

    return NoteVerifier.parse(text)


def _rank(held: Held) -> tuple[int, int]:
    return held.epoch, held.policy.version if held.policy else 0


def _gravest(errors: list[UpdateError]) -> UpdateError:
    """Return the first error that speaks of an attack, or else the first one."""
    grave = [error for error in errors if not isinstance(error, RepositoryUnreachableError | SlowRetrievalError)]
    return (grave or errors)[0]
