"""
Property lists from strangers, XML and binary, read within bounds.

plistlib returns self-referencing and exponentially shared structures, keeps the last of two equal keys, and allocates
what a forged trailer asks for; so the text is checked before it and the result after it.
"""

from __future__ import annotations

import plistlib
import struct
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError

from pinscher.formats.elements import parse_xml
from pinscher.formats.format import UnreadableFileError
from pinscher.formats.limits import DEEPEST, LARGEST_FILE, LONGEST_TEXT, MOST_NODES

if TYPE_CHECKING:
    from pinscher.formats.elements import Element

_BINARY = b"bplist00"
_TRAILER = struct.Struct(">6xBBQQQ")


def parse_plist(text: bytes, format_name: str) -> dict[str, Any]:
    """Return the dictionary at the root of a property list; raise :class:`UnreadableFileError` for anything else."""
    if len(text) > LARGEST_FILE:
        raise UnreadableFileError(format_name, f"{len(text)} octets, at most {LARGEST_FILE} are read")
    if text.startswith(_BINARY):
        _check_trailer(text, format_name)
    else:
        _check_keys(parse_xml(text, format_name, allow_doctype=True), format_name)
    try:
        root = plistlib.loads(text)
    except (ValueError, ExpatError, RecursionError, AttributeError, TypeError, KeyError, IndexError, OverflowError):
        raise UnreadableFileError(format_name, "it is not a property list") from None
    _check_structure(root, format_name)
    if not isinstance(root, dict):
        raise UnreadableFileError(format_name, "its root is not a dictionary")
    return root


def _check_trailer(text: bytes, format_name: str) -> None:
    if len(text) < len(_BINARY) + _TRAILER.size:
        raise UnreadableFileError(format_name, "the binary property list is cut short")
    _, _, objects, _, table = _TRAILER.unpack(text[-_TRAILER.size :])
    if objects > MOST_NODES or objects > len(text) or table > len(text):
        raise UnreadableFileError(format_name, f"its trailer claims {objects} objects in {len(text)} octets")


def _check_keys(element: Element, format_name: str) -> None:
    if element.name == "dict":
        seen: set[str] = set()
        for key in element.named("key"):
            if key.text in seen:
                raise UnreadableFileError(format_name, f"the key {key.text[:80]!a} stands twice in one dictionary")
            seen.add(key.text)
    for child in element.children:
        _check_keys(child, format_name)


def _check_structure(root: object, format_name: str) -> None:
    """Walk the whole as a tree: a cycle is too deep, a shared structure too large."""
    waiting: list[tuple[object, int]] = [(root, 0)]
    nodes = 0
    while waiting:
        value, depth = waiting.pop()
        nodes += 1
        if nodes > MOST_NODES:
            raise UnreadableFileError(format_name, f"more than {MOST_NODES} values, shared ones counted each time")
        if depth > DEEPEST:
            raise UnreadableFileError(format_name, f"values nested deeper than {DEEPEST} levels, or in a cycle")
        if isinstance(value, str | bytes) and len(value) > LONGEST_TEXT:
            raise UnreadableFileError(format_name, f"a value of more than {LONGEST_TEXT} characters")
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise UnreadableFileError(format_name, "a dictionary's key is not a text")
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def table(value: object, format_name: str, where: str) -> dict[str, Any]:
    """Return a dictionary, or refuse."""
    if not isinstance(value, dict):
        raise UnreadableFileError(format_name, f"{where}: expected a dictionary, found {type(value).__name__}")
    return value


def texts(value: object, format_name: str, where: str) -> list[str]:
    """Return a list of texts, or refuse."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UnreadableFileError(format_name, f"{where}: expected an array of strings")
    return value


def truth(value: object, format_name: str, where: str) -> bool:
    """Return a boolean, or refuse."""
    if not isinstance(value, bool):
        raise UnreadableFileError(format_name, f"{where}: expected true or false, found {type(value).__name__}")
    return value
