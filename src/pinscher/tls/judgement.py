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

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pinscher.errors import PinningError
from pinscher.tls._chain import leaf_presented, validated_chain
from pinscher.tls.bench import moment_of
from pinscher.tls.counting import count
from pinscher.tls.healing import heal, is_curable, review, seconds_to_wait
from pinscher.tls.refusing import RefusingGate
from pinscher.tls.sessions import RememberedSession
from pinscher.verdict import Action, Outcome, evaluate, evaluate_entry, evaluate_leaf

if TYPE_CHECKING:
    import ssl
    import weakref
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.chain import PresentedChain, ValidatedChain
    from pinscher.policy import Policy
    from pinscher.tls._cpython import PinnedObject, PinnedSocket
    from pinscher.tls.bench import Accepted, Bench
    from pinscher.verdict import Verdict

_ALLOW = Action.ALLOW
"""Named once, because members of an enumeration are found by way of its metaclass."""


class UnknownSessionError(PinningError):
    """A connection that resumed a session of which no validated chain is known."""


class ConnectionGate(RefusingGate):
    """The gate of one connection of a pinned context, which judges its validated chain."""

    __slots__ = ("_again", "_memory", "_seat")
    _again: tuple[Accepted, datetime | float] | Verdict
    """The settled match that this connection's is like, and when it was; or the verdict once somebody asked for it."""

    _early: tuple[Verdict | None, BaseException | None] | None
    """
    The refusal that was found in the middle of the handshake, and what caused it; or the verdict that healed it.

    Where the judgement itself failed there is no verdict, and the cause alone.
    """

    def __init__(
        self,
        bench: Bench,
        host: str | None,
        port: int | None = None,
        owner: weakref.ref[PinnedSocket | PinnedObject] | None = None,
    ) -> None:
        self._inner = self._discard = self._early = None
        self._error = None
        self._memory: RememberedSession | None = None
        self._bench = bench
        self._owner = owner
        self._host = host
        self._port = port
        policy: Policy | None = bench.policy
        last = bench.accepted.get(host)
        if last is not None and last.policy is policy:
            entry = last.entry
        else:
            try:
                entry = None if host is None else bench.policy.lookup_canonical(host)
            except Exception:  # noqa: BLE001  (rule 3: the look-up is made again, and what it raises then is a refusal)
                entry = policy = None
        self._must_ask = entry is None
        # Read at once after the handshake: a class with __getattr__ makes every single reading slow.
        self._seat = bench, host, port, policy, entry, last

    def offer(self, session: object) -> ssl.SSLSession | None:
        """Return the session to resume, or None where it belongs to another host or port."""
        if not isinstance(session, RememberedSession) or session.context_id != id(self._bench):
            raise ValueError("the session was not made by this context; read it from a connection of its own")
        if not session.is_for(self._host, self._port):
            return None
        self._memory = session
        try:
            is_good = self._judge(True, session.chain.leaf).action is _ALLOW
        except Exception:  # noqa: BLE001  (rule 3: the full handshake is judged as well, and what fails then refuses it)
            is_good = False
        if is_good:
            return session.raw
        # The full handshake says what the server shows now, and is refused before the client answers.
        self._memory = None
        return None

    def is_early_enough(self) -> bool:
        """Judge before the client's last flight; a session that is resumed was judged before it was offered."""
        try:
            if self._inner.session_reused:
                return True
            shown = self.certificates_shown()
            verdict = self._judge(False, shown[0] if shown else None)
            return self._is_good_early(verdict)
        except BaseException as error:  # noqa: BLE001  (OpenSSL goes on with the handshake; it is raised after that)
            self._keep_early(None, error)
            return False

    def _is_good_early(self, verdict: Verdict) -> bool:
        if verdict.action is _ALLOW:
            # TLS 1.2 comes here twice, and what healed the first judgement is not forgotten by the second.
            if verdict.steps:
                self._keep_early(verdict, None)
            return True
        verdict = self._healed(verdict)
        self._keep_early(verdict, None)
        return verdict.action is _ALLOW

    def _keep_early(self, verdict: Verdict | None, cause: BaseException | None) -> None:
        """Keep what was found early; no match is settled any more, whatever policy comes until the handshake's end."""
        self._early = verdict, cause
        self._seat = *self._seat[:-1], None

    @property
    def _early_steps(self) -> tuple[str, ...]:
        """The rungs that were climbed in the middle of the handshake."""
        verdict = None if self._early is None else self._early[0]
        return () if verdict is None else verdict.steps

    def refuse_early(self) -> None:
        """Raise the refusal of the early judgement, if it was one, or what the judgement failed with."""
        if self._early is None:
            return
        verdict, cause = self._early
        if verdict is None:
            self._early = self._refusal(None, "the judgement was interrupted"), cause
            self._fail(None if self._owner is None else self._owner(), cast("BaseException", cause))
        if verdict.action is not _ALLOW:
            self._refuse(verdict, cause)

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
        bench, host, _, _, _, last = self._seat
        try:
            if (
                last is not None
                and last.is_settled
                and last.leaf == leaf
                and last.policy is bench.policy
                and not is_resumed
                and owner is not None
            ):
                self._again = last, bench.stamp()
                owner.judged = self
                self.open(owner)
                if bench.policy is last.policy:
                    next(last.counter)
                    return None
            verdict = self._judge(is_resumed, leaf)
            if owner is not None and verdict.action is _ALLOW:
                owner.judged = verdict
                self.open(owner)
                while bench.policy is not verdict.policy and verdict.action is _ALLOW:
                    owner.judged = verdict = self._judge(is_resumed, leaf)
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
                    next(last.counter)
                else:
                    self._let_through(bench, verdict)
            opened = bench.record.telling(verdict) if bench.record.has_listener else None
        except BaseException as error:  # noqa: BLE001  (rule 3)
            self._fail(owner, error)
        if verdict.action is not _ALLOW:
            return self._heal_or_refuse(owner, verdict)
        return opened

    def verdict_made(self) -> Verdict:
        """Return the verdict of a settled match, which nobody needed until now."""
        again = self._again
        if type(again) is tuple:
            last, stamp = again
            _, host, port, _, _, _ = self._seat
            chain = validated_chain(self, last.leaf)
            again = evaluate_entry(chain, last.policy, host, last.entry, moment_of(stamp), port, False)
            # Two threads that come here together make the same of the same.
            self._again = again
        return cast("Verdict", again)

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
        except BaseException as error:  # noqa: BLE001  (rule 3)
            self._fail(owner, error)
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
            return replace(self._reviewed(refused), steps=self._early_steps)
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
        bench, host, port, known, entry, _ = self._seat
        policy = bench.policy
        if policy is not known:
            verdict = evaluate(chain, policy, host=host, at=bench.now(), port=port, resumed=is_resumed)
            return verdict if self._early is None else replace(verdict, steps=self._early_steps)
        return evaluate_entry(chain, policy, host, entry, bench.now(), port, is_resumed)

    def judge_again(self, owner: PinnedSocket | PinnedObject, before: Verdict) -> Verdict | None:
        """Judge a connection that was let through by its chain (rule 5); return the refusal that ended it, if any."""
        try:
            verdict = self._reviewed(before)
        except Exception as error:  # noqa: BLE001  (rule 3)
            verdict = self._refusal(error)
        if verdict.action is Action.ALLOW:
            owner.verdict = verdict
            return None
        self.withdraw(owner, verdict)
        return verdict

    def judge_withdrawn(self, owner: PinnedSocket | PinnedObject) -> Verdict | None:
        """End a connection that may only receive, if a key of its chain is denied by now; return the refusal."""
        if self._error is None or self._error.verdict.chain is None:
            return None
        verdict = self._evaluate(self._error.verdict)
        if verdict.outcome is not Outcome.DENIED_KEY or verdict.action is _ALLOW:
            return None
        self.withdraw(owner, verdict)
        return verdict

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
