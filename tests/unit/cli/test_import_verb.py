"""``pinscher import``."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.entry import Role
from pinscher.formats import FORMATS, WEAKENINGS
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

A, B = (f"{letter * 43}=" for letter in "AE")
PIN_SET = f'<pin-set><pin digest="SHA-256">{A}</pin><pin digest="SHA-256">{B}</pin></pin-set>'
DOMAIN = '<domain includeSubdomains="true">bank.com</domain>'
ANDROID = f"<network-security-config><domain-config>{DOMAIN}{PIN_SET}</domain-config></network-security-config>"
ONE_PIN = ANDROID.replace(f'<pin digest="SHA-256">{B}</pin>', "")
PINNED = "".join(
    f"<key>{key}</key><array><dict><key>SPKI-SHA256-BASE64</key><string>{text}</string></dict></array>"
    for key, text in (("NSPinnedLeafIdentities", A), ("NSPinnedCAIdentities", B))
)
BOTH = (
    '<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>NSPinnedDomains</key>'
    f"<dict><key>bank.com</key><dict>{PINNED}</dict></dict></dict></plist>"
)


@pytest.fixture
def android(tmp_path: Path) -> str:
    """Return the path of a network security configuration in which nothing is weak."""
    (tmp_path / "nsc.xml").write_text(ANDROID)
    return str(tmp_path / "nsc.xml")


@pytest.fixture
def lonely(tmp_path: Path) -> str:
    """Return the path of a network security configuration with one pin."""
    (tmp_path / "lonely.xml").write_text(ONE_PIN)
    return str(tmp_path / "lonely.xml")


def test_file_becomes_a_policy_document(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another platform's file becomes a policy document in TOML, alone on standard output."""
    assert main(["import", "android", android, "--strict", "--policy-name", "b\u00e4nk"]) == 0
    out, err = capsys.readouterr()
    policy = Policy.loads(out)
    assert ("", True, "b\u00e4nk") == (err, out.isascii(), policy.name)
    assert [("**.bank.com", {f"sha256/{A}", f"sha256/{B}"})] == [
        (entry.host, set(map(str, entry.pinset or ()))) for entry in policy.hosts
    ]


