"""
Which logs to follow: a list in the shape that browsers publish (https://googlechrome.github.io/CertificateTransparency/,
``log_list.json`` of version 3), so that nobody has to write keys down by hand.

Rules of this file:

1. A log's identity is the SHA-256 of its key, and a list that says otherwise is refused.
2. A log under ``logs`` is one of RFC 6962 and has a ``url``; one under ``tiled_logs`` has a ``monitoring_url`` to read
   from and a ``submission_url`` that it signs its name by.
3. A log that is rejected or retired is left out, and so is one whose certificates have all expired.
4. An address is https; plain http leads to the loopback alone, and only where private addresses are allowed.
"""

from __future__ import annotations

import enum
import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pinscher.errors import PinningError, escaped
from pinscher.host import canonical_host

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_LIST = 8 << 20
MOST_LOGS = 256
_LEAST_MODULUS = 2048
_DAY = timedelta(days=1)


class InvalidLogListError(PinningError, ValueError):
    """A list of logs that cannot be followed, told with the log that it is about."""


class LogKind(enum.Enum):
    """How a log is read."""

    TILED = "static-ct-api"
    LISTED = "RFC 6962"


@dataclass(frozen=True, slots=True, kw_only=True)
class CtLog:
    """One log: its key, and where it is read from."""

    kind: LogKind
    description: str
    key: bytes
    url: str
    origin: str = ""
    longest_delay: timedelta = _DAY

    @property
    def id(self) -> bytes:
        """The log's identity: the SHA-256 of its key (RFC 6962 section 3.2)."""
        return hashlib.sha256(self.key).digest()

    @property
    def name(self) -> str:
        """What the log is called where somebody reads it: escaped and short."""
        return escaped(self.description or self.url, limit=80)


class _Interval(msgspec.Struct):
    start_inclusive: datetime | None = None
    end_exclusive: datetime | None = None


class _Log(msgspec.Struct):
    key: bytes
    log_id: bytes = b""
    description: str = ""
    url: str = ""
    monitoring_url: str = ""
    submission_url: str = ""
    mmd: int = 86_400
    state: dict[str, object] = {}
    temporal_interval: _Interval | None = None


class _Operator(msgspec.Struct):
    name: str = ""
    logs: list[_Log] = []
    tiled_logs: list[_Log] = []


class _List(msgspec.Struct):
    operators: list[_Operator]


def load_logs(path: Path, *, at: datetime, allow_private: bool = False) -> tuple[CtLog, ...]:
    """Read a file of logs; raise :class:`InvalidLogListError` with its name for what cannot be followed."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_LIST + 1)
    except OSError as error:
        raise InvalidLogListError(f"{escaped(str(path))}: {escaped(error.strerror or str(error)).lower()}") from None
    try:
        return read_logs(content, at=at, allow_private=allow_private)
    except InvalidLogListError as error:
        raise InvalidLogListError(f"{escaped(str(path))}: {error}") from None


def read_logs(content: bytes, *, at: datetime, allow_private: bool = False) -> tuple[CtLog, ...]:
    """Return the logs of a list that can still hold certificates which are valid at a moment (rule 3)."""
    if len(content) > LARGEST_LIST:
        raise InvalidLogListError(f"a list of more than {LARGEST_LIST} octets")
    try:
        listed = msgspec.json.decode(content, type=_List)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidLogListError(f"no list of logs of version 3: {escaped(str(error))}") from None
    logs = [
        _log(one, kind, allow_private=allow_private)
        for operator in listed.operators
        for kind, given in ((LogKind.LISTED, operator.logs), (LogKind.TILED, operator.tiled_logs))
        for one in given
        if _is_followed(one, at)
    ]
    if not logs or len(logs) > MOST_LOGS:
        raise InvalidLogListError(f"{len(logs)} logs to follow, expected from 1 to {MOST_LOGS}")
    if len({log.id for log in logs}) < len(logs):
        raise InvalidLogListError("two logs with one key")
    return tuple(logs)


def _is_followed(one: _Log, at: datetime) -> bool:
    end = None if one.temporal_interval is None else one.temporal_interval.end_exclusive
    if end is not None and end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    return not {"rejected", "retired"} & set(one.state) and (end is None or end > at)


def _log(one: _Log, kind: LogKind, *, allow_private: bool) -> CtLog:
    log = CtLog(
        kind=kind,
        description=one.description,
        key=one.key,
        url=_address(one.url if kind is LogKind.LISTED else one.monitoring_url, one, allow_private=allow_private),
        origin=_origin(one) if kind is LogKind.TILED else "",
        longest_delay=timedelta(seconds=min(max(one.mmd, 0), 10 * 86_400)),
    )
    if one.log_id and one.log_id != log.id:
        raise InvalidLogListError(f"log {log.name!r} has a log_id that is not the SHA-256 of its key")
    _check_key(log)
    return log


def _origin(one: _Log) -> str:
    """Return the name that a tiled log signs by: its submission prefix without a scheme."""
    _, separator, origin = one.submission_url.partition("://")
    origin = origin.rstrip("/")
    if not separator or not origin or not origin.isascii() or not origin.isprintable() or {" ", "+"} & set(origin):
        raise InvalidLogListError(f"log {escaped(one.description)!r} has no submission_url that it could sign by")
    return origin


def _address(url: str, one: _Log, *, allow_private: bool) -> str:
    name = escaped(one.description)
    try:
        parts = urlsplit(url)
        host, port = canonical_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise InvalidLogListError(f"log {name!r} has the address '{escaped(url)}': {error}") from None
    is_bare = parts.username is None and not parts.query and not parts.fragment and port != 0
    if not is_bare or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidLogListError(f"log {name!r} has the address '{escaped(url)}', expected no user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private and _is_loopback(host)):
        raise InvalidLogListError(f"log {name!r} has the address '{escaped(url)}', expected https://")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_key(log: CtLog) -> None:
    try:
        key = load_der_public_key(log.key)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_MODULUS:
        return
    raise InvalidLogListError(f"log {log.name!r} has a key that is neither P-256 nor RSA of 2048 bits or more")
