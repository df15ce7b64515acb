"""
The text of a policy document: its encoding, its syntax, and where in it a field stands.

TOML for people and JSON for signing say the same; a text whose first character is ``{`` is JSON. Whatever the bytes,
the answer is tables or :class:`InvalidPolicyError` with its place. A duplicate key is an error.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn

from pinscher.document import LARGEST_TEXT
from pinscher.entry import InvalidPolicyError
from pinscher.errors import escaped
from pinscher.places import (
    deepest_in_json,
    deepest_in_toml,
    half_pair_in_json,
    line_in_json,
    line_in_toml,
    long_key_in_toml,
    long_number_in_toml,
    odd_number_in_json,
    repeated_in_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.entry import Path

    LineOf = Callable[[Path], int | None]


def read_text(text: str | bytes, source: str | None) -> tuple[dict[str, Any], LineOf]:
    """Return a document's tables, and a function that finds the line of a field in its text."""
    if not isinstance(text, str | bytes | bytearray):
        raise InvalidPolicyError(f"a policy is text or bytes, found {type(text).__name__}", source=source)
    decoded = _decoded(text, source)
    start = decoded.lstrip()[:1]
    if not start:
        raise InvalidPolicyError("the policy is empty, and an empty policy is not 'no pins'", source=source)
    if start == "{":
        return _read_json(decoded, source), functools.partial(line_in_json, decoded)
    return _read_toml(decoded, source), functools.partial(line_in_toml, decoded)


def _decoded(text: str | bytes, source: str | None) -> str:
    if len(text) > LARGEST_TEXT:
        raise InvalidPolicyError(f"a policy has at most {LARGEST_TEXT >> 20} MiB", source=source)
    try:
        # A text with half of a surrogate pair cannot be written as UTF-8, and so cannot be digested.
        decoded = bytes(text).decode() if isinstance(text, bytes | bytearray) else text.encode().decode()
    except UnicodeDecodeError as error:
        line = bytes(text)[: error.start].count(b"\n") + 1  # type: ignore[arg-type]
        raise InvalidPolicyError(
            f"not UTF-8 at byte {error.start}; save the file as UTF-8", source=source, line=line
        ) from None
    except UnicodeEncodeError:
        raise InvalidPolicyError("the text holds half of a surrogate pair", source=source) from None
    if decoded.startswith("\ufeff"):
        raise InvalidPolicyError("save the file without a byte order mark", source=source, line=1)
    return decoded


_MANY_DOTS = re.compile(r"^(?:[^.\n]*+\.){127}", re.MULTILINE)
_MOST_PARTS = 127
"""Parts of a dotted key; a DNS name has at most as many labels, and tomllib takes time as the square of the parts."""


def _read_toml(text: str, source: str | None) -> dict[str, Any]:
    if _MANY_DOTS.search(text) and (line := long_key_in_toml(text, _MOST_PARTS)):
        raise InvalidPolicyError(f"a dotted name of more than {_MOST_PARTS} parts", source=source, line=line)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, line = _split_place(str(error), text)
        raise InvalidPolicyError(f"not TOML: {escaped(reason)}", source=source, line=line) from None
    except RecursionError:
        line = deepest_in_toml(text)
        raise InvalidPolicyError("not TOML: nested too deeply", source=source, line=line) from None
    except (ValueError, OverflowError) as error:
        line = long_number_in_toml(text)
        raise InvalidPolicyError(f"not TOML: {escaped(str(error))}", source=source, line=line) from None


def _split_place(message: str, text: str) -> tuple[str, int]:
    """Take '(at line 3, column 5)' or '(at end of document)' off tomllib's message."""
    reason, found, place = message.partition(" (at line ")
    if found:
        return reason, int(place.partition(",")[0])
    return message, text.count("\n") + 1


class _DuplicateKeyError(Exception):
    """A key that stands twice in one JSON object."""


def _read_json(text: str, source: str | None) -> dict[str, Any]:
    try:
        table = json.loads(text, object_pairs_hook=_object, parse_constant=_not_a_number, parse_float=_no_fraction)
    except json.JSONDecodeError as error:
        raise InvalidPolicyError(f"not JSON: {error.msg}", source=source, line=error.lineno) from None
    except _DuplicateKeyError:
        raise _repeated(text, source) from None
    except RecursionError:
        raise _too_deep_in_json(text, source) from None
    except ValueError as error:
        line = odd_number_in_json(text)
        raise InvalidPolicyError(f"not JSON: {escaped(str(error))}", source=source, line=line) from None
    _check_encodable(text, table, source)
    return table  # type: ignore[no-any-return]


def _repeated(text: str, source: str | None) -> InvalidPolicyError:
    path, line = repeated_in_json(text) or ((), None)
    return InvalidPolicyError("the key stands twice in one object", path=path, source=source, line=line)


def _too_deep_in_json(text: str, source: str | None) -> InvalidPolicyError:
    return InvalidPolicyError("not JSON: nested too deeply", source=source, line=deepest_in_json(text))


def _check_encodable(text: str, table: object, source: str | None) -> None:
    """Refuse an escaped half of a surrogate pair, which json lets through."""
    if "\\ud" not in text and "\\uD" not in text:
        return
    try:
        json.dumps(table, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        line = half_pair_in_json(text)
        raise InvalidPolicyError("the text holds half of a surrogate pair", source=source, line=line) from None
    except RecursionError:
        # Writing takes more of the stack than reading did.
        raise _too_deep_in_json(text, source) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _DuplicateKeyError
    return table


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _no_fraction(text: str) -> NoReturn:
    raise ValueError(f"a policy has whole numbers only, found {text[:40]}")
