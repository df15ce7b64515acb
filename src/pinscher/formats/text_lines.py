"""Text dialects from strangers: UTF-8, bounded in octets, lines and line length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.formats.limits import LARGEST_FILE, LONGEST_TEXT, MOST_LINES

if TYPE_CHECKING:
    from pinscher.formats.reading import Reader


def text_of(content: bytes, reader: Reader) -> str:
    """Return the text of a file without NUL, or refuse."""
    if len(content) > LARGEST_FILE:
        raise reader.refuse(f"{len(content)} octets, at most {LARGEST_FILE} are read")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise reader.refuse("it is not UTF-8 text") from None
    if "\0" in text:
        raise reader.refuse("it holds a NUL character")
    return text


def lines_of(content: bytes, reader: Reader) -> list[tuple[int, str]]:
    """Return the stripped lines with their numbers, from 1; empty ones are left out."""
    lines = text_of(content, reader).replace("\r\n", "\n").split("\n")
    if len(lines) > MOST_LINES:
        raise reader.refuse(f"more than {MOST_LINES} lines")
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_TEXT:
            raise reader.refuse(f"a line of more than {LONGEST_TEXT} characters", line=number)
    return [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