def test_weakening_is_a_warning_with_its_place(lonely: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A weakening of the file is a warning with its place, what it means and its name, and exit 1 under --strict."""
    codes = main(["import", "android", lonely]), main(["import", "android", lonely, "--strict"])
    out, err = capsys.readouterr()
    warning = f"pinscher: warning: **.bank.com: {WEAKENINGS['one-pin']} [one-pin]\n"
    assert ((0, 1), warning * 2) == (codes, err)
    assert 2 == out.count("[hosts.")


def test_weakening_of_its_own_words_says_what_it_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the finding has words of its own, the meaning stands behind them; a stranger's text is escaped."""
    (tmp_path / "odd.xml").write_text(ANDROID.replace("includeSubdomains", "includeSubdomain\u202e"))
    assert main(["import", "android", str(tmp_path / "odd.xml")]) == 2
    (tmp_path / "odd.xml").write_text(ANDROID.replace("includeSubdomains", "includesubdomains"))
    assert main(["import", "android", str(tmp_path / "odd.xml")]) == 0
    err = capsys.readouterr().err
    assert f"domain includesubdomains: an attribute that the platform skips ({WEAKENINGS['misspelt']})" in err
    assert err.isascii()


def test_json_has_the_documented_fields(lonely: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields, and its policy is one."""
    assert main(["import", "android", lonely, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"format", "policy", "digest", "weakenings", "given_up"} == set(answer)
    assert answer["digest"] == Policy.loads(json.dumps(answer["policy"])).digest
    assert [{"name", "where", "detail", "meaning"}] == [set(one) for one in answer["weakenings"]]


def test_archive_is_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pins come out of an archive of more octets than any single file may have."""
    with zipfile.ZipFile(tmp_path / "bank.ipa", "w") as archive:
        archive.writestr("Payload/Bank.app/big.bin", bytes(9 << 20))
        archive.writestr("Payload/Bank.app/Info.plist", BOTH.replace("NSPinnedCAIdentities", "unknown"))
    assert main(["import", "apple", str(tmp_path / "bank.ipa")]) == 0
    assert "[misspelt]" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", [b"", b"PK\x03\x04"], ids=["text", "archive"])
def test_standard_input_is_read_within_bounds(
    prefix: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard input is read, and something endless is refused and not read to its end."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(prefix + bytes(9 << 20))))
    assert main(["import", "android", "-"]) == 2
    assert capsys.readouterr().err.startswith("pinscher: error: <stdin>: android file: ")


def test_key_is_named_and_given_its_role(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A pin whose role the file does not say is named and given one."""
    assert main(["import", "android", android, "--key", "api", "leaf", f"sha256/{A}"]) == 0
    policy = Policy.loads(capsys.readouterr().out)
    assert (Role.LEAF, f"sha256/{A}") == (policy.keys["api"].role, str(policy.keys["api"].pin))
    assert {"api"} == set(policy.hosts[0].names.values())


def test_key_replaces_what_the_importer_called_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name that a person gives takes the place of the importer's own, and so does the role."""
    (tmp_path / "ca.plist").write_text(BOTH.replace("NSPinnedLeafIdentities", "NSPinnedOther"))
    assert main(["import", "apple", str(tmp_path / "ca.plist"), "--key", "root", "root", f"sha256/{B}"]) == 0
    policy = Policy.loads(capsys.readouterr().out)
    assert ({"root"}, {}) == (set(policy.keys), dict(policy.extensions))


def test_key_that_nobody_pins_is_a_mistake(android: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that no entry of the file pins is a mistake, and nothing is printed."""
    assert main(["import", "android", android, "--key", "api", "leaf", f"sha256/{'I' * 43}="]) == 2
    out, err = capsys.readouterr()
    assert ("", True) == (out, "no entry of the file pins sha256/III" in err)


def test_file_that_no_policy_can_say_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a policy cannot say is refused with its host and the ways out, and read once it is given up by name."""
    (tmp_path / "both.plist").write_text(BOTH)
    path = str(tmp_path / "both.plist")
    assert main(["import", "apple", path, "--json"]) == 2
    out, err = capsys.readouterr()
    (loss,) = json.loads(out)["losses"]
    assert ("both-lists", "bank.com") == (loss["name"], loss["host"])
    assert "pinscher: error: apple: bank.com: " in err
    assert "or say --accept-loss=both-lists, and the leaf alone is required" in err
    assert main(["import", "apple", path, "--accept-loss", "both-lists", "--json"]) == 0
    out, err = capsys.readouterr()
    assert ["both-lists"] == [one["name"] for one in json.loads(out)["given_up"]]
    assert "pinscher: warning: apple: bank.com: given up: the leaf alone is required [both-lists]" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense", "x"], "there is no format 'nonsense'"),
        (["swift", "x"], "swift is written and never read"),
        (["android", "nowhere.xml"], "cannot read 'nowhere.xml': no such file or directory"),
        (["android", "\x1b[2J"], "cannot read '\\x1b[2J'"),
    ],
)
def test_mistakes_are_no_answer(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A format without a reader or a file that is not there is one line, and exit 2."""
    assert main(["import", *arguments]) == 2
    out, err = capsys.readouterr()
    assert ("", True) == (out, err.startswith(f"pinscher: error: {message}"))


@pytest.mark.parametrize("verb", [["import", "android"], ["convert", "android", "okhttp"]])
@pytest.mark.parametrize(("name", "told"), [("gone", "cannot read 'gone'"), ("damaged", "damaged: android file")])
def test_a_file_that_cannot_be_read_is_a_document_too(
    verb: list[str], name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With --json, a file that is not there or not what its dialect says is ``error`` in the document, and exit 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged").write_bytes(b"<no")
    assert 2 == main([*verb, name, "--json"])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (True, []) == (document["error"].startswith(told), document["losses"])
    assert f"pinscher: error: {told}" in err


def test_only_what_is_read_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for a format that there is not is told of those that can be read, and of no other."""
    assert main(["import", "nonsense", "x"]) == 2
    told = capsys.readouterr().err.splitlines()[0].partition("; there are ")[2].split(", ")
    assert told == [name for name, one in FORMATS.items() if one.read is not None]


@pytest.mark.parametrize("verb", [["import", "android"], ["convert", "android", "okhttp"]])
def test_a_damaged_file_is_named(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error about a file that cannot be read begins with its name, escaped."""
    (tmp_path / "b\x1b.xml").write_text("<network-security-config>")
    monkeypatch.chdir(tmp_path)
    assert main([*verb, "b\x1b.xml"]) == 2
    assert "pinscher: error: b\\x1b.xml: android file, line 1: it is not well-formed XML\n" == capsys.readouterr().err


def test_help_names_every_format_that_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every format that can be read."""
    main(["import", "--help"])
    words = capsys.readouterr().out.split()
    assert [] == [name for name, one in FORMATS.items() if one.read is not None and name not in words]
