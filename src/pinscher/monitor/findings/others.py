"""
Findings about others who speak of an endpoint's certificate, and say something else than the endpoint shows.

Rules of this file:

1. A log that promised to include a certificate (an embedded timestamp) and does not hold it after its own delay is
   told, as far as the log was read since the promise and by the policy in force. Timestamps' signatures are not
   verified: it may be the certificate that lies. While a log is not read to its end, what is told stays as it was told.
2. TLSA records disagree when there are some and none matches. What is shown is compared with them, validated or not,
   for DANE has no use for a CA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.pin import Pin
from pinscher.probe import TimestampsError, embedded_timestamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pinscher.monitor.transparency.logs import CtLog
    from pinscher.monitor.transparency.memory import Known, Logged
    from pinscher.probe.tlsa import TlsaAnswer

OTHERS_RULES = ("ct-missing", "tlsa-disagrees")
"""The rules of this file's findings."""


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A log, and what is known of it."""

    log: CtLog
    known: Known


def ct_missing(
    certificate_der: bytes, logs: Mapping[bytes, FollowedLog], logged: Iterable[Logged], *, since: datetime,
    told: Finding | None = None,
) -> Finding | None:  # fmt: skip
    """
    Look for a certificate in the logs that promised it.

    *since* is when the policy in force was first used, and *told* what the book says already (rule 1).
    """
    try:
        promises = embedded_timestamps(certificate_der)
    except TimestampsError:
        return None
    owed = [(logs[one.log], one.at) for one in promises if one.log in logs and _is_due(logs[one.log], one.at, since)]
    if not owed:
        return None
    key, serial = Pin.of(certificate_der), certificate_summary(certificate_der).serial
    held = {one.log for one in logged if key in one.issued.leaf_pins and one.issued.serial == serial}
    missing = [(followed, at) for followed, at in owed if followed.log.id.hex() not in held]
    if not missing:
        return None
    read = [(followed, at) for followed, at in missing if _is_read(followed)]
    if not read:
        return told
    followed, at = read[0]
    return Finding(
        rule="ct-missing",
        severity=Severity.WARNING,
        said=f"{followed.log.name} promised this certificate on {at:%Y-%m-%d %H:%M} UTC, and does not hold it after "
        f"its own limit (serial {serial})",
        advice="look whether the timestamp is the log's ('pinscher probe' shows it), and tell the log's operator",
    )


def _is_due(followed: FollowedLog, promised: datetime, since: datetime) -> bool:
    place, begun = followed.known.place, followed.known.begun
    is_asked = begun is not None and promised > max(begun, since)
    return is_asked and place is not None and place.head.at > promised + followed.log.longest_delay


def _is_read(followed: FollowedLog) -> bool:
    place = followed.known.place
    return place is not None and place.read.size >= place.head.size


def tlsa_disagrees(answer: TlsaAnswer, chain: Sequence[bytes]) -> Finding | None:
    """Compare TLSA records with a chain, leaf first."""
    if answer.agrees(chain) is not False:
        return None
    says = "says" if answer.is_authenticated else "does not say"
    return Finding(
        rule="tlsa-disagrees",
        severity=Severity.WARNING,
        said=f"none of its TLSA records matches what it shows, first {str(answer.records[0])[:80]}; "
        f"the resolver {says} that DNSSEC is right",
        advice="publish records for the key that is in use and for the next one; mail servers refuse this one",
    )
