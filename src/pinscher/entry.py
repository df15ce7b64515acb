"""
What a policy says of one host, of one key and of one report channel: values that cannot exist invalid.

A policy document and code build the same values, so the same rules hold for both. Each rule's error names the field it
stands at (``path``); ``document`` adds the line.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError, escaped
from pinscher.host import HostPattern, InvalidHostError, canonical_host, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.pin import Pin, PinSet

Path = tuple[str | int, ...]
"""The way to a place in a policy document: table names, keys and array positions."""


class InvalidPolicyError(PinningError, ValueError):
    """
    A policy that cannot be used, told with the place and the way out.

    ``source`` is the file's path or None, ``line`` counts from 1 or is None, ``path`` is the dotted name of the field.
    """

    def __init__(self, reason: str, *, path: Path = (), source: str | None = None, line: int | None = None) -> None:
        self.reason = reason
        self.keys = path
        self.path = dotted(path)
        self.source = source
        self.line = line
        # A file's name is shown as it is, unless it would play tricks with a terminal.
        shown = escaped(source) if source is not None and not source.isprintable() else source
        place = ":".join(str(part) for part in (shown, line) if part is not None)
        super().__init__(": ".join(part for part in (place, self.path, reason) if part))

    def placed(self, source: str | None, line: int | None) -> InvalidPolicyError:
        """Return the same error, told with the file and line."""
        return type(self)(self.reason, path=self.keys, source=source, line=line)

    def under(self, *path: str | int) -> InvalidPolicyError:
        """Return the same error, told from further up the document."""
        return type(self)(self.reason, path=path + self.keys, source=self.source, line=self.line)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the values the error was made from."""
        return _restored_error, (self.reason, self.keys, self.source, self.line)


def _restored_error(reason: str, path: Path, source: str | None, line: int | None) -> InvalidPolicyError:
    return InvalidPolicyError(reason, path=path, source=source, line=line)


_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def dotted(path: Path) -> str:
    """Return a path as TOML writes it: ``hosts."api.bank.example".pins[1]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part and len(part) <= LONGEST_NAME and _BARE.issuperset(part) else _quoted(part)
            text += f".{name}" if text else name
    return text


def _quoted(part: str) -> str:
    return '"' + escaped(part).replace('"', '\\"') + '"'


LONGEST_NAME = 128
"""Characters of the name of a key or a report channel."""


class Mode(enum.Enum):
    """What follows from a mismatch: a refused connection, or a report alone."""

    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"


class OnExpiry(enum.Enum):
    """What follows once ``expires`` has passed: an alarm alone, a report-only entry, or a refusal."""

    KEEP_ENFORCING = "keep-enforcing"
    REPORT = "report"
    FAIL = "fail"


class Redirects(enum.Enum):
    """Where a redirect from the host may lead."""

    PINNED_ONLY = "pinned-only"
    ALLOW = "allow"


class Rung(enum.Enum):
    """One rung of the ladder that runs on a mismatch; ``ABORT`` is always its end."""

    REFRESH = "refresh"
    OVERRIDE = "override"
    ABORT = "abort"


_ABORT = (Rung.ABORT,)
"""The ladder of an entry that names none."""


class Role(enum.Enum):
    """Where on a chain a key stands."""

    LEAF = "leaf"
    INTERMEDIATE = "intermediate"
    ROOT = "root"
    ANY = "any"


class UnlistedHosts(enum.Enum):
    """What follows for a host that no entry names."""

    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Key:
    """A key named once, for many hosts and every platform; ``stored`` and ``rehearsed`` are for a backup key."""

    name: str
    pin: Pin
    role: Role = field(default=Role.ANY, kw_only=True)
    stored: str | None = field(default=None, kw_only=True)
    rehearsed: date | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a name that a literal pin could be mistaken for."""
        check_name(self.name, "a key")
        check_text(self.stored, "stored")


