"""The list of Mozilla's roots that ships with a release."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.der import SubjectPublicKeyInfo
from pinscher.diagnosis.roots import mozilla

if TYPE_CHECKING:
    from .scene import Authority


def test_every_root_of_certifi_is_recognised(mozilla_roots: list[bytes]) -> None:
    """Every root of the bundle the list was written from is on the list, by certificate and by key."""
    programme = mozilla()
    assert [
        hashlib.sha256(der).digest() in programme.certificates
        and SubjectPublicKeyInfo.of_certificate(der).sha256 in programme.keys
        for der in mozilla_roots
    ] == [True] * len(mozilla_roots)


def test_a_made_up_root_is_not_on_the_list(authority: Authority) -> None:
    """A root with the very name of a public one is not on the list: its key is another."""
    forged = authority.root("ISRG Root X1", O="Internet Security Research Group")
    assert mozilla().holds(forged.der, forged.pin.digest) is False


def test_a_reissued_root_is_known_by_its_key(mozilla_roots: list[bytes]) -> None:
    """A certificate that carries a listed root's key belongs to that root, whatever its other bytes are."""
    key = SubjectPublicKeyInfo.of_certificate(mozilla_roots[0]).sha256
    assert mozilla().holds(b"cross-signed certificate", key) is True


def test_a_listed_root_is_known_by_its_bytes(mozilla_roots: list[bytes]) -> None:
    """A listed root is recognised by its certificate where its key cannot be read."""
    assert mozilla().holds(mozilla_roots[0], None) is True


def test_the_list_says_when_it_was_true() -> None:
    """The list carries the package it was written from and the day of it."""
    programme = mozilla()
    assert programme.source.startswith("certifi 20")
    assert datetime(2026, 1, 1, tzinfo=UTC) < programme.date


def test_the_list_is_read_once() -> None:
    """The list is read on its first use and kept."""
    assert mozilla() is mozilla()
