"""
The column at which a field stands on the line that ``pinscher.places`` found for it.

A document in JSON may be one line, so its line says little. A wrong column misleads nobody but a reader: nothing is
decided by it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pinscher.places import line_in_json, line_in_toml

if TYPE_CHECKING:
    from pinscher.entry import Path

_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++')
_TOML_TEXT = re.compile(r"'[^']*'|" + r'"(?:[^"\\]|\\.)*+"')


def column_of(text: str, keys: Path, line: int) -> int:
    """Return the column, from one, of a field whose line is known."""
    if text.lstrip().startswith("{"):
        return _column_in_json(text, keys)
    return _column_in_toml(text, keys, line)


def _column_in_json(text: str, keys: Path) -> int:
    """Look the field up in the same document with each token on a line of its own: then its line counts tokens."""
    tokens = list(_JSON_TOKEN.finditer(text))
    number = line_in_json("\n".join(token.group() for token in tokens), keys) or 1
    offset = tokens[number - 1].start()
    return offset - text.rfind("\n", 0, offset)


def _column_in_toml(text: str, keys: Path, line: int) -> int:
    """Return where the line's own statement begins, or the right element of an array on that line."""
    shown = text.split("\n")[line - 1]
    start = len(shown) - len(shown.lstrip()) + 1
    if not keys or not isinstance(keys[-1], int):
        return start
    before = sum(line_in_toml(text, (*keys[:-1], position)) == line for position in range(keys[-1]))
    begins = line_in_toml(text, keys[:-1]) == line
    first = shown.find("[", shown.find("=")) if begins else 0
    elements = [found.start() for found in _TOML_TEXT.finditer(shown, first)]
    return elements[before] + 1 if before < len(elements) else start
