"""
Android's compiled XML, in the two forms that packages hold it: chunks (APK) and protocol buffers (AAB).

Chunks are those of AOSP's ``ResourceTypes.h``: a string pool, then start, end and text nodes that point into it. The
protocol buffers are ``aapt.pb.XmlNode`` of AOSP's ``Resources.proto``. Only names, string and boolean attributes and
text are read.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pinscher.formats.elements import Element, TreeBuilder
from pinscher.formats.format import UnreadableFileError
from pinscher.formats.limits import LONGEST_TEXT, MOST_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

_XML = 0x0003
_STRING_POOL = 0x0001
_START, _END, _TEXT = 0x0102, 0x0103, 0x0104
_UTF8 = 1 << 8
_NONE = 0xFFFFFFFF
_BOOLEAN = 0x12


def is_compiled(content: bytes) -> bool:
    """Tell whether a file begins as chunked compiled XML does."""
    return content.startswith(b"\x03\x00\x08\x00")


def parse_compiled(content: bytes, format_name: str) -> Element:
    """Return the root of chunked compiled XML; raise :class:`UnreadableFileError` for anything else."""
    try:
        return _parsed(content, TreeBuilder(format_name))
    except (struct.error, IndexError, UnicodeDecodeError):
        raise UnreadableFileError(format_name, "the compiled XML is damaged") from None


def _parsed(content: bytes, builder: TreeBuilder) -> Element:
    kind, header, _ = struct.unpack_from("<HHI", content)
    if kind != _XML:
        raise IndexError
    strings: list[str] = []
    offset = header
    while offset < len(content):
        kind, header, size = struct.unpack_from("<HHI", content, offset)
        if size < 8 or header < 8 or offset + size > len(content):
            raise IndexError
        chunk = content[offset : offset + size]
        if kind == _STRING_POOL:
            strings = _strings(chunk)
        elif kind == _START:
            builder.start(*_start(chunk, header, strings))
        elif kind == _END:
            builder.end("")
        elif kind == _TEXT:
            builder.data(strings[struct.unpack_from("<I", chunk, header)[0]])
        offset += size
    return builder.close()


def _start(chunk: bytes, header: int, strings: list[str]) -> tuple[str, dict[str, str]]:
    _, name, start, size, count = struct.unpack_from("<IIHHH", chunk, header)
    attributes = {}
    for number in range(count):
        at = header + start + number * size
        _, key, raw, _, _, kind, value = struct.unpack_from("<IIIHBBI", chunk, at)
        if raw != _NONE:
            attributes[strings[key]] = strings[raw]
        elif kind == _BOOLEAN:
            attributes[strings[key]] = "true" if value else "false"
        else:
            attributes[strings[key]] = f"@{value:#010x}"
    return strings[name], attributes


def _strings(chunk: bytes) -> list[str]:
    _, _, _, count, _, flags, start, _ = struct.unpack_from("<HHIIIIII", chunk)
    if count > MOST_NODES or count * 4 > len(chunk):
        raise IndexError
    offsets = struct.unpack_from(f"<{count}I", chunk, 28)
    read = _utf8 if flags & _UTF8 else _utf16
    return [read(chunk, start + offset) for offset in offsets]


def _utf8(chunk: bytes, at: int) -> str:
    at += 2 if chunk[at] & 0x80 else 1
    length, at = (((chunk[at] & 0x7F) << 8 | chunk[at + 1]), at + 2) if chunk[at] & 0x80 else (chunk[at], at + 1)
    return _text(chunk, at, length, "utf-8")


def _utf16(chunk: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<H", chunk, at)
    at += 2
    if length & 0x8000:
        length = (length & 0x7FFF) << 16 | struct.unpack_from("<H", chunk, at)[0]
        at += 2
    return _text(chunk, at, length * 2, "utf-16-le")


def _text(chunk: bytes, at: int, length: int, codec: str) -> str:
    if at + length > len(chunk) or length > 4 * LONGEST_TEXT:
        raise IndexError
    return chunk[at : at + length].decode(codec)


def parse_protocol_xml(content: bytes, format_name: str) -> Element:
    """Return the root of an ``aapt.pb.XmlNode``; raise :class:`UnreadableFileError` for anything else."""
    builder = TreeBuilder(format_name)
    try:
        _node(content, builder)
    except (IndexError, UnicodeDecodeError):
        raise UnreadableFileError(format_name, "the compiled XML is damaged") from None
    return builder.close()


def _node(content: bytes, builder: TreeBuilder) -> None:
    for number, value in _fields(content):
        if number == 1:
            _element(value, builder)
        elif number == 2:
            builder.data(value.decode("utf-8"))


def _element(content: bytes, builder: TreeBuilder) -> None:
    fields = list(_fields(content))
    name = next((value for number, value in fields if number == 3), b"")
    attributes = dict(_attribute(value) for number, value in fields if number == 4)
    builder.start(name.decode("utf-8"), attributes)
    for number, value in fields:
        if number == 5:
            _node(value, builder)
    builder.end("")


def _attribute(content: bytes) -> tuple[str, str]:
    fields = dict(_fields(content))
    return fields.get(2, b"").decode("utf-8"), fields.get(3, b"").decode("utf-8")


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of each length-delimited field; numbers are skipped over."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(content, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(content, at)
            if at + length > len(content):
                raise IndexError
            yield tag >> 3, content[at : at + length]
            at += length
        else:
            raise IndexError


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = content[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if not octet & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError
