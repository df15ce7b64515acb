"""
Reports and heartbeats as they come over the wire, read by one fast decoder.

Rules of this file:

1. A report has the field names of RFC 7469 section 3. What ``pinscher.reports`` says beyond it stands in the table
   ``pinscher``, or beside the others from a client of one's own. TrustKit's shape is read by the same names.
2. Unknown fields are passed over, and so is whatever tells one device or person from another.
3. Whatever the bytes are, the answer is a value with bounded, printable ASCII text, or :class:`UnreadableReportError`.
4. The idempotency key is the header ``Idempotency-Key``, or else the field ``id``, or else the digest of the body:
   the same body twice is one report.
"""

from __future__ import annotations

import binascii
import hashlib
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from pinscher.diagnosis import Cause
from pinscher.entry import Mode
from pinscher.errors import escaped
from pinscher.host import HostPattern, InvalidHostError, canonical_host
from pinscher.monitor.client_alarms import ALARMS, alarm_cause, alarm_of
from pinscher.monitor.errors import UnreadableReportError
from pinscher.pin import InvalidPinError, Pin
from pinscher.verdict import Outcome

LARGEST_REPORT = 512 * 1024
"""Octets of a report or heartbeat."""

_Short = Annotated[str, Meta(max_length=128)]
_Text = Annotated[str, Meta(max_length=256)]
_Pem = Annotated[str, Meta(max_length=128 * 1024)]
_Chain = Annotated[list[_Pem], Meta(max_length=16)]
_Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Port = Annotated[int, Meta(ge=0, le=65535)]


class JudgedBody(Struct, gc=False):
    """What Pinscher's own clients say beyond RFC 7469."""

    policy: _Text = ""
    version: _Number | None = None
    mode: _Short = ""
    cause: _Short = ""
    library: _Short = ""
    times: _Number = 1
    alarm: _Short = ""


class ReportBody(Struct, rename="kebab", gc=False):
    """The body of a report (rule 1)."""

    hostname: _Text
    port: _Port | None = None
    date_time: datetime | None = None
    served_certificate_chain: _Chain = field(default_factory=list)
    validated_certificate_chain: _Chain = field(default_factory=list)
    policy: _Text = ""
    version: _Number | None = None
    mode: _Short = ""
    cause: _Short = ""
    library: _Short = ""
    times: _Number = 1
    id: _Short = ""
    pinscher: JudgedBody | None = None
    app_version: _Short = ""
    trustkit_version: _Short = ""
    enforce_pinning: bool | None = None


class CountBody(Struct, gc=False):
    """How often one outcome came about at one host."""

    host: _Text | None
    outcome: _Short
    matched: _Short | None = None
    times: _Number = 1


class HeartbeatBody(Struct, gc=False):
    """The body of a heartbeat."""

    install: Annotated[str, Meta(min_length=1, max_length=64)]
    counts: Annotated[list[CountBody], Meta(max_length=1024)] = field(default_factory=list)
    policy: _Text = ""
    version: _Number | None = None
    log_head: _Text | None = None
    log_head_dashed: _Text | None = field(default=None, name="log-head")
    id: _Short = ""


_REPORT = msgspec.json.Decoder(ReportBody)
_HEARTBEAT = msgspec.json.Decoder(HeartbeatBody)
_CAUSES = frozenset(cause.value for cause in Cause)
_MODES = frozenset(mode.value for mode in Mode)
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


