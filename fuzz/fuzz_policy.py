"""
Fuzz the policy document: any bytes are a policy or its one error, and what is a policy is written and read the same.

Run with atheris where it is installed; without it, with the seconds to spend: ``python fuzz/fuzz_policy.py 60``.
"""

from __future__ import annotations

import random
import sys
import time

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


def mutated(chance: random.Random, known: list[bytes]) -> bytes:
    """Return one of the known inputs with a few pieces replaced, moved, doubled, or cut off."""
    content = bytearray(chance.choice(known))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        start = chance.randrange(len(content) + 1)
        end = start + chance.choice((0, 1, 1, 2, 8, 40))
        other = chance.choice(known)
        place = chance.randrange(len(other))
        piece = chance.choice(
            (
                chance.randbytes(chance.randint(0, 3)),
                chance.choice(_WORDS),
                other[place : place + chance.randint(1, 60)],
                chance.choice(other.split(b"\n")) + b"\n",
            )
        )
        content[start:end] = piece
    return bytes(content) if chance.random() < 0.9 else bytes(content[: chance.randrange(len(content) + 1)])


def without_atheris(seconds: float) -> None:
    """Mutate the seeds for some time."""
    chance = random.Random(7469)
    known = seeds()
    ends = time.monotonic() + seconds
    count = accepted = 0
    while time.monotonic() < ends:
        content = mutated(chance, known)
        try:
            fuzz(content)
        except BaseException:
            print("input:", content.hex())
            raise
        count += 1
        accepted += is_policy(content)
    print(f"{count} inputs in {seconds:.0f} s, {accepted} of them policies, no other error")


def is_policy(content: bytes) -> bool:
    """Tell whether an input is read, so that a fuzzer that reaches nothing shows."""
    try:
        Policy.loads(content)
    except InvalidPolicyError:
        return False
    return True


def main() -> None:
    """Fuzz."""
    try:
        import atheris  # noqa: PLC0415  (a fuzzing engine that not every machine has)
    except ModuleNotFoundError:
        without_atheris(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
