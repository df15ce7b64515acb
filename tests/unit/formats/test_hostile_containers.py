"""Archives, compiled XML and deep or long files from strangers, at and beyond the bounds of ``formats/limits.py``."""

from __future__ import annotations

import io
import plistlib
import struct
import time
import warnings
import zipfile

import pytest
from worlds import AT, host_table, policy_of

from pinscher.formats import FORMATS, Choices, UnreadableFileError, limits
from pinscher.formats.archives import members
from pinscher.formats.compiled_xml import parse_compiled, parse_protocol_xml
from pinscher.formats.elements import parse_xml
from pinscher.formats.json_text import parse_json
from pinscher.formats.plists import parse_plist
from pinscher.formats.roles import positions_of
from pinscher.policy import Policy


def archive(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive; a name may stand twice."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, content in files:
            opened.writestr(name, content)
    return stream.getvalue()


def everything(content: bytes) -> list[tuple[str, bytes]]:
    """Return every member of an archive."""
    return list(members(content, "test", lambda _: True))


def test_archive_traversal_is_a_name_and_no_path() -> None:
    """A member named like a path elsewhere is read as octets, and nothing is written anywhere."""
    assert [("../../etc/passwd", b"x")] == everything(archive(("../../etc/passwd", b"x")))


def encrypted() -> bytes:
    """Return an archive whose member says that it is encrypted."""
    content = bytearray(archive(("a", b"x")))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def understated() -> bytes:
    """Return an archive whose directory says that a large member is small."""
    content = bytearray(archive(("a", bytes(limits.LARGEST_MEMBER * 4))))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 10)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04", "damaged"),
        (archive(("a", b"x" * 1000))[:-30], "damaged"),
        (archive(("a", b"x"), ("a", b"y")), "stands twice"),
        (archive(("a", b"x"), compression=zipfile.ZIP_LZMA), "oddly compressed"),
        (encrypted(), "encrypted"),
        (understated(), "damaged"),
        (archive(("a", bytes(limits.LARGEST_MEMBER + 1))), "octets"),
        (archive(*((str(at), bytes(limits.LARGEST_MEMBER)) for at in range(17))), "inflate"),
        (archive(*((str(at), b"") for at in range(limits.MOST_CANDIDATES + 1))), "could be meant"),
    ],
)
def test_archive_beyond_a_bound_is_refused(content: bytes, told: str) -> None:
    """Doubled, encrypted, damaged and exploding members are refused in little time."""
    started = time.process_time()
    with pytest.raises(UnreadableFileError, match=told):
        everything(content)
    assert time.process_time() - started < 5


def chunk(kind: int, body: bytes, header: int = 8) -> bytes:
    """Return a chunk of compiled XML."""
    return struct.pack("<HHI", kind, header, 8 + len(body)) + body


def pool(*texts: str, utf8: bool) -> bytes:
    """Return a string pool in UTF-8 or UTF-16."""
    encoded, offsets = b"", []
    for text in texts:
        offsets.append(len(encoded))
        if utf8:
            content = text.encode()
            length = (
                bytes([len(content)]) if len(content) < 128 else bytes([len(content) >> 8 | 0x80, len(content) & 255])
            )
            encoded += length + length + content + b"\0"
        else:
            encoded += struct.pack("<H", len(text)) + text.encode("utf-16-le") + b"\0\0"
    head = struct.pack("<IIIII", len(texts), 0, 256 if utf8 else 0, 28 + 4 * len(texts), 0)
    return chunk(1, head + struct.pack(f"<{len(texts)}I", *offsets) + encoded, 28)


@pytest.mark.parametrize("utf8", [True, False])
def test_compiled_xml_reads_both_encodings(utf8: bool) -> None:
    """Strings in UTF-8 and UTF-16, long ones too, and typed attributes become the same tree."""
    long = "x" * 200
    attributes = struct.pack("<IIIHBBI", 0xFFFFFFFF, 1, 0xFFFFFFFF, 8, 0, 0x12, 0xFFFFFFFF)
    attributes += struct.pack("<IIIHBBI", 0xFFFFFFFF, 2, 0xFFFFFFFF, 8, 0, 0x01, 0x7F010000)
    start = struct.pack("<II", 1, 0xFFFFFFFF) + struct.pack("<IIHHHHHH", 0xFFFFFFFF, 0, 20, 20, 2, 0, 0, 0) + attributes
    text = struct.pack("<IIIHBBI", 1, 0xFFFFFFFF, 3, 8, 0, 3, 3)
    body = pool("root", "flag", "src", long, utf8=utf8) + chunk(0x102, start, 16) + chunk(0x104, text, 16)
    root = parse_compiled(chunk(3, body + chunk(0x103, bytes(16), 16)), "test")
    assert ("root", {"flag": "true", "src": "@0x7f010000"}, long) == (root.name, root.attributes, root.text)


