"""
Fuzz the policy document.

Invariant: any bytes are a policy or its one error, and what is a policy is written and read the same.
"""

from __future__ import annotations

from runner import run

from pinscher.entry import InvalidPolicyError
from pinscher.host import InvalidHostError
from pinscher.policy import Policy

PINS = [f"sha256/{letter * 43}=" for letter in "AEIM"]
FULL = f"""format = 1
name = "bank-app"
version = 42
[defaults]
unlisted-hosts = "allow"
[keys.api-2026]
pin = "{PINS[0]}"
role = "leaf"
[keys.api-backup]
pin = "{PINS[1]}"
stored = "offline, safe B"
rehearsed = 2026-10-01
[hosts."api.bank.example"]
mode = "report-only"
report-only-since = 2026-11-01
pins = ["api-2026", "{PINS[2]}"]
backup-pins = ["api-backup"]
denied-keys = ["{PINS[3]}"]
expires = 2027-03-01T01:00:00+01:00
on-expiry = "fail"
on-mismatch = ["refresh", "abort"]
alternate = "::1"
redirects = "allow"
report-to = ["main"]
note = "payments; owner: \\u00e9"
[hosts."**.bank.example"]
pins = ["cert-{PINS[0]}"]
[hosts."::1"]
pins = ["{PINS[0]}"]
[hosts."b\u00fccher.example"]
unpinned = "public CDN, nothing secret"
[reporting.main]
url = "https://reports.example/v1"
heartbeats = true
pins = ["api-2026"]
allow-private = true
[extensions]
critical = []
"vendor.example" = {{level = 3, on = true, names = ["x"]}}
"""


def fuzz(data: bytes) -> None:
    """Any bytes are a policy or InvalidPolicyError, and a policy has the same digest after each of its two forms."""
    try:
        policy = Policy.loads(data, source="fuzz")
    except InvalidPolicyError as error:
        told = str(error)
        assert told.isprintable(), told
        assert len(told) < 5000, len(told)
        assert error.line is None or 1 <= error.line <= data.count(b"\n") + 1, error.line
        return
    for written in (policy.to_json(), policy.to_toml()):
        assert policy.digest == Policy.loads(written).digest, written
    for entry in policy.hosts:
        found = policy.lookup(entry.pattern.name)
        assert found is entry or entry.host.startswith("*"), entry
    try:
        policy.lookup(data[:60].decode("latin-1"))
    except InvalidHostError:
        return


def seeds() -> list[bytes]:
    """Return a document that uses every field, in both forms."""
    policy = Policy.loads(FULL)
    spaced = policy.to_json().replace(b",", b",\n")
    return [FULL.encode(), policy.to_toml().encode(), policy.to_json(), spaced]


_WORDS = [
    *(b"\" ' { } [ ] , : = . # \\ \n \r\n \"\"\" ''' [[ ]] null NaN 1e9 -0 0x".split(b" ")),
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\x00",
    b"\x1b[31m",
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"a." * 200,
]
"""Pieces of TOML and JSON, and what is deep or long in them."""


def is_policy(content: bytes) -> bool:
    """Tell whether an input is read, so that a fuzzer that reaches nothing shows."""
    try:
        Policy.loads(content)
    except InvalidPolicyError:
        return False
    return True


if __name__ == "__main__":
    run(fuzz, seeds(), words=_WORDS, reaches=is_policy)
