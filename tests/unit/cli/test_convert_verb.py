"""``pinscher convert``."""

from __future__ import annotations

import json
import plistlib
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

A, B = (f"{letter * 43}=" for letter in "AE")
DOMAIN = "<domain>bank.com</domain>"
PIN_SET = f'<pin-set><pin digest="SHA-256">{A}</pin><pin digest="SHA-256">{B}</pin></pin-set>'
ANDROID = f"<network-security-config><domain-config>{DOMAIN}{PIN_SET}</domain-config></network-security-config>"
KEYS = ["--key", "now", "leaf", f"sha256/{A}", "--key", "next", "leaf", f"sha256/{B}"]


@pytest.fixture
def android(tmp_path: Path) -> str:
    """Return the path of a network security configuration."""
    (tmp_path / "nsc.xml").write_text(ANDROID)
    return str(tmp_path / "nsc.xml")


def test_one_file_becomes_another(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One platform's file becomes another's, once it is said which keys are whose."""
    assert main(["convert", "android", "apple", android, *KEYS]) == 0
    out, err = capsys.readouterr()
    domain = plistlib.loads(out.encode())["NSAppTransportSecurity"]["NSPinnedDomains"]["bank.com"]
    digests = [one["SPKI-SHA256-BASE64"] for one in domain["NSPinnedLeafIdentities"]]
    assert ("", [A, B]) == (err, digests)


def test_missing_roles_are_asked_for(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the target needs roles and the file has none, they are asked for by pin and never guessed."""
    assert main(["convert", "android", "apple", android]) == 2
    out, err = capsys.readouterr()
    assert ("", 2) == (out, err.count("pinscher: hint: say its name and role with --key NAME ROLE PIN\n"))


def test_both_reports_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file's weakenings and the target's losses are both told, and --strict makes exit 1 of the former."""
    (tmp_path / "nsc.xml").write_text(ANDROID.replace(f'<pin digest="SHA-256">{B}</pin>', ""))
    path = str(tmp_path / "nsc.xml")
    assert main(["convert", "android", "chromium", path, "--strict", "--accept-loss=list-age"]) == 1
    out, err = capsys.readouterr()
    assert "[one-pin]" in err
    assert "pinscher: warning: chromium: the policy: given up: " in err
    assert out.startswith("// given up: list-age: ")


def test_json_has_the_documented_fields(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has what was read and what was written, or every reason why nothing was."""
    assert main(["convert", "android", "apple", android, "--json", *KEYS]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"from", "to", "file_name", "read", "content", "given_up"} == set(answer)
    assert {"policy", "digest", "weakenings", "given_up"} == set(answer["read"])
    assert main(["convert", "android", "apple", android, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert {"from", "to", "file_name", "error", "losses"} == set(answer)


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every format, once or twice."""
    main(["convert", "--help"])
    words = capsys.readouterr().out.split()
    assert [] == [name for name, one in FORMATS.items() if words.count(name) < (1 if one.read is None else 2)]