@dataclass(frozen=True, slots=True)
class ReportChannel:
    """A place that reports are sent to, with the channel's own pins; https only."""

    name: str
    url: str
    pins: tuple[Pin, ...] = field(default=(), kw_only=True)
    heartbeats: bool = field(default=False, kw_only=True)
    allow_private: bool = field(default=False, kw_only=True)
    names: Mapping[Pin, str] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        """Refuse an address that reports must not go to."""
        check_name(self.name, "a report channel")
        _check_url(self.url)
        if not self.allow_private:
            _check_public(self.host)

    @property
    def host(self) -> str:
        """The canonical host that reports are sent to."""
        return _host_of(self.url)


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """
    The entry of one host or host pattern.

    ``pinset`` is None for an exception, which then gives its reason in ``unpinned``. ``names`` says by which key name a
    pin was written, so that a document is written back as it was read; it decides nothing.
    """

    pattern: HostPattern
    pinset: PinSet | None = None
    mode: Mode = field(default=Mode.ENFORCE, kw_only=True)
    report_only_since: date | None = field(default=None, kw_only=True)
    expires: datetime | None = field(default=None, kw_only=True)
    on_expiry: OnExpiry = field(default=OnExpiry.KEEP_ENFORCING, kw_only=True)
    on_mismatch: tuple[Rung, ...] = field(default=_ABORT, kw_only=True)
    alternate: str | None = field(default=None, kw_only=True)
    redirects: Redirects = field(default=Redirects.PINNED_ONLY, kw_only=True)
    report_to: tuple[str, ...] = field(default=(), kw_only=True)
    note: str | None = field(default=None, kw_only=True)
    unpinned: str | None = field(default=None, kw_only=True)
    names: Mapping[Pin, str] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        """Bring the parts to their one form and refuse what contradicts itself."""
        if isinstance(self.pattern, str):
            object.__setattr__(self, "pattern", HostPattern.parse(self.pattern))
        if (self.pinset is None) is (self.unpinned is None):
            raise InvalidPolicyError(_PINS_OR_REASON)
        if self.unpinned is not None:
            self._check_exception(self.unpinned)
        if (self.mode is Mode.REPORT_ONLY) is (self.report_only_since is None):
            raise InvalidPolicyError(_SINCE, path=("mode",))
        if self.expires is not None:
            object.__setattr__(self, "expires", _utc(self.expires))
        if self.on_mismatch != _ABORT:
            object.__setattr__(self, "on_mismatch", _ladder(self.on_mismatch))
        if self.alternate is not None:
            object.__setattr__(self, "alternate", _alternate(self.alternate))
        if self.note is not None:
            check_text(self.note, "note")

    def _check_exception(self, reason: str) -> None:
        if not reason.strip():
            raise InvalidPolicyError("an exception gives its reason, found none", path=("unpinned",))
        check_text(reason, "unpinned")
        if any(getattr(self, name) != default for name, default in _DEFAULTS.items()):
            raise InvalidPolicyError("an unpinned host has a reason and a note, and nothing else", path=("unpinned",))

    @property
    def host(self) -> str:
        """The pattern as the document writes it."""
        return str(self.pattern)


_DEFAULTS: dict[str, Any] = {
    "pinset": None,
    "mode": Mode.ENFORCE,
    "report_only_since": None,
    "expires": None,
    "on_expiry": OnExpiry.KEEP_ENFORCING,
    "on_mismatch": _ABORT,
    "alternate": None,
    "redirects": Redirects.PINNED_ONLY,
    "report_to": (),
    "names": {},
}
_PINS_OR_REASON = 'an entry has pins, or says why not with unpinned = "reason": one of the two'
_SINCE = 'mode "report-only" and report-only-since = YYYY-MM-DD go together, so that nobody forgets to enforce'
LONGEST_TEXT = 1024
"""Characters of a note, a reason, a name or a storage place."""


def check_text(text: str | None, field_name: str) -> None:
    """Refuse free text that could not be shown on one line."""
    if text is None:
        return
    if len(text) > LONGEST_TEXT:
        raise InvalidPolicyError(f"at most {LONGEST_TEXT} characters, found {len(text)}", path=(field_name,))
    if not text.isprintable():
        raise InvalidPolicyError("text without control or invisible characters, on one line", path=(field_name,))


def check_name(name: str, what: str) -> None:
    """Refuse a name that is empty, long, or holds what names do not."""
    if not name or len(name) > LONGEST_NAME or not _BARE.union(".").issuperset(name):
        raise InvalidPolicyError(
            f"the name of {what} is 1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', found '{escaped(name)}'"
        )


def _utc(expires: datetime) -> datetime:
    if not isinstance(expires, datetime) or expires.tzinfo is None or expires.utcoffset() is None:
        raise InvalidPolicyError(
            "a time with its offset, such as 2027-03-01T00:00:00Z: a local time differs by machine", path=("expires",)
        )
    try:
        return expires if expires.utcoffset() == timedelta() and expires.tzinfo is UTC else expires.astimezone(UTC)
    except OverflowError:
        raise InvalidPolicyError("a time between the years 1 and 9999 in UTC", path=("expires",)) from None


def _ladder(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    if len(set(rungs)) != len(rungs):
        raise InvalidPolicyError("each rung stands once", path=("on-mismatch",))
    if Rung.ABORT in rungs[:-1]:
        raise InvalidPolicyError('"abort" is the end of the ladder; nothing comes after it', path=("on-mismatch",))
    return rungs if rungs and rungs[-1] is Rung.ABORT else (*rungs, Rung.ABORT)


def _alternate(host: str) -> str:
    try:
        return canonical_host(host)
    except InvalidHostError as error:
        raise InvalidPolicyError(str(error), path=("alternate",)) from None


def _host_of(url: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415  (only a policy with a report channel pays for it)

    return canonical_host(urlsplit(url).hostname or "")


def _check_url(url: str) -> None:
    from urllib.parse import urlsplit  # noqa: PLC0415

    check_text(url, "url")
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.username is None and parts.port != 0 and not parts.fragment
        canonical_host(parts.hostname or "")
    except ValueError as error:
        raise InvalidPolicyError(f"{_ADDRESS}, found '{escaped(url)}': {escaped(str(error))}", path=("url",)) from None
    if not usable or " " in url or "#" in url:
        raise InvalidPolicyError(f"{_ADDRESS}, found '{escaped(url)}'", path=("url",))


_ADDRESS = "an https address without user and fragment, such as https://reports.example/v1"


def _check_public(host: str) -> None:
    """Refuse an IP literal that leads into a private network; where a name leads, the sender finds out."""
    if not is_ip_literal(host):
        return
    from pinscher.address import is_public  # noqa: PLC0415  (two milliseconds that only such a channel pays)

    if not is_public(host):
        reason = f"{host} is not a public address; allow-private = true lets reports go there"
        raise InvalidPolicyError(reason, path=("url",))
