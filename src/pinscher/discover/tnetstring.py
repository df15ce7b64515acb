"""
Tagged netstrings, the form of mitmproxy's flow files: ``length:content`` and one octet that says what the content is.

mitmproxy is an application that fixes the versions of what it imports, so it has an environment of its own and is not
imported here. Its files are simple enough to be read without it, and within bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.discover.limits import DEEPEST

if TYPE_CHECKING:
    from typing import BinaryIO


class TnetstringError(ValueError):
    """Content that is no tagged netstring."""


_LONGEST_LENGTH = 12


def read_length(stream: BinaryIO) -> int | None:
    """Read the length in front of one netstring; None at the end of the file."""
    digits = b""
    while (octet := stream.read(1)) != b":":
        if not octet and not digits:
            return None
        if not octet.isdigit() or len(digits) >= _LONGEST_LENGTH:
            raise TnetstringError("expected a length and ':'")
        digits += octet
    if not digits:
        raise TnetstringError("expected a length before ':'")
    return int(digits)


def parse(content: bytes) -> Any:
    """Return what one netstring holds; raise :class:`TnetstringError` for anything else."""
    value, rest = _popped(memoryview(content), 0)
    if len(rest):
        raise TnetstringError("more after the end")
    return value


def value_of(kind: int, content: memoryview, level: int = 0) -> Any:
    """Return the value of a content by its tag."""
    if level > DEEPEST:
        raise TnetstringError(f"more than {DEEPEST} levels of nesting")
    match chr(kind):
        case ",":
            return bytes(content)
        case ";":
            return bytes(content).decode("utf-8", "replace")
        case "#" | "^" | "!" as tag:
            return _scalar(tag, bytes(content[:40]))
        case "~":
            return None
        case "]":
            return _items(content, level)
        case "}":
            flat = _items(content, level)
            if len(flat) % 2 or not all(isinstance(key, str | bytes) for key in flat[::2]):
                raise TnetstringError("a table whose keys are not texts")
            keys = (key.decode("utf-8", "replace") if isinstance(key, bytes) else key for key in flat[::2])
            return dict(zip(keys, flat[1::2], strict=True))
    raise TnetstringError("an unknown tag")


def _scalar(tag: str, text: bytes) -> int | float | bool:
    if tag == "!":
        return text == b"true"
    try:
        return int(text) if tag == "#" else float(text)
    except ValueError:
        raise TnetstringError("expected a number") from None


def _items(content: memoryview, level: int) -> list[Any]:
    items = []
    while len(content):
        value, content = _popped(content, level + 1)
        items.append(value)
    return items


def _popped(content: memoryview, level: int) -> tuple[Any, memoryview]:
    length, colon, _ = bytes(content[: _LONGEST_LENGTH + 1]).partition(b":")
    if not colon or not length.isdigit():
        raise TnetstringError("expected a length and ':'")
    start = len(length) + 1
    end = start + int(length)
    if end >= len(content):
        raise TnetstringError("a length beyond the end")
    return value_of(content[end], content[start:end], level), content[end + 1 :]
