"""
The policy document: the tables of a parsed text into the values of ``entry``.

Rules of this file:

1. Whatever the tables hold, the answer is a document or :class:`InvalidPolicyError` with its place. Nothing that cannot
   be read ever means "no pins".
2. An unknown field is an error, everywhere but under ``extensions``.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

from pinscher.entry import (
    LONGEST_NAME,
    HostPolicy,
    InvalidPolicyError,
    Key,
    Mode,
    OnExpiry,
    Redirects,
    ReportChannel,
    Role,
    Rung,
    UnlistedHosts,
)
from pinscher.errors import escaped
from pinscher.host import HostPattern, InvalidHostError
from pinscher.pin import InvalidPinError, Pin, PinSet

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Iterable, Mapping

    Choice = TypeVar("Choice", bound=enum.Enum)

Value = TypeVar("Value")

FORMAT = 1
"""The only format of the document there is."""

LARGEST_TEXT = 16 * 1024 * 1024
"""Octets of a document."""

MOST_HOSTS = 100_000
"""Entries of a document."""

LARGEST_VERSION = 2**53 - 1
"""The greatest version that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a policy document says, in its order."""

    name: str
    version: int
    unlisted_hosts: UnlistedHosts
    keys: tuple[Key, ...]
    hosts: tuple[HostPolicy, ...]
    reporting: tuple[ReportChannel, ...]
    extensions: Mapping[str, Any]


def document_of(table: Mapping[str, Any]) -> Document:
    """Build a document from the tables of a parsed text; raise :class:`InvalidPolicyError` with the path alone."""
    _only(table, _TOP, ())
    _check_format(table)
    keys = _named(table, "keys", _key)
    pins = {key.name: key.pin for key in keys}
    return Document(
        name=_text(table, "name"),
        version=_version(table),
        unlisted_hosts=_unlisted_hosts(table),
        keys=keys,
        hosts=_hosts(table, pins),
        reporting=_named(table, "reporting", lambda name, fields: _channel(name, fields, pins)),
        extensions=_extensions(table),
    )


_TOP = frozenset({"format", "name", "version", "defaults", "keys", "hosts", "reporting", "extensions"})
_KEY = frozenset({"pin", "role", "stored", "rehearsed"})
_CHANNEL = frozenset({"url", "heartbeats", "pins", "allow-private"})


def _only(table: Mapping[str, Any], known: Iterable[str], path: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise InvalidPolicyError(f"unknown field{_nearest(name, known)}", path=(*path, name))


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  (only an error pays for it)

    listed = sorted(known)
    # The comparison takes time as the product of the lengths, and a stranger may have chosen either.
    near = difflib.get_close_matches(name, listed[:_MOST_COMPARED], n=1) if len(name) <= LONGEST_NAME else []
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known here: {', '.join(listed)}" if 0 < len(listed) <= 20 else ""


_MOST_COMPARED = 1000
"""Known names that an unknown one is compared with."""


def _check_format(table: Mapping[str, Any]) -> None:
    if "format" not in table:
        raise InvalidPolicyError(f"a policy begins with format = {FORMAT}, found no format")
    found = table["format"]
    if type(found) is not int or found < FORMAT:
        raise InvalidPolicyError(f"expected {FORMAT}, found {_shown(found)}", path=("format",))
    if found != FORMAT:
        raise InvalidPolicyError(
            f"this library reads format {FORMAT}, found {_shown(found)}; upgrade pinscher", path=("format",)
        )


def _version(table: Mapping[str, Any]) -> int:
    found = table.get("version")
    if type(found) is not int or not 1 <= found <= LARGEST_VERSION:
        raise InvalidPolicyError(f"a whole number from 1 to 2^53-1, found {_shown(found)}", path=("version",))
    return found


def _text(table: Mapping[str, Any], name: str) -> str:
    found = table.get(name)
    if type(found) is not str or not found or not found.isprintable() or len(found) > 256:
        raise InvalidPolicyError(f"a text of one line, found {_shown(found)}", path=(name,))
    return found


def _shown(value: object) -> str:
    """Return a value as its document writes it, or what it is: whatever was parsed is shown, and shown short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{escaped(value, limit=_LONGEST_SHOWN)}'"
    if isinstance(value, int):
        # Python refuses to write a number of thousands of digits, which TOML can give in hexadecimal.
        return str(value) if abs(value) <= LARGEST_VERSION else "a greater number"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return _KINDS.get(type(value), type(value).__name__)


_LONGEST_SHOWN = 80
_KINDS = {type(None): "nothing", list: "a list", dict: "a table"}


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    try:
        return _as_table(table.get(name, {}))
    except InvalidPolicyError as error:
        raise error.under(name) from None


