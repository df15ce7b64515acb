"""Source code, in the languages that ``lexing`` knows: the addresses in its texts, and the names beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pinscher.discover.addresses import addresses_in
from pinscher.discover.lexing import Kind, pieces_of
from pinscher.discover.limits import LARGEST_PAGE, LONGEST_TEXT
from pinscher.discover.matters import of_name
from pinscher.discover.page import Page
from pinscher.discover.sighting import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.sighting import Find, Source

_LONGEST_NAME = 60


def read_code(source: Source) -> Iterator[Find]:
    """Yield a sighting for every address in a text of the code; those in comments are counted."""
    content = source.stream.read(LARGEST_PAGE + 1)
    if len(content) > LARGEST_PAGE:
        raise source.error(f"more than {LARGEST_PAGE} octets of source code")
    if b"\0" in content[:1024]:
        raise source.error("expected source code, found binary content", line=1)
    page = Page(source.name, Evidence.WRITTEN)
    for piece in pieces_of(content.decode("utf-8", "replace"), os.path.splitext(source.name)[1].lower()):
        if piece.kind is Kind.NAME:
            page.word(of_name(piece.content), piece.line)
        elif piece.kind is Kind.TEXT:
            _text(page, piece.content, piece.line)
        else:
            for _ in addresses_in(piece.content[:LONGEST_TEXT]):
                page.skip("an address in a comment", piece.line)
    yield from page.finds()


def _text(page: Page, text: str, line: int) -> None:
    if len(text) <= _LONGEST_NAME and " " not in text:
        page.word(of_name(text.strip("\"'`")), line)
    for number, part in enumerate(text.split("\n")):
        page.text(part[:LONGEST_TEXT], line + number)
        if len(part) > LONGEST_TEXT:
            page.skip("the rest of a long text", line + number)