@pytest.mark.parametrize(
    "content",
    [
        b"\x03\x00\x08\x00",
        chunk(9, b""),
        chunk(3, chunk(0x102, b"")),
        chunk(3, chunk(0x103, bytes(16))),
        chunk(3, struct.pack("<HHI", 1, 4, 4)),
        chunk(3, chunk(1, struct.pack("<IIIII", 2**31, 0, 0, 28, 0), 28)),
        chunk(3, pool("a", utf8=True)),
    ],
)
def test_compiled_xml_forged_chunk_is_refused(content: bytes) -> None:
    """Counts, sizes and indices that point outside are refused."""
    with pytest.raises(UnreadableFileError):
        parse_compiled(content, "test")


@pytest.mark.parametrize("content", [b"", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\xff" * 20, b"\x0a\x03\x1a\x01\xff"])
def test_protocol_xml_forged_field_is_refused(content: bytes) -> None:
    """Lengths beyond the end, group fields and endless numbers are refused."""
    with pytest.raises(UnreadableFileError):
        parse_protocol_xml(content, "test")


def nested(levels: int) -> bytes:
    """Return protocol-buffer elements inside each other."""
    content = b"\x0a\x03\x1a\x01a"
    for _ in range(levels):
        inner = b"\x1a\x01a\x2a" + varint(len(content)) + content
        content = b"\x0a" + varint(len(inner)) + inner
    return content


def varint(value: int) -> bytes:
    """Return a number as protocol buffers write it."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def test_protocol_xml_nesting_is_bounded() -> None:
    """Nesting is refused at its bound, long before the interpreter's own."""
    with pytest.raises(UnreadableFileError, match="nested"):
        parse_protocol_xml(nested(500), "test")


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" + b"<b/>" * (limits.MOST_NODES + 1) + b"</a>",
        b"<a>" + b"x" * (limits.LONGEST_TEXT + 1) + b"</a>",
        b"<a>" * (limits.DEEPEST + 1) + b"</a>" * (limits.DEEPEST + 1),
        b" " * (limits.LARGEST_FILE + 1),
        b"<a/><b/>",
    ],
)
def test_xml_beyond_a_bound_is_refused(content: bytes) -> None:
    """Elements, text, depth and size each have their bound."""
    with pytest.raises(UnreadableFileError):
        parse_xml(content, "test")


def test_plist_and_json_beyond_a_bound_are_refused() -> None:
    """Size, number of values and length of a text each have their bound."""
    for content in (
        bytes(limits.LARGEST_FILE + 1),
        plistlib.dumps({"a": b"x" * (limits.LONGEST_TEXT + 1)}, fmt=plistlib.FMT_BINARY),
        plistlib.dumps({"a": [1] * (limits.MOST_NODES + 1)}, fmt=plistlib.FMT_BINARY),
    ):
        with pytest.raises(UnreadableFileError):
            parse_plist(content, "test")
    for text in (" " * (limits.LARGEST_FILE + 1), "[]", '{"a": "\\"[["', "{" * 65):
        with pytest.raises(UnreadableFileError):
            parse_json(text, "test")


def test_text_beyond_a_bound_is_refused() -> None:
    """Size, NUL characters and length of a line each have their bound."""
    read = FORMATS["tlsa"].read
    assert read is not None
    for content in (b" " * (limits.LARGEST_FILE + 1), b"\0", b"x" * (limits.LONGEST_TEXT + 1)):
        with pytest.raises(UnreadableFileError):
            read(content, Choices(AT))


def test_roles_survive_a_strange_extension() -> None:
    """An extension of another shape gives no key a role."""
    for strange in ("5", "{}", '{ ca-keys = "leaf0" }'):
        wanted = policy_of(host_table("bank.com"), f"[extensions]\nformats = {strange}", roles=False)
        assert {} == positions_of(Policy.loads(wanted.to_toml()))
