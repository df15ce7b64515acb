"""JSON from strangers: bounded, without duplicate keys, NaN or unbounded nesting."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pinscher.formats.format import UnreadableFileError
from pinscher.formats.limits import DEEPEST, LARGEST_FILE


def parse_json(text: str, format_name: str) -> dict[str, Any]:
    """Return the object at the root of a JSON text; raise :class:`UnreadableFileError` for anything else."""
    if len(text) > LARGEST_FILE:
        raise UnreadableFileError(format_name, f"{len(text)} characters, at most {LARGEST_FILE} are read")
    _check_depth(text, format_name)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise UnreadableFileError(format_name, f"the key {name[:80]!a} stands twice in one object")
            found[name] = value
        return found

    def refuse(constant: str) -> NoReturn:
        raise UnreadableFileError(format_name, f"{constant} is not JSON")

    try:
        root = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UnreadableFileError(format_name, "it is not JSON", line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(format_name, "a number of too many digits, or nesting too deep") from None
    if not isinstance(root, dict):
        raise UnreadableFileError(format_name, "its root is not an object")
    return root


def _check_depth(text: str, format_name: str) -> None:
    depth = 0
    is_text = is_escaped = False
    for character in text:
        if is_text:
            is_text = is_escaped or character != '"'
            is_escaped = not is_escaped and character == "\\"
        elif character == '"':
            is_text = True
        elif character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise UnreadableFileError(format_name, f"values nested deeper than {DEEPEST} levels")
        elif character in "]}":
            depth -= 1
