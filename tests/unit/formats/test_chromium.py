"""Chromium's static pins; the rules are those at the top of ``formats/chromium.py``."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from worlds import AT, LEAVES, Chain, Oracle, agree, hold_always, host_table, policy_of, spki_digests

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from datetime import datetime

CHROMIUM = FORMATS["chromium"]
YOUNG = Choices(AT, accepted=frozenset({"list-age"}))
ONE, TWO = (str(one.pin) for one in LEAVES[:2])


def oracle(written: bytes) -> Oracle:
    """Judge by Chromium's decoder and ``CheckPublicKeyPins``: nearest listed name, bad keys first, then good."""
    text = written.decode()
    hashes = {
        name: base64.b64decode(one) for name, one in re.findall(r"^// (\S+)\n// sha256/(\S+)$", text, re.MULTILINE)
    }
    root = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("//")))
    pinsets = {one["name"]: one for one in root["pinsets"]}
    entries = {one["name"]: one for one in root["entries"]}

    def state(host: str) -> dict[str, Any] | None:
        labels = host.split(".")
        for at in range(len(labels)):
            entry = entries.get(".".join(labels[at:]))
            if entry is not None:
                includes = entry.get("include_subdomains") or entry.get("include_subdomains_for_pinning")
                return pinsets[entry["pins"]] if (at == 0 or includes) and "pins" in entry else None
        return None

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        pins = state(host)
        if pins is None:
            return True
        bad = {hashes[name] for name in pins.get("bad_static_spki_hashes", [])}
        good = {hashes[name] for name in pins["static_spki_hashes"]}
        return bad.isdisjoint(spki_digests(chain)) and not good.isdisjoint(spki_digests(chain))

    return decide


def test_chromium_decides_as_the_policy() -> None:
    """A written list, the policy read from it and that one's list decide as the policy while the list is young."""
    hold_always(CHROMIUM, oracle, YOUNG)


def test_chromium_list_grows_old(choices: Choices) -> None:
    """Chromium enforces a list for 70 days, which has to be accepted by name."""
    with pytest.raises(FormatLossError) as caught:
        CHROMIUM.write(policy_of(host_table("bank.com")), choices)
    assert ["list-age"] == [loss.name for loss in caught.value.losses]


def content(entries: list[dict[str, Any]], *, pins: str = f"# comment\nA\n{ONE}\n\nB\n{TWO}\n", **pinset: Any) -> bytes:
    """Return the two files of Chromium one after the other."""
    named = {"name": "p", "static_spki_hashes": ["A", "B"]} | pinset
    return (pins + "// Copyright\n" + json.dumps({"pinsets": [named], "entries": entries}, indent=1)).encode()


def test_chromium_narrow_entry_hides_the_wider_one(choices: Choices) -> None:
    """Below a name listed alone nothing is pinned, though a wider entry includes its subdomains."""
    entries = [{"name": "bank.com", "include_subdomains": True, "pins": "p"}, {"name": "a.bank.com", "pins": "p"}]
    policy = CHROMIUM.read(content(entries), choices).policy
    marked = content(entries, pins=f"// A\n// {ONE}\n// B\n// {TWO}\n")
    agree(policy, oracle(marked), ("bank.com", "a.bank.com", "b.a.bank.com", "b.bank.com"))
    assert policy.lookup("x.a.bank.com").unpinned


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"a": 1, "a": 2}',
        b'{"pinsets": [], "entries": [{"name": "bank.com", "pins": "p"}]}',
        b'{"pinsets": NaN}',
        b'{"pinsets": ' + b"9" * 5000 + b"}",
        content([]),
        content([{"name": "bank.com", "pins": "p"}, {"name": "Bank.com"}]),
        content([{"name": "bank.com", "pins": "p"}], static_spki_hashes=[]),
        content([{"name": "bank.com", "pins": "p"}], static_spki_hashes=["A"], bad_static_spki_hashes=["A"]),
        content([{"name": "bank.com", "pins": "p"}], static_spki_hashes=["C"]),
        content([{"name": "bank.com", "pins": "p"}], static_spki_hashes=[], bad_static_spki_hashes=["A"]),
        content([{"name": "bank.com", "pins": "p"}], pins=f"A\n{ONE}\nA\n{TWO}\n"),
        content([{"name": 5}]),
    ],
)
def test_chromium_hostile_file_is_one_clear_error(broken: bytes, choices: Choices) -> None:
    """Doubled keys, missing hashes and nesting without end are refused with the reader's own error."""
    with pytest.raises(UnreadableFileError):
        CHROMIUM.read(broken, choices)
