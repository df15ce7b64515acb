"""``pinscher show``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import ADDRESS, Authority, Server

from pinscher.cli import main
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\x1b[31m[bold]evil[/]\u202e\r\n"
CERTIFICATE_FIELDS = {
    "role", "pin", "certificate_pin", "subject", "issuer", "serial", "not_before", "not_after",
}  # fmt: skip


def show(server: Server, authority: Authority, *options: str) -> int:
    """Show one server of the loopback, trusting the authority's root."""
    return main(["show", server.place, "--connect", ADDRESS, "--ca-file", str(authority.ca_file), *options])


def test_live_path_is_shown(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """A live server's validated path is shown with its roles, pins, expiry and names."""
    issued = authority.issue()
    with Server(issued) as server:
        code = show(server, authority)
    lines = capsys.readouterr().out.splitlines()
    intermediate, root = (
        str(Pin.of(item.public_bytes(Encoding.DER))) for item in (authority.intermediate, authority.root)
    )
    assert (code, lines) == (
        0,
        [
            f"{server.place}  3 certificates, path verified to Test Root",
            "",
            f"  leaf          {Pin.of(issued.der)}  expires in 41 days   CN=api.bank.example",
            f"  intermediate  {intermediate}  expires in 100 days  CN=Test Intermediate",
            f"  root          {root}  expires in 100 days  CN=Test Root",
            "",
        ],
    )


def test_unverified_chain_is_a_bad_answer(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """A chain that does not verify is shown as presented, marked, explained, and ends with exit 1."""
    with Server(authority.issue(days=-3)) as server:
        code = show(server, authority)
    out, err = capsys.readouterr()
    assert (code, out.splitlines()[0]) == (1, f"{server.place}  2 certificates presented, NOT VERIFIED")
    assert "expired 2 days ago" in out
    assert "certificate has expired" in err


def test_json_has_the_documented_fields(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer of a live server has exactly the documented fields."""
    with Server(authority.issue()) as server:
        show(server, authority, "--json")
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert set(result) == {
        "source", "endpoint", "host", "port", "protocol", "address", "tls_version", "cipher", "trust", "verified",
        "verification_error", "path", "presented",
    }  # fmt: skip
    assert [set(certificate) for certificate in result["path"]] == [CERTIFICATE_FIELDS] * 3
    assert [certificate["role"] for certificate in result["path"]] == ["leaf", "intermediate", "root"]
    assert (result["verified"], result["verification_error"]) == (True, None)


def test_json_of_a_file_has_the_documented_fields(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer of a file lists its keys, and null where a key has no certificate around it."""
    issued = authority.issue()
    assert main(["show", "--json", str(issued.chain_file), str(issued.key_file)]) == 0
    chain, key = (result["keys"] for result in json.loads(capsys.readouterr().out)["results"])
    assert [set(item) for item in [*chain, *key]] == [(CERTIFICATE_FIELDS - {"role"}) | {"kind", "place"}] * 3
    assert (chain[0]["pin"], key[0]["subject"]) == (key[0]["pin"], None)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_hostile_names_stay_harmless(
    authority: Authority, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """A name with escape sequences, line breaks and markup in it reaches neither stream raw."""
    with Server(authority.issue(common_name=HOSTILE)) as server:
        assert show(server, authority, *options) == 0
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isascii()
    assert (out + err).replace("\n", "").isprintable()
    assert "[bold]evil[/]" in out


def test_hostile_banner_stays_harmless(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    """A server's words in clear reach standard error escaped, and there is no answer."""
    with Server(script=[(b"", b"554 \x1b[2J\xe2\x80\xae\r\n")]) as server:
        assert show(server, authority, "--starttls", "smtp") == 2
    out, err = capsys.readouterr()
    assert (out, err.replace("\n", "").isprintable()) == ("", True)


def test_standard_input_is_a_file(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A minus sign reads standard input."""
    issued = authority.issue()
    with issued.key_file.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["show", "-"]) == 0
    assert str(Pin.of(issued.der)) in capsys.readouterr().out


def test_one_missing_answer_among_good_ones_is_told(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is an error and exit 2, and the other answers are given all the same."""
    issued = authority.issue()
    assert main(["show", "--json", str(tmp_path / "none.pem"), str(issued.key_file)]) == 2
    out, err = capsys.readouterr()
    missing, found = json.loads(out)["results"]
    assert (set(missing), len(found["keys"])) == ({"source", "error"}, 1)
    assert err == f"pinscher: error: cannot read '{tmp_path}/none.pem': no such file or directory\n"


def test_bad_endpoint_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A text that is neither a file nor an endpoint is one clear error."""
    assert main(["show", "a..example"]) == 2
    assert capsys.readouterr().err == ("pinscher: error: endpoint 'a..example' cannot be used: it has an empty label\n")
