"""
Fuzz every reader of foreign files: any bytes are a policy or the reader's own error, and what is read can be written.

Run with atheris where it is installed; without it, with the seconds to spend: ``python fuzz/fuzz_formats.py 60``.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from runner import run

from pinscher.formats import FORMATS, LOSSES, Choices, FormatLossError, UnreadableFileError
from pinscher.policy import Policy

CHOICES = Choices(
    datetime(2026, 11, 21, tzinfo=UTC),
    accepted=frozenset(LOSSES),
    is_public_suffix=lambda name: name in ("com", "org"),
)
READERS = sorted(name for name, one in FORMATS.items() if one.read is not None)
POLICY = Policy.loads(
    'format = 1\nname = "p"\nversion = 1\n[defaults]\nunlisted-hosts = "allow"\n'
    f'[keys.a]\npin = "sha256/{"A" * 43}="\nrole = "leaf"\n[keys.b]\npin = "cert-sha256/{"B" * 42}A="\nrole = "leaf"\n'
    f'[keys.c]\npin = "sha256/{"C" * 42}A="\nrole = "leaf"\n[hosts."bank.com"]\npins = ["a", "b", "c"]\n'
)


def one_input(content: bytes) -> None:
    """Give the octets after the first to the reader that the first selects."""
    dialect = FORMATS[READERS[content[0] % len(READERS)]] if content else FORMATS["csv"]
    assert dialect.read is not None
    assert dialect.write is not None
    with contextlib.suppress(UnreadableFileError, FormatLossError):
        policy = dialect.read(content[1:], CHOICES).policy
        again = dialect.write(policy, CHOICES)
        dialect.read(again, CHOICES)


def seeds() -> list[bytes]:
    """Return a written file of every dialect, with the octet that selects its reader."""
    found = []
    for number, name in enumerate(READERS):
        with contextlib.suppress(FormatLossError):
            write = FORMATS[name].write
            assert write is not None, name
            found.append(bytes([number]) + write(POLICY, CHOICES))
    return found


if __name__ == "__main__":
    run(one_input, seeds())
