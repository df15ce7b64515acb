"""
Violation reports: one refusal, or one that report-only let pass, told to whoever keeps the pins.

The field names on the wire are those of RFC 7469 section 3; what that RFC does not know stands under ``pinscher``. A
report holds certificates, the host and port, and the policy's own words, and nothing about who used the connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.host import Reach

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.diagnosis import Diagnosis
    from pinscher.verdict import Verdict

MOST_CERTIFICATES = 16
"""Certificates of one chain that are sent."""
LARGEST_CHAIN = 64 * 1024
"""Octets of the certificates of one chain, as DER; what does not fit is left out, from the end, and counted."""
MOST_PINS = 64
"""Pins that are sent; a policy may know more."""
MOST_STEPS = 8
"""Steps of a ladder that are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    What Pinscher says beyond RFC 7469: which policy judged, what it found, and the classifier's cause.

    In the report of an alarm ``alarm`` names it, and what is said of a verdict is empty.
    """

    policy: str
    version: int
    mode: str
    outcome: str
    action: str
    cause: str
    confidence: str
    verdict: str
    library: str
    times: int = 1
    omitted: int = 0
    """Certificates and pins that did not fit."""
    steps: tuple[str, ...] = ()
    """What was tried to heal the connection, in order."""
    alarm: str = ""
    error: str = ""
    said: str = ""
    """What is said of an alarm: its name, the name of the error behind it, and words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationReport:
    """
    One report; ``judged`` is None where another program sent it in RFC 7469's plain shape.

    ``served`` and ``validated`` are DER, leaf first, and may be empty. ``pins`` are in the form of ``str(Pin)``.
    Everything in a report that came over a network was chosen by whoever sent it.
    """

    at: datetime
    host: str
    port: int | None
    expires: datetime | None
    include_subdomains: bool
    noted_host: str
    served: tuple[bytes, ...] = ()
    validated: tuple[bytes, ...] = ()
    pins: tuple[str, ...] = ()
    judged: Judged | None = field(default=None)


def report_of(
    verdict: Verdict,
    diagnosis: Diagnosis,
    *,
    library: str,
    presented: PresentedChain | None = None,
    times: int = 1,
) -> ViolationReport:
    """Return the report of a verdict; *times* is how often the same was found since the last report of it."""
    entry = verdict.host_policy
    pinset = None if entry is None else entry.pinset
    known = () if pinset is None else (*pinset.pins, *pinset.backup_pins)
    chain = verdict.chain
    if presented is None and isinstance(chain, PresentedChain):
        presented = chain
    served = () if presented is None else _bounded(presented.certificates)
    validated = _bounded(chain.certificates) if isinstance(chain, ValidatedChain) else ()
    whole = (presented or ()), (chain if isinstance(chain, ValidatedChain) else ())
    omitted = sum(map(len, whole)) - len(served) - len(validated) + max(0, len(known) - MOST_PINS)
    return ViolationReport(
        at=verdict.at,
        host=verdict.host or "",
        port=verdict.port,
        expires=None if entry is None else entry.expires,
        include_subdomains=entry is not None and entry.pattern.reach is not Reach.EXACT,
        noted_host=verdict.host or "" if entry is None else entry.pattern.name,
        served=served,
        validated=validated,
        pins=tuple(map(str, known[:MOST_PINS])),
        judged=Judged(
            policy=verdict.policy.name,
            version=verdict.policy.version,
            mode=verdict.mode.value,
            outcome=verdict.outcome.value,
            action=verdict.action.value,
            cause=diagnosis.cause.value,
            confidence=diagnosis.confidence.value,
            verdict=verdict.id,
            library=library,
            times=times,
            omitted=omitted,
            steps=verdict.steps[:MOST_STEPS],
        ),
    )


def _bounded(certificates: tuple[bytes, ...]) -> tuple[bytes, ...]:
    found, octets = [], 0
    for certificate in certificates[:MOST_CERTIFICATES]:
        octets += len(certificate)
        if octets > LARGEST_CHAIN:
            break
        found.append(certificate)
    return tuple(found)
