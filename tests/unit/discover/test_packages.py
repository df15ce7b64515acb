"""Packed applications: the hosts of their members, inflated within bounds."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from pinscher.discover import packages

if TYPE_CHECKING:
    import pytest
    from conftest import Read


def packed(**members: bytes) -> bytes:
    """Return an archive; in a member's name two underscores are a dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members.items():
            archive.writestr(name.replace("__", "."), octets)
    return content.getvalue()


def test_every_member_gives_its_hosts(read: Read) -> None:
    """Texts in compiled code, in eight bits and in sixteen, each host once in a member."""
    wide = "\x07https://wide.example/x\x00".encode("utf-16-le")
    content = packed(
        classes__dex=b"\x00\x16https://api.bank.example/v1\x00https://api.bank.example/v2\x00", resources__arsc=wide
    )
    found = read("app.apk", content)
    assert {"api.bank.example": ["app.apk!classes.dex"], "wide.example": ["app.apk!resources.arsc"]} == found.places


def test_an_address_across_two_pieces_is_seen(read: Read) -> None:
    """Reading in pieces loses no address between them."""
    content = packed(libx__so=b"x" * ((1 << 20) - 11) + b" https://api.bank.example/\0" + b"y" * 9000)
    assert {"api.bank.example": 1} == read("app.apk", content).hosts


def test_what_is_not_read_is_counted(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures, archives in archives, large members and useless addresses have their reasons."""
    monkeypatch.setattr(packages, "LARGEST_MEMBER", 100)
    found = read("app.ipa", packed(a__png=b"", b__zip=b"", c__js=b"x" * 101, d__js=b"https://{x}/ https://web/"))
    assert {
        "a picture, font or sound in an archive": 1,
        "an archive within an archive": 1,
        "a member that inflates beyond the bounds": 1,
        "an address without a usable host": 2,
    } == found.skipped


def test_the_whole_archive_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """All members together inflate to a bound, and there are only so many."""
    monkeypatch.setattr(packages, "LARGEST_INFLATION", 100)
    found = read("app.apk", packed(a__js=b"x" * 60, b__js=b"x" * 60))
    assert {"a member that inflates beyond the bounds": 1} == found.skipped
    monkeypatch.setattr(packages, "MOST_MEMBERS", 1)
    assert "app.apk: more than 1 members" == str(read("app.apk", packed(a=b"", b=b"")).error)


def test_a_damaged_archive_or_member_says_so(read: Read) -> None:
    """An archive without its directory is refused; a member with a damaged middle is skipped."""
    content = packed(a__js=b"https://api.bank.example " + bytes(range(256)) * 40)
    assert "app.apk: damaged archive" == str(read("app.apk", content[:-30]).error)
    broken = bytearray(content)
    broken[60:70] = b"\xff" * 10
    assert {"a damaged member": 1} == read("app.apk", bytes(broken)).skipped


def test_an_encrypted_member_is_skipped(read: Read) -> None:
    """A member that needs a password is not read."""
    content = bytearray(packed(a=b"x"))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    assert {"an encrypted or oddly compressed member": 1} == read("app.apk", bytes(content)).skipped
