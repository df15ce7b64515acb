"""
The line and column of every field of a document, found in one walk through its text.

``pinscher.places`` looks one field up in time in proportion to the text, which is right for the one error that ends a
reading. A lint of a long policy has a place to look up for each of thousands of entries.
"""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING

from pinscher.places import TomlPlaces, json_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import Path

_DEEPEST = 8
"""Parts of a path; no rule looks deeper but into the extensions, and then the place is that of what is around it."""


class Located:
    """Every place of a text, TOML or JSON, which was parsed before."""

    def __init__(self, text: str) -> None:
        self._line_ends = [found.start() for found in re.finditer("\n", text)]
        self._offsets: dict[Path, int] = {}
        for path, offset in _in_json(text) if text.lstrip().startswith("{") else TomlPlaces(_DEEPEST).of(text):
            self._offsets.setdefault(path, offset)

    def place(self, keys: Path) -> tuple[int, int] | tuple[None, None]:
        """Return the line and column, from one, of a field or of the deepest part of the way to it, or two None."""
        for length in range(len(keys), 0, -1):
            offset = self._offsets.get(keys[:length])
            if offset is not None:
                line = bisect.bisect_left(self._line_ends, offset)
                return line + 1, offset - (self._line_ends[line - 1] if line else -1)
        return None, None


def _in_json(text: str) -> Iterator[tuple[Path, int]]:
    return ((tuple(stack), offset) for stack, offset in json_places(text) if len(stack) <= _DEEPEST)