def _as_table(value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise InvalidPolicyError(f"a table, found {_shown(value)}")
    return value


def _unlisted_hosts(table: Mapping[str, Any]) -> UnlistedHosts:
    defaults = _table(table, "defaults")
    _only(defaults, ("unlisted-hosts",), ("defaults",))
    try:
        return _choice(UnlistedHosts)(defaults.get("unlisted-hosts", "deny"))
    except InvalidPolicyError as error:
        raise error.under("defaults", "unlisted-hosts") from None


def _named(table: Mapping[str, Any], name: str, read: Callable[[str, Mapping[str, Any]], Value]) -> tuple[Value, ...]:
    values = []
    for entry, fields in _table(table, name).items():
        try:
            values.append(read(entry, _as_table(fields)))
        except InvalidPolicyError as error:
            raise error.under(name, entry) from None
    return tuple(values)


def _key(name: str, fields: Mapping[str, Any]) -> Key:
    _only(fields, _KEY, ())
    if "pin" not in fields:
        raise InvalidPolicyError('a key has a pin, such as pin = "sha256/..."')
    return Key(
        name,
        _pin(fields["pin"], "pin"),
        role=_read(fields, "role", _choice(Role), Role.ANY),
        stored=_read(fields, "stored", _plain_text, None),
        rehearsed=_read(fields, "rehearsed", _date, None),
    )


def _channel(name: str, fields: Mapping[str, Any], keys: Mapping[str, Pin]) -> ReportChannel:
    _only(fields, _CHANNEL, ())
    pins, names = _pins(fields, "pins", keys)
    return ReportChannel(
        name,
        _read(fields, "url", _plain_text, ""),
        pins=pins,
        heartbeats=_read(fields, "heartbeats", _truth, False),
        allow_private=_read(fields, "allow-private", _truth, False),
        names=names,
    )


def _read(fields: Mapping[str, Any], name: str, read: Callable[[Any], Value], default: Value) -> Value:
    if name not in fields:
        return default
    try:
        return read(fields[name])
    except InvalidPolicyError as error:
        raise error.under(name) from None


def _plain_text(value: object) -> str:
    if type(value) is not str:
        raise InvalidPolicyError(f"a text, found {_shown(value)}")
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise InvalidPolicyError(f"true or false, found {_shown(value)}")
    return value


# Python's own readers take week dates and more, and other forms from one version to the next.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
"""A time of RFC 3339; its offset is asked for by :class:`HostPolicy`, with the reason."""


def _date(value: object) -> date:
    if type(value) is date:
        return value
    if type(value) is str and _DATE.fullmatch(value):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    raise InvalidPolicyError(f"a date such as 2026-11-01, found {_shown(value)}")


def _time(value: object) -> datetime:
    if type(value) is str and _TIME.fullmatch(value):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if type(value) is not datetime:
        raise InvalidPolicyError(f"a time with its offset, such as 2027-03-01T00:00:00Z, found {_shown(value)}")
    return value


def _choice(choices: type[Choice]) -> Callable[[object], Choice]:
    known = {choice.value: choice for choice in choices}

    def read(value: object) -> Choice:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise InvalidPolicyError(f"one of {', '.join(map(repr, known))}, found {_shown(value)}")
        return found

    return read


def _texts(value: object) -> tuple[str, ...]:
    if type(value) is not list or not all(type(one) is str for one in value):
        raise InvalidPolicyError(f"a list of texts, found {_shown(value)}")
    return tuple(value)


_rung = _choice(Rung)


def _rungs(value: object) -> tuple[Rung, ...]:
    rungs = []
    for position, one in enumerate(_texts(value)):
        try:
            rungs.append(_rung(one))
        except InvalidPolicyError as error:
            raise InvalidPolicyError(f"{error.reason}; no rung turns pinning off", path=(position,)) from None
    return tuple(rungs)


def _pin(value: object, *path: str | int) -> Pin:
    try:
        return Pin.parse(value)  # type: ignore[arg-type]
    except InvalidPinError as error:
        raise InvalidPolicyError(str(error), path=path) from None


_NONE: tuple[str, ...] = ()


def _pins(fields: Mapping[str, Any], name: str, keys: Mapping[str, Pin]) -> tuple[tuple[Pin, ...], dict[Pin, str]]:
    """Read a list of key names and literal pins; a text with a slash is literal."""
    pins: list[Pin] = []
    names: dict[Pin, str] = {}
    for position, text in enumerate(_read(fields, name, _texts, _NONE)):
        if "/" in text:
            pins.append(_pin(text, name, position))
        elif text in keys:
            pins.append(keys[text])
            names[keys[text]] = text
        else:
            reason = f"neither a pin ('sha256/...') nor a key of [keys]: {_shown(text)}{_nearest(text, keys)}"
            raise InvalidPolicyError(reason, path=(name, position))
    return tuple(pins), names


def _hosts(table: Mapping[str, Any], keys: Mapping[str, Pin]) -> tuple[HostPolicy, ...]:
    hosts = _table(table, "hosts")
    if not hosts:
        raise InvalidPolicyError("a policy lists at least one host, found none; an empty policy pins nothing")
    if len(hosts) > MOST_HOSTS:
        raise InvalidPolicyError(f"at most {MOST_HOSTS} hosts, found {len(hosts)}", path=("hosts",))
    return _named(table, "hosts", lambda name, fields: _host(name, fields, keys))


HOST_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "mode": ("mode", _choice(Mode)),
    "report-only-since": ("report_only_since", _date),
    "expires": ("expires", _time),
    "on-expiry": ("on_expiry", _choice(OnExpiry)),
    "on-mismatch": ("on_mismatch", _rungs),
    "alternate": ("alternate", _plain_text),
    "redirects": ("redirects", _choice(Redirects)),
    "report-to": ("report_to", _texts),
    "note": ("note", _plain_text),
    "unpinned": ("unpinned", _plain_text),
}
_PIN_FIELDS = frozenset({"pins", "backup-pins", "denied-keys"})


