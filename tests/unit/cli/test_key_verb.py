"""``pinscher key``."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pinscher.cli import main
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.probe import read_keys
from pinscher.rotation.keys import BackupKey
from tests.pebble import needs_pebble

PASSPHRASE = "correct horse battery staple"
USED = Pin.of(Authority.root().issue("api.bank.example").der)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the command runs in, with a passphrase's file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text(f"{PASSPHRASE}\n")
    return tmp_path


def _new(*arguments: str, file: str = "api-backup.key") -> int:
    return main(["key", "new", file, "--passphrase-file", "words", *arguments])


def _policy(table: str, *, backup: str = "api-backup") -> str:
    entry = f'[hosts."api.bank.example"]  # payments\npins = ["{USED}"]\nbackup-pins = ["{backup}"]\n'
    return f'format = 1\nname = "bank"\nversion = 7\n\n{table}\n\n{entry}'


@pytest.fixture
def pinned(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a policy that pins a new key under its own table, as it was printed."""
    assert 0 == _new("--stored", "safe B")
    (folder / "pins.toml").write_text(_policy(capsys.readouterr().out.partition("\n\n")[2]))
    return folder / "pins.toml"


def _rehearse(*arguments: str, key: str = "api-backup.key") -> int:
    return main(["key", "rehearse", key, "--policy", "pins.toml", *arguments])


GIVEN = ("--passphrase-file", "words", "--at", "2026-11-21")


def test_new_key_is_sealed_and_its_owners_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new key, its request and its card are written; the key is its owner's alone, and opens with the passphrase."""
    assert 0 == _new(
        "--host", "API.bank.example", "--host", "*.bank.example", "--stored", 'safe "B"', "--at", "2026-11-21"
    )
    out, err = capsys.readouterr()
    opened = BackupKey.open((folder / "api-backup.key").read_bytes(), PASSPHRASE, source="x")
    (request,) = read_keys((folder / "api-backup.csr").read_bytes(), source="x")
    assert (0o600, opened.pin) == (stat.S_IMODE((folder / "api-backup.key").stat().st_mode), request.pin)
    drawn = ET.parse(folder / "api-backup.svg").getroot()
    texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {str(opened.pin), "2026-11-21", 'safe "B"', "api.bank.example, *.bank.example"} <= set(texts)
    assert "api-backup.csr  the certification request, for api.bank.example, *.bank.example\n" in out
    table = tomllib.loads(out.partition("\n\n")[2])["keys"]["api-backup"]
    assert {"pin": str(opened.pin), "role": "leaf", "stored": 'safe "B"'} == table
    assert "prove it with 'pinscher key rehearse'" in err


def test_new_key_without_a_host_has_no_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a host there is nothing to request, and a key that nobody says the place of gets a hint."""
    assert 0 == _new("--name", "other")
    out, err = capsys.readouterr()
    assert ["api-backup.key", "api-backup.svg", "words"] == sorted(one.name for one in folder.iterdir())
    assert ("[keys.other]" in out, "say where the key is kept" in err) == (True, True)


def test_json_has_the_documented_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer has exactly the documented fields."""
    assert 0 == _new("--json", "--algorithm", "ed25519", "--host", "a.example")
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert {"name", "algorithm", "pin", "fingerprint", "hosts", "key", "request", "card", "toml"} == set(answer)
    files = ("api-backup.key", "api-backup.csr", "api-backup.svg")
    assert (*files, ["a.example"]) == (answer["key"], answer["request"], answer["card"], answer["hosts"])
    assert answer["fingerprint"] == Pin.parse(answer["pin"]).digest.hex()
    assert "public authorities issue nothing for Ed25519 keys" in err


