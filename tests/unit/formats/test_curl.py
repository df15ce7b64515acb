"""curl's pinnedpubkey; the rules are those at the top of ``formats/curl.py``."""

from __future__ import annotations

import base64
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from worlds import AT, INTERMEDIATES, LEAVES, Chain, Oracle, hold_always, host_table, policy_of, single_hosts

from pinscher.formats import FORMATS, Choices, FormatLossError, UnreadableFileError
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

CURL = FORMATS["curl"]
ONE, TWO = (base64.b64encode(one.pin.digest).decode() for one in LEAVES[:2])


def oracle(written: bytes) -> Oracle:
    """Judge by curl: the leaf's key is in the list, whatever stands above it; the file is used for its host alone."""
    option = re.search(r'^pinnedpubkey = "([^"]*)"$', written.decode(), re.MULTILINE)
    host_line = re.search(r"^# host: (.*)$", written.decode(), re.MULTILINE)

    def decide(host: str, chain: Chain, at: datetime) -> bool:
        if option is None or host_line is None or host != host_line[1]:
            return True
        pins = option[1].split(";")
        assert all(pin.startswith("sha256//") for pin in pins)
        return chain[0].pin.digest in {base64.b64decode(pin.removeprefix("sha256//")) for pin in pins}

    return decide


def test_curl_decides_as_the_policy() -> None:
    """A written file, the policy read from it and that one's file decide as the policy for their host."""
    hold_always(CURL, oracle, Choices(AT), single_hosts(most_hosts=2), hosts=None)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("ca-pins", [host_table("bank.com", pins="inter0")]),
        ("ca-pins", [host_table("bank.com", pins="leaf0 root0")]),
        ("several-hosts", [host_table("bank.com"), host_table("shop.org")]),
        ("patterns", [host_table("*.bank.com")]),
        ("certificate-pins", [f'[hosts."bank.com"]\npins = ["{LEAVES[0].certificate_pin}"]']),
    ],
)
def test_curl_refuses_by_name(name: str, tables: list[str], choices: Choices) -> None:
    """What one list of leaf keys for one host cannot say is refused."""
    with pytest.raises(FormatLossError) as caught:
        CURL.write(policy_of(*tables), choices)
    assert name in {loss.name for loss in caught.value.losses}


def test_curl_never_guesses_that_a_key_is_a_leaf(choices: Choices) -> None:
    """A key without a role is asked for by its name, since curl would never see an authority's."""
    with pytest.raises(FormatLossError, match=r"keys\.leaf0"):
        CURL.write(policy_of(host_table("bank.com"), roles=False), choices)


def test_curl_reads_sections_of_other_files(choices: Choices) -> None:
    """Sections between 'next' lines give each url its own pins, and switched-off verification is reported."""
    content = f"""url = "https://bank.com:8443/v1"
pinnedpubkey = "sha256//{ONE};sha256//{TWO}"
next
--url shop.org
--pinnedpubkey sha256//{TWO}
insecure
next
url = https://elsewhere.net/
"""
    reading = CURL.read(content.encode(), choices)
    assert {"bank.com": 2, "shop.org": 1} == {one.host: len(list(one.pinset)) for one in reading.policy.hosts}
    assert {"no-authority", "one-pin"} == {one.name for one in reading.weakenings}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'pinnedpubkey = "sha256//%s"' % ONE.encode(),
        b"# host: bank.com\npinnedpubkey = key.pem",
        b"# host: bank.com\npinnedpubkey = sha256//ffff",
        b"# host: b\x1b[31mank\npinnedpubkey = sha256//%s" % ONE.encode(),
        b"url = https://bank.com\npinnedpubkey = sha256//%s\nnext\nurl = bank.com\npinnedpubkey = sha256//%s"
        % (ONE.encode(), TWO.encode()),
        b"url = https://[\npinnedpubkey = sha256//%s" % ONE.encode(),
        b"x" * 100_000,
        b"\n" * 300_000,
    ],
)
def test_curl_hostile_file_is_one_clear_error(content: bytes, choices: Choices) -> None:
    """Pins without a host, names of key files, escapes and floods are refused with the reader's own error."""
    with pytest.raises(UnreadableFileError) as caught:
        CURL.read(content, choices)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("is_pinned", [True, False])
def test_curl_itself_obeys_the_file(tmp_path: Path, tool: Callable[[str], str], is_pinned: bool) -> None:
    """Curl connects to a server with the pinned leaf, and refuses one with another leaf by its error 90."""
    root = Authority.root("Formats Root")
    held, other = root.issue("localhost", "127.0.0.1"), root.issue("localhost", "127.0.0.1")
    wanted = Policy.loads(
        f'format = 1\nname = "p"\nversion = 1\n[defaults]\nunlisted-hosts = "allow"\n'
        f'[keys.leaf]\npin = "{Pin.of(held.der)}"\nrole = "leaf"\n[hosts."localhost"]\npins = ["leaf"]\n'
    )
    (tmp_path / "pins.curlrc").write_bytes(CURL.write(wanted, Choices(AT)))
    (tmp_path / "root.pem").write_bytes(root.pem if isinstance(root.pem, bytes) else root.pem.encode())
    with TlsServer(held if is_pinned else other) as server:
        done = subprocess.run(
            [tool("curl"), "-q", "--silent", "--config", "pins.curlrc", "--cacert", "root.pem",
             "--resolve", f"localhost:{server.port}:127.0.0.1", f"https://localhost:{server.port}/"],
            cwd=tmp_path, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
    assert (0 if is_pinned else 90) == done.returncode


def test_curl_authority_is_not_the_leaf(choices: Choices) -> None:
    """The oracle itself tells a leaf from the authority above it."""
    decide = oracle(CURL.write(policy_of(host_table("bank.com", pins="leaf0")), choices))
    assert decide("bank.com", (LEAVES[0], INTERMEDIATES[0]), AT)
    assert not decide("bank.com", (LEAVES[1], LEAVES[0]), AT)
