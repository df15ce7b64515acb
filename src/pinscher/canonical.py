"""
The normal form of a policy document: its tables without defaults, and its canonical JSON.

Rules of this file:

1. What is the default is left out, the order of hosts and pins stays, and a pin keeps the name it was written by. So
   TOML and JSON that say the same have the same normal form.
2. Canonical JSON sorts its keys as RFC 8785 does; its bytes are what is signed, shipped and digested.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pinscher.document import FORMAT, HOST_FIELDS, Document
from pinscher.entry import HostPolicy, Key, ReportChannel, Role, UnlistedHosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pinscher.pin import Pin


def table_of(document: Document) -> dict[str, Any]:
    """Return the plain tables that say what the document says, without defaults; the normal form (rule 1)."""
    table: dict[str, Any] = {"format": FORMAT, "name": document.name, "version": document.version}
    if document.unlisted_hosts is not UnlistedHosts.DENY:
        table["defaults"] = {"unlisted-hosts": _plain(document.unlisted_hosts)}
    if document.keys:
        table["keys"] = {key.name: _key_table(key) for key in document.keys}
    table["hosts"] = {entry.host: _host_table(entry) for entry in document.hosts}
    if document.reporting:
        table["reporting"] = {channel.name: _channel_table(channel) for channel in document.reporting}
    extensions = {name: value for name, value in document.extensions.items() if name != "critical" or value}
    if extensions:
        table["extensions"] = extensions
    return table


def _key_table(key: Key) -> dict[str, Any]:
    table: dict[str, Any] = {"pin": str(key.pin)}
    if key.role is not Role.ANY:
        table["role"] = key.role.value
    if key.stored is not None:
        table["stored"] = key.stored
    if key.rehearsed is not None:
        table["rehearsed"] = key.rehearsed
    return table


def _channel_table(channel: ReportChannel) -> dict[str, Any]:
    table: dict[str, Any] = {"url": channel.url}
    if channel.heartbeats:
        table["heartbeats"] = True
    if channel.pins:
        table["pins"] = _written(channel.pins, channel.names)
    if channel.allow_private:
        table["allow-private"] = True
    return table


def _host_table(entry: HostPolicy) -> dict[str, Any]:
    table: dict[str, Any] = {}
    if entry.pinset is not None:
        for name, pins in zip(_PINS_WRITTEN, entry.pinset.groups, strict=True):
            if pins:
                table[name] = _written(pins, entry.names)
    for name, (attribute, _) in HOST_FIELDS.items():
        value = getattr(entry, attribute)
        if value != HostPolicy.__dataclass_fields__[attribute].default:
            table[name] = _plain(value)
    return table


_PINS_WRITTEN = ("pins", "backup-pins", "denied-keys")


def _written(pins: Iterable[Pin], names: Mapping[Pin, str]) -> list[str]:
    return [names.get(pin) or str(pin) for pin in pins]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.value if hasattr(value, "value") else value


def to_json(document: Document) -> bytes:
    """Return the canonical JSON (RFC 8785) of a document: the bytes that are signed, shipped and digested."""
    return json.dumps(_sorted(table_of(document)), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(value: Any) -> Any:
    """Sort keys by UTF-16 code units, as RFC 8785 section 3.2.3 does, and write times as texts."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    if isinstance(value, date):
        return _time_text(value)
    return value


def _time_text(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
