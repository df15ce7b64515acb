"""
Who judges the chains of stacks with a TLS of their own: what a pinned context is for the standard library's.

A stack's file says which chain its own verification accepted; the policy, the clock, the record and the error are here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from pinscher.diagnosis import Facts
from pinscher.errors import escaped
from pinscher.tls.counting import count
from pinscher.tls.enforcement import PinMismatchError
from pinscher.tls.record import VerdictRecord
from pinscher.verdict import Action, evaluate, refusal, unlisted

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from pinscher.chain import ValidatedChain
    from pinscher.policy import Policy
    from pinscher.verdict import Verdict


class Judge:
    """
    Judges validated chains by a policy, which may be replaced while running; the arguments are ``PinnedContext``'s.

    It judges new handshakes alone: unlike a pinned context it does not reach connections that are already open.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        trust: str | os.PathLike[str] | bytes | None = None,
        on_verdict: Callable[[Verdict], object] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.policy = policy
        self.trust = trust
        self._now = now or _now
        self._record = VerdictRecord(on_verdict)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last refusals, the newest last; the id of each stands in its error's text."""
        return self._record.refusals

    def before(self, host: str | None, port: int | None = None) -> None:
        """Refuse a host that the policy does not list, before a byte is sent."""
        found = unlisted(self.policy, host=host, at=self._now(), port=port)
        if found is not None:
            self._refuse(found)

    def judge(self, chain: ValidatedChain, host: str, port: int | None = None) -> Verdict:
        """Return the verdict of a chain that lets the connection through, and raise the one that does not."""
        verdict = evaluate(chain, self.policy, host=host, at=self._now(), port=port)
        if verdict.action is not Action.ALLOW:
            self._refuse(verdict)
        count(verdict)
        self._record.tell(verdict)
        return verdict

    def not_validated(self, host: str, detail: str, port: int | None = None) -> NoReturn:
        """Refuse a connection whose chain or name the stack's own verification refused."""
        self._refuse(refusal(self.policy, host=host, at=self._now(), detail=escaped(detail), port=port))

    def _refuse(self, verdict: Verdict) -> NoReturn:
        count(verdict)
        self._record.tell(verdict)
        raise PinMismatchError(verdict, facts=Facts(trust_named=self.trust is not None))


def _now() -> datetime:
    return datetime.now(UTC)
