"""The policy: what it refuses, what it finds, and that its two forms say the same."""

from __future__ import annotations

import json
import os
import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pinscher
from pinscher.entry import Redirects, Role, Rung, UnlistedHosts

if TYPE_CHECKING:
    from pathlib import Path

A, B, C, D = ("sha256/" + letter * 43 + "=" for letter in "AEIM")

FULL = f"""format = 1
name = "bank-app"
version = 42

[defaults]
unlisted-hosts = "allow"

[keys.api-2026]
pin = "{A}"
role = "leaf"
[keys.api-backup]
pin = "{B}"
stored = "offline, safe B"
rehearsed = 2026-10-01

[hosts."api.bank.example"]
pins = ["api-2026", "{C}"]
backup-pins = ["api-backup"]
denied-keys = ["{D}"]
expires = 2027-03-01T01:00:00+01:00
on-expiry = "fail"
on-mismatch = ["refresh"]
alternate = "api2.bank.example"
redirects = "allow"
report-to = ["main"]
note = "payments; owner: platform team"

[hosts."**.bank.example"]
mode = "report-only"
report-only-since = 2026-11-01
pins = ["cert-{A}"]

[hosts."status.bank.example"]
unpinned = "public CDN, nothing secret"

[reporting.main]
url = "https://reports.example/v1"
heartbeats = true
pins = ["{D}"]
allow-private = true

[extensions]
critical = []
"vendor.example" = {{level = 3, on = true, names = ["x"]}}
"""

MINIMAL = f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{A}"]\n'


def minimal(more: str = "", *, host: str = "a.example", pins: str = f'"{A}"', top: str = "") -> str:
    """Return a small document with something added."""
    return f'format = 1\nname = "x"\nversion = 1\n{top}\n[hosts."{host}"]\npins = [{pins}]\n{more}\n'


def test_every_field_is_read() -> None:
    """A full document gives every field its value, times in UTC and the ladder with its end."""
    policy = pinscher.Policy.loads(FULL)
    assert ("bank-app", 42, UnlistedHosts.ALLOW) == (policy.name, policy.version, policy.unlisted_hosts)
    assert Role.LEAF is policy.keys["api-2026"].role
    assert "2026-10-01" == str(policy.keys["api-backup"].rehearsed)
    entry = policy.lookup("API.bank.example.")
    assert entry is not None
    assert entry.pinset is not None
    assert [A, C] == [str(pin) for pin in entry.pinset.pins]
    assert datetime(2027, 3, 1, tzinfo=UTC) == entry.expires
    assert (Rung.REFRESH, Rung.ABORT) == entry.on_mismatch
    assert (Redirects.ALLOW, "api2.bank.example", ("main",)) == (entry.redirects, entry.alternate, entry.report_to)
    assert policy.reporting["main"].heartbeats
    assert "reports.example" == policy.reporting["main"].host
    assert 3 == policy.extensions["vendor.example"]["level"]
    assert "<Policy 'bank-app' version 42, 3 hosts>" == repr(policy)


@pytest.mark.parametrize("document", [FULL, MINIMAL])
def test_the_two_forms_say_the_same(document: str) -> None:
    """What is written as canonical JSON or as TOML reads back as the same policy, with the same digest."""
    policy = pinscher.Policy.loads(document)
    for again in (
        policy.to_json(),
        policy.to_json().decode(),
        policy.to_toml(),
        pickle.loads(pickle.dumps(policy)).to_json(),
    ):
        assert policy == pinscher.Policy.loads(again)
        assert policy.digest == pinscher.Policy.loads(again).digest
        assert hash(policy) == hash(pinscher.Policy.loads(again))
    assert policy != pinscher.Policy.loads(document.replace("version = ", "version = 1"))
    assert policy != document


