"""The error of a refused connection, and the way from any client's error back to the verdict."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Self

from pinscher.diagnosis import Cause, Confidence, Diagnosis, Facts, diagnose, explain
from pinscher.errors import PinningError
from pinscher.verdict import Action, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

_X509_V_ERR_APPLICATION_VERIFICATION = 50
"""OpenSSL's own code for 'the application refused the chain'."""

_MOST_ERRORS = 256
"""How many errors of one chain of causes are looked at."""


class PinMismatchError(PinningError, ssl.SSLCertVerificationError):
    """
    A connection that was refused; ``verdict`` says why, and the whole diagnosis is the error's text.

    It is an ``ssl.SSLCertVerificationError``, so that every client's own handling of a bad certificate applies. A
    client that loses the object keeps the text, which holds ``verdict.id``.
    """

    verdict: Verdict
    diagnosis: Diagnosis

    def __init__(
        self,
        verdict: Verdict | str | int,
        text: str | None = None,
        *,
        facts: Facts | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        if not isinstance(verdict, Verdict):
            # Some libraries make an error anew from its class and its text, which has the verdict's id, or its args.
            super().__init__(ssl.SSL_ERROR_SSL, verdict if text is None else text)
            return
        self.verdict = verdict
        self.diagnosis, explained = _explained(verdict, facts or Facts(), diagnosis)
        # anyio reads strerror, and urllib3 and aiohttp the other attributes that the standard library's errors have.
        super().__init__(ssl.SSL_ERROR_SSL, explained)
        self.library = "SSL"
        self.reason = "CERTIFICATE_VERIFY_FAILED"
        self.verify_code = _X509_V_ERR_APPLICATION_VERIFICATION
        self.verify_message = str(self.strerror).partition("\n")[0]

    def anew(self) -> Self:
        """Return an equal error with a traceback of its own."""
        return type(self)(self.verdict, diagnosis=self.diagnosis)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the verdict and its diagnosis."""
        return _restored, (self.verdict, self.diagnosis)


def _explained(verdict: Verdict, facts: Facts, diagnosis: Diagnosis | None) -> tuple[Diagnosis, str]:
    try:
        found = diagnosis or diagnose(verdict, facts)
        return found, explain(verdict, found)
    except Exception as error:  # noqa: BLE001  (a refusal stands whether or not it can be explained)
        unknown = Diagnosis(
            cause=Cause.UNKNOWN,
            confidence=Confidence.UNKNOWN,
            sentence=f"the refusal stands, and explaining it failed with {type(error).__name__}",
            next_action="report this to the authors of pinscher",
        )
        return unknown, f"{verdict.outcome.value} for {verdict.host}: {unknown.sentence}\n  verdict: {verdict.id}"


def _restored(verdict: Verdict, diagnosis: Diagnosis) -> PinMismatchError:
    return PinMismatchError(verdict, diagnosis=diagnosis)


def enforce(verdict: Verdict) -> Verdict:
    """Return a verdict that allows the connection, and raise :class:`PinMismatchError` for one that blocks it."""
    if verdict.action is not Action.ALLOW:
        raise PinMismatchError(verdict)
    return verdict


def verdict_of(error: BaseException | None) -> Verdict | None:
    """
    Return the verdict behind an error that a client raised, or None where no verdict of ours is behind it.

    It walks causes, contexts, arguments, reasons and groups. A few clients throw the object away and keep its text:
    look the id in that text up in ``context.verdicts``.
    """
    for found in _behind(error):
        verdict = _part(found, "verdict")
        if isinstance(verdict, Verdict):
            return verdict
    return None


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and every error it hides, the nearest first, each once."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_ERRORS:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [_part(found, name) for name in _PARTS]
        for name in ("args", "exceptions"):
            several = _part(found, name)
            waiting += several if isinstance(several, tuple | list) else ()


_PARTS = ("__cause__", "__context__", "reason", "os_error", "certificate_error", "original_error")


def _part(error: BaseException, name: str) -> Any:
    """Return an attribute of somebody's error, or None where there is none or reading it fails."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001  (it is somebody else's attribute, and may be a property)
        return None