def _host(name: str, fields: Mapping[str, Any], keys: Mapping[str, Pin]) -> HostPolicy:
    values: dict[str, Any] = {}
    for field_name, value in fields.items():
        if field_name in _PIN_FIELDS:
            continue
        if field_name not in HOST_FIELDS:
            _only(fields, _PIN_FIELDS.union(HOST_FIELDS), ())
        attribute, read = HOST_FIELDS[field_name]
        try:
            values[attribute] = read(value)
        except InvalidPolicyError as error:
            raise error.under(field_name) from None
    if not _PIN_FIELDS.isdisjoint(fields):
        values["pinset"], values["names"] = _pinset(fields, keys)
    try:
        return HostPolicy(HostPattern.parse(name), **values)
    except InvalidHostError as error:
        raise InvalidPolicyError(str(error)) from None


def _pinset(fields: Mapping[str, Any], keys: Mapping[str, Pin]) -> tuple[PinSet, dict[Pin, str]]:
    pins, names = _pins(fields, "pins", keys)
    backups: tuple[Pin, ...] = ()
    denied: tuple[Pin, ...] = ()
    if "backup-pins" in fields:
        backups, more = _pins(fields, "backup-pins", keys)
        names |= more
    if "denied-keys" in fields:
        denied, more = _pins(fields, "denied-keys", keys)
        names |= more
    if not pins:
        raise InvalidPolicyError(
            "a pinned host has at least one pin; backup pins alone are not deployed", path=("pins",)
        )
    try:
        return PinSet(pins, backup_pins=backups, denied_keys=denied), names
    except InvalidPinError as error:
        raise InvalidPolicyError(str(error)) from None


def _extensions(table: Mapping[str, Any]) -> dict[str, Any]:
    extensions = _table(table, "extensions")
    try:
        _read(extensions, "critical", _none_critical, None)
        return {_plain_key(name, ()): plain_copy(value, (name,)) for name, value in extensions.items()}
    except InvalidPolicyError as error:
        raise error.under("extensions") from None


def _none_critical(value: object) -> None:
    critical = _texts(value)
    if critical:
        reason = f"this library knows no extension {_shown(critical[0])}, and the document says it must"
        raise InvalidPolicyError(reason, path=(0,))


_DEEPEST_EXTENSION = 16


def plain_copy(value: object, path: tuple[str | int, ...] = ()) -> Any:
    """Return a copy that shares no list or table with *value*; refuse what canonical JSON has no one form for."""
    if len(path) > _DEEPEST_EXTENSION:
        raise InvalidPolicyError(f"at most {_DEEPEST_EXTENSION} levels", path=path)
    if type(value) is dict:
        return {_plain_key(name, path): plain_copy(inner, (*path, name)) for name, inner in value.items()}
    if type(value) is list:
        return [plain_copy(inner, (*path, position)) for position, inner in enumerate(value)]
    if not (type(value) is bool or _is_text(value) or (type(value) is int and abs(value) <= LARGEST_VERSION)):
        raise InvalidPolicyError(f"a text, a whole number, true or false, found {_shown(value)}", path=path)
    return value


def _plain_key(name: object, path: tuple[str | int, ...]) -> str:
    if not _is_text(name):
        raise InvalidPolicyError(f"the name of a field is a text, found {_shown(name)}", path=path)
    return str(name)


def _is_text(value: object) -> bool:
    """Tell whether a value is a text that UTF-8 can write; code can make one that it cannot."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
