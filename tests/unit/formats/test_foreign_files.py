"""
Files as others write them, in shapes that our writers never make: read, decided, and written again.

Each is judged by the oracle of its dialect, in the dialect's own test file.
"""

from __future__ import annotations

import base64
import json
import plistlib
from typing import TYPE_CHECKING, Any

import pytest
import test_android
import test_apple
import test_chromium
import test_hpkp
import test_okhttp
import test_trustkit
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import AT, CERTIFICATES, HOSTS, INTERMEDIATES, LEAVES, NAMES, ROOTS, Oracle, agree

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

BASE64 = [base64.b64encode(one.pin.digest).decode() for one in CERTIFICATES]
PINS = st.lists(st.sampled_from(BASE64), min_size=1, max_size=3)


@st.composite
def android(draw: DrawFn) -> bytes:
    """Draw nested configurations that inherit, empty and replace pin sets, in any order."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))

    def element(depth: int) -> str:
        domains = ""
        for _ in range(min(len(names), draw(st.integers(1, 2)))):
            reach = draw(st.sampled_from(["", ' includeSubdomains="true"', ' includeSubdomains="false"']))
            name = draw(st.sampled_from([str.upper, str.lower]))(names.pop())
            domains += f"<domain{reach}>{name}</domain>"
        kind = draw(st.sampled_from(["pins", "pins", "empty", "none"]))
        pins = "".join(f'<pin digest="SHA-256">{pin}</pin>' for pin in draw(PINS)) if kind == "pins" else ""
        expiration = draw(st.sampled_from(["", "", ' expiration="2027-03-01"']))
        pin_set = "" if kind == "none" else f"<pin-set{expiration}>{pins}</pin-set>"
        nested = element(depth + 1) if names and depth < 3 and draw(st.booleans()) else ""
        return f"<domain-config>{draw(st.sampled_from([domains + pin_set, pin_set + domains]))}{nested}</domain-config>"

    configurations = ""
    while names:
        configurations += element(0)
    return f"<network-security-config>{configurations}</network-security-config>".encode()


@st.composite
def okhttp(draw: DrawFn) -> bytes:
    """Draw a builder whose patterns overlap, repeat and stand in any order."""
    patterns = st.builds(str.__add__, st.sampled_from(["", "*.", "**."]), st.sampled_from(NAMES[:6]))
    added = draw(st.lists(st.tuples(patterns, st.sampled_from(BASE64)), min_size=1, max_size=8))
    calls = "".join(f'    .add("{pattern}", "sha256/{pin}")\n' for pattern, pin in added)
    return f"val pinner = CertificatePinner.Builder()\n{calls}    .build()\n".encode()


def _table(draw: DrawFn, entry: Callable[[], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: entry() for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))}


@st.composite
def trustkit(draw: DrawFn) -> bytes:
    """Draw domains that exclude, expire, report alone and overlap."""

    def domain() -> dict[str, Any]:
        if draw(st.integers(0, 9)) == 9:
            return {"TSKExcludeSubdomainFromParentPolicy": True}
        optional = {
            "TSKIncludeSubdomains": draw(st.booleans()),
            "TSKEnforcePinning": draw(st.sampled_from([True, True, False])),
            "TSKExpirationDate": "2027-03-01",
        }
        chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True))
        pins = draw(st.lists(st.sampled_from(BASE64), min_size=2, max_size=3, unique=True))
        return {"TSKPublicKeyHashes": pins} | {key: optional[key] for key in chosen}

    return plistlib.dumps({"TSKConfiguration": {"TSKPinnedDomains": _table(draw, domain)}})


@st.composite
def apple(draw: DrawFn) -> bytes:
    """Draw domains of one list each, leaves' or authorities', with and without the names one label below."""

    def domain() -> dict[str, Any]:
        key, pool = draw(
            st.sampled_from([("NSPinnedLeafIdentities", LEAVES), ("NSPinnedCAIdentities", INTERMEDIATES + ROOTS)])
        )
        chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2))
        identities = [{"SPKI-SHA256-BASE64": base64.b64encode(one.pin.digest).decode()} for one in chosen]
        return {key: identities, "NSIncludesSubdomains": draw(st.booleans())}

    return plistlib.dumps({"NSAppTransportSecurity": {"NSPinnedDomains": _table(draw, domain)}})


@st.composite
def chromium(draw: DrawFn) -> bytes:
    """Draw a list whose entries hide and include each other, some without pins."""
    comments = "".join(f"// {one.name}\n// {one.pin}\n" for one in CERTIFICATES)
    keys = [one.name for one in CERTIFICATES]
    pinsets: list[dict[str, Any]] = []
    for name in ("first", "second"):
        good = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
        bad = draw(st.lists(st.sampled_from([key for key in keys if key not in good]), max_size=1))
        pinsets.append({"name": name, "static_spki_hashes": good} | ({"bad_static_spki_hashes": bad} if bad else {}))

    def entry() -> dict[str, Any]:
        flags = draw(st.lists(st.sampled_from(["include_subdomains", "include_subdomains_for_pinning"]), max_size=1))
        pins = draw(st.sampled_from([{"pins": "first"}, {"pins": "second"}, {"mode": "force-https"}]))
        return {"policy": "custom"} | pins | dict.fromkeys(flags, True)

    entries = [{"name": name} | one for name, one in _table(draw, entry).items()]
    return (comments + json.dumps({"pinsets": pinsets, "entries": entries}, indent=1)).encode()


@st.composite
def hpkp(draw: DrawFn) -> bytes:
    """Draw headers of several hosts whose directives stand in any order."""
    blocks = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        pins = draw(st.lists(st.sampled_from(BASE64), min_size=2, max_size=3, unique=True))
        first, *more = [f'pin-sha256="{pin}"' for pin in pins]
        directives = draw(
            st.permutations([*more, "max-age=5184000", *draw(st.sampled_from([[], ["includeSubDomains"]]))])
        )
        blocks.append(f"Host: {name}\nPublic-Key-Pins: {'; '.join([first, *directives])}\n")
    return "\n".join(blocks).encode()


def _suffixes() -> Choices:
    return Choices(AT, is_public_suffix=test_trustkit.REGISTRY.__contains__)


CASES: dict[str, tuple[SearchStrategy[bytes], Callable[[bytes], Oracle], Choices]] = {
    "android": (android(), test_android.oracle, Choices(AT, accepted=frozenset({"expiry-time-zone"}))),
    "okhttp": (okhttp(), test_okhttp.oracle, Choices(AT)),
    "trustkit": (trustkit(), test_trustkit.oracle, _suffixes()),
    "apple": (apple(), test_apple.oracle, Choices(AT)),
    "chromium": (chromium(), test_chromium.oracle, Choices(AT, accepted=frozenset({"list-age"}))),
    "hpkp": (hpkp(), test_hpkp.oracle, Choices(AT, accepted=frozenset({"trust-on-first-use"}))),
}


@pytest.mark.parametrize("name", CASES)
def test_what_others_wrote_keeps_its_meaning(name: str) -> None:
    """A file of any shape that its platform takes is read as the platform decides, and written again means the same."""
    drawn, oracle, choices = CASES[name]
    dialect = FORMATS[name]
    assert dialect.read is not None
    assert dialect.write is not None
    read, write = dialect.read, dialect.write
    counts = dict.fromkeys(("drawn", "read", "written"), 0)

    @given(drawn)
    @settings(max_examples=150)
    def keeps_its_meaning(content: bytes) -> None:
        counts["drawn"] += 1
        try:
            policy = read(content, choices).policy
        except (UnreadableFileError, FormatLossError):
            return
        counts["read"] += 1
        agree(policy, oracle(content), HOSTS)
        try:
            written = write(policy, choices)
        except FormatLossError:
            return
        counts["written"] += 1
        agree(policy, oracle(written), HOSTS)

    keeps_its_meaning()
    assert counts["read"] > counts["drawn"] // 10, counts
    assert counts["written"] > counts["read"] // 10, counts
