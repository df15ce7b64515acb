"""
The texts and names of source code, found without parsing it: one table row per language, one pattern per row.

What is a text and what is a comment decides what an address in it means. A file that no compiler would take is read
just the same.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(enum.Enum):
    """What a piece of source code is."""

    TEXT = "text"
    COMMENT = "comment"
    NAME = "name"


class Piece(NamedTuple):
    """A piece of source code and the line that it begins at."""

    kind: Kind
    content: str
    line: int


_LINE_TEXTS = r'"(?:[^"\\\n]|\\.)*+"?' + r"|'(?:[^'\\\n]|\\.)*+'?"
_NAMES = r"(?P<name>[A-Za-z_$][\w$]*+)"
_SLASHES = r"(?P<comment>//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"


def _pattern(comment: str, texts: str) -> re.Pattern[str]:
    return re.compile(f"{comment}|(?P<text>{texts})|{_NAMES}", re.DOTALL)


_PYTHON = _pattern(
    r"(?P<comment>\#[^\n]*+)",
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?' + r"|'''(?:[^'\\]|\\.|'(?!''))*+(?:''')?|" + _LINE_TEXTS,
)
_SCRIPT = _pattern(_SLASHES, r"`(?:[^`\\]|\\.)*+`?|" + _LINE_TEXTS)
_CURLY = _pattern(_SLASHES, r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|' + _LINE_TEXTS)

LANGUAGES = {
    ".py": _PYTHON, ".pyi": _PYTHON,
    ".js": _SCRIPT, ".mjs": _SCRIPT, ".cjs": _SCRIPT, ".jsx": _SCRIPT, ".ts": _SCRIPT, ".tsx": _SCRIPT,
    ".kt": _CURLY, ".kts": _CURLY, ".java": _CURLY, ".swift": _CURLY,
}  # fmt: skip
"""The pattern of each language, by the suffix of its files."""


def pieces_of(text: str, suffix: str) -> Iterator[Piece]:
    """Yield the pieces of a source file; a text of Python that stands as a statement of its own is a comment."""
    pattern = LANGUAGES[suffix]
    line, counted = 1, 0
    for found in pattern.finditer(text):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        kind = Kind(found.lastgroup or "text")
        if kind is Kind.TEXT and pattern is _PYTHON and _stands_alone(text, found.start()):
            kind = Kind.COMMENT
        yield Piece(kind, found[0], line)


def _stands_alone(text: str, start: int) -> bool:
    """Tell whether a text begins its line and ends no line before: a docstring, and not an argument."""
    before = text[max(0, start - 2000) : start].rstrip(" \t")
    if before[-1:] in ("r", "R"):
        before = before[:-1].rstrip(" \t")
    if before and not before.endswith("\n"):
        return False
    above = before.rstrip()
    return not above or (above[-1] not in "([{,=+\\%|" and text.startswith(('"""', "'''"), start))
