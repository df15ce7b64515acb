"""
What ``--alerts FILE`` says: which finding goes to whom, when, and how often.

Rules of this file:

1. Whatever the file holds, the answer is a plan or :class:`InvalidAlertsError`. An unknown field is an error.
2. An address holds secrets: no error, log line, ``repr`` or answer shows one. It is named by its route and its place.
3. A route without a filter takes everything; each filter only takes away.
4. A route of hosts takes what is about one of them, or about an entry of the policy that one of them falls under, and
   what is about so many hosts that it names none.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import zoneinfo
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from pinscher.errors import PinningError, escaped
from pinscher.host import HostPattern, InvalidHostError, Reach
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.findings.names import EVERY_RULE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pinscher.monitor.alerts.notices import Notice

INCIDENT = "incident"
"""What a route's rules call an incident, which is no finding and has a cause instead of a rule."""
MANY = "many"
"""The host of what is about more hosts than are told one by one."""
MOST_ROUTES, MOST_ADDRESSES = 64, 16
"""Routes of a file, and addresses of a route."""
LARGEST_FILE = 256 * 1024
"""Octets of a file."""


class InvalidAlertsError(PinningError, ValueError):
    """A file of routes that cannot be used; ``place`` says where."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """The hours of a day, in the route's time zone, in which a route is left in peace."""

    begin: time
    end: time
    passes_critical: bool

    def holds(self, local: time, severity: Severity) -> bool:
        """Tell whether something so grave waits at that time of the day; hours may go over midnight."""
        if severity is Severity.CRITICAL and self.passes_critical:
            return False
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where something is told, what, when and how often; ``addresses`` are apprise's and secret (rule 2)."""

    name: str
    addresses: tuple[str, ...] = field(repr=False)
    severity: Severity = Severity.NOTICE
    rules: frozenset[str] = frozenset()
    hosts: tuple[HostPattern, ...] = ()
    applications: frozenset[str] = frozenset()
    zone: zoneinfo.ZoneInfo | None = None
    quiet: Quiet | None = None
    window: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=24)
    repeats: int = 3
    most_a_day: int = 5
    digest: time | None = None
    tells_closed: bool = True

    def wants(self, notice: Notice) -> bool:
        """Tell whether something is told here (rule 3)."""
        return (
            notice.severity >= self.severity
            and (not self.rules or notice.rule in self.rules)
            and (not self.hosts or _is_about(notice.host, self.hosts))
            and (not self.applications or notice.application in self.applications)
            and (notice.what != "closed" or self.tells_closed)
        )

    def is_quiet(self, at: datetime, severity: Severity) -> bool:
        """Tell whether something so grave waits for the end of the quiet hours."""
        return self.quiet is not None and self.quiet.holds(self.local(at).time(), severity)

    def local(self, at: datetime) -> datetime:
        """Return a moment as the clocks of the route's time zone show it."""
        return at.astimezone(self.zone)


def _is_about(text: str, hosts: tuple[HostPattern, ...]) -> bool:
    """Tell whether a host, or a pattern of hosts, has a host in common with one of these (rule 4)."""
    if text == MANY:
        return True
    try:
        found = HostPattern.parse(text)
    except InvalidHostError:
        return False
    return any(_has_some(mine, found) or _has_some(found, mine) for mine in hosts)


