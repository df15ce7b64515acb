"""Canonical JSON has one form, which anybody can make again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hypothesis import given

from pinscher.policy import Policy
from tests.strategies import policies

PIN = f"sha256/{'A' * 43}="


def canonical(value: Any) -> str:
    """Return the canonical JSON of texts, whole numbers, truth values, lists and tables, by RFC 8785's own words."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: list(memoryview(name.encode("utf-16-le")).cast("H")))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(escape, value)) + '"'
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def escape(character: str) -> str:
    """Escape one character as RFC 8785 section 3.2.2.2 says."""
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    return short.get(character, f"\\u{ord(character):04x}" if character < " " else character)


@given(policies())
def test_canonical_json_is_that_of_rfc_8785(policy: Policy) -> None:
    """The canonical JSON of any policy is the one that RFC 8785, written down anew, gives."""
    written = policy.to_json().decode()
    assert canonical(json.loads(written)) == written


@given(policies())
def test_times_stand_in_utc_with_a_z(policy: Policy) -> None:
    """Every expiry in canonical JSON is a time of RFC 3339 in UTC that ends in Z."""
    for host, fields in json.loads(policy.to_json())["hosts"].items():
        if "expires" in fields:
            assert fields["expires"].endswith("Z")
            found = next(entry for entry in policy.hosts if entry.host == host)
            assert datetime.fromisoformat(fields["expires"]) == found.expires


def test_the_canonical_form_of_a_small_policy() -> None:
    """Defaults are left out, names are sorted, a pin keeps the name it was written by, and nothing is spaced."""
    document = f"""
    version = 3
    name = "é"
    format = 1
    hosts."B.example." = {{pins = ["k"], mode = "enforce", on-mismatch = ["abort"], redirects = "pinned-only"}}
    hosts."A.example" = {{expires = 2027-03-01T01:00:00+01:00, pins = ["{PIN}"], report-to = []}}
    keys.k = {{pin = "{PIN}", role = "any", rehearsed = 2026-10-01}}
    reporting.r = {{url = "https://r.example", heartbeats = false, pins = []}}
    defaults.unlisted-hosts = "deny"
    extensions.critical = []
    """
    expected = (
        '{"format":1,"hosts":{"a.example":{"expires":"2027-03-01T00:00:00Z","pins":["PIN"]},"b.example":{"pins":["k"]}},'
        '"keys":{"k":{"pin":"PIN","rehearsed":"2026-10-01"}},"name":"é","reporting":{"r":{"url":"https://r.example"}},'
        '"version":3}'
    )
    assert expected.replace("PIN", PIN) == Policy.loads(document).to_json().decode()


def test_names_are_sorted_by_utf_16() -> None:
    """A name beyond the basic plane stands before one at its end, as RFC 8785 section 3.2.3 shows."""
    document = f'format = 1\nname = "x"\nversion = 1\nhosts."a.example".pins = ["{PIN}"]\n'
    names = 'extensions = {"\ufb33" = 1, "\U0001f600" = 2, "\u20ac" = 3}'
    assert '{"\u20ac":3,"\U0001f600":2,"\ufb33":1}' in Policy.loads(document + names).to_json().decode()


def test_what_follows_for_unlisted_hosts_is_in_the_digest() -> None:
    """A policy that allows unlisted hosts says so in its canonical form, and one that denies them leaves it out."""
    document = f'format = 1\nname = "x"\nversion = 1\nhosts."a.example".pins = ["{PIN}"]\n'
    deny, allow = (Policy.loads(f'{document}defaults.unlisted-hosts = "{one}"') for one in ("deny", "allow"))
    assert Policy.loads(document).digest == deny.digest
    assert deny.digest != allow.digest
    assert b'"defaults":{"unlisted-hosts":"allow"}' in allow.to_json()
