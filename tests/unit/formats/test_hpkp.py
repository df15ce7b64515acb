"""HTTP Public Key Pinning; the rules are those at the top of ``formats/hpkp.py``."""

from __future__ import annotations

import base64
import re

import pytest
from worlds import AT, LEAVES, Chain, Oracle, hold_always, host_table, policy_of, spki_digests

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError

HPKP = FORMATS["hpkp"]
ONE, TWO = (base64.b64encode(one.pin.digest).decode() for one in LEAVES[:2])
VISITED = Choices(AT, accepted=frozenset({"trust-on-first-use"}))


def oracle(written: bytes) -> Oracle:
    """Judge as RFC 7469 section 2.6 does for a client that has noted every header within max-age."""
    noted: dict[str, tuple[bool, set[bytes]]] = {}
    for host, header, value in re.findall(r"^Host: (\S+)\n(Public-Key-Pins\S*): (.*)$", written.decode(), re.MULTILINE):
        pins = {base64.b64decode(pin) for pin in re.findall(r'pin-sha256="([^"]+)"', value)}
        assert len(pins) > 1, "a header without a backup pin is not noted"
        assert re.search(r"; max-age=[1-9]\d*(;|$)", value)
        if header == "Public-Key-Pins":
            noted[host] = "; includeSubDomains" in value, pins

    def decide(host: str, chain: Chain, at: object) -> bool:
        superdomains = [name for name, (includes, _) in noted.items() if includes and host.endswith("." + name)]
        known = [host] if host in noted else sorted(superdomains, key=len)[-1:]
        return not known or not noted[known[0]][1].isdisjoint(spki_digests(chain))

    return decide


def test_hpkp_decides_as_the_policy() -> None:
    """Written headers, once noted, decide as the policy, and so do the policy read from them and its headers."""
    hold_always(HPKP, oracle, VISITED, examples=400)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("trust-on-first-use", [host_table("bank.com")]),
        ("backup-pin", [host_table("bank.com", pins="leaf0")]),
        ("unpinned", [host_table("**.bank.com"), '[hosts."a.bank.com"]\nunpinned = "x"']),
        ("report-only", [host_table("**.bank.com"),
                      host_table("a.bank.com", 'mode = "report-only"', "report-only-since = 2026-11-01")]),
        ("ip-address", [host_table("192.0.2.7")]),
    ],
)  # fmt: skip
def test_hpkp_refuses_by_name(name: str, tables: list[str], choices: Choices) -> None:
    """What a header cannot say, the first connection before it above all, is refused."""
    with pytest.raises(FormatLossError) as caught:
        HPKP.write(policy_of(*tables), choices)
    assert name in {loss.name for loss in caught.value.losses}


PINS = f'pin-sha256="{ONE}"; pin-sha256="{TWO}"'


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("removed", f"Public-Key-Pins: {PINS}; max-age=0"),
        ("trust-on-first-use", f"Public-Key-Pins: {PINS}; max-age=60"),
        ("report-only", f"Public-Key-Pins-Report-Only: {PINS}; max-age=60"),
        ("misspelt", f'Public-Key-Pins: {PINS}; pin-sha1="x"; max-age=60'),
    ],
)
def test_hpkp_reports_each_weakening(name: str, block: str, choices: Choices) -> None:
    """Whatever pins less than it seems to is reported by its name."""
    content = f"Host: bank.com\n{block}\nHost: shop.org\nPublic-Key-Pins: max-age=9; {PINS}\nServer: x\n"
    assert name in {one.name for one in HPKP.read(content.encode(), choices).weakenings}


@pytest.mark.parametrize(
    "line",
    [
        "Host: bank.com",
        f"Public-Key-Pins: {PINS}; max-age=1",
        f"Host: bank.com\nPublic-Key-Pins: {PINS}",
        f"Host: bank.com\nPublic-Key-Pins: {PINS}; max-age=-1",
        f"Host: bank.com\nPublic-Key-Pins: {PINS}; max-age=1; max-age=0",
        f"Host: bank.com\nPublic-Key-Pins: {PINS}; max-age=1\nPublic-Key-Pins: {PINS}; max-age=0",
        f'Host: bank.com\nPublic-Key-Pins: pin-sha256="{ONE}"; max-age=1',
        f'Host: bank.com\nPublic-Key-Pins: {PINS}; max-age=1; report-uri="http://169.254.169.254/"',
        f'Host: bank.com\nPublic-Key-Pins: pin-sha256="AAAA"; {PINS}; max-age=1',
        f'Host: bank.com\nPublic-Key-Pins: {PINS}; max-age="1',
        "no colon",
    ],
)
def test_hpkp_hostile_header_is_one_clear_error(line: str, choices: Choices) -> None:
    """A header that a client would not note, or would note differently, is refused with its line."""
    with pytest.raises(UnreadableFileError):
        HPKP.read(line.encode(), choices)
