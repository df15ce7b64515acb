"""
The judgement of a connection, from the end of its handshake to the verdict that stands.

Rules of this file:

1. One policy judges a connection, and it is still in force when the connection opens.
2. A resumed connection is judged by the chain that was remembered with its session, never by an empty one.
3. Any exception inside the check is a refusal; what explains a refusal can fail without undoing it.
"""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pinscher.diagnosis import Facts
from pinscher.errors import PinningError, escaped
from pinscher.tls._chain import chain_tried, leaf_presented, validated_chain
from pinscher.tls.enforcement import PinMismatchError
from pinscher.tls.registry import LiveConnections
from pinscher.tls.sessions import RememberedSession
from pinscher.verdict import Action, Outcome, evaluate, evaluate_leaf, refusal, unlisted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pinscher.chain import PresentedChain, ValidatedChain
    from pinscher.policy import Policy
    from pinscher.tls._cpython import Handshake, PinnedObject, PinnedSocket
    from pinscher.tls.record import VerdictRecord
    from pinscher.verdict import Verdict

_HOSTS_REMEMBERED = 1024
"""Hosts of which the last accepted chain is kept, to tell a rotation from an attack."""


class UnknownSessionError(PinningError):
    """A connection that resumed a session of which no validated chain is known."""


@dataclass(slots=True, eq=False, kw_only=True)
class Bench:
    """What all judgements of one context share."""

    now: Callable[[], datetime]
    record: VerdictRecord
    is_trust_named: bool
    judge: Callable[[Bench, Handshake, ConnectionJudge], Verdict]
    policy: Policy = field(init=False)
    connections: LiveConnections = field(default_factory=LiveConnections)
    accepted: dict[str, ValidatedChain | PresentedChain] = field(default_factory=dict)

    def remember(self, session: ssl.SSLSession, owner: PinnedSocket | PinnedObject) -> RememberedSession | None:
        """Return a session together with the chain of the connection that made it."""
        verdict: Verdict | None = owner.verdict
        if verdict is None or verdict.host is None or verdict.chain is None:
            return None
        return RememberedSession(session, id(self), verdict.host, verdict.port, verdict.chain, verdict.policy.version)

    def accept(self, verdict: Verdict) -> None:
        """Remember whom a host last matched with."""
        if verdict.outcome is not Outcome.MATCH or verdict.chain is None or verdict.host is None:
            return
        self.accepted[verdict.host] = verdict.chain
        if len(self.accepted) > _HOSTS_REMEMBERED:
            self.accepted.pop(next(iter(self.accepted)), None)

    def facts(self, host: str | None, **more: Any) -> Facts:
        """Return what a diagnosis may rest on beside the verdict itself."""
        last = None if host is None else self.accepted.get(host)
        return Facts(last_accepted=cast("ValidatedChain | None", last), trust_named=self.is_trust_named, **more)


def judge_validated(bench: Bench, handshake: Handshake, connection: ConnectionJudge) -> Verdict:
    """Judge the validated chain of a handshake under ``CERT_REQUIRED``, or the one remembered with its session."""
    is_resumed = handshake.is_resumed
    chain = _remembered_chain(handshake, connection) if is_resumed else validated_chain(handshake)
    return evaluate(chain, bench.policy, host=connection.host, at=bench.now(), port=connection.port, resumed=is_resumed)


def _remembered_chain(handshake: Handshake, connection: ConnectionJudge) -> ValidatedChain:
    memory = connection.memory
    if memory is None or not memory.is_for(connection.host, connection.port) or not memory.is_of(handshake.leaf):
        raise UnknownSessionError("the connection resumes a session whose validated chain is not remembered")
    return cast("ValidatedChain", memory.chain)


def judge_leaf(bench: Bench, handshake: Handshake, connection: ConnectionJudge) -> Verdict:
    """Judge the leaf alone; only ``danger`` does so."""
    leaf = leaf_presented(handshake)
    return evaluate_leaf(leaf, bench.policy, host=connection.host, at=bench.now(), port=connection.port)


