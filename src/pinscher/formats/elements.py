"""
XML from strangers, read into a small tree within bounds.

A DOCTYPE is refused where the dialect has none, an entity declaration always, and nothing outside the file is fetched.
The same tree is what the compiled XML of Android packages is read into.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pinscher.formats.format import UnreadableFileError
from pinscher.formats.limits import DEEPEST, LARGEST_FILE, LONGEST_TEXT, MOST_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Element:
    """One element: its name and attributes without namespaces, its children, and its own text."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def named(self, name: str) -> Iterator[Element]:
        """Yield the children of one name."""
        return (child for child in self.children if child.name == name)


class TreeBuilder:
    """Builds :class:`Element` trees from start, text and end events, and counts what it is given."""

    def __init__(self, format_name: str) -> None:
        self._format = format_name
        self._stack: list[Element] = []
        self._root: Element | None = None
        self._nodes = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        self._nodes += 1 + len(attributes)
        if self._nodes > MOST_NODES:
            raise UnreadableFileError(self._format, f"more than {MOST_NODES} elements and attributes")
        if len(self._stack) >= DEEPEST:
            raise UnreadableFileError(self._format, f"elements nested deeper than {DEEPEST} levels")
        for name, value in attributes.items():
            if len(name) > LONGEST_TEXT or len(value) > LONGEST_TEXT:
                raise UnreadableFileError(self._format, f"an attribute of more than {LONGEST_TEXT} characters")
        element = Element(_local(tag), {_local(name): value for name, value in attributes.items()})
        if self._stack:
            self._stack[-1].children.append(element)
        elif self._root is not None:
            raise UnreadableFileError(self._format, "a second root element")
        else:
            self._root = element
        self._stack.append(element)

    def data(self, text: str) -> None:
        """Take text of the open element."""
        if self._stack:
            element = self._stack[-1]
            if len(element.text) + len(text) > LONGEST_TEXT:
                raise UnreadableFileError(self._format, f"a text of more than {LONGEST_TEXT} characters")
            element.text += text

    def end(self, tag: str) -> None:
        """Close the open element."""
        del tag
        if not self._stack:
            raise UnreadableFileError(self._format, "an element ends that never began")
        self._stack.pop()

    def close(self) -> Element:
        """Return the root element."""
        if self._root is None or self._stack:
            raise UnreadableFileError(self._format, "the file ends before its root element")
        return self._root


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def parse_xml(text: bytes, format_name: str, *, allow_doctype: bool = False) -> Element:
    """Return the root element of an XML file; raise :class:`UnreadableFileError` for anything else."""
    if len(text) > LARGEST_FILE:
        raise UnreadableFileError(format_name, f"{len(text)} octets, at most {LARGEST_FILE} are read")
    parser = DefusedXMLParser(
        target=TreeBuilder(format_name), forbid_dtd=not allow_doctype, forbid_entities=True, forbid_external=True
    )
    try:
        parser.feed(text)
        root = parser.close()
    except ParseError as error:
        raise UnreadableFileError(format_name, "it is not well-formed XML", line=error.position[0]) from None
    except DefusedXmlException as error:
        reason = f"a DOCTYPE or entity is not read ({type(error).__name__})"
        raise UnreadableFileError(format_name, reason) from None
    except (ValueError, LookupError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(format_name, "its encoding cannot be read") from None
    if not isinstance(root, Element):
        raise UnreadableFileError(format_name, "it is not well-formed XML")
    return root
