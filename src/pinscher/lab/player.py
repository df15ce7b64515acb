"""
Plays one case with one client and judges what came of it.

Rules of this file:

1. A case that asks for a capability which the client does not have is not played, and says which it is.
2. Before each visit the other side does what the visit prepares; then the client has a time limit. A hang is a failure.
3. A visit that is allowed has gone right when the client says so *and* the server decrypted something.
4. A visit that is refused has gone right when the client says so *and* no server of it got a byte: neither decrypted
   nor, but for what has to be said before an upgrade to TLS, in clear. The servers are asked again after the client
   has been closed.
5. A client with a verdict must have the expected one.
6. The first visit that goes wrong decides.
"""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pinscher.errors import escaped
from pinscher.lab.client import SECRET, CannotExpressError
from pinscher.lab.scenario import Transport
from pinscher.lab.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pinscher.lab.client import Client, Contestant, Reply, TakesPolicies
    from pinscher.lab.evidence import ConnectionRecord
    from pinscher.lab.scenario import Capability, Case, Visit
    from pinscher.lab.server import TlsServer

LIMIT = 10.0
"""Seconds that one visit may take unless the caller says otherwise."""


class Result(enum.StrEnum):
    """What came of a case."""

    PASSED = "passed"
    FAILED = "failed"
    HUNG = "hung"
    VOID = "void"
    """Refused as it must be, by a client that refuses what it must accept as well; a score card says so."""
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One case as it was played by one client."""

    case: Case
    client: str
    result: Result
    reason: str = ""
    """Why the case did not pass, in words; empty where it did."""
    leaked_bytes: int = 0
    """How many bytes reached a server that must get none."""
    said: str = field(default="", repr=False)
    """The client's own words at the visit that decided, each line escaped."""
    seconds: float = 0.0


def play(case: Case, contestant: Contestant, *, limit: float = LIMIT) -> Played:
    """Play *case* with a new client of *contestant*; *limit* is in seconds and holds for each visit."""
    missing = case.scenario.needs - contestant.capabilities
    if missing:
        return _finished(case, contestant, _Wrong(Result.NOT_APPLICABLE, _lacks(missing)), 0.0)
    started = time.monotonic()
    try:
        wrong = _play_on_stage(case, contestant, limit)
    except Exception as error:
        error.add_note(f"while {contestant.name} played {case.id}")
        raise
    return _finished(case, contestant, wrong, time.monotonic() - started)


def _finished(case: Case, contestant: Contestant, wrong: _Wrong | None, seconds: float) -> Played:
    found = wrong or _Wrong(Result.PASSED, "")
    return Played(
        case=case, client=contestant.name, result=found.result, reason=found.reason, leaked_bytes=found.leaked_bytes,
        said="\n".join(escaped(line, limit=400) for line in found.said.strip().splitlines()[:40]), seconds=seconds,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What went wrong first."""

    result: Result
    reason: str
    leaked_bytes: int = 0
    said: str = ""


def _lacks(missing: frozenset[Capability]) -> str:
    return f"the client cannot do what the case asks for: {', '.join(sorted(missing))}"


def _play_on_stage(case: Case, contestant: Contestant, limit: float) -> _Wrong | None:
    with contextlib.ExitStack() as after, Stage(contestant.protocol) as stage:
        visits = case.set(stage)
        client = contestant.new()
        closing = _Once(client.close)
        try:
            for number, visit in enumerate(visits, start=1):
                watch = _Watch(visit)
                wrong = _make(client, visit, watch, limit, closing, after)
                if wrong is not None:
                    return _at(wrong, number, visits)
        finally:
            closing()
        return _at(watch.afterwards(), len(visits), visits)


def _at(wrong: _Wrong | None, number: int, visits: Sequence[Visit]) -> _Wrong | None:
    if wrong is None or len(visits) == 1 or wrong.result is Result.NOT_APPLICABLE:
        return wrong
    return _Wrong(wrong.result, f"visit {number} of {len(visits)}: {wrong.reason}", wrong.leaked_bytes, wrong.said)


class _Once:
    """Calls what it was given the first time, from whatever thread that may be."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._lock = threading.Lock()

    def __call__(self) -> None:
        if self._lock.acquire(blocking=False):
            self._function()


def _make(
    client: Client, visit: Visit, watch: _Watch, limit: float, closing: _Once, after: contextlib.ExitStack
) -> _Wrong | None:
    """Make one visit and return what went wrong with it; a hanging client is closed, and outlives the stage briefly."""
    if visit.prepare is not None:
        visit.prepare()
    if visit.midway is not None:
        visit.midway.hand_over = cast("TakesPolicies", client).take
    watch.begin()
    attempt = _Attempt(client, visit)
    attempt.start()
    try:
        attempt.join(limit)
    except BaseException:
        closing()
        raise
    if attempt.is_alive():
        after.callback(attempt.join, _GRACE)
        closing()
        return _Wrong(Result.HUNG, f"no answer within {limit:g} seconds", watch.leaked())
    if isinstance(attempt.error, CannotExpressError):
        return _Wrong(Result.NOT_APPLICABLE, str(attempt.error))
    if attempt.error is not None:
        raise attempt.error
    return watch.judge(attempt.reply)


_GRACE = 5
"""Seconds that a client which was closed in the middle of a visit has to come back."""


class _Attempt(threading.Thread):
    """One visit in a thread of its own, so that somebody else can look at the clock."""

    reply: Reply
    error: BaseException | None = None

    def __init__(self, client: Client, visit: Visit) -> None:
        super().__init__(name="lab client", daemon=True)
        self._client = client
        self._visit = visit

    def run(self) -> None:
        try:
            self.reply = self._client.visit(self._visit)
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits for this one)
            self.error = error


