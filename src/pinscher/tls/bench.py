"""
What all judgements of one context share, and the last match of each host.

Most handshakes are the same match as their host's last one, and a handshake's cryptography leaves every cache cold, so
that judging costs several times what it costs in a loop. Rules of this file:

1. A match is *settled* where nothing but the policy and the leaf decided it: a pin is the leaf's own, and the entry has
   no denied keys and does not end. Whoever shows the same leaf under the same policy matches again, and the verdict is
   not made then. A match higher up is never settled: the same leaf may come by another path.
2. It is made by ``evaluate_entry``, like every other, when somebody asks a connection for it.
3. Everything else is judged, and so is a settled match where somebody hears of every verdict.
"""

from __future__ import annotations

import contextlib
import functools
import time
import weakref
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pinscher.chain import ValidatedChain
from pinscher.diagnosis import Facts
from pinscher.tls.counting import row_of
from pinscher.tls.registry import LiveConnections
from pinscher.tls.sessions import RememberedSession
from pinscher.verdict import Outcome, Verdict, is_settled

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from pinscher.chain import PresentedChain
    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.tls._cpython import PinnedObject, PinnedSocket
    from pinscher.tls.healing import Healer
    from pinscher.tls.judgement import ConnectionGate
    from pinscher.tls.record import VerdictRecord

_HOSTS_REMEMBERED = 1024
"""Hosts of which the last accepted chain is kept, to tell a rotation from an attack."""


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """The last match of a host, and the counter that counts one more of the same."""

    chain: ValidatedChain | PresentedChain
    leaf: bytes
    matched: Pin
    policy: Policy
    entry: HostPolicy | None
    counter: Iterator[int]
    is_settled: bool
    """Whether rule 1 holds, and nobody listens (rule 3)."""


@dataclass(slots=True, eq=False, kw_only=True)
class Bench:
    """What all judgements of one context share."""

    given_now: InitVar[Callable[[], datetime] | None]
    record: VerdictRecord
    is_trust_named: bool | None
    """Whether the application named the trust anchors; None where nobody knows."""
    gate: type[ConnectionGate]
    healer: Healer | None = None
    policy: Policy = field(init=False)
    connections: LiveConnections = field(default_factory=LiveConnections)
    accepted: dict[str | None, Accepted] = field(default_factory=dict)
    now: Callable[[], datetime] = field(init=False)
    stamp: Callable[[], datetime | float] = field(init=False)
    """The same moment, or the seconds since the epoch that :func:`moment_of` makes one of, which are had for less."""

    def __post_init__(self, given_now: Callable[[], datetime] | None) -> None:
        """Choose the clock: the application's, or the machine's."""
        self.now = given_now or functools.partial(datetime.now, UTC)
        self.stamp = given_now or time.time

    def replace(self, policy: Policy) -> None:
        """
        Put another policy in force, and judge what was let through again (rule 5 of judgement.py).

        Every connection is judged before anybody is told of one. Whatever interrupts it, Ctrl-C and the end of the
        program too, ends the connection at which it did, and is raised once all of them were judged.
        """
        self.policy = policy
        waiting: list[PinnedSocket | PinnedObject] | None = None
        refused: list[Verdict] = []
        interruption: BaseException | None = None
        while waiting is None or waiting:
            try:
                if waiting is None:
                    waiting = list(self.connections.standing)
                while waiting:
                    refused += self._judge_again(waiting[-1], policy)
                    waiting.pop()
            except BaseException as error:
                if waiting is None and interruption is not None:
                    raise
                interruption = error
                if waiting:
                    self._end(waiting.pop())
        interruption = self._tell(refused) or interruption
        if interruption is not None:
            raise interruption

    def _tell(self, refused: list[Verdict]) -> BaseException | None:
        """Tell of each refusal, and return what somebody who heard of one would end the program with."""
        interruption: BaseException | None = None
        for verdict in refused:
            try:
                self.record.tell(verdict)
            except BaseException as error:  # noqa: BLE001  (the others are told as well, and then it is returned)
                interruption = error
        return interruption

    def _judge_again(self, owner: PinnedSocket | PinnedObject, policy: Policy) -> list[Verdict]:
        """Judge one connection by a new policy; return its refusal, if it was one."""
        verdict: Verdict | None = owner.verdict
        if verdict is None:
            gate = cast("ConnectionGate | None", owner.gate)
            refused = None if gate is None else gate.judge_withdrawn(owner)
        elif verdict.policy is policy:
            return []
        else:
            refused = self.gate(self, verdict.host, verdict.port, weakref.ref(owner)).judge_again(owner, verdict)
        return [] if refused is None else [refused]

    def _end(self, owner: PinnedSocket | PinnedObject) -> None:
        """End a connection that could not be judged; what fails here leaves its gate in place, and stops nobody."""
        with contextlib.suppress(Exception):
            self.gate(self, None, None, weakref.ref(owner)).withdraw(owner)

    def remember(self, session: ssl.SSLSession, owner: PinnedSocket | PinnedObject) -> RememberedSession | None:
        """Return a session together with the chain of the connection that made it."""
        verdict: Verdict | None = owner.verdict
        if verdict is None or verdict.host is None or verdict.chain is None:
            return None
        # Fetched now, so that a session that is kept does not keep the memory of its connection.
        _ = verdict.chain.certificates
        return RememberedSession(session, id(self), verdict.host, verdict.port, verdict.chain, verdict.policy.version)

    def accept(self, verdict: Verdict) -> None:
        """Remember whom a host last matched with, in a full handshake."""
        host, chain, matched = verdict.host, verdict.chain, verdict.matched
        if verdict.outcome is not Outcome.MATCH or chain is None or matched is None or verdict.resumed:
            return
        # Fetched now, for the same reason.
        _ = chain.certificates
        policy, entry = verdict.policy, verdict.host_policy
        settled = type(chain) is ValidatedChain and is_settled(entry, chain.leaf) and not self.record.has_listener
        self.accepted[host] = Accepted(chain, chain.leaf, matched, policy, entry, row_of(verdict).counter, settled)
        while len(self.accepted) > _HOSTS_REMEMBERED:
            # Another thread may accept or forget meanwhile.
            with contextlib.suppress(RuntimeError, StopIteration):
                self.accepted.pop(next(iter(self.accepted)), None)

    def facts(self, host: str | None, **more: Any) -> Facts:
        """Return what a diagnosis may rest on beside the verdict itself."""
        last = self.accepted.get(host)
        chain = None if last is None else cast("ValidatedChain", last.chain)
        return Facts(last_accepted=chain, trust_named=self.is_trust_named, **more)


def moment_of(stamp: datetime | float) -> datetime:
    """Return the aware moment that :attr:`Bench.stamp` stands for."""
    return stamp if isinstance(stamp, datetime) else datetime.fromtimestamp(stamp, UTC)