def test_canonical_json_sorts_by_utf_16() -> None:
    """Keys are sorted by UTF-16 code units, as RFC 8785 section 3.2.3 shows with its own example."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    document = json.loads(pinscher.Policy.loads(MINIMAL).to_json()) | {"extensions": dict.fromkeys(names, 1)}
    written = pinscher.Policy.loads(json.dumps(document)).to_json().decode()
    assert ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"] == list(json.loads(written)["extensions"])
    assert '"\\r":1' in written
    assert '"\u20ac":1' in written


@pytest.mark.parametrize(
    ("document", "line", "path", "reason"),
    [
        ("", None, "", "the policy is empty"),
        ("  \n\t", None, "", "the policy is empty"),
        (b"\xff\xfe", 1, "", "not UTF-8 at byte 0"),
        (b"format = 1\nname = '\xe9'", 2, "", "not UTF-8 at byte 19"),
        (b"\xef\xbb\xbfformat = 1", 1, "", "byte order mark"),
        (FULL.encode("utf-16"), 1, "", "not UTF-8"),
        ("format = 1\nname = ", 2, "", "not TOML"),
        ('{"format": 1,\n"name": ', 2, "", "not JSON"),
        ('{"format": 1, "format": 1}', 1, "format", "stands twice"),
        ('{"format": 1, "hosts": {"a": {}, "a": {}}}', 1, "hosts.a", "stands twice"),
        ('{"format": NaN}', 1, "", "NaN is not JSON"),
        ('{"format": 1e3}', 1, "", "whole numbers only"),
        ('{"format": 1, "name": "\\ud800"}', 1, "", "surrogate"),
        ("[" * 100_000, 1, "", "not"),
        ('{"a":' * 100_000, 1, "", "nested too deeply"),
        ("a." * 100_000 + "b = 1", 1, "", "a dotted name of"),
        ("1 = 2", 1, "1", "unknown field"),
        ('name = "x"', None, "", "found no format"),
        (MINIMAL.replace("format = 1", "format = 2"), 1, "format", "upgrade pinscher"),
        (MINIMAL.replace("format = 1", "format = true"), 1, "format", "expected 1"),
        (MINIMAL.replace('name = "x"', ""), None, "name", "found nothing"),
        (MINIMAL.replace('name = "x"', 'name = "a\\u001b[31m"'), 2, "name", "a text of one line"),
        (MINIMAL.replace("version = 1", "version = 0"), 3, "version", "found 0"),
        (MINIMAL.replace("version = 1", "version = true"), 3, "version", "found true"),
        (MINIMAL.replace("version = 1", "version = 9007199254740992"), 3, "version", "2^53"),
        ('format = 1\nname = "x"\nversion = 1', None, "", "at least one host"),
        ('format = 1\nname = "x"\nversion = 1\nhosts = 3', 4, "hosts", "a table"),
        ('format = 1\nname = "x"\nversion = 1\n[hosts]\na = 3', 5, "hosts.a", "a table"),
        (minimal("pin = 1"), 7, 'hosts."a.example".pin', "did you mean 'pins'"),
        (minimal(top="[default]"), 4, "default", "did you mean 'defaults'"),
        (minimal(top='[defaults]\nunlisted = "deny"'), 5, "defaults.unlisted", "did you mean 'unlisted-hosts'"),
        (minimal(top='[defaults]\nunlisted-hosts = "no"'), 5, "defaults.unlisted-hosts", "one of 'deny', 'allow'"),
        (minimal(pins=""), 6, 'hosts."a.example".pins', "at least one pin"),
        (minimal(pins='"sha1/AAAA"'), 6, 'hosts."a.example".pins[0]', "SHA-1 and MD5 are broken"),
        (minimal(pins=f'"{A[:-2]}B="'), 6, 'hosts."a.example".pins[0]', "not canonical"),
        (minimal(pins='"api"'), 6, 'hosts."a.example".pins[0]', "neither a pin"),
        (minimal(pins=f'"{A}", "{A}"'), 5, 'hosts."a.example"', "stands twice"),
        (minimal(pins="1"), 6, 'hosts."a.example".pins', "a list of texts"),
        (minimal(f'denied-keys = ["{A}"]'), 5, 'hosts."a.example"', "never match"),
        (minimal('unpinned = "x"'), 5, 'hosts."a.example"', "one of the two"),
        (minimal('mode = "report-only"'), 7, 'hosts."a.example".mode', "go together"),
        (minimal("report-only-since = 2026-01-01"), 5, 'hosts."a.example".mode', "go together"),
        (minimal('mode = "off"'), 7, 'hosts."a.example".mode', "one of 'enforce', 'report-only'"),
        (minimal("expires = 2027-03-01T00:00:00"), 7, 'hosts."a.example".expires', "differs by machine"),
        (minimal("expires = 2027-03-01"), 7, 'hosts."a.example".expires', "a time with its offset"),
        (minimal('on-mismatch = ["off"]'), 7, 'hosts."a.example".on-mismatch[0]', "turns pinning off"),
        (minimal('on-mismatch = ["abort", "refresh"]'), 7, 'hosts."a.example".on-mismatch', "the end of the ladder"),
        (minimal('on-mismatch = ["refresh", "refresh"]'), 7, 'hosts."a.example".on-mismatch', "stands once"),
        (minimal('alternate = "b.example"'), 7, 'hosts."a.example".alternate', "not pinned by this policy"),
        (minimal('alternate = "b:1"'), 7, 'hosts."a.example".alternate', "cannot be used"),
        (minimal('report-to = ["main"]'), 7, 'hosts."a.example".report-to[0]', "no [reporting.main]"),
        (minimal('note = "a\\nb"'), 7, 'hosts."a.example".note', "on one line"),
        (minimal(host="a..example"), 5, 'hosts."a..example"', "empty label"),
        (minimal(host="*.1.2.3.4"), 5, 'hosts."*.1.2.3.4"', "no names below"),
        (minimal(f'[hosts."A.example."]\npins = ["{B}"]'), 7, 'hosts."A.example."', "second entry"),
        (minimal('[hosts."b.example"]\nunpinned = " "'), 8, 'hosts."b.example".unpinned', "gives its reason"),
        (
            minimal('[hosts."b.example"]\nunpinned = "x"\nredirects = "allow"'),
            8,
            'hosts."b.example".unpinned',
            "nothing else",
        ),
        (minimal(top="[keys.k]"), 4, "keys.k", "a key has a pin"),
        (minimal(top=f'[keys.k]\npin = "{A}"\nrole = "x"'), 6, "keys.k.role", "one of 'leaf'"),
        (minimal(top=f'[keys."k k"]\npin = "{A}"'), 4, 'keys."k k"', "the name of a key"),
        (minimal(top=f'[keys.k]\npin = "{A}"\nrehearsed = "soon"'), 6, "keys.k.rehearsed", "a date such as"),
        (minimal(top='[reporting.r]\nurl = "http://a.example"'), 5, "reporting.r.url", "an https address"),
        (minimal(top='[reporting.r]\nurl = "https://u@a.example"'), 5, "reporting.r.url", "an https address"),
        (minimal(top="[reporting.r]\nheartbeats = 1"), 5, "reporting.r.heartbeats", "true or false"),
        (minimal(top='[extensions]\ncritical = ["x"]'), 5, "extensions.critical[0]", "knows no extension"),
        (minimal(top="[extensions]\nx = 1.5"), 5, "extensions.x", "a whole number"),
    ],
)
def test_bad_input_is_one_clear_error(document: str | bytes, line: int | None, path: str, reason: str) -> None:
    """Whatever is wrong, the error says where, what was found and what to do; it never means "no pins"."""
    with pytest.raises(pinscher.InvalidPolicyError) as caught:
        pinscher.Policy.loads(document, source="pins.toml")
    error = caught.value
    assert any(one in str(error) for one in reason.split("|")), str(error)
    assert (line, path) == (error.line, error.path), str(error)
    assert str(error).startswith("pins.toml" if line is None else f"pins.toml:{line}: ")
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


def test_json_errors_have_their_line() -> None:
    """An error in a JSON document has the line of the field it stands at."""
    document = json.loads(pinscher.Policy.loads(MINIMAL).to_json())
    document["hosts"]["a.example"]["pins"].append("sha256/x")
    text = json.dumps(document, indent=1)
    with pytest.raises(pinscher.InvalidPolicyError) as caught:
        pinscher.Policy.loads(text)
    assert 'hosts."a.example".pins[1]' == caught.value.path
    assert text.splitlines().index('    "sha256/x"') + 1 == caught.value.line


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "open to all", "empty", "truncated"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, kind: str) -> None:
    """A missing, unreadable, truncated or world-writable file, a folder or a pipe is an error, not waited for."""
    path = tmp_path / "pins.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind != "missing":
        path.write_text({"open to all": MINIMAL, "empty": "", "truncated": MINIMAL[:-9]}[kind])
        path.chmod(0o666 if kind == "open to all" else 0o600)
    with pytest.raises(pinscher.InvalidPolicyError) as caught:
        pinscher.Policy.load(path)
    assert str(path) == caught.value.source


def test_a_file_is_read(tmp_path: Path) -> None:
    """A policy file is read, also through a symbolic link, as a mounted configuration is."""
    (tmp_path / "real.toml").write_text(MINIMAL)
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "pins.toml").symlink_to(tmp_path / "real.toml")
    assert pinscher.Policy.loads(MINIMAL) == pinscher.Policy.load(str(tmp_path / "pins.toml"))


def test_policies_do_not_change() -> None:
    """Neither a policy nor a pin set can be changed."""
    policy = pinscher.Policy.loads(MINIMAL)
    for change in (lambda: setattr(policy, "name", "y"), lambda: delattr(policy, "_document")):
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(TypeError):
        policy.keys["k"] = None  # type: ignore[index]


def test_policies_are_built_in_code() -> None:
    """A policy built in code is held to the same rules, and equals the one that a document builds."""
    entry = pinscher.HostPolicy(pinscher.HostPattern.parse("a.example"), pinscher.PinSet([pinscher.Pin.parse(A)]))
    assert pinscher.Policy.loads(MINIMAL) == pinscher.Policy([entry], name="x")
    with pytest.raises(pinscher.InvalidPolicyError, match="at least one host"):
        pinscher.Policy([])
    with pytest.raises(pinscher.InvalidPolicyError, match="from 1"):
        pinscher.Policy([entry], version=0)


PATTERNS = [
    "x.test",
    "*.x.test",
    "**.x.test",
    "a.x.test",
    "*.a.x.test",
    "**.a.x.test",
    "b.a.x.test",
    "test",
    "*.test",
    "**.test",
    "::1",
]
HOSTS = [
    "x.test",
    "a.x.test",
    "b.a.x.test",
    "c.b.a.x.test",
    "y.test",
    "z.y.test",
    "test",
    "other",
    "1.2.3.4",
    "::1",
    "ax.test",
]


def oracle(patterns: list[str], host: str) -> str | None:
    """Return the most specific pattern for a host, the slow and plain way: exact, longest suffix, *. before **."""
    matching = []
    for pattern in patterns:
        stars, _, name = pattern.rpartition("*.")
        below = host.endswith("." + name)
        one = below and "." not in host.removesuffix("." + name)
        if (not pattern.startswith("*") and host == pattern) or (pattern.startswith("**.") and (host == name or below)):
            matching.append((not pattern.startswith("*"), len(name), not pattern.startswith("**."), pattern))
        elif pattern.startswith("*.") and not stars and one:
            matching.append((False, len(name), True, pattern))
    return max(matching)[3] if matching else None


@given(st.lists(st.sampled_from(PATTERNS), min_size=1, unique=True), st.sampled_from(HOSTS))
def test_lookup_equals_a_naive_oracle(patterns: list[str], host: str) -> None:
    """The most specific pattern wins, for every set of patterns and every host."""
    policy = pinscher.Policy.loads(
        'format = 1\nname = "x"\nversion = 1\n' + "".join(f'[hosts."{one}"]\npins = ["{A}"]\n' for one in patterns)
    )
    found = policy.lookup(host)
    assert oracle(patterns, host) == (None if found is None else found.host)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_any_input_is_a_policy_or_its_error(document: Any) -> None:
    """Whatever the input, reading it gives a policy or InvalidPolicyError."""
    for text in (document, MINIMAL + document if isinstance(document, str) else MINIMAL.encode() + document):
        try:
            pinscher.Policy.loads(text)
        except pinscher.InvalidPolicyError:
            continue


@pytest.mark.parametrize("host", ["", "a..b", "a:443", "user@a", "a\x00b", "[::1]", "127.1", "\u0130" * 300, "a" * 300])
def test_a_look_up_of_junk_is_an_error(host: str) -> None:
    """What is no host is an error of its own, and never "not found"."""
    with pytest.raises(pinscher.InvalidHostError):
        pinscher.Policy.loads(minimal(top='[defaults]\nunlisted-hosts = "allow"')).lookup(host)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('format = 1\nname = "x"\nversion = 1\n\n[host."a.test"]\npins = []\n', 5),
        ('format = 1\nname = "x"\nversion = 1\ndefault.unlisted-hosts = "allow"\n', 4),
        (f'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\npins = ["{A}"]\n[report.main]\nurl = ""\n', 6),
        (f'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\npins = ["{A}"]\nmode.x = "enforce"\n', 6),
        (f'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\npins = ["{A}"]\n[hosts."a.test".b.c]\nx = 1\n', 6),
        ('format = 1\nname = "x"\n[[key.a]]\nx = 1\n', 3),
        ('format = 1\nname = "x"\nversion = ' + "9" * 5000 + "\n", 3),
        ('format = 1\nname = "x"\n[extensions]\na =\\\n'.replace("\\\n", "") + "[" * 5000 + "]" * 5000, 4),
        ('{"format": 1,\n"extensions":\n' + "[" * 200_000 + "]" * 200_000 + "}", 3),
    ],
    ids=["host", "default", "report", "dotted", "table below", "key", "digits", "deep TOML", "deep JSON"],
)
def test_every_error_of_a_text_names_its_line(text: str, line: int) -> None:
    """A misspelt table, a dotted name, a number that is too long and a nesting that is too deep are found in the file."""
    with pytest.raises(pinscher.InvalidPolicyError) as caught:
        pinscher.Policy.loads(text, source="pins.toml")
    assert (line, True) == (caught.value.line, str(caught.value).startswith(f"pins.toml:{line}: "))


def test_a_text_that_can_be_read_and_not_written_is_nested_too_deeply() -> None:
    """Whatever depth the caller's stack leaves, a document is a policy or the one error."""
    for depth in range(300, 1100, 5):
        nested = "[" * depth + '"\\ud83d\\ude00"' + "]" * depth
        with pytest.raises(pinscher.InvalidPolicyError):
            pinscher.Policy.loads(f'{{"extensions": {nested}}}')


def test_a_files_name_plays_no_tricks(tmp_path: Path) -> None:
    """Control and bidirectional characters of a file's name are escaped where an error tells it; other letters stay."""
    for name, shown in (("a\x1b[31mb\u202e.toml", r"a\x1b[31mb\u202e.toml"), ("größe.toml", "größe.toml")):
        (tmp_path / name).write_text("format = 2\n")
        with pytest.raises(pinscher.InvalidPolicyError) as caught:
            pinscher.Policy.load(tmp_path / name)
        assert shown in str(caught.value)
        assert str(tmp_path / name) == caught.value.source
