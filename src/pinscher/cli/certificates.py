"""Certificates and keys as the verbs show them: one line each for people, one object each for ``--json``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError, CertificateSummary, certificate_summary
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.probe import KeySource

LEAF, INTERMEDIATE, ROOT = "leaf", "intermediate", "root"


def roles(certificates: Sequence[bytes], *, is_validated: bool) -> list[str]:
    """
    Name each certificate's role in a chain that begins with the leaf.

    A validated chain ends with the root that was trusted. What was merely presented ends with a root only if its last
    certificate names itself as its issuer, and that proves nothing.
    """
    named = [LEAF] + [INTERMEDIATE] * (len(certificates) - 1)
    if len(certificates) > 1 and (is_validated or _names_itself(certificates[-1])):
        named[-1] = ROOT
    return named


def _names_itself(certificate: bytes) -> bool:
    summary = certificate_summary(certificate)
    return summary.subject == summary.issuer


def pin_text(certificate: bytes) -> str | None:
    """Return a certificate's SPKI pin, or None for bytes that hold no key."""
    try:
        return str(Pin.of(certificate))
    except CertificateParseError:
        return None


def certificate_rows(certificates: Sequence[bytes], *, is_validated: bool, at: datetime) -> list[str]:
    """Return a line for each certificate: role, pin, expiry and subject, in columns."""
    named = roles(certificates, is_validated=is_validated)
    summaries = [certificate_summary(certificate) for certificate in certificates]
    expiries = [expiry(summary, at=at) for summary in summaries]
    width = max(map(len, expiries))
    return [
        f"  {role:<12}  {pin_text(certificate) or '(no key can be read)':<51}  {until:<{width}}  {summary.subject}"
        for role, certificate, until, summary in zip(named, certificates, expiries, summaries, strict=True)
    ]


def expiry(summary: CertificateSummary, *, at: datetime) -> str:
    """Say in days when a certificate expires, or that it has."""
    if summary.not_after is None:
        return "expiry cannot be read"
    days = (summary.not_after - at).days
    if summary.not_after < at:
        return f"expired {counted(-days - 1, 'day')} ago"
    return f"expires in {counted(days, 'day')}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where English wants it."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def certificate_objects(certificates: Sequence[bytes], *, is_validated: bool) -> list[dict[str, object]]:
    """Return the ``--json`` object of each certificate in a chain."""
    named = roles(certificates, is_validated=is_validated)
    return [{"role": role} | _fields(certificate) for role, certificate in zip(named, certificates, strict=True)]


def key_object(source: KeySource) -> dict[str, object]:
    """Return the ``--json`` object of a key from a file; what only a certificate has is null elsewhere."""
    fields = dict.fromkeys(_FIELDS) if source.certificate is None else _fields(source.certificate)
    return {"kind": source.kind.value, "place": source.place} | fields | {"pin": str(source.pin)}


_FIELDS = ("pin", "certificate_pin", "subject", "issuer", "serial", "not_before", "not_after")


def _fields(certificate: bytes) -> dict[str, object]:
    summary = certificate_summary(certificate)
    pin = pin_text(certificate)
    whole = None if pin is None else str(Pin.of(certificate, kind="certificate"))
    values = (pin, whole, summary.subject, summary.issuer, summary.serial, _iso(summary.not_before),
              _iso(summary.not_after))  # fmt: skip
    return dict(zip(_FIELDS, values, strict=True))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)


def common_name(certificate: bytes) -> str:
    """Return the name a person knows a certificate by: its common name if it has one, escaped."""
    return certificate_summary(certificate).subject.partition(", ")[0].removeprefix("CN=")