@pytest.mark.parametrize("taken", ["api-backup.key", "api-backup.csr", "api-backup.svg"])
def test_no_file_is_overwritten(folder: Path, taken: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one of the files exists, even as a dangling link, nothing is made."""
    (folder / taken).symlink_to(folder / "nowhere")
    assert 2 == _new("--host", "a.example")
    assert f"pinscher: error: {taken}: it exists, and is not overwritten\n" == capsys.readouterr().err
    assert sorted([taken, "words"]) == sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "file", "reason"),
    [
        (["--host", "not a host"], "x.key", "'--host'"),
        ([], "x.svg", "the ending is that of the request or the card"),
        ([], "gone/x.key", "it cannot be written: no such file"),
        (["--name", "a b"], "x.key", "the name of a key is"),
        (["--stored", "a\nb"], "x.key", "text without control"),
        (["--algorithm", "dsa"], "x.key", "'--algorithm'"),
        (["--passphrase-file", "gone"], "x.key", "cannot read 'gone'"),
        (["--passphrase-file", "short"], "x.key", "the passphrase has 5 characters"),
        (["--passphrase-file", "two"], "x.key", "'two' holds no passphrase"),
        (["--passphrase-file", "octets"], "x.key", "'octets' holds no passphrase"),
        (["--passphrase-file", "empty"], "x.key", "'empty' holds no passphrase"),
        (["--passphrase-file", "long"], "x.key", "'long' holds no passphrase"),
    ],
)
def test_broken_input_is_one_clear_error(
    folder: Path, arguments: list[str], file: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with what was given, one error says so, and no key is left."""
    for name, content in {
        "short": b"12345",
        "two": b"a\nb\n",
        "octets": b"\xff" * 20,
        "empty": b"",
        "long": b"x" * 2000,
    }.items():
        (folder / name).write_bytes(content)
    assert 2 == _new(*arguments, file=file)
    assert (1, True) == ((err := capsys.readouterr().err).count("pinscher: error: "), reason in err), err
    assert [] == [one for one in folder.iterdir() if one.suffix in {".key", ".csr", ".svg"}]


def test_without_a_terminal_nobody_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal and a file there is no passphrase, and no key."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert 2 == main(["key", "new", "x.key"])
    assert "there is no terminal to ask for the passphrase at: give --passphrase-file" in capsys.readouterr().err


def _at_a_terminal(*arguments: str, asked: list[str]) -> tuple[int, str]:
    """Run a command at a terminal of its own, typing the passphrase at each prompt; return its end and what it showed."""
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "pinscher.cli", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown = _until(own, *asked[:1])
        for following in (*asked[1:], None):
            os.write(own, f"{PASSPHRASE}\n".encode())
            shown += _until(own, *([] if following is None else [following]))
        os.close(own)
        return process.wait(timeout=60), shown


def _until(terminal: int, *prompt: str) -> str:
    """Read what is shown until the end of a prompt, or to the end."""
    shown = ""
    while not prompt or not shown.rstrip().endswith(prompt[0]):
        try:
            more = os.read(terminal, 1000)
        except OSError as error:
            assert errno.EIO == error.errno
            more = b""
        if not more:
            assert not prompt, shown
            return shown
        shown += more.decode()
    return shown


def test_passphrase_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    """At a terminal a new passphrase is asked for twice, and does not appear."""
    code, shown = _at_a_terminal("key", "new", "x.key", asked=["the new key:", "confirmation:"])
    assert (0, False) == (code, PASSPHRASE in shown), shown
    assert BackupKey.open((folder / "x.key").read_bytes(), PASSPHRASE, source="x.key")


def test_rehearsal_proves_the_key_and_writes_the_day(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that opens, is pinned and is issued for gets the day into the policy, and the difference is shown."""
    needs_pebble()
    assert 0 == _rehearse(*GIVEN, "--yes")
    out, err = capsys.readouterr()
    assert ["opened", "pinned", "issued", "recorded"] == [line.split()[0] for line in out.splitlines()]
    assert "issued    by a Pebble of the moment, for api.bank.example\n" in out
    assert ("+rehearsed = 2026-11-21" in err, "+version = 8" in err) == (True, True)
    assert "2026-11-21" == str(tomllib.loads(pinned.read_text())["keys"]["api-backup"]["rehearsed"])
    assert 0 == main(["lint", "pins.toml", "--at", "2026-12-24", "--fail-on", "error"])
    assert "was never rehearsed" not in capsys.readouterr().out
    assert 0 == _rehearse(*GIVEN, "--no-issuance", "--json")
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert {"pin", "kind", "names", "hosts", "issued", "rehearsed"} == set(answer)
    assert (None, ["api-backup"], "2026-11-21") == (answer["issued"], answer["names"], answer["rehearsed"])
    assert "says so already" in err


def test_day_is_not_written_without_consent(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --yes and a terminal the policy stays as it is, and that is no answer."""
    before = pinned.read_text()
    assert 2 == _rehearse(*GIVEN, "--no-issuance")
    out, err = capsys.readouterr()
    assert ("recorded  no" in out, "--yes writes without asking" in err, before) == (True, True, pinned.read_text())


def test_passphrase_of_a_key_is_asked_for_once(pinned: Path) -> None:
    """At a terminal the passphrase of a key is asked for once, and does not appear."""
    arguments = ("key", "rehearse", "api-backup.key", "--policy", "pins.toml", "--no-issuance")
    opened = _at_a_terminal(*arguments, "--yes", asked=["api-backup.key:"])
    assert (0, False) == (opened[0], PASSPHRASE in opened[1]), opened[1]
    assert "rehearsed" in pinned.read_text()


def test_key_that_is_not_pinned_is_a_bad_answer(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that opens and is not in the policy is no backup: that is a bad answer."""
    assert 0 == _new(file="other.key")
    assert 1 == _rehearse(*GIVEN, key="other.key")
    assert "the policy does not pin this key" in capsys.readouterr().err


def test_wrong_passphrase_is_no_answer(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that does not open is one clear error."""
    Path("other").write_text("not the passphrase at all")
    assert 2 == _rehearse("--passphrase-file", "other")
    assert "pinscher: error: api-backup.key: the key did not open" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "reason"), [("no-such-pebble", "there is no program 'no-such-pebble'"), ("false", "did not start")]
)
def test_missing_pebble_is_no_answer_with_a_hint(
    pinned: Path, program: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a Pebble that runs a hint says what to install, and what does without, and no day is written."""
    assert shutil.which("false")
    assert 2 == _rehearse(*GIVEN, "--yes", "--pebble", program)
    err = capsys.readouterr().err
    assert (True, True, False) == (reason in err, "--no-issuance" in err, "rehearsed" in pinned.read_text())


def test_key_that_pebble_does_not_know_is_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For an ML-DSA key there is no issuance to prove, and a hint says what can be."""
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa", reason="this cryptography has no ML-DSA")
    assert 0 == _new("--algorithm", "ml-dsa-44")
    (folder / "pins.toml").write_text(_policy(capsys.readouterr().out.partition("\n\n")[2]))
    assert 2 == _rehearse(*GIVEN, "--yes")
    assert "--no-issuance opens the key and compares its pin" in capsys.readouterr().err
    assert 0 == _rehearse(*GIVEN, "--yes", "--no-issuance")


def test_policy_in_json_is_not_edited(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy in JSON is made from TOML, and is not edited."""
    hosts = {"a.example": {"pins": [str(USED)]}}
    pinned.write_text(json.dumps({"format": 1, "name": "x", "version": 1, "hosts": hosts}))
    assert 2 == _rehearse(*GIVEN, "--no-issuance")
    assert "is JSON, which is made from TOML" in capsys.readouterr().err