def _has_some(pattern: HostPattern, other: HostPattern) -> bool:
    """Tell whether a pattern has the highest host of another one, or a host right below its name."""
    highest = () if other.reach is Reach.ONE_LABEL else (other.name,)
    below = () if other.reach is Reach.EXACT else (f"x.{other.name}",)
    return any(pattern.matches(host) for host in (*highest, *below))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every route, and what holds for all of them."""

    routes: tuple[Route, ...]
    link: str = ""
    allow_private: bool = False

    def route(self, name: str) -> Route | None:
        """Return the route of a name."""
        return next((route for route in self.routes if route.name == name), None)

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str] = os.environ) -> Plan:
        """Read a file; ``env:NAME`` in place of an address takes it from *environment*."""
        try:
            content = path.read_bytes()[: LARGEST_FILE + 1]
        except OSError as error:
            reason = escaped(str(error.strerror or error).lower())
            raise InvalidAlertsError(escaped(str(path)), f"cannot be read: {reason}") from None
        try:
            return cls.loads(content, environment)
        except InvalidAlertsError as error:
            raise InvalidAlertsError(escaped(str(path)), str(error)) from None

    @classmethod
    def loads(cls, content: bytes, environment: Mapping[str, str] = os.environ) -> Plan:
        """Read the content of a file."""
        if len(content) > LARGEST_FILE:
            raise InvalidAlertsError("", f"expected at most {LARGEST_FILE} octets")
        table = _decoded(content)
        if not 1 <= len(table.routes) <= MOST_ROUTES:
            raise InvalidAlertsError("routes", f"expected 1 to {MOST_ROUTES} routes, found {len(table.routes)}")
        return cls(
            routes=tuple(_route(name, fields, environment) for name, fields in table.routes.items()),
            link=_link(table.link),
            allow_private=table.allow_private,
        )


class _QuietTable(Struct, kw_only=True, forbid_unknown_fields=True):
    begin: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    critical: Literal["passes", "waits"] = "passes"


_Minutes = Annotated[float, Meta(ge=0, le=1440)]
_Times = Annotated[int, Meta(ge=0, le=100)]


class _RouteTable(Struct, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    urls: list[str]
    severity: Literal["notice", "warning", "critical"] = "notice"
    rules: list[str] = msgspec.field(default_factory=list)
    hosts: list[str] = msgspec.field(default_factory=list)
    applications: list[str] = msgspec.field(default_factory=list)
    zone: str = ""
    quiet: _QuietTable | None = None
    group_minutes: _Minutes = 5.0
    repeat_hours: Annotated[float, Meta(ge=0.01, le=24 * 30)] = 24.0
    repeats: _Times = 3
    most_a_day: Annotated[int, Meta(ge=1, le=1000)] = 5
    digest: str = ""
    closed: bool = True


class _AlertsTable(Struct, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    format: Literal[1]
    routes: dict[str, _RouteTable]
    link: str = ""
    allow_private: bool = False


def _decoded(content: bytes) -> _AlertsTable:
    try:
        # The words of both errors name fields, places and kinds, and no value but of a field that is unknown.
        return msgspec.convert(tomllib.loads(content.decode()), _AlertsTable)
    except UnicodeDecodeError:
        raise InvalidAlertsError("", "expected UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidAlertsError("", f"no TOML: {escaped(_LAST.sub('', str(error)).lower())}") from None
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        raise InvalidAlertsError(escaped(place.rstrip("`").removeprefix("$.")), escaped(reason.lower())) from None


_LAST = re.compile(r"'[^']*'")
"""What stood in the file, as the words about TOML quote it (rule 2)."""


def _route(name: str, table: _RouteTable, environment: Mapping[str, str]) -> Route:
    place = f"routes.{escaped(name)}"
    if not _NAME.fullmatch(name):
        raise InvalidAlertsError(place, "expected a name of letters, digits, '-', '_' and '.', at most 64 of them")
    if not 1 <= len(table.urls) <= MOST_ADDRESSES:
        raise InvalidAlertsError(f"{place}.urls", f"expected 1 to {MOST_ADDRESSES}, found {len(table.urls)}")
    if (table.quiet is not None or table.digest) and not table.zone:
        raise InvalidAlertsError(f"{place}.zone", "expected a time zone for the hours, such as 'Europe/Zurich'")
    return Route(
        name=name,
        addresses=tuple(_address(text, f"{place}.urls[{n}]", environment) for n, text in enumerate(table.urls)),
        severity=Severity[table.severity.upper()],
        rules=frozenset(_rule(text, f"{place}.rules[{n}]") for n, text in enumerate(table.rules)),
        hosts=tuple(_pattern(text, f"{place}.hosts") for text in table.hosts),
        applications=frozenset(table.applications),
        zone=_zone(table.zone or "UTC", f"{place}.zone"),
        quiet=_quiet(table.quiet, f"{place}.quiet"),
        window=timedelta(minutes=table.group_minutes),
        repeat=timedelta(hours=table.repeat_hours),
        repeats=table.repeats,
        most_a_day=table.most_a_day,
        digest=_time(table.digest, f"{place}.digest") if table.digest else None,
        tells_closed=table.closed,
    )


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _address(text: str, place: str, environment: Mapping[str, str]) -> str:
    if text.startswith("env:"):
        found = environment.get(text.removeprefix("env:"))
        if not found:
            raise InvalidAlertsError(place, "the environment holds no such variable")
        text = found
    if "://" not in text or not text.isprintable():
        raise InvalidAlertsError(place, "expected an address of apprise, such as json://host/path, or env:NAME")
    return text


def _rule(text: str, place: str) -> str:
    """Return a rule that can be; one that cannot would be a route that is silent for ever."""
    known = EVERY_RULE | {INCIDENT}
    if text in known:
        return text
    near = difflib.get_close_matches(text[:64], known, n=1)
    raise InvalidAlertsError(
        place,
        f"expected the rule of a finding, or '{INCIDENT}', found '{escaped(text[:64])}'"
        + (f"; did you mean '{near[0]}'?" if near else ""),
    )


def _pattern(text: str, place: str) -> HostPattern:
    try:
        return HostPattern.parse(text)
    except InvalidHostError as error:
        raise InvalidAlertsError(place, str(error)) from None


def _zone(name: str, place: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidAlertsError(place, f"no time zone of this machine: '{escaped(name)}'") from None


def _quiet(table: _QuietTable | None, place: str) -> Quiet | None:
    if table is None:
        return None
    begin, end = _time(table.begin, f"{place}.from"), _time(table.end, f"{place}.to")
    if begin == end:
        raise InvalidAlertsError(place, "begins and ends at the same time: nothing would ever be told, or all")
    return Quiet(begin=begin, end=end, passes_critical=table.critical == "passes")


def _time(text: str, place: str) -> time:
    if not _HOURS.fullmatch(text):
        raise InvalidAlertsError(place, f"expected hours and minutes, such as '22:00', found '{escaped(text)}'")
    return time.fromisoformat(text)


_HOURS = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _link(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = not text or (parts.scheme in ("http", "https") and parts.hostname and not parts.username)
    except ValueError:
        is_good = False
    if not is_good or escaped(text, limit=len(text)) != text:
        raise InvalidAlertsError("link", "expected where the dashboard is, such as 'https://monitor.example'")
    return text.rstrip("/")
