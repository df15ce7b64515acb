"""
Reports and heartbeats as JSON: the sender's writer and the collector's reader.

Rules of this file:

1. What is written is deterministic: sorted names, ASCII, no spaces; the same report is the same octets.
2. Any octets are read, or refused with :class:`ReportError`; nothing is guessed, and every text has a length.
3. Names that the reader does not know are passed over, for newer clients; a name that stands twice is refused.
4. Whatever is read was chosen by a stranger: it is bounded and typed here, and never trusted.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError, escaped
from pinscher.reports.heartbeat import MOST_COUNTS, Heartbeat, HostCount
from pinscher.reports.violation import (
    LARGEST_CHAIN,
    MOST_CERTIFICATES,
    MOST_PINS,
    MOST_STEPS,
    Judged,
    ViolationReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 512 * 1024
"""Octets of one report or heartbeat."""
FORMAT = 1
"""The number of the form under ``pinscher``; another number is refused."""
_LONGEST = 512
"""Characters of one text."""
_GREATEST = 2**53 - 1
"""The largest whole number that every reader of JSON keeps."""


class ReportError(PinningError, ValueError):
    """Octets that are no report; ``reason`` says why, in words that hold nothing of them unescaped."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no report: {reason}")
        self.reason = reason


def write_report(report: ViolationReport) -> bytes:
    """Return a report in the wire form (rule 1)."""
    table: dict[str, object] = {
        "date-time": _time(report.at),
        "hostname": report.host,
        "port": report.port,
        "effective-expiration-date": None if report.expires is None else _time(report.expires),
        "include-subdomains": report.include_subdomains,
        "noted-hostname": report.noted_host,
        "served-certificate-chain": [_pem(certificate) for certificate in report.served],
        "validated-certificate-chain": [_pem(certificate) for certificate in report.validated],
        "known-pins": [_known(pin) for pin in report.pins],
    }
    judged = report.judged
    if judged is not None:
        table["pinscher"] = {"format": FORMAT} | {_dashed(name): getattr(judged, name) for name in Judged.__slots__}
    return _written(table)


def read_report(octets: bytes) -> ViolationReport:
    """Return the report in *octets*, with ``judged`` or in RFC 7469's plain shape (rules 2 to 4)."""
    table = _Table.of(octets)
    judged = table.table("pinscher")
    return ViolationReport(
        at=table.time("date-time"),
        host=table.text("hostname"),
        port=table.optional("port", lambda: table.number("port", most=65535)),
        expires=table.optional("effective-expiration-date", lambda: table.time("effective-expiration-date")),
        include_subdomains=table.truth("include-subdomains"),
        noted_host=table.text("noted-hostname"),
        served=table.chain("served-certificate-chain"),
        validated=table.chain("validated-certificate-chain"),
        pins=tuple(map(_pin, table.texts("known-pins", most=MOST_PINS))),
        judged=None if judged is None else _judged(judged),
    )


def _judged(table: _Table) -> Judged:
    table.check_format()
    texts = ("policy", "mode", "outcome", "action", "cause", "confidence", "verdict", "library")
    return Judged(
        **{name: table.text(name) for name in texts},
        version=table.number("version"),
        times=table.number("times"),
        omitted=table.number("omitted"),
        steps=tuple(table.texts("steps", most=MOST_STEPS)),
        alarm=table.text_or_empty("alarm"),
        error=table.text_or_empty("error"),
        said=table.text_or_empty("said"),
    )


def write_heartbeat(heartbeat: Heartbeat) -> bytes:
    """Return a heartbeat in the wire form (rule 1)."""
    counts = [{name: getattr(count, name) for name in HostCount.__slots__} for count in heartbeat.counts]
    return _written(
        {
            "format": FORMAT,
            "install": heartbeat.install,
            "begins": _time(heartbeat.begins),
            "ends": _time(heartbeat.ends),
            "policy": heartbeat.policy,
            "version": heartbeat.version,
            "library": heartbeat.library,
            "log-head": heartbeat.log_head,
            "counts": counts,
            "lost": heartbeat.lost,
        }
    )


def read_heartbeat(octets: bytes) -> Heartbeat:
    """Return the heartbeat in *octets* (rules 2 to 4)."""
    table = _Table.of(octets)
    table.check_format()
    install = table.text("install")
    if len(install) != 32 or not set(install) <= set("0123456789abcdef"):
        raise ReportError("'install' is not 32 hexadecimal digits")
    return Heartbeat(
        install=install,
        begins=table.time("begins"),
        ends=table.time("ends"),
        policy=table.text("policy"),
        version=table.number("version"),
        library=table.text("library"),
        log_head=table.optional("log-head", lambda: table.text("log-head")),
        # What was beyond the sender's limit is added up in a few counts more.
        counts=tuple(map(_count, table.tables("counts", most=2 * MOST_COUNTS))),
        lost=table.number("lost"),
    )


