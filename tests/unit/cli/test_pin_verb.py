"""``pinscher pin``."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import ADDRESS, HOST, Authority, Issued, Server

from pinscher.cli import main
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path


def pin(server: Server, authority: Authority, *options: str) -> int:
    """Pin one server of the loopback, trusting the authority's root."""
    return main(["pin", server.place, "--connect", ADDRESS, "--ca-file", str(authority.ca_file), *options])


def entry(path: Path) -> dict[str, list[str]]:
    """Return the host's entry as the document holds it."""
    found: dict[str, list[str]] = tomllib.loads(path.read_text())["hosts"][HOST]
    return found


def test_pins_are_printed_alone(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is the pins, one on each line; what was trusted to get there is said on standard error."""
    issued = authority.issue()
    with Server(issued) as server:
        assert pin(server, authority) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (
        f"{Pin.of(issued.der)}\n",
        (
            f"pinscher: warning: {server.place} was trusted because Test Root vouches for it, "
            f"found in the certificates in {authority.ca_file}\n"
        ),
    )


def test_roles_choose_the_keys(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """The roles that are asked for are pinned, from the leaf to the root."""
    issued = authority.issue()
    with Server(issued) as server:
        pin(server, authority, "--role", "root", "--role", "leaf")
    root = authority.root.public_bytes(Encoding.DER)
    assert capsys.readouterr().out == f"{Pin.of(issued.der)}\n{Pin.of(root)}\n"


def test_json_has_the_documented_fields(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    issued = authority.issue()
    with Server(issued) as server:
        pin(server, authority, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"pins", "written"}
    assert answer["pins"] == [
        {
            "pin": str(Pin.of(issued.der)), "source": server.place, "host": HOST, "role": "leaf", "kind": "certificate",
            "place": None, "trust": f"the certificates in {authority.ca_file}", "root": "Test Root",
        }
    ]  # fmt: skip


def test_unverified_server_is_not_pinned(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that does not verify gives no pin, and nothing is written."""
    policy = tmp_path / "pins.toml"
    with Server(authority.issue(days=-3)) as server:
        assert pin(server, authority, "--write", str(policy), "--yes") == 1
    out, err = capsys.readouterr()
    assert (out, policy.exists()) == ("", False)
    assert "so its keys are not pinned: certificate has expired" in err


def test_root_that_browsers_do_not_know_is_told(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A root of this machine's store that is not in Mozilla's is named as what an interceptor's would be."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with Server(authority.issue()) as server:
        assert main(["pin", server.place, "--connect", ADDRESS]) == 0
    err = capsys.readouterr().err
    assert f"redirected by SSL_CERT_FILE={authority.ca_file}" in err
    assert "Test Root is in this machine's trust store and not in Mozilla's" in err


def test_policy_begins_with_the_pin(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that is not there yet begins with the pin, after its text was shown, and lacks a backup pin."""
    issued, policy = authority.issue(), tmp_path / "bank.toml"
    with Server(issued) as server:
        assert pin(server, authority, "--write", str(policy), "--yes") == 0
    err = capsys.readouterr().err
    loaded = Policy.load(policy)
    assert (loaded.name, loaded.version, entry(policy)) == ("bank", 1, {"pins": [str(Pin.of(issued.der))]})
    assert f'+pins = ["{Pin.of(issued.der)}"]' in err
    assert "pinscher: hint: api.bank.example has no backup pin" in err


@pytest.fixture
def policy(authority: Authority, tmp_path: Path) -> Path:
    """Return a policy with a comment and one pin for the host."""
    path = tmp_path / "pins.toml"
    pinned = Pin.of(authority.issue(file="now").der)
    path.write_text(f'format = 1  # first\nname = "bank"\nversion = 7\n\n[hosts."{HOST}"]\npins = ["{pinned}"]\n')
    return path


@pytest.fixture
def backup(authority: Authority) -> Issued:
    """Return a key that no server uses yet."""
    return authority.issue(file="backup")


def test_backup_pin_is_added_from_its_key(policy: Path, backup: Issued, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup key's pin goes into backup-pins of the host that is named, and the rest of the document stays."""
    command = ["pin", str(backup.key_file), "--write", str(policy), "--host", "API.bank.example.", "--backup", "--yes"]
    assert main(command) == 0
    assert entry(policy)["backup-pins"] == [str(Pin.of(backup.der))]
    assert policy.read_text().startswith('format = 1  # first\nname = "bank"\nversion = 8\n')
    assert "no backup pin" not in capsys.readouterr().err


def test_present_pin_is_not_written_again(policy: Path, backup: Issued, capsys: pytest.CaptureFixture[str]) -> None:
    """A pin that the policy has already leaves the document and its version alone."""
    command = ["pin", str(backup.key_file), "--write", str(policy), "--host", HOST, "--yes"]
    main(command)
    before = policy.read_bytes()
    assert main(command) == 0
    assert policy.read_bytes() == before
    assert "says so already" in capsys.readouterr().err


def test_nothing_is_written_without_a_yes(policy: Path, backup: Issued, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal to ask at and without --yes the change is shown, and not made."""
    before = policy.read_bytes()
    assert main(["pin", str(backup.key_file), "--write", str(policy), "--host", HOST]) == 2
    err = capsys.readouterr().err
    assert (policy.read_bytes(), "+pins = " in err) == (before, True)
    assert err.endswith("pinscher: hint: --yes writes without asking\n")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_person_is_asked(policy: Path, backup: Issued, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    """At a terminal a question is asked after the diff, and only yes writes."""
    before, said = policy.read_bytes(), Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", said)
    assert main(["pin", str(backup.key_file), "--write", str(policy), "--host", HOST]) == code
    assert (policy.read_bytes() != before) is (code == 0)
    assert said.getvalue().index("+pins") < said.getvalue().index("write this to")


def test_file_needs_a_host(policy: Path, backup: Issued, capsys: pytest.CaptureFixture[str]) -> None:
    """A file's pins are not written without the host that they belong to."""
    assert main(["pin", str(backup.key_file), "--write", str(policy), "--yes"]) == 2
    assert "pins from a file need --host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pinscher: error: "),
        (b"format = 1\nname = 'x'\nversion = 1\nsurprise = 1\n", "surprise"),
        (
            b'{"format": 1, "name": "x", "version": 1, "hosts": {"a.example": {"unpinned": "y"}}}',
            "is JSON, which is made from TOML",
        ),
    ],
)
def test_policy_that_cannot_be_edited_is_left_alone(
    tmp_path: Path, backup: Issued, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    """A policy that is not valid, or not TOML, is one error and stays as it is."""
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    assert main(["pin", str(backup.key_file), "--write", str(path), "--host", HOST, "--yes"]) == 2
    assert (message in capsys.readouterr().err, path.read_bytes()) == (True, content)