class _Watch:
    """Looks at one visit from the servers' side."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._servers = tuple(dict.fromkeys((visit.server, *visit.others)))
        self._before = 0
        self._had = 0

    def begin(self) -> None:
        """
        Note what the servers have got before the visit.

        A visit that was allowed may still say goodbye, and what it says is not held against the one that is refused.
        """
        if not self._visit.is_allowed:
            self._wait_idle()
        self._before = self._received()
        self._had = self._visit.server.application_bytes

    def leaked(self) -> int:
        """Return how many bytes the servers of a visit that is refused have got since it began."""
        return 0 if self._visit.is_allowed else self._received() - self._before

    def judge(self, reply: Reply) -> _Wrong | None:
        """Return what went wrong with a visit that has been made (rules 3 to 5)."""
        wrong = self._allowed(reply) if self._visit.is_allowed else self._refused(reply)
        if wrong is not None or reply.verdict is None or not self._visit.has_verdict:
            return wrong
        found, expected = reply.verdict.outcome, self._visit.expected
        if found is expected:
            return None
        return _Wrong(
            Result.FAILED, f"the client's verdict is {found.value}, expected {expected.value}", said=reply.said
        )

    def afterwards(self) -> _Wrong | None:
        """Return what went wrong with a visit that was refused, once the client is closed (rule 4)."""
        if self._visit.is_allowed:
            return None
        self._wait_idle()
        leaked = self.leaked()
        return _Wrong(Result.FAILED, f"the client refused, and later sent {leaked} bytes", leaked) if leaked else None

    def _allowed(self, reply: Reply) -> _Wrong | None:
        if not reply.accepted:
            return _Wrong(Result.FAILED, "refused what must be accepted", said=reply.said)
        if self._visit.server.application_bytes == self._had:
            self._wait_idle()
        if self._visit.server.application_bytes == self._had:
            return _Wrong(Result.FAILED, "the client says it got through, but the server read nothing", said=reply.said)
        return None

    def _refused(self, reply: Reply) -> _Wrong | None:
        self._wait_idle()
        leaked = self.leaked()
        if reply.accepted:
            return _Wrong(Result.FAILED, f"accepted what must be refused{_read(leaked)}", leaked, reply.said)
        if leaked:
            return _Wrong(Result.FAILED, f"refused too late{_read(leaked)}", leaked, reply.said)
        return None

    def _received(self) -> int:
        return sum(_received(record, self._visit) for server in self._servers for record in _records(server))

    def _wait_idle(self) -> None:
        """Wait for clients to hang up; one that keeps its connection is asked about again when it is closed."""
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                server.wait_idle(_PATIENCE)


_PATIENCE = 0.5
"""Seconds that a client's connections may outlive its answer before the evidence is read without their end."""


def _read(leaked: int) -> str:
    return f": the servers read {leaked} bytes" if leaked else ""


def _records(server: TlsServer) -> tuple[ConnectionRecord, ...]:
    return server.evidence.connections


def _received(record: ConnectionRecord, visit: Visit) -> int:
    """Return how many bytes of the client's own a server got from one connection."""
    return record.application_bytes + (record.plaintext_bytes if _is_leak(record.plaintext, visit) else 0)


def _is_leak(plaintext: bytes, visit: Visit) -> bool:
    """Tell a secret or a request in clear from what is said before an upgrade or to a proxy."""
    if SECRET.encode() in plaintext:
        return True
    return visit.transport is Transport.HTTPS and b" HTTP/1." in plaintext and not plaintext.startswith(b"CONNECT ")
