"""
The text of a refusal that people remember: both sides copyable, one likely cause, one next step.

Rules of this file:

1. Whatever a stranger chose is printable ASCII before it gets here, or is escaped here: no line of it can end a line.
2. The size is bounded, however long the chain, the names or the pin list.
3. Nothing raises: a certificate that cannot be read is shown by the digest of its bytes.
4. The text says nothing of when it happened, so that the same refusal reads the same; the time is on the verdict.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pinscher.chain import PresentedChain
from pinscher.der import CertificateParseError, certificate_summary
from pinscher.diagnosis.cause import Confidence
from pinscher.errors import escaped
from pinscher.pin import Pin, PinKind
from pinscher.verdict import Action, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pinscher.diagnosis.cause import Diagnosis
    from pinscher.verdict import Verdict

_CERTIFICATES_SHOWN = 8
_PINS_SHOWN = 12
_FACTS_SHOWN = 6
_STEPS_SHOWN = 6
_SUBJECT_SHOWN = 120
_NAME_SHOWN = 60


def explain(verdict: Verdict, diagnosis: Diagnosis) -> str:
    """Return the lines a person reads: headline, chain, pins, cause, facts, next step, and the verdict's id."""
    return "\n".join([headline(verdict), *(f"  {line}" for line in _details(verdict, diagnosis))])


def headline(verdict: Verdict) -> str:
    """Return one line that says what was found, for every outcome."""
    host = "a connection without a usable host name" if verdict.host is None else escaped(verdict.host)
    where = "leaf" if isinstance(verdict.chain, PresentedChain) else "validated chain"
    detail = f": {escaped(verdict.detail)}" if verdict.detail else ""
    return {
        Outcome.CHAIN_NOT_VALIDATED: f"no validated chain for {host}{detail}",
        Outcome.UNLISTED_HOST: f"no entry in the policy for {host}",
        Outcome.NOT_PINNED: f"no pins in the policy for {host}",
        Outcome.DENIED_KEY: f"a denied key in the {where} of {host}",
        Outcome.POLICY_EXPIRED: f"expired pins for {host}",
        Outcome.MATCH: f"a pinned key in the {where} of {host}",
        Outcome.NO_MATCHING_PIN: f"no pinned key in the {where} of {host}",
    }[verdict.outcome]


def _details(verdict: Verdict, diagnosis: Diagnosis) -> Iterator[str]:
    yield from _chain(verdict)
    yield from _pinned(verdict)
    if verdict.is_reportable and verdict.action is Action.ALLOW:
        yield "allowed all the same, and reported"
    if verdict.steps:
        yield "tried:"
        yield from _bounded([f"  {escaped(step)}" for step in verdict.steps], _STEPS_SHOWN, "  and {} more")
    sure = "" if diagnosis.confidence is Confidence.UNKNOWN else f" ({diagnosis.confidence.value})"
    yield f"cause: {diagnosis.sentence}{sure}"
    yield from _bounded([f"  {fact}" for fact in diagnosis.facts], _FACTS_SHOWN, "  and {} more facts")
    yield f"next: {diagnosis.next_action}"
    yield f"verdict: {verdict.id}"


def _chain(verdict: Verdict) -> Iterator[str]:
    if verdict.chain is None:
        return
    yield "presented (not validated):" if isinstance(verdict.chain, PresentedChain) else "chain:"
    certificates = verdict.chain.certificates
    lines = [f"  {_certificate(der)}" for der in certificates[:_CERTIFICATES_SHOWN]]
    more = len(certificates) - len(lines)
    yield from [*lines, f"  and {more} more"] if more else lines


def _certificate(certificate_der: bytes) -> str:
    subject = certificate_summary(certificate_der).subject
    shown = subject if len(subject) <= _SUBJECT_SHOWN else subject[: _SUBJECT_SHOWN - 3] + "..."
    return f"{_pin_of(certificate_der)}  {shown}"


def _pin_of(certificate_der: bytes) -> Pin:
    try:
        return Pin.of(certificate_der)
    except CertificateParseError:
        return Pin(hashlib.sha256(certificate_der).digest(), kind=PinKind.CERTIFICATE)


def _pinned(verdict: Verdict) -> Iterator[str]:
    policy = f"policy {escaped(verdict.policy.name, limit=_NAME_SHOWN)} {verdict.policy.version}"
    entry = verdict.host_policy
    pins = None if entry is None else entry.pinset
    if entry is None:
        yield f"policy: {policy.removeprefix('policy ')}"
        return
    yield f"pinned ({policy}, {verdict.mode.value}):"
    if pins is None:
        yield f"  nothing: {escaped(entry.unpinned or 'no reason given')}"
        return
    names = _key_names(verdict)
    told = [(pin, "") for pin in pins.pins] + [(pin, "backup") for pin in pins.backup_pins]
    # What decided comes first, so that a long list never hides it.
    told = sorted([*told, *((pin, "denied") for pin in pins.denied_keys)], key=lambda line: line[0] != verdict.matched)
    lines = ["  " + "  ".join(filter(None, (str(pin), role, names.get(pin, "")))) for pin, role in told]
    yield from _bounded(lines, _PINS_SHOWN, "  and {} more")


def _key_names(verdict: Verdict) -> dict[Pin, str]:
    return {key.pin: escaped(key.name, limit=_NAME_SHOWN) for key in verdict.policy.keys.values()}


def _bounded(lines: Sequence[str], limit: int, more: str) -> Iterator[str]:
    yield from lines[:limit]
    if len(lines) > limit:
        yield more.format(len(lines) - limit)
