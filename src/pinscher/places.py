"""
Where in a document's text a field stands; looked for only when there is an error to place.

It answers with the first place at a path or below it, else with the deepest part of the path that it finds, and with
None rather than guess. But for the looks for what a parser gave up at (long keys and numbers, deep nesting), the text
was parsed before, so its syntax is known to be right. Lines end where the parsers end them, at a line feed alone. Each
look takes time in proportion to the text, however deep the text is nested.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pinscher.entry import Path

Place = tuple["Path", int]
"""A path, and the offset in the text at which it stands."""


def line_in_json(text: str, path: Path) -> int | None:
    """Return the line of *path* in a JSON text, or of the deepest part of it that is found."""
    shallow = ((tuple(stack), offset) for stack, offset in json_places(text) if len(stack) <= len(path))
    return _line_of_deepest(text, path, shallow)


def line_in_toml(text: str, path: Path) -> int | None:
    """Return the line of *path* in a TOML text, or of the deepest part of it that is found."""
    return _line_of_deepest(text, path, TomlPlaces(len(path)).of(text))


def repeated_in_json(text: str) -> tuple[Path, int] | None:
    """Return the path and line of the first key of a JSON text that stands twice in one object."""
    seen: list[set[str]] = []
    for stack, offset in json_places(text):
        depth, key = len(stack), stack[-1]
        # Whatever is deeper belonged to the sibling before.
        del seen[depth:]
        seen.extend(set() for _ in range(depth - len(seen)))
        if isinstance(key, str):
            if key in seen[-1]:
                return tuple(stack), _line(text, offset)
            seen[-1].add(key)
    return None


def odd_number_in_json(text: str) -> int | None:
    """Return the line of the first number of a JSON text that is not whole, not a number, or too long for one."""
    for token in _TOKEN.finditer(text):
        if token.group()[0] not in '"{}[],:' and not _WHOLE.fullmatch(token.group()):
            return _line(text, token.start())
    return None


def half_pair_in_json(text: str) -> int | None:
    """Return the line of the first escaped half of a surrogate pair in a JSON text."""
    halves = (found.start() for found in _SURROGATES.finditer(text) if found.group(1))
    return next((_line(text, offset) for offset in halves), None)


def long_key_in_toml(text: str, most: int) -> int | None:
    """Return the line of the first key of a TOML text with more than *most* parts; the text need not be TOML."""
    parts = 0
    for token in _TOML_TOKEN.finditer(text):
        mark = token.group()
        if mark in "[]{}=,\n" or mark[0] == "#":
            parts = 0
        elif mark != ".":
            parts += 1
        if parts > most:
            return _line(text, token.start())
    return None


def deepest_in_json(text: str) -> int:
    """Return the line on which a JSON text is nested most deeply; the text need not be JSON."""
    return _deepest(text, _TOKEN)


def deepest_in_toml(text: str) -> int:
    """Return the line on which a TOML text is nested most deeply; the text need not be TOML."""
    return _deepest(text, _TOML_TOKEN)


def _deepest(text: str, tokens: re.Pattern[str]) -> int:
    depth = most = place = 0
    for token in tokens.finditer(text):
        mark = token.group()
        depth += (mark in ("[", "{")) - (mark in ("]", "}"))
        if depth > most:
            most, place = depth, token.start()
    return _line(text, place)


def long_number_in_toml(text: str) -> int | None:
    """Return the line of the first number of a TOML text that Python does not read, for it has too many digits."""
    tokens = (token for token in _TOML_TOKEN.finditer(text) if _LONG_NUMBER.match(token.group()))
    return next((_line(text, token.start()) for token in tokens), None)


_LONG_NUMBER = re.compile(r"[+-]?[0-9_]{4300}")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++')
_WHOLE = re.compile(r"-?[0-9]{1,4300}|true|false|null")
_SURROGATES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _line_of_deepest(text: str, path: Path, places: Iterable[Place]) -> int | None:
    best: Place | None = None
    for found, offset in places:
        if path and found[: len(path)] == path:
            # The place itself, or the first below it: a dotted name stands for the tables on its way.
            return _line(text, offset)
        if found and path[: len(found)] == found and (best is None or len(found) > len(best[0])):
            best = (found, offset)
    return None if best is None else _line(text, best[1])


def json_places(text: str) -> Iterator[tuple[list[str | int], int]]:
    """Yield the path of every key and array element of a JSON text, as one list that changes, with its offset."""
    stack: list[str | int] = []
    key_next = False
    for token in _TOKEN.finditer(text):
        mark, offset = token.group(), token.start()
        if mark == ":":
            continue
        if mark == ",":
            if isinstance(stack[-1], int):
                stack[-1] += 1
            else:
                key_next = True
            continue
        if mark in "}]":
            stack.pop()
            key_next = False
            continue
        if key_next:
            stack[-1] = json.loads(mark)
            key_next = False
            yield stack, offset
            continue
        if stack and isinstance(stack[-1], int):
            yield stack, offset
        if mark in "{[":
            stack.append("" if mark == "{" else 0)
            key_next = mark == "{"


_TOML_TOKEN = re.compile(
    r'''
    \#[^\n]*+
    | """(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}
    | \'\'\'(?:[^']++|'{1,2}(?!'))*+'{3,5}
    | "(?:[^"\\\n]++|\\[^\n])*+"
    | '[^'\n]*+'
    | [\[\]{}=,.\n]
    | [^\s\[\]{}=,."'#]++
    ''',
    re.VERBOSE | re.DOTALL,
)


class TomlPlaces:
    """
    A walk through a TOML text that yields the path of every header, key and array element, with its offset.

    ``_open`` has one slot for the keys of the statement, and one for each array (its position) or inline table (the
    keys of its field) that is open inside it; ``_keys`` are the parts of the key being read, or None within a value.
    """

    def __init__(self, deepest: int) -> None:
        self._deepest = deepest
        self._table: Path = ()
        self._open: list[Path] = [()]
        self._keys: list[str] | None = []
        self._in_header = False
        self._start = 0

    def of(self, text: str) -> Iterator[Place]:
        """Walk through a text."""
        for token in _TOML_TOKEN.finditer(text):
            mark, offset = token.group(), token.start()
            if mark[0] == "#":
                continue
            if mark == "\n":
                self._end_line()
            elif self._keys is None:
                yield from self._in_value(mark, offset)
            else:
                yield from self._in_key(self._keys, mark, offset)

    def _end_line(self) -> None:
        """Begin a new statement, unless the line ends inside an array or an inline table."""
        if len(self._open) == 1:
            self._keys, self._in_header = [], False

    def _in_key(self, keys: list[str], mark: str, offset: int) -> Iterator[Place]:
        if mark == "=":
            self._keys, self._open[-1] = None, tuple(keys)
            yield from self._place(self._start)
        elif mark == "[":
            self._in_header = True
        elif mark == "]":
            self._keys, self._table = None, tuple(keys)
            yield self._table, self._start
        elif mark == "}":
            self._keys = None
            self._open.pop()
        elif mark not in ".,":
            if not keys:
                self._start = offset
            keys.append(_unquoted(mark))

    def _in_value(self, mark: str, offset: int) -> Iterator[Place]:
        if self._in_header:
            return
        slot = self._open[-1]
        if mark in "]}":
            self._open.pop()
        elif mark == ",":
            if _is_array(slot):
                self._open[-1] = (int(slot[0]) + 1,)
            else:
                self._keys = []
        else:
            if _is_array(slot):
                yield from self._place(offset)
            self._enter(mark)

    def _enter(self, mark: str) -> None:
        if mark == "[":
            self._open.append((0,))
        elif mark == "{":
            self._open.append(())
            self._keys = []

    def _place(self, offset: int) -> Iterator[Place]:
        if len(self._open) <= self._deepest:
            yield sum(self._open, self._table), offset


def _is_array(slot: Path) -> bool:
    return bool(slot) and isinstance(slot[0], int)


def _unquoted(mark: str) -> str:
    if mark[0] == '"' and "\\" in mark:
        return str(tomllib.loads(f"key = {mark}")["key"])
    return mark[1:-1] if mark[0] in "\"'" else mark
