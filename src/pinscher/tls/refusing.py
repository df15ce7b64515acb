"""
How a connection is refused: before a byte is sent, by OpenSSL, by the check or its failure, or by a newer policy.

Rules of this file:

1. What opens nothing comes first: the gate is back in its place before anything else is done that could fail.
2. A refusal is a verdict and its error, counted and told; it stands, and every later call raises it anew.
3. Any exception inside the check is a refusal; what explains a refusal can fail without undoing it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pinscher.errors import escaped
from pinscher.tls._chain import chain_shown, chain_tried
from pinscher.tls._cpython import Gate
from pinscher.tls.counting import count
from pinscher.tls.enforcement import PinMismatchError
from pinscher.verdict import Outcome, refusal, unlisted

if TYPE_CHECKING:
    import ssl

    from pinscher.tls._cpython import PinnedObject, PinnedSocket
    from pinscher.tls.bench import Bench
    from pinscher.verdict import Verdict


class RefusingGate(Gate):
    """A gate that knows how to refuse; who judges derives from it and sets every slot."""

    __slots__ = ("_bench", "_error", "_host", "_port")
    _bench: Bench
    _error: PinMismatchError | None
    """The refusal, once it stands."""
    _host: str | None
    _port: int | None

    @property
    def is_refused(self) -> bool:
        """Whether the connection was refused, for good."""
        return self._error is not None

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

    def withdraw(self, owner: PinnedSocket | PinnedObject, verdict: Verdict | None = None) -> None:
        """End a connection, or let it send nothing more; without a *verdict* because nobody can tell what it is."""
        if verdict is None or verdict.outcome is Outcome.DENIED_KEY:
            self.cut(owner)
        else:
            self.drain(owner)
        if verdict is None:
            verdict = self._refusal(None, "the judgement by a new policy was interrupted")
        self._error = PinMismatchError(verdict, facts=self._bench.facts(self._host))
        self._must_ask = True
        count(verdict)

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
        said = detail if cause is None else _said(cause)
        about: dict[str, Any] = {"at": datetime.now(UTC), "detail": said, "port": self._port}
        try:
            return refusal(self._bench.policy, host=self._host, **about)
        except Exception:  # noqa: BLE001  (rule 3: the look-up itself is what fails)
            return refusal(self._bench.policy, host=None, **about)

    def _fail(self, owner: PinnedSocket | PinnedObject | None, error: BaseException) -> NoReturn:
        """Refuse because the check itself failed; it is closed before anything else that could fail, too."""
        if owner is not None:
            owner.judged = None
            self.close(owner)
        if not isinstance(error, Exception):
            # Somebody ends the program. Whoever goes on with the connection has it judged anew.
            raise error
        self._refuse(self._refusal(error), error)

    def _refuse(self, verdict: Verdict, cause: BaseException | None = None) -> NoReturn:
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


def _said(cause: Exception) -> str:
    """Return what an exception says of itself, which may fail as well."""
    try:
        return f"{type(cause).__name__}: {escaped(str(cause))}"
    except Exception:  # noqa: BLE001  (its own __str__ may be what is wrong with it)
        return type(cause).__name__
