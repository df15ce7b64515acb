"""
Members of APK, AAB and IPA archives, read within bounds and never written anywhere.

A member's name selects it and is never used as a path. Duplicate names, encrypted members and members that inflate to
more than they say are refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from pinscher.formats.format import UnreadableFileError
from pinscher.formats.limits import (
    LARGEST_ARCHIVE,
    LARGEST_INFLATION,
    LARGEST_MEMBER,
    MOST_CANDIDATES,
    MOST_MEMBERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STORED_OR_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def is_archive(content: bytes) -> bool:
    """Tell whether a file begins as a ZIP archive does."""
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def members(content: bytes, format_name: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each wanted member; raise :class:`UnreadableFileError` for what breaks a bound."""
    left = LARGEST_INFLATION
    try:
        with zipfile.ZipFile(io.BytesIO(_bounded(content, format_name))) as archive:
            for info in _chosen(archive, format_name, wanted):
                inflated = _inflated(archive, info, format_name)
                left -= len(inflated)
                if left < 0:
                    raise UnreadableFileError(format_name, f"members inflate to more than {LARGEST_INFLATION} octets")
                yield info.filename, inflated
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, struct.error, OverflowError):
        raise UnreadableFileError(format_name, "the archive is damaged") from None
    except (ValueError, RuntimeError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(format_name, "the archive is damaged") from None


def _bounded(content: bytes, format_name: str) -> bytes:
    if len(content) > LARGEST_ARCHIVE:
        raise UnreadableFileError(format_name, f"{len(content)} octets, at most {LARGEST_ARCHIVE} are read")
    return content


def _chosen(archive: zipfile.ZipFile, format_name: str, wanted: Callable[[str], bool]) -> list[zipfile.ZipInfo]:
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise UnreadableFileError(format_name, f"more than {MOST_MEMBERS} members")
    chosen = [info for info in listed if wanted(info.filename)]
    if len(chosen) > MOST_CANDIDATES:
        raise UnreadableFileError(format_name, f"more than {MOST_CANDIDATES} members that could be meant")
    if len({info.filename for info in chosen}) != len(chosen):
        raise UnreadableFileError(format_name, "a member's name stands twice, so readers differ about which one counts")
    return chosen


def _inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, format_name: str) -> bytes:
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _STORED_OR_DEFLATED:
        raise UnreadableFileError(format_name, f"the member {info.filename[:80]!a} is encrypted or oddly compressed")
    if info.file_size > LARGEST_MEMBER:
        raise UnreadableFileError(
            format_name,
            f"the member {info.filename[:80]!a} has {info.file_size} octets, at most {LARGEST_MEMBER} are read",
        )
    with archive.open(info) as member:
        content = member.read(LARGEST_MEMBER + 1)
    if len(content) > LARGEST_MEMBER:
        raise UnreadableFileError(
            format_name, f"the member {info.filename[:80]!a} inflates beyond {LARGEST_MEMBER} octets"
        )
    return content
