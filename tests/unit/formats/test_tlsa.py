"""DANE TLSA records; the rules are those at the top of ``formats/tlsa.py``."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import dns.rdatatype
import dns.zone
import pytest
from worlds import AT, INTERMEDIATES, LEAVES, Chain, Oracle, hold_always, host_table, policies, policy_of

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

TLSA = FORMATS["tlsa"]
DIGEST = LEAVES[0].pin.digest.hex()


def oracle(written: bytes) -> Oracle:
    """Judge by RFC 6698 over the records as dnspython reads them: usage 1 is the leaf, usage 0 an authority."""
    zone = dns.zone.from_text(written.decode(), origin=".", relativize=False, check_origin=False)
    records = [
        (name.to_text().removeprefix("_443._tcp.").rstrip("."), one)
        for name, _, one in zone.iterate_rdatas(dns.rdatatype.TLSA)
    ]

    def associates(record: object, chain: Chain) -> bool:
        candidates = {1: chain[:1], 0: chain[1:]}[record.usage]
        parts = [one.spki if record.selector else one.der for one in candidates]
        assert record.mtype == 1
        return record.cert in {hashlib.sha256(part).digest() for part in parts}

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        usable = [record for name, record in records if name == host]
        return not usable or any(associates(record, chain) for record in usable)

    return decide


def test_tlsa_decides_as_the_policy() -> None:
    """Written records, the policy read from them and that one's records decide as the policy, or are refused."""
    hold_always(TLSA, oracle, Choices(AT), policies(patterns=False))


@pytest.mark.parametrize(
    ("name", "tables"), [("patterns", [host_table("*.bank.com")]), ("ip-address", [host_table("192.0.2.7")])]
)
def test_tlsa_refuses_by_name(name: str, tables: list[str], choices: Choices) -> None:
    """Patterns and addresses have no owner name, and are refused."""
    with pytest.raises(FormatLossError) as caught:
        TLSA.write(policy_of(*tables), choices)
    assert name in {loss.name for loss in caught.value.losses}


@pytest.mark.parametrize(
    ("record", "pin"),
    [
        (f"_443._tcp.bank.com. 3600 IN TLSA 3 1 1 {DIGEST}", LEAVES[0].pin),
        (f"_443._TCP.Bank.com IN TLSA 1 1 1 ( {DIGEST[:20]} {DIGEST[20:]} ) ; comment", LEAVES[0].pin),
        (f"_443._tcp.bank.com. TLSA 1 0 0 {LEAVES[0].der.hex()}", LEAVES[0].certificate_pin),
        (f"_443._tcp.bank.com. TLSA 2 1 0 {INTERMEDIATES[0].spki.hex()}", INTERMEDIATES[0].pin),
    ],
)
def test_tlsa_reads_every_usage(record: str, pin: object, choices: Choices) -> None:
    """Keys and certificates, whole or digested, become pins; DANE without an authority is reported."""
    reading = TLSA.read(record.encode(), choices)
    assert [pin] == list(reading.policy.hosts[0].pinset)
    assert (" 3 1 1" in record or " 2 1 0" in record) == ("no-authority" in {one.name for one in reading.weakenings})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"$INCLUDE /etc/passwd",
        b"bank.com. IN A 192.0.2.1",
        f"_443._tcp.bank.com. IN TLSA 1 1 2 {DIGEST * 2}".encode(),
        f"_443._tcp.bank.com. IN TLSA 9 1 1 {DIGEST}".encode(),
        f"_443._tcp.bank.com. IN TLSA 1 1 1 {DIGEST[:-2]}".encode(),
        b"_443._tcp.bank.com. IN TLSA 1 1 0 abc",
        f"_443._tcp.-x-. IN TLSA 1 1 1 {DIGEST}".encode(),
        f"_443._tcp.bank.com. IN TLSA 1 1 1 {DIGEST}\n_25._tcp.bank.com. IN TLSA 1 1 1 {'0' * 64}".encode(),
        b"_1._tcp." + b"a " * 30_000,
    ],
)
def test_tlsa_hostile_zone_is_one_clear_error(content: bytes, choices: Choices) -> None:
    """Includes, unusable records and ports that differ are refused; nothing is skipped in silence."""
    with pytest.raises(UnreadableFileError):
        TLSA.read(content, choices)


@pytest.mark.parametrize("is_pinned", [True, False])
def test_tlsa_records_are_obeyed_by_openssl(tmp_path: Path, tool: Callable[[str], str], is_pinned: bool) -> None:
    """OpenSSL's own DANE verification takes a server with the leaf that the record names, and refuses another."""
    root = Authority.root("Formats Root")
    held, other = root.issue("localhost", "127.0.0.1"), root.issue("localhost", "127.0.0.1")
    wanted = Policy.loads(
        f'format = 1\nname = "p"\nversion = 1\n[defaults]\nunlisted-hosts = "allow"\n'
        f'[keys.leaf]\npin = "{Pin.of(held.der)}"\nrole = "leaf"\n[hosts."localhost"]\npins = ["leaf"]\n'
    )
    record = TLSA.write(wanted, Choices(AT)).decode().partition(" TLSA ")[2].strip()
    (tmp_path / "root.pem").write_bytes(root.pem if isinstance(root.pem, bytes) else root.pem.encode())
    with TlsServer(held if is_pinned else other) as server:
        done = subprocess.run(
            [tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", "root.pem",
             "-verify_return_error", "-dane_tlsa_domain", "localhost", "-dane_tlsa_rrdata", record],
            cwd=tmp_path, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert (is_pinned, is_pinned) == (done.returncode == 0, b"DANE TLSA 1 1 1" in done.stdout), done.stderr
