"""A TOML writer for what a policy document holds; Python reads TOML and does not write it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def write_toml(table: Mapping[str, Any]) -> str:
    """Return the tables of a policy document as TOML, in their order, one header per entry."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _section(key, value)


def _section(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of tables as one header per entry, and any other table as one header."""
    if name not in _TABLES_OF_TABLES:
        yield from ("", f"[{_key(name)}]", *_fields(table))
        return
    for key, fields in table.items():
        yield from ("", f"[{_key(name)}.{_key(key)}]", *_fields(fields))


_TABLES_OF_TABLES = frozenset({"keys", "hosts", "reporting"})


def _fields(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if key and _BARE.issuperset(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date | int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(_fields(value)) + "}"
    return _array([_value(one) for one in value])


def _array(values: list[str]) -> str:
    """Return short arrays on one line, and long ones, such as pins, with a line for each value."""
    line = "[" + ", ".join(values) + "]"
    return line if len(line) <= 80 or len(values) == 1 else "[\n" + "".join(f"  {value},\n" for value in values) + "]"


def _text(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\u{ord(character):04x}" if character < " " or character == "\x7f" else character
