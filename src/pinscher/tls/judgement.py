"""
The judgement of a connection, from the end of its handshake to the verdict that stands.

Rules of this file:

1. One policy judges a connection, and it is still in force when the connection opens.
2. A resumed connection is judged by the chain that was remembered with its session, never by an empty one.
3. Any exception inside the check is a refusal; what explains a refusal can fail without undoing it.
4. Where there is a client certificate, the judgement is made a first time before it is sent; see ``_early.py``.
5. A new policy judges the connections that live, by the chains they were let through with. A denied key ends its
   connection at once. One that merely lost its pins may hear the answer to what it sent, and sends nothing more.
6. Before a refusal stands that the host's ladder may heal, the ladder is climbed, at most once for each judgement; a
   connection that may wait is judged again by the policy of then. See ``healing.py``.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pinscher.diagnosis import Facts
from pinscher.errors import PinningError, escaped
from pinscher.tls._chain import chain_shown, chain_tried, leaf_presented, validated_chain
from pinscher.tls._cpython import Gate, seconds_to_wait
from pinscher.tls.counting import count, row_of
from pinscher.tls.enforcement import PinMismatchError
from pinscher.tls.healing import heal, is_curable, review
from pinscher.tls.registry import LiveConnections
from pinscher.tls.sessions import RememberedSession
from pinscher.verdict import Action, Outcome, evaluate, evaluate_entry, evaluate_leaf, refusal, unlisted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pinscher.chain import PresentedChain, ValidatedChain
    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.tls._cpython import PinnedObject, PinnedSocket
    from pinscher.tls.healing import Healer
    from pinscher.tls.record import VerdictRecord
    from pinscher.verdict import Verdict

_HOSTS_REMEMBERED = 1024
"""Hosts of which the last accepted chain is kept, to tell a rotation from an attack."""


_ALLOW = Action.ALLOW
"""Named once, because members of an enumeration are found by way of its metaclass."""


class UnknownSessionError(PinningError):
    """A connection that resumed a session of which no validated chain is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """The last match of a host, and what counts one more of the same."""

    chain: ValidatedChain | PresentedChain
    leaf: bytes
    matched: Pin
    policy: Policy
    tick: Callable[[], int]


@dataclass(slots=True, eq=False, kw_only=True)
class Bench:
    """What all judgements of one context share."""

    now: Callable[[], datetime]
    record: VerdictRecord
    is_trust_named: bool | None
    """Whether the application named the trust anchors; None where nobody knows."""
    gate: type[ConnectionGate]
    healer: Healer | None = None
    policy: Policy = field(init=False)
    connections: LiveConnections = field(default_factory=LiveConnections)
    accepted: dict[str | None, Accepted] = field(default_factory=dict)

    def replace(self, policy: Policy) -> None:
        """Put another policy in force, and judge the connections that were let through again (rule 5)."""
        self.policy = policy
        for owner in self.connections.connections:
            verdict: Verdict | None = owner.verdict
            if verdict is not None and verdict.policy is not policy:
                self.gate(self, verdict.host, verdict.port, weakref.ref(owner)).judge_again(owner, verdict)

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
        self.accepted[host] = Accepted(chain, chain.leaf, matched, verdict.policy, row_of(verdict).tick)
        if len(self.accepted) > _HOSTS_REMEMBERED:
            self.accepted.pop(next(iter(self.accepted)), None)

    def facts(self, host: str | None, **more: Any) -> Facts:
        """Return what a diagnosis may rest on beside the verdict itself."""
        last = self.accepted.get(host)
        chain = None if last is None else cast("ValidatedChain", last.chain)
        return Facts(last_accepted=chain, trust_named=self.is_trust_named, **more)


