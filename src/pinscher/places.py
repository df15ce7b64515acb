"""
Where in a document's text a field stands; looked for only when there is an error to place.

It answers with the deepest part of a path that it finds, and with None rather than guess.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TOML_KEY = re.compile(
    r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*="""
)


def line_in_json(text: str, path: Path, *, occurrence: int = 1) -> int | None:
    """Return the line of the *occurrence*-th time that *path* stands in a JSON text, or of the deepest part found."""
    best: tuple[int, int] | None = None
    seen = 0
    for found, offset in _json_places(text):
        if path[: len(found)] == found and (best is None or len(found) > best[0]):
            best = (len(found), offset)
        seen += found == path
        if found == path and seen == occurrence:
            best = (len(found), offset)
            break
    return None if best is None else text.count("\n", 0, best[1]) + 1


def _json_places(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path of every key and array element of a JSON text, with its offset."""
    stack: list[str | int | None] = []
    key_next = False
    for token in _TOKEN.finditer(text):
        mark, offset = token.group(), token.start()
        if mark == ":":
            continue
        if mark == ",":
            if stack and isinstance(stack[-1], int):
                stack[-1] += 1
            else:
                key_next = True
            continue
        if mark in "}]":
            stack = stack[:-1]
            key_next = False
            continue
        if key_next and mark[0] == '"':
            stack[-1:] = [_unquoted(mark)]
            key_next = False
            yield tuple(part for part in stack if part is not None), offset
            continue
        if stack and isinstance(stack[-1], int):
            yield tuple(part for part in stack if part is not None), offset
        if mark in "{[":
            stack.append(None if mark == "{" else 0)
            key_next = mark == "{"


def _unquoted(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token


def line_in_toml(text: str, path: Path) -> int | None:
    """Return the line of *path* in a TOML text, or of the deepest part of it that is found."""
    best: tuple[int, int] | None = None
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _keys(stripped)
            found = table
        elif match := _TOML_KEY.match(line):
            found = table + _keys(match.group(1) + " = 0")
        else:
            continue
        if found and path[: len(found)] == found and (best is None or len(found) > best[0]):
            best = (len(found), number)
    return None if best is None else best[1]


def _keys(line: str) -> Path:
    """Return the keys of one header or assignment, read by the TOML parser itself."""
    try:
        table = tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    keys: list[str | int] = []
    while isinstance(table, dict) and len(table) == 1:
        ((key, table),) = table.items()
        keys.append(key)
    return tuple(keys)