class ConnectionJudge:
    """Judges one connection of a context (see ``pinscher.tls._cpython.Judge``)."""

    __slots__ = ("_bench", "_error", "_owner", "host", "memory", "must_ask", "port")

    def __init__(
        self,
        bench: Bench,
        host: str | None,
        port: int | None = None,
        owner: PinnedSocket | PinnedObject | None = None,
    ) -> None:
        self._bench = bench
        self._owner = None if owner is None else weakref.ref(owner)
        self._error: PinMismatchError | None = None
        self.must_ask = True
        self.host = host
        self.port = port
        self.memory: RememberedSession | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the connection was refused, for good."""
        return self._error is not None

    def offer(self, session: object) -> ssl.SSLSession | None:
        """Return the session to resume, or None where it belongs to another host or port."""
        if not isinstance(session, RememberedSession) or session.context_id != id(self._bench):
            raise ValueError("the session was not made by this context; read it from a connection of its own")
        if not session.is_for(self.host, self.port):
            return None
        self.memory = session
        return session.raw

    def before(self) -> None:
        """Refuse a host that nobody listed, before a byte is sent; refuse again what was refused."""
        if self._error is not None:
            # A new error each time, so that no two calls share one traceback.
            raise self._error.anew()
        bench = self._bench
        try:
            verdict = unlisted(bench.policy, host=self.host, at=bench.now(), port=self.port)
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._refuse(self._refusal(error), error)
        if verdict is not None:
            self._refuse(verdict)
        self.must_ask = False

    def after(self, handshake: Handshake) -> Callable[[], None] | None:
        """
        Judge a finished handshake; raise the refusal, or return what to do once the connection is open (rule 1).

        Whoever replaces the policy judges the registered connections again; a connection that registers later than
        that sees here that its policy was replaced.
        """
        bench, owner = self._bench, None if self._owner is None else self._owner()
        try:
            verdict = bench.judge(bench, handshake, self)
            while owner is not None and verdict.action is Action.ALLOW:
                owner.verdict = verdict
                bench.connections.add(owner)
                if bench.policy is verdict.policy:
                    break
                verdict = bench.judge(bench, handshake, self)
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._refuse(self._refusal(error), error)
        if verdict.action is not Action.ALLOW:
            self._refuse(verdict)
        bench.accept(verdict)
        return functools.partial(bench.record.tell, verdict) if bench.record.has_listener else None

    def failed(self, handshake: Handshake, error: ssl.SSLCertVerificationError) -> None:
        """Make a verdict of OpenSSL's refusal of a listed host, and keep OpenSSL's error."""
        detail = escaped(str(getattr(error, "verify_message", error)))
        verdict = self._refusal(None, detail)
        if verdict.host_policy is None:
            return
        facts = self._bench.facts(
            self.host,
            presented=chain_tried(handshake),
            openssl_error=detail,
            verify_code=getattr(error, "verify_code", None),
        )
        self._error = PinMismatchError(verdict, facts=facts)
        self.must_ask = True
        error.verdict = verdict  # type: ignore[attr-defined]
        error.add_note(str(self._error))
        self._bench.record.tell(verdict)

    def _refusal(self, cause: Exception | None, detail: str = "") -> Verdict:
        """Return a verdict that there is nothing to judge, whatever is wrong with the policy or the clock."""
        said = f"{type(cause).__name__}: {escaped(str(cause))}" if cause is not None else detail
        about: dict[str, Any] = {"at": datetime.now(UTC), "detail": said, "port": self.port}
        try:
            return refusal(self._bench.policy, host=self.host, **about)
        except Exception:  # noqa: BLE001  (rule 3: the look-up itself is what fails)
            return refusal(self._bench.policy, host=None, **about)

    def _refuse(self, verdict: Verdict, cause: Exception | None = None) -> NoReturn:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner.verdict = None
            self._bench.connections.discard(owner)
        self._error = PinMismatchError(verdict, facts=self._bench.facts(self.host))
        self.must_ask = True
        self._bench.record.tell(verdict)
        raise self._error from cause
