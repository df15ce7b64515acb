"""Fingerprints for urllib3; the rules are those at the top of ``formats/fingerprint.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import SSLError
from urllib3.util.ssl_ import assert_fingerprint
from worlds import AT, LEAVES, Chain, Oracle, hold_always, host_table, policy_of, single_hosts

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from datetime import datetime

FINGERPRINT = FORMATS["fingerprint"]


def oracle(written: bytes) -> Oracle:
    """Judge with urllib3's own ``assert_fingerprint`` on the leaf of the host's connection."""
    lines = (line.split() for line in written.decode().splitlines() if not line.startswith("#"))
    fingerprints = {line[0]: line[1] for line in lines if line}

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        if host not in fingerprints:
            return True
        try:
            assert_fingerprint(chain[0].der, fingerprints[host])
        except SSLError:
            return False
        return True

    return decide


def test_fingerprint_decides_as_the_policy() -> None:
    """Written fingerprints, judged by urllib3, and the policy read from them decide as the policy, or are refused."""
    hold_always(FINGERPRINT, oracle, Choices(AT), single_hosts(certificates=True), examples=400)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("key-pins", host_table("bank.com")),
        ("several-pins", f'[hosts."bank.com"]\npins = ["{LEAVES[0].certificate_pin}", "{LEAVES[1].certificate_pin}"]'),
    ],
)
def test_fingerprint_refuses_by_name(name: str, table: str, choices: Choices) -> None:
    """Pins of keys, and more than one certificate, are refused."""
    keys = "".join(f'[keys.whole-{one.name}]\npin = "{one.certificate_pin}"\nrole = "leaf"\n' for one in LEAVES)
    with pytest.raises(FormatLossError) as caught:
        FINGERPRINT.write(policy_of(keys, table), choices)
    assert name in {loss.name for loss in caught.value.losses}


def test_fingerprint_reports_that_names_are_not_compared(choices: Choices) -> None:
    """urllib3 leaves the comparison of names out where it has a fingerprint, and the importer says so."""
    line = f"bank.com sha256:{LEAVES[0].certificate_pin.digest.hex()}"
    assert "no-authority" in {one.name for one in FINGERPRINT.read(line.encode(), choices).weakenings}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"bank.com",
        b"bank.com " + b"0" * 40,
        b"bank.com zz",
        b"ban\x1bk " + b"0" * 64,
        b"b.com %s\nb.com %s" % (b"0" * 64, b"1" * 64),
    ],
)
def test_fingerprint_hostile_file_is_one_clear_error(content: bytes, choices: Choices) -> None:
    """SHA-1, doubled hosts and lines that are none are refused with their line."""
    with pytest.raises(UnreadableFileError) as caught:
        FINGERPRINT.read(content, choices)
    assert str(caught.value).isprintable()