def read_report(body: bytes, *, key: str = "") -> ReportBody:
    """Read a report, *key* being that of the request's head; :func:`certificate_of` reads what it says of chains."""
    try:
        report = _REPORT.decode(body)
        # A connection that was opened without a name has none to report.
        report.hostname = canonical_host(report.hostname) if report.hostname else ""
    except (msgspec.MsgspecError, InvalidHostError, UnicodeError, RecursionError) as error:
        raise UnreadableReportError(f"no report: {escaped(str(error))}") from None
    judged = report.pinscher
    if judged is not None:
        report.policy, report.version, report.mode = judged.policy, judged.version, judged.mode
        report.cause, report.library, report.times = judged.cause, judged.library, judged.times
        if judged.alarm in ALARMS:
            report.cause = alarm_cause(judged.alarm)
    report.policy = _line(report.policy)
    report.id = _key(key or report.id, body)
    report.cause = report.cause if report.cause in _CAUSES or alarm_of(report.cause) else ""
    report.mode = _mode(report)
    report.library = _line(report.library or _foreign(report), limit=128)
    return report


def read_heartbeat(body: bytes, *, key: str = "") -> HeartbeatBody:
    """Read a heartbeat, *key* being that of the request's head; counts of the same thing are added up."""
    try:
        heartbeat = _HEARTBEAT.decode(body)
        counts: dict[tuple[str, str, str], int] = {}
        for count in heartbeat.counts:
            place = (_pattern(count.host), _outcome(count.outcome), _pin(count.matched))
            counts[place] = counts.get(place, 0) + count.times
    except (msgspec.MsgspecError, InvalidHostError, InvalidPinError, UnicodeError, RecursionError) as error:
        raise UnreadableReportError(f"no heartbeat: {escaped(str(error))}") from None
    heartbeat.counts = [
        CountBody(host, outcome, matched, min(times, 2**53 - 1)) for (host, outcome, matched), times in counts.items()
    ]
    heartbeat.install = _line(heartbeat.install, limit=64)
    heartbeat.policy = _line(heartbeat.policy)
    heartbeat.log_head = _line(heartbeat.log_head or heartbeat.log_head_dashed or "")
    heartbeat.id = _key(key or heartbeat.id, body)
    return heartbeat


def certificate_of(pem: str) -> bytes:
    """Return the one certificate of a PEM text, or of base64 alone, as DER with a key that can be read."""
    text = pem.strip()
    if text.startswith(_BEGIN):
        text, end, after = text[len(_BEGIN) :].partition(_END)
        if not end or after.strip():
            raise UnreadableReportError("expected one certificate as PEM, found none or more")
    try:
        der = binascii.a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True)
        Pin.of(der)
    except ValueError as error:
        raise UnreadableReportError(f"a certificate cannot be read: {escaped(str(error))}") from None
    return der


_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def told_at(report: ReportBody) -> datetime | None:
    """Return when the client says that it happened; a time without an offset is taken for UTC."""
    at = report.date_time
    if at is None:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


def _line(text: str, *, limit: int = 256) -> str:
    return text if text.isascii() and text.isprintable() and "\\" not in text else escaped(text, limit=limit)


def _mode(report: ReportBody) -> str:
    if report.mode in _MODES:
        return report.mode
    if report.enforce_pinning is None:
        return ""
    return Mode.ENFORCE.value if report.enforce_pinning else Mode.REPORT_ONLY.value


def _foreign(report: ReportBody) -> str:
    """Name the library of a report in TrustKit's shape."""
    return f"TrustKit {report.trustkit_version}, app {report.app_version}" if report.trustkit_version else ""


def _pattern(host: str | None) -> str:
    """Return a host or a policy's pattern of hosts in its one form, or nothing for hosts that no entry lists."""
    return str(HostPattern.parse(host)) if host else ""


def _outcome(text: str) -> str:
    if text not in _OUTCOMES:
        raise msgspec.ValidationError(f"an outcome that is none: {text[:40]!a}")
    return text


def _pin(text: str | None) -> str:
    return str(Pin.parse(text)) if text else ""


def _key(given: str, body: bytes) -> str:
    """Return the idempotency key (rule 4); a key that would have to be escaped is replaced by its digest."""
    if not given:
        return "body-" + hashlib.sha256(body).hexdigest()
    if given.isascii() and given.isprintable() and len(given) <= 128:
        return given
    return "id-" + hashlib.sha256(given.encode(errors="surrogatepass")).hexdigest()
