"""
One value of a policy document at a time: of its kind, or an error that shows what was found.

A parsed text holds whatever its author liked. Each function here takes one of its values and returns it as what the
document means by it, or raises :class:`InvalidPolicyError` with the path below that value alone.
"""

from __future__ import annotations

import contextlib
import re
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

from pinscher.entry import LONGEST_NAME, InvalidPolicyError
from pinscher.errors import escaped

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Iterable, Mapping

    Choice = TypeVar("Choice", bound=enum.Enum)

Value = TypeVar("Value")

LARGEST_VERSION = 2**53 - 1
"""The greatest version that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3)."""


def check_fields(table: Mapping[str, Any], known: Iterable[str], path: tuple[str, ...]) -> None:
    """Refuse a table with a field that is not known."""
    for name in table:
        if name not in known:
            raise InvalidPolicyError(f"unknown field{nearest(name, known)}", path=(*path, name))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return words that lead from an unknown name to the known ones, or nothing."""
    import difflib  # noqa: PLC0415  (only an error pays for it)

    listed = sorted(known)
    # The comparison takes time as the product of the lengths, and a stranger may have chosen either.
    near = difflib.get_close_matches(name, listed[:_MOST_COMPARED], n=1) if len(name) <= LONGEST_NAME else []
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known here: {', '.join(listed)}" if 0 < len(listed) <= 20 else ""


_MOST_COMPARED = 1000
"""Known names that an unknown one is compared with."""


def shown(value: object) -> str:
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


def table_in(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the table of a name, empty where there is none."""
    try:
        return as_table(table.get(name, {}))
    except InvalidPolicyError as error:
        raise error.under(name) from None


def as_table(value: object) -> dict[str, Any]:
    """Return a value that is a table."""
    if type(value) is not dict:
        raise InvalidPolicyError(f"a table, found {shown(value)}")
    return value


def read_field(fields: Mapping[str, Any], name: str, read: Callable[[Any], Value], default: Value) -> Value:
    """Read the field of a name, or return the default where there is none; an error is told from the name on."""
    if name not in fields:
        return default
    try:
        return read(fields[name])
    except InvalidPolicyError as error:
        raise error.under(name) from None


def plain_text(value: object) -> str:
    """Return a value that is a text."""
    if type(value) is not str:
        raise InvalidPolicyError(f"a text, found {shown(value)}")
    return value


def truth(value: object) -> bool:
    """Return a value that is true or false."""
    if type(value) is not bool:
        raise InvalidPolicyError(f"true or false, found {shown(value)}")
    return value


# Python's own readers take week dates and more, and other forms from one version to the next.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
"""A time of RFC 3339; its offset is asked for by :class:`HostPolicy`, with the reason."""


def date_of(value: object) -> date:
    """Return a date, written as TOML's own or as ``YYYY-MM-DD``."""
    if type(value) is date:
        return value
    if type(value) is str and _DATE.fullmatch(value):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    raise InvalidPolicyError(f"a date such as 2026-11-01, found {shown(value)}")


def time_of(value: object) -> datetime:
    """Return a time, written as TOML's own or as RFC 3339."""
    if type(value) is str and _TIME.fullmatch(value):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if type(value) is not datetime:
        raise InvalidPolicyError(f"a time with its offset, such as 2027-03-01T00:00:00Z, found {shown(value)}")
    return value


def choice(choices: type[Choice]) -> Callable[[object], Choice]:
    """Return what reads one member of an enumeration by its value."""
    known = {one.value: one for one in choices}

    def read(value: object) -> Choice:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise InvalidPolicyError(f"one of {', '.join(map(repr, known))}, found {shown(value)}")
        return found

    return read


def texts_of(value: object) -> tuple[str, ...]:
    """Return a list of texts."""
    if type(value) is not list or not _TEXT.issuperset(map(type, value)):
        raise InvalidPolicyError(f"a list of texts, found {shown(value)}")
    return tuple(value)


_TEXT = frozenset({str})


_DEEPEST_EXTENSION = 16


def plain_copy(value: object, path: tuple[str | int, ...] = ()) -> Any:
    """Return a copy that shares no list or table with *value*; refuse what canonical JSON has no one form for."""
    if len(path) > _DEEPEST_EXTENSION:
        raise InvalidPolicyError(f"at most {_DEEPEST_EXTENSION} levels", path=path)
    if type(value) is dict:
        return {plain_key(name, path): plain_copy(inner, (*path, name)) for name, inner in value.items()}
    if type(value) is list:
        return [plain_copy(inner, (*path, position)) for position, inner in enumerate(value)]
    if not (type(value) is bool or _is_text(value) or (type(value) is int and abs(value) <= LARGEST_VERSION)):
        raise InvalidPolicyError(f"a text, a whole number, true or false, found {shown(value)}", path=path)
    return value


def plain_key(name: object, path: tuple[str | int, ...]) -> str:
    """Return the name of a field under ``extensions``."""
    if not _is_text(name):
        raise InvalidPolicyError(f"the name of a field is a text, found {shown(name)}", path=path)
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
