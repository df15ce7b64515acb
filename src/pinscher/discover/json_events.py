"""
JSON as a stream of fields, in bounded memory whatever it holds.

A JSON library that keeps a text whole needs as much memory as the longest text of the file, and one that streams
events does not say where in the file they stand. This reader keeps the first ``LONGEST_TEXT`` octets of a text, counts
lines, and is told apart from the others by its one error.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from pinscher.discover.limits import DEEPEST, LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, TypeAlias

    Path: TypeAlias = list[str | int]

_CHUNK = 256 * 1024
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LITERAL = re.compile(rb"[-+.0-9A-Za-z]++")
_LONGEST_LITERAL = 1024


class DamagedError(Exception):
    """Where a document stops making sense, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class Field(NamedTuple):
    """One value of a document; ``value`` is None where an object or array begins. The path is valid until the next."""

    path: Path
    value: str | None
    line: int
    is_cut: bool = False


class _Tokens:
    """The tokens of a stream: a mark, or a text or literal with whether it was cut."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._counted = 0
        self._line = 1

    @property
    def line(self) -> int:
        """The line of the last token's end."""
        self._line += self._buffer.count(b"\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def damaged(self, reason: str) -> DamagedError:
        return DamagedError(self.line, reason)

    def _more(self) -> bool:
        """Read on; what was passed over leaves the buffer."""
        self._line = self.line
        chunk = self._stream.read(_CHUNK)
        self._buffer = self._buffer[self._at :] + chunk
        self._at = self._counted = 0
        return bool(chunk)

    def next(self) -> tuple[bytes, bytes, bool] | None:
        """Return the next token as its kind (its first octet), its content, and whether it was cut; None at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                break
            if not self._more():
                return None
        first = self._buffer[self._at : self._at + 1]
        if first in b"{}[]:,":
            self._at += 1
            return first, b"", False
        return self._text() if first == b'"' else self._literal()

    def _text(self) -> tuple[bytes, bytes, bool]:
        while True:
            found = _STRING.match(self._buffer, self._at)
            if found:
                self._at = found.end()
                return b'"', found[1][:LONGEST_TEXT], len(found[1]) > LONGEST_TEXT
            if len(self._buffer) - self._at > LONGEST_TEXT + 2:
                return b'"', self._long_text(), True
            if not self._more():
                raise self.damaged("the file ends within a text")

    def _long_text(self) -> bytes:
        """Pass over a text to its end, and return its beginning."""
        kept = self._buffer[self._at + 1 : self._at + 1 + LONGEST_TEXT]
        self._at += 1
        while True:
            found = _INSIDE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._buffer[self._at : self._at + 1] == b'"':
                self._at += 1
                return kept
            if not self._more():
                raise self.damaged("the file ends within a text")

    def _literal(self) -> tuple[bytes, bytes, bool]:
        while True:
            found = _LITERAL.match(self._buffer, self._at)
            if found is None:
                raise self.damaged(f"expected a value, found the octet 0x{self._buffer[self._at]:02x}")
            if found.end() - self._at > _LONGEST_LITERAL:
                raise self.damaged(f"a number or word longer than {_LONGEST_LITERAL} octets")
            if found.end() < len(self._buffer) or not self._more():
                self._at = min(self._at + len(found[0]), len(self._buffer))
                return b"0", found[0], False


def fields_of(stream: BinaryIO) -> Iterator[Field]:
    """Yield every value of a JSON document with its path and line; raise :class:`DamagedError` where it is none."""
    tokens = _Tokens(stream)
    path: Path = []
    expects_value, is_first = True, False
    while True:
        if expects_value:
            token = _first(tokens) if not path else tokens.next()
            if token is None:
                raise tokens.damaged("the file ends where a value was expected")
            kind, content, is_cut = token
            if is_first and kind == b"]":
                path.pop()
                expects_value, is_first = False, False
                continue
            if kind in b"{[":
                yield Field(path, None, tokens.line)
                is_first = _opened(tokens, path, kind)
                expects_value = kind == b"[" or not is_first
                if kind == b"{" and is_first:
                    expects_value, is_first = False, False
                continue
            if kind not in b'"0':
                raise tokens.damaged(f"expected a value, found '{kind.decode()}'")
            yield Field(
                path, _decoded(content, is_cut=is_cut) if kind == b'"' else content.decode(), tokens.line, is_cut
            )
            expects_value, is_first = False, False
        elif not path:
            if tokens.next() is not None:
                raise tokens.damaged("expected the end, found more after the document")
            return
        else:
            expects_value = _after(tokens, path)


def _first(tokens: _Tokens) -> tuple[bytes, bytes, bool] | None:
    tokens._more()  # noqa: SLF001  (the two are one reader)
    tokens._at = 3 if tokens._buffer.startswith(b"\xef\xbb\xbf") else 0  # noqa: SLF001
    return tokens.next()


def _opened(tokens: _Tokens, path: Path, kind: bytes) -> bool:
    """Go into an object, up to its first value, or an array; tell whether an object is empty or an array just began."""
    if len(path) >= DEEPEST:
        raise tokens.damaged(f"more than {DEEPEST} levels of nesting")
    if kind == b"[":
        path.append(0)
        return True
    token = tokens.next()
    if token is not None and token[0] == b"}":
        return True
    path.append(_key(tokens, token))
    return False


def _after(tokens: _Tokens, path: Path) -> bool:
    """Read what stands after a value; tell whether another value follows."""
    token = tokens.next()
    here = path[-1]
    mark = b"" if token is None else token[0]
    if mark == b",":
        path[-1] = here + 1 if isinstance(here, int) else _key(tokens, tokens.next())
        return True
    if mark == (b"]" if isinstance(here, int) else b"}"):
        path.pop()
        return False
    closing = "]" if isinstance(here, int) else "}"
    found = "the end of the file" if token is None else f"'{mark.decode()}'" if mark in b"{}[]:," else "a value"
    raise tokens.damaged(f"expected ',' or '{closing}', found {found}")


def _key(tokens: _Tokens, token: tuple[bytes, bytes, bool] | None) -> str:
    if token is None or token[0] != b'"':
        raise tokens.damaged("expected a name in quotes")
    colon = tokens.next()
    if colon is None or colon[0] != b":":
        raise tokens.damaged("expected ':' after a name")
    return _decoded(token[1], is_cut=token[2])


def _decoded(content: bytes, *, is_cut: bool) -> str:
    if b"\\" in content:
        whole = content if not is_cut else _CUT_ESCAPE.sub(b"", content)
        try:
            return str(json.loads(b'"' + whole + b'"', strict=False))
        except ValueError:
            pass
    return content.decode("utf-8", "replace")


_CUT_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?$")
