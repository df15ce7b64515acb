"""OkHttp's CertificatePinner; the rules are those at the top of ``formats/okhttp.py``."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from worlds import AT, LEAVES, Chain, Oracle, agree, hold_always, host_table, policy_of, spki_digests

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

OKHTTP = FORMATS["okhttp"]
ONE, TWO = (str(one.pin) for one in LEAVES[:2])


def oracle(written: bytes) -> Oracle:
    """Judge by ``CertificatePinner.Pin.matchesHostname``: every matching pattern's pins count together."""
    added = re.findall(r'^ +\.add\("([^"]+)", "sha256/([^"]+)"\)', written.decode(), re.MULTILINE)

    def matches(pattern: str, host: str) -> bool:
        if pattern.startswith("**."):
            length = len(host) - (len(pattern) - 3)
            return host.endswith(pattern[3:]) and (length == 0 or host[length - 1] == ".")
        if pattern.startswith("*."):
            length = len(host) - (len(pattern) - 1)
            return host.endswith(pattern[1:]) and length >= 0 and "." not in host[:length]
        return host == pattern

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        pins = {base64.b64decode(pin) for pattern, pin in added if matches(pattern, host)}
        return not pins or not pins.isdisjoint(spki_digests(chain))

    return decide


@pytest.mark.parametrize("variant", ["kotlin", "java"])
def test_okhttp_decides_as_the_policy(variant: str) -> None:
    """Written source, the policy read from it and that one's source decide as the policy, or are refused."""
    hold_always(OKHTTP, oracle, Choices(AT, variant=variant), examples=150)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("narrower-entry", [host_table("**.bank.com"), host_table("a.bank.com", pins="leaf2")]),
        ("narrower-entry", [host_table("**.bank.com"), host_table("*.bank.com", pins="leaf0")]),
        ("unpinned", [host_table("**.bank.com"), '[hosts."a.bank.com"]\nunpinned = "x"']),
    ],
)
def test_okhttp_refuses_by_name(name: str, tables: list[str], choices: Choices) -> None:
    """A narrower entry that would be swallowed by the union with a wider one is refused."""
    with pytest.raises(FormatLossError) as caught:
        OKHTTP.write(policy_of(*tables), choices)
    assert name in {loss.name for loss in caught.value.losses}


def test_okhttp_narrower_entry_with_all_wider_pins_is_written(choices: Choices) -> None:
    """A narrower entry that accepts everything the wider one does decides the same in a union."""
    wanted = policy_of(host_table("**.bank.com", pins="leaf0"), host_table("a.bank.com"))
    agree(wanted, oracle(OKHTTP.write(wanted, choices)), ("bank.com", "a.bank.com", "b.a.bank.com"))


SOURCE = f'''
// .add("commented.com", "{ONE}")
/* .add("commented.org", "{ONE}") */
val other = list.size
val pinner = CertificatePinner.Builder()
    .add("bank.com", "{ONE}", "{TWO}")
    .add("**.bank.com", "{TWO}")
    .add("*.a.bank.com", """{ONE}""")
    .build()
'''


def test_okhttp_reads_the_calls_and_not_the_comments(choices: Choices) -> None:
    """Patterns and pins are read from calls of add, overlapping ones as their union; comments are skipped."""
    policy = OKHTTP.read(SOURCE.encode(), choices).policy
    added = "\n".join(
        f'  .add("{pattern}", "{pin}")'
        for pattern, pin in [("bank.com", ONE), ("bank.com", TWO), ("**.bank.com", TWO), ("*.a.bank.com", ONE)]
    )
    agree(policy, oracle(added.encode()), ("bank.com", "a.bank.com", "b.a.bank.com", "c.b.a.bank.com", "commented.com"))


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff",
        b"CertificatePinner",
        b'CertificatePinner .add("bank.com"',
        b'CertificatePinner .add("bank.com")',
        b'CertificatePinner .add(HOST, "sha256/AAAA")',
        b'CertificatePinner .add("bank.com", "sha1/AAAA")',
        b'CertificatePinner .add("bank.com" + x, "sha256/AAAA")',
        b'CertificatePinner .add("$host", "sha256/AAAA")',
        b'CertificatePinner .add("a*.bank.com", "%s")' % ONE.encode(),
        b'CertificatePinner .add("bank.com", "%s")' % ONE.lower().encode(),
        b'CertificatePinner .add("' + b"x" * 3_000_000,
        b"CertificatePinner " + b".add(" * 200_000,
    ],
)
def test_okhttp_hostile_source_is_one_clear_error(source: bytes, choices: Choices) -> None:
    """Whatever is not a call with literal texts is refused with its line, and never evaluated."""
    with pytest.raises(UnreadableFileError):
        OKHTTP.read(source, choices)


def test_okhttp_error_tells_the_line_and_long_source_is_read_in_time(choices: Choices) -> None:
    """Twenty thousand calls are read in little time, and the line of a broken one is told."""
    calls = "".join(f'.add("h{number}.com", "{ONE}")\n' for number in range(20_000))
    started = time.process_time()
    with pytest.raises(UnreadableFileError, match="line 20002: "):
        OKHTTP.read(f"CertificatePinner\n{calls}.add(HOST, X)".encode(), choices)
    assert time.process_time() - started < 5


PINNER = """package okhttp3;
public final class CertificatePinner {
  public static final class Builder {
    public Builder add(String pattern, String... pins) { return this; }
    public CertificatePinner build() { return new CertificatePinner(); }
  }
}
"""
"""OkHttp's own signatures, so that what we write is compiled against them."""

POLICY = (host_table("**.bank.com"), host_table("192.0.2.7"))


def test_okhttp_java_source_compiles(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The Java source is accepted by javac."""
    (tmp_path / "okhttp3").mkdir()
    (tmp_path / "okhttp3/CertificatePinner.java").write_text(PINNER)
    (tmp_path / "Pins.java").write_bytes(OKHTTP.write(policy_of(*POLICY), Choices(AT, variant="java")))
    subprocess.run(
        [tool("javac"), "-Werror", "-Xlint:all", "-d", "out", "Pins.java"], cwd=tmp_path, check=True, timeout=120
    )
    assert (tmp_path / "out/Pins.class").exists()


def test_okhttp_kotlin_source_compiles(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The Kotlin source is accepted by kotlinc."""
    (tmp_path / "okhttp3").mkdir()
    (tmp_path / "okhttp3/CertificatePinner.java").write_text(PINNER)
    (tmp_path / "Pins.kt").write_bytes(OKHTTP.write(policy_of(*POLICY), Choices(AT)))
    arguments = [tool("kotlinc"), "-d", "out", "Pins.kt", "okhttp3/CertificatePinner.java"]
    subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert (tmp_path / "out/Pins.class").exists()