def _count(table: _Table) -> HostCount:
    return HostCount(
        host=table.optional("host", lambda: table.text("host")),
        outcome=table.text("outcome"),
        action=table.text("action"),
        matched=table.optional("matched", lambda: table.text("matched")),
        policy=table.text("policy"),
        version=table.number("version"),
        times=table.number("times"),
    )


class _Table:
    """An object of JSON, read field by field; what is missing or of another type is refused with its name."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    @classmethod
    def of(cls, octets: bytes) -> _Table:
        if len(octets) > LARGEST:
            raise ReportError(f"{len(octets)} octets, at most {LARGEST} are read")
        try:
            read = json.loads(octets.decode(), object_pairs_hook=_once, parse_constant=_no_number)
        except ReportError:
            raise
        except (ValueError, RecursionError) as error:
            raise ReportError(f"it is not JSON ({type(error).__name__})") from None
        if not isinstance(read, dict):
            raise ReportError("expected an object")
        return cls(read)

    def check_format(self) -> None:
        if self.number("format") != FORMAT:
            raise ReportError(f"'format' is {self.number('format')}, expected {FORMAT}")

    def text(self, name: str) -> str:
        return _text(self._fields.get(name), name)

    def text_or_empty(self, name: str) -> str:
        """Return a text that clients of before did not say, or an empty one."""
        return "" if self._fields.get(name) is None else self.text(name)

    def texts(self, name: str, *, most: int, longest: int = _LONGEST) -> list[str]:
        return [_text(one, name, longest) for one in self._list(name, most)]

    def number(self, name: str, *, most: int = _GREATEST) -> int:
        found = self._fields.get(name)
        if type(found) is not int or not 0 <= found <= most:
            raise ReportError(f"{name!r} is not a whole number from 0 to {most}")
        return found

    def truth(self, name: str) -> bool:
        found = self._fields.get(name, False)
        if type(found) is not bool:
            raise ReportError(f"{name!r} is neither true nor false")
        return found

    def time(self, name: str) -> datetime:
        text = self.text(name)
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError  # noqa: TRY301  (told as every other time that is none)
            return at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ReportError(f"{name!r} is not a time of RFC 3339: '{escaped(text, limit=40)}'") from None

    def chain(self, name: str) -> tuple[bytes, ...]:
        found = tuple(map(_der, self.texts(name, most=MOST_CERTIFICATES, longest=2 * LARGEST_CHAIN)))
        if sum(map(len, found)) > LARGEST_CHAIN:
            raise ReportError(f"{name!r} has more than {LARGEST_CHAIN} octets")
        return found

    def table(self, name: str) -> _Table | None:
        found = self._fields.get(name)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise ReportError(f"{name!r} is not an object")
        return _Table(found)

    def tables(self, name: str, *, most: int) -> list[_Table]:
        found = self._list(name, most)
        if not all(isinstance(one, dict) for one in found):
            raise ReportError(f"{name!r} holds something that is not an object")
        return [_Table(one) for one in found]

    def optional(self, name: str, read: Callable[[], Any]) -> Any:
        return None if self._fields.get(name) is None else read()

    def _list(self, name: str, most: int) -> list[Any]:
        found = self._fields.get(name, [])
        if not isinstance(found, list) or len(found) > most:
            raise ReportError(f"{name!r} is not a list of at most {most}")
        return found


def _text(found: object, name: str, longest: int = _LONGEST) -> str:
    if not isinstance(found, str) or len(found) > longest:
        raise ReportError(f"{name!r} is not a text of at most {longest} characters")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ReportError("a name stands twice in one object")
    return fields


def _no_number(text: str) -> None:
    raise ReportError(f"{text} is no number of JSON")


def _written(table: dict[str, object]) -> bytes:
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def _pem(der: bytes) -> str:
    encoded = base64.b64encode(der).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def _der(pem: str) -> bytes:
    text = pem.strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise ReportError("a certificate is not in PEM")
    try:
        return base64.b64decode("".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
    except (binascii.Error, ValueError):
        raise ReportError("a certificate is not Base64") from None


def _known(pin: str) -> str:
    """Return a pin as RFC 7469 writes it: ``pin-sha256="..."``; that of a whole certificate as ``cert-sha256``."""
    kind, _, digest = pin.partition("/")
    return f'{"pin-sha256" if kind == "sha256" else kind}="{digest}"'


def _pin(known: str) -> str:
    name, _, value = known.partition("=")
    digest = value.strip("\"'")
    return f"{'sha256' if name.strip() == 'pin-sha256' else name.strip()}/{digest}"
