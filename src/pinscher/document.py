"""
The policy document: the tables of a parsed text into the values of ``entry``.

Rules of this file:

1. Whatever the tables hold, the answer is a document or :class:`InvalidPolicyError` with its place. Nothing that cannot
   be read ever means "no pins".
2. An unknown field is an error, everywhere but under ``extensions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pinscher.entry import (
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
from pinscher.fields import (
    LARGEST_VERSION,
    as_table,
    check_fields,
    choice,
    date_of,
    nearest,
    plain_copy,
    plain_key,
    plain_text,
    read_field,
    shown,
    table_in,
    texts_of,
    time_of,
    truth,
)
from pinscher.host import HostPattern, InvalidHostError
from pinscher.pin import InvalidPinError, Pin, PinSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = TypeVar("Value")

FORMAT = 1
"""The only format of the document there is."""

LARGEST_TEXT = 16 * 1024 * 1024
"""Octets of a document."""

MOST_HOSTS = 100_000
"""Entries of a document."""


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
    check_fields(table, _TOP, ())
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


def _check_format(table: Mapping[str, Any]) -> None:
    if "format" not in table:
        raise InvalidPolicyError(f"a policy begins with format = {FORMAT}, found no format")
    found = table["format"]
    if type(found) is not int or found < FORMAT:
        raise InvalidPolicyError(f"expected {FORMAT}, found {shown(found)}", path=("format",))
    if found != FORMAT:
        raise InvalidPolicyError(
            f"this library reads format {FORMAT}, found {shown(found)}; upgrade pinscher", path=("format",)
        )


def _version(table: Mapping[str, Any]) -> int:
    found = table.get("version")
    if type(found) is not int or not 1 <= found <= LARGEST_VERSION:
        raise InvalidPolicyError(f"a whole number from 1 to 2^53-1, found {shown(found)}", path=("version",))
    return found


def _text(table: Mapping[str, Any], name: str) -> str:
    found = table.get(name)
    if type(found) is not str or not found or not found.isprintable() or len(found) > 256:
        raise InvalidPolicyError(f"a text of one line, found {shown(found)}", path=(name,))
    return found


def _unlisted_hosts(table: Mapping[str, Any]) -> UnlistedHosts:
    defaults = table_in(table, "defaults")
    check_fields(defaults, ("unlisted-hosts",), ("defaults",))
    try:
        return choice(UnlistedHosts)(defaults.get("unlisted-hosts", "deny"))
    except InvalidPolicyError as error:
        raise error.under("defaults", "unlisted-hosts") from None


def _named(table: Mapping[str, Any], name: str, read: Callable[[str, Mapping[str, Any]], Value]) -> tuple[Value, ...]:
    values = []
    for entry, fields in table_in(table, name).items():
        try:
            values.append(read(entry, as_table(fields)))
        except InvalidPolicyError as error:
            raise error.under(name, entry) from None
    return tuple(values)


def _key(name: str, fields: Mapping[str, Any]) -> Key:
    check_fields(fields, _KEY, ())
    if "pin" not in fields:
        raise InvalidPolicyError('a key has a pin, such as pin = "sha256/..."')
    return Key(
        name,
        _pin(fields["pin"], "pin"),
        role=read_field(fields, "role", choice(Role), Role.ANY),
        stored=read_field(fields, "stored", plain_text, None),
        rehearsed=read_field(fields, "rehearsed", date_of, None),
    )


def _channel(name: str, fields: Mapping[str, Any], keys: Mapping[str, Pin]) -> ReportChannel:
    check_fields(fields, _CHANNEL, ())
    names: dict[Pin, str] = {}
    return ReportChannel(
        name,
        read_field(fields, "url", plain_text, ""),
        pins=_pins(fields, "pins", keys, names),
        heartbeats=read_field(fields, "heartbeats", truth, False),
        allow_private=read_field(fields, "allow-private", truth, False),
        names=names,
    )


_rung = choice(Rung)


def _rungs(value: object) -> tuple[Rung, ...]:
    rungs = []
    for position, one in enumerate(texts_of(value)):
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


def _pins(fields: Mapping[str, Any], name: str, keys: Mapping[str, Pin], names: dict[Pin, str]) -> tuple[Pin, ...]:
    """Read a list of key names and literal pins, and note the names; a text with a slash is literal."""
    pins: list[Pin] = []
    try:
        for text in read_field(fields, name, texts_of, _NONE):
            if "/" in text:
                pins.append(Pin.parse(text))
            elif text in keys:
                pins.append(keys[text])
                names[keys[text]] = text
            else:
                reason = f"neither a pin ('sha256/...') nor a key of [keys]: {shown(text)}{nearest(text, keys)}"
                raise InvalidPolicyError(reason, path=(name, len(pins)))
    except InvalidPinError as error:
        raise InvalidPolicyError(str(error), path=(name, len(pins))) from None
    return tuple(pins)


def _hosts(table: Mapping[str, Any], keys: Mapping[str, Pin]) -> tuple[HostPolicy, ...]:
    hosts = table_in(table, "hosts")
    if not hosts:
        raise InvalidPolicyError("a policy lists at least one host, found none; an empty policy pins nothing")
    if len(hosts) > MOST_HOSTS:
        raise InvalidPolicyError(f"at most {MOST_HOSTS} hosts, found {len(hosts)}", path=("hosts",))
    return _named(table, "hosts", lambda name, fields: _host(name, fields, keys))


HOST_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "mode": ("mode", choice(Mode)),
    "report-only-since": ("report_only_since", date_of),
    "expires": ("expires", time_of),
    "on-expiry": ("on_expiry", choice(OnExpiry)),
    "on-mismatch": ("on_mismatch", _rungs),
    "alternate": ("alternate", plain_text),
    "redirects": ("redirects", choice(Redirects)),
    "report-to": ("report_to", texts_of),
    "note": ("note", plain_text),
    "unpinned": ("unpinned", plain_text),
}
_PIN_FIELDS = frozenset({"pins", "backup-pins", "denied-keys"})


def _host(name: str, fields: Mapping[str, Any], keys: Mapping[str, Pin]) -> HostPolicy:
    values: dict[str, Any] = {}
    for field_name, value in fields.items():
        if field_name in _PIN_FIELDS:
            continue
        if field_name not in HOST_FIELDS:
            check_fields(fields, _PIN_FIELDS.union(HOST_FIELDS), ())
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
    names: dict[Pin, str] = {}
    pins = _pins(fields, "pins", keys, names)
    backups = _pins(fields, "backup-pins", keys, names) if "backup-pins" in fields else ()
    denied = _pins(fields, "denied-keys", keys, names) if "denied-keys" in fields else ()
    if not pins:
        raise InvalidPolicyError(
            "a pinned host has at least one pin; backup pins alone are not deployed", path=("pins",)
        )
    try:
        return PinSet(pins, backup_pins=backups, denied_keys=denied), names
    except InvalidPinError as error:
        raise InvalidPolicyError(str(error)) from None


def _extensions(table: Mapping[str, Any]) -> dict[str, Any]:
    extensions = table_in(table, "extensions")
    try:
        read_field(extensions, "critical", _none_critical, None)
        return {plain_key(name, ()): plain_copy(value, (name,)) for name, value in extensions.items()}
    except InvalidPolicyError as error:
        raise error.under("extensions") from None


def _none_critical(value: object) -> None:
    critical = texts_of(value)
    if critical:
        reason = f"this library knows no extension {shown(critical[0])}, and the document says it must"
        raise InvalidPolicyError(reason, path=(0,))