class ConnectionGate(Gate):
    """The gate of one connection of a pinned context, which judges its validated chain."""

    __slots__ = ("_bench", "_entry", "_error", "_host", "_memory", "_policy", "_port", "_seat")

    _early: tuple[Verdict, Exception | None] | None
    """The refusal that was found in the middle of the handshake, and what caused it; or the verdict that healed it."""

    def __init__(
        self,
        bench: Bench,
        host: str | None,
        port: int | None = None,
        owner: weakref.ref[PinnedSocket | PinnedObject] | None = None,
    ) -> None:
        self._inner = self._discard = self._early = None
        self._error: PinMismatchError | None = None
        self._memory: RememberedSession | None = None
        self._bench = bench
        self._owner = owner
        self._host = host
        self._port = port
        self._policy: Policy | None = bench.policy
        try:
            self._entry = None if host is None else bench.policy.lookup_canonical(host)
        except Exception:  # noqa: BLE001  (rule 3: the look-up is made again, and what it raises then is a refusal)
            self._entry = self._policy = None
        self._must_ask = self._entry is None
        # Read at once after the handshake: a class with __getattr__ makes every single reading slow.
        self._seat = bench, host, port, self._policy, self._entry

    @property
    def is_refused(self) -> bool:
        """Whether the connection was refused, for good."""
        return self._error is not None

    def offer(self, session: object) -> ssl.SSLSession | None:
        """Return the session to resume, or None where it belongs to another host or port."""
        if not isinstance(session, RememberedSession) or session.context_id != id(self._bench):
            raise ValueError("the session was not made by this context; read it from a connection of its own")
        if not session.is_for(self._host, self._port):
            return None
        self._memory = session
        if self._judge(True, session.chain.leaf).action is not _ALLOW:
            # The full handshake says what the server shows now, and is refused before the client answers.
            self._memory = None
            return None
        return session.raw

    def before(self) -> None:
        """Refuse a host that nobody listed, before a byte is sent; refuse again what was refused."""
        if self._error is not None:
            # A new error each time, so that no two calls share one traceback.
            raise self._error.anew()
        bench = self._bench
        try:
            verdict = unlisted(bench.policy, host=self._host, at=bench.now(), port=self._port)
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._refuse(self._refusal(error), error)
        if verdict is not None:
            self._refuse(verdict)
        self._must_ask = False

    def is_early_enough(self) -> bool:
        """Judge before the client's last flight; a session that is resumed was judged before it was offered."""
        try:
            if self._inner.session_reused:
                return True
            shown = self.certificates_shown()
            verdict = self._judge(False, shown[0] if shown else None)
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._early = self._refusal(error), error
            return False
        if verdict.action is _ALLOW:
            # TLS 1.2 comes here twice, and what healed the first judgement is not forgotten by the second.
            self._early = (verdict, None) if verdict.steps else None
            return True
        verdict = self._healed(verdict)
        self._early = verdict, None
        return verdict.action is _ALLOW

    def refuse_early(self) -> None:
        """Raise the refusal of the early judgement, if it was one."""
        if self._early is not None and self._early[0].action is not _ALLOW:
            self._refuse(*self._early)

    def after(
        self,
        owner: PinnedSocket | PinnedObject | None,
        is_resumed: bool,  # noqa: FBT001  (see Gate)
        leaf: bytes | None,
    ) -> Callable[[], None] | None:
        """
        Judge a finished handshake; raise the refusal, or return what to do once the connection is open (rule 1).

        Whoever replaces the policy judges the connections again that have a verdict; one that is given its verdict
        later than that sees here that its policy was replaced, and judges itself.
        """
        bench, host, _, _, _ = self._seat
        try:
            verdict = self._judge(is_resumed, leaf)
            if owner is not None and verdict.action is _ALLOW:
                owner.verdict = verdict
                self.open(owner)
                while bench.policy is not verdict.policy and verdict.action is _ALLOW:
                    owner.verdict = verdict = self._judge(is_resumed, leaf)
            if verdict.action is _ALLOW:
                last = bench.accepted.get(host)
                if (
                    last is not None
                    and last.matched is verdict.matched
                    and last.policy is verdict.policy
                    and not is_resumed
                    and last.leaf == leaf
                ):
                    # The same policy does not both accept and deny a pin, so that this is the same match again.
                    last.tick()
                else:
                    self._let_through(bench, verdict)
            opened = bench.record.telling(verdict) if bench.record.has_listener else None
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._refuse(self._refusal(error), error)
        if verdict.action is not _ALLOW:
            return self._heal_or_refuse(owner, verdict)
        return opened

    def _heal_or_refuse(self, owner: PinnedSocket | PinnedObject | None, refused: Verdict) -> Callable[[], None] | None:
        """Climb the host's ladder (rule 6); raise the refusal, or do what :meth:`after` does for the healed verdict."""
        if self._bench.healer is None or not is_curable(refused):
            self._refuse(refused)
        if owner is not None:
            # A newer policy may have refused what was open for a moment: nothing moves while the ladder is climbed.
            owner.verdict = None
            self.close(owner)
        bench = self._bench
        try:
            verdict = self._healed(refused)
            if owner is not None and verdict.action is _ALLOW:
                owner.verdict = verdict
                self.open(owner)
                verdict = self._still_allowed(owner, verdict)
            if verdict.action is _ALLOW:
                # Heard of each time, where a match like the last one would only be counted.
                count(verdict)
                bench.accept(verdict)
                bench.record.tell_trouble(verdict)
            opened = bench.record.telling(verdict) if bench.record.has_listener else None
        except Exception as error:  # noqa: BLE001  (rule 3)
            self._refuse(self._refusal(error), error)
        if verdict.action is not _ALLOW:
            self._refuse(verdict)
        return opened

    def _healed(self, refused: Verdict) -> Verdict:
        """Return what becomes of a refusal once its host's ladder was climbed: once a handshake, and once after it."""
        healer = self._bench.healer
        if healer is None or not is_curable(refused):
            return refused
        if self._early is not None:
            # The ladder was climbed in the middle of this handshake: what it came to is asked, and nobody waits again.
            return replace(self._reviewed(refused), steps=self._early[0].steps)
        owner = None if self._owner is None else self._owner()
        return heal(healer, refused, lambda policy: self._evaluate(refused, policy), seconds_to_wait(owner))

    def _still_allowed(self, owner: PinnedSocket | PinnedObject, verdict: Verdict) -> Verdict:
        """Judge a healed connection until the policy that did so is the one in force (rule 1)."""
        bench, policy = self._bench, verdict.policy
        while bench.policy is not policy and verdict.action is _ALLOW:
            policy = bench.policy
            owner.verdict = verdict = replace(self._reviewed(verdict), steps=verdict.steps)
        return verdict

    def _reviewed(self, before: Verdict) -> Verdict:
        """Judge the chain of an earlier verdict by the policy of now, or by an emergency policy that it allows for."""
        verdict, healer = self._evaluate(before), self._bench.healer
        if healer is None or verdict.action is _ALLOW or not is_curable(verdict):
            return verdict
        return review(healer, verdict, lambda policy: self._evaluate(before, policy))

    def _let_through(self, bench: Bench, verdict: Verdict) -> None:
        """Count a verdict that is another one than this host's last, and remember a match."""
        count(verdict)
        bench.accept(verdict)
        if verdict.steps or verdict.is_reportable:
            bench.record.tell_trouble(verdict)

    def _judge(self, is_resumed: bool, leaf: bytes | None) -> Verdict:  # noqa: FBT001  (see Gate)
        """Judge the validated chain of a handshake under ``CERT_REQUIRED``, or the one remembered with its session."""
        chain = self._remembered(leaf) if is_resumed else validated_chain(self, leaf)
        bench, host, port, known, entry = self._seat
        policy = bench.policy
        if policy is not known:
            verdict = evaluate(chain, policy, host=host, at=bench.now(), port=port, resumed=is_resumed)
            return verdict if self._early is None else replace(verdict, steps=self._early[0].steps)
        return evaluate_entry(chain, policy, host, entry, bench.now(), port, is_resumed)

    def judge_again(self, owner: PinnedSocket | PinnedObject, before: Verdict) -> None:
        """Judge a connection that was let through by its chain; end it, or let it send nothing more (rule 5)."""
        bench = self._bench
        try:
            verdict = self._reviewed(before)
        except Exception as error:  # noqa: BLE001  (rule 3)
            verdict = self._refusal(error)
        if verdict.action is Action.ALLOW:
            owner.verdict = verdict
            return
        self._error = PinMismatchError(verdict, facts=bench.facts(self._host))
        self._must_ask = True
        if verdict.outcome is Outcome.DENIED_KEY:
            self.cut(owner)
        else:
            self.drain(owner)
        count(verdict)
        bench.record.tell(verdict)

    def _evaluate(self, before: Verdict, policy: Policy | None = None) -> Verdict:
        """Judge the chain of an earlier verdict by a policy, or by the one of now."""
        bench = self._bench
        policy, chain = policy or bench.policy, cast("ValidatedChain", before.chain)
        return evaluate(chain, policy, host=before.host, at=bench.now(), port=before.port, resumed=before.resumed)

    def _remembered(self, leaf: bytes | None) -> ValidatedChain:
        memory = self._memory
        if memory is None or not memory.is_for(self._host, self._port) or not memory.is_of(leaf):
            raise UnknownSessionError("the connection resumes a session whose validated chain is not remembered")
        return cast("ValidatedChain", memory.chain)

    def failed(self, error: ssl.SSLCertVerificationError) -> None:
        """Make a verdict of OpenSSL's refusal of a listed host, and keep OpenSSL's error."""
        detail = escaped(str(getattr(error, "verify_message", error)))
        verdict = self._refusal(None, detail)
        if verdict.host_policy is None:
            return
        facts = self._bench.facts(
            self._host,
            presented=chain_tried(self),
            openssl_error=detail,
            verify_code=getattr(error, "verify_code", None),
        )
        self._error = PinMismatchError(verdict, facts=facts)
        self._must_ask = True
        error.verdict = verdict  # type: ignore[attr-defined]
        error.diagnosis = self._error.diagnosis  # type: ignore[attr-defined]
        error.add_note(str(self._error))
        # Clients that lose the object and its notes keep this text.
        error.strerror = f"{error.strerror}\n  cause: {self._error.diagnosis.sentence}\n  verdict: {verdict.id}"
        count(verdict)
        self._bench.record.tell(verdict)

    def _refusal(self, cause: Exception | None, detail: str = "") -> Verdict:
        """Return a verdict that there is nothing to judge, whatever is wrong with the policy or the clock."""
        said = f"{type(cause).__name__}: {escaped(str(cause))}" if cause is not None else detail
        about: dict[str, Any] = {"at": datetime.now(UTC), "detail": said, "port": self._port}
        try:
            return refusal(self._bench.policy, host=self._host, **about)
        except Exception:  # noqa: BLE001  (rule 3: the look-up itself is what fails)
            return refusal(self._bench.policy, host=None, **about)

    def _refuse(self, verdict: Verdict, cause: Exception | None = None) -> NoReturn:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner.verdict = None
            self.close(owner)
        presented = chain_shown(self) if verdict.outcome is Outcome.NO_MATCHING_PIN else None
        self._error = PinMismatchError(verdict, facts=self._bench.facts(self._host, presented=presented))
        self._must_ask = True
        count(verdict)
        self._bench.record.tell(verdict)
        raise self._error from cause


class LeafGate(ConnectionGate):
    """A gate that judges the leaf alone; only ``danger`` has it."""

    __slots__ = ()

    def _judge(self, is_resumed: bool, leaf: bytes | None) -> Verdict:  # noqa: ARG002, FBT001  (see Gate)
        bench = self._bench
        return evaluate_leaf(leaf_presented(leaf), bench.policy, host=self._host, at=bench.now(), port=self._port)

    def _evaluate(self, before: Verdict, policy: Policy | None = None) -> Verdict:
        bench = self._bench
        policy, chain = policy or bench.policy, cast("PresentedChain", before.chain)
        return evaluate_leaf(chain, policy, host=before.host, at=bench.now(), port=before.port)
