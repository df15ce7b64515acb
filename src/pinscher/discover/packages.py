"""
APK, AAB and IPA files, and other ZIP archives: the addresses in the texts of their members, inflated within bounds.

Code in a package is compiled, so its texts stand one after the other without their statements: what stands beside an
address there says little, and only what an address carries in itself is counted. Nothing is written anywhere, and a
member's name is never used as a path.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections import Counter
from typing import IO, TYPE_CHECKING

from pinscher.discover.addresses import addresses_in
from pinscher.discover.limits import LARGEST_INFLATION, LARGEST_MEMBER, MOST_FINDS, MOST_MEMBERS
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.discover.sighting import Find, Source

_CHUNK = 1 << 20
_OVERLAP = 4096
_LONGEST = 700
_ADDRESS = re.compile(rb"[A-Za-z][A-Za-z+]{1,12}://[\x21-\x7e]{3,%d}" % _LONGEST)
_WIDE = re.compile(rb"(?:[A-Za-z+]\0){2,13}:\0/\0/\0(?:[\x21-\x7e]\0){3,%d}" % _LONGEST)
_PASSED_OVER = re.compile(r"\.(?:png|jpe?g|webp|gif|ttf|otf|woff2?|mp[34]|ogg|wav|m4a|car|nib|heic)$", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(?:apk|aar|jar|zip|ipa)$", re.IGNORECASE)
_ENCRYPTED = 0x1


def read_package(source: Source) -> Iterator[Find]:
    """Yield a sighting for every host of every member; each host counts once in a member."""
    left = LARGEST_INFLATION
    try:
        with zipfile.ZipFile(source.stream) as archive:
            listed = archive.infolist()
            if len(listed) > MOST_MEMBERS:
                raise source.error(f"more than {MOST_MEMBERS} members")
            for info in listed:
                place = Place(f"{source.name}!{info.filename}")
                reason = _why_not(info, left)
                if reason:
                    yield Skipped(reason, place)
                elif not info.filename.endswith("/"):
                    left -= info.file_size
                    yield from _member(archive, info, place)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, OverflowError, RuntimeError, EOFError, IndexError):
        raise source.error("damaged archive") from None


def _why_not(info: zipfile.ZipInfo, left: int) -> str | None:
    if _PASSED_OVER.search(info.filename):
        return "a picture, font or sound in an archive"
    if _ARCHIVE.search(info.filename):
        return "an archive within an archive"
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "an encrypted or oddly compressed member"
    if info.file_size > LARGEST_MEMBER or info.file_size > left:
        return "a member that inflates beyond the bounds"
    return None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: Place) -> Iterator[Find]:
    try:
        with archive.open(info) as member:
            yield from _hosts(member, place)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, struct.error):
        yield Skipped("a damaged member", place)


def _hosts(member: IO[bytes], place: Place) -> Iterator[Find]:
    """Yield each host once; a member that inflates beyond what it says ends where it said that it would."""
    found: dict[tuple[str, str | None], Sighting] = {}
    kept, surplus = b"", 0
    while chunk := member.read(_CHUNK):
        window = kept + chunk
        for text in _texts(window):
            for address in addresses_in(text):
                if isinstance(address, str):
                    surplus += 1
                    continue
                if len(found) < MOST_FINDS:
                    found.setdefault(
                        (address.host, address.scheme),
                        Sighting(address.host, place, Evidence.PACKED, port=address.port, scheme=address.scheme,
                                 crossed=Counter(address.carried)),
                    )  # fmt: skip
        kept = window[-_OVERLAP:]
    yield from found.values()
    if surplus:
        yield Skipped("an address without a usable host", place, surplus)


def _texts(window: bytes) -> Iterator[str]:
    for found in _ADDRESS.finditer(window):
        yield found[0].decode("ascii")
    for found in _WIDE.finditer(window):
        yield found[0].decode("utf-16-le")
