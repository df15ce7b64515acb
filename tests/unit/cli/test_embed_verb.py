"""``pinscher embed``."""

from __future__ import annotations

import json
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from pinscher.cli import main
from pinscher.cli.embedding import Form, embedded_in
from pinscher.policy import Policy
from pinscher.store import Embedded, EmbeddedPinsError

PIN, OTHER, BACKUP = (f"sha256/{letter * 43}=" for letter in "AEI")


def policy(version: int, pin: str = PIN) -> str:
    """Return a policy document."""
    return (
        f'format = 1\nname = "bank"\nversion = {version}\n[hosts."a.example"]\npins = ["{pin}"]\n'
        f'backup-pins = ["{BACKUP}"]\nnote = "quotes \\" and \\u00e9"\n'
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a policy and a signed root, as the working directory."""
    signer = CryptoSigner.generate_ed25519()
    root = Metadata(Root(version=1, expires=datetime(2030, 1, 1, tzinfo=UTC)))
    root.signed.add_key(signer.public_key, "root")
    root.sign(signer)
    root.to_file(str(tmp_path / "1.root.json"))
    (tmp_path / "pins.toml").write_text(policy(7))
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARGUMENTS = ["embed", "pins.toml", "--root", "1.root.json"]
FILES = ["--python", "pins.py", "--json-resource", "pins.json", "--lines-resource", "pins.properties"]


def test_every_file_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The module, the JSON and the lines hold the same pins, and the module is used by importing it."""
    assert 0 == main([*ARGUMENTS, *FILES, "--floor", "5"])
    assert "bank version 7, floor 5, root " in capsys.readouterr().out
    imported = runpy.run_path("pins.py")["EMBEDDED"]
    assert isinstance(imported, Embedded)
    assert (Policy.load("pins.toml"), 5, (folder / "1.root.json").read_bytes()) == (
        imported.policy, imported.floor, imported.root
    )  # fmt: skip
    for form, name in zip(Form, FILES[1::2], strict=True):
        assert imported == embedded_in(Path(name).read_bytes(), form)


def test_the_same_input_gives_the_same_octets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run changes nothing and says so."""
    assert 0 == main([*ARGUMENTS, *FILES])
    before = [(folder / name).read_bytes() for name in FILES[1::2]]
    assert 0 == main([*ARGUMENTS, *FILES])
    assert 3 == capsys.readouterr().out.count("unchanged")
    assert before == [(folder / name).read_bytes() for name in FILES[1::2]]
    assert 0 == main([*ARGUMENTS, "--python", "again.py"])
    assert before[0] == (folder / "again.py").read_bytes()
    assert all(len(line) <= 400 and line.isascii() for line in before[0].decode().splitlines())


def test_json_has_the_documented_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON answer names the policy, the floor, the root and what happened to each file."""
    assert 0 == main([*ARGUMENTS, "--python", "pins.py", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert ({"policy", "floor", "root", "files"}, 7) == (set(document), document["floor"])
    assert [{"path": "pins.py", "state": "written"}] == document["files"]
    assert 0 == main([*ARGUMENTS, "--python", "pins.py", "--json"])
    assert "unchanged" == json.loads(capsys.readouterr().out)["files"][0]["state"]


def test_nothing_is_overwritten_silently(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that says something else stays without --replace, and with it the change is told first."""
    assert 0 == main([*ARGUMENTS, *FILES])
    before = (folder / "pins.py").read_bytes()
    (folder / "pins.toml").write_text(policy(6, OTHER))
    capsys.readouterr()
    assert 2 == main([*ARGUMENTS, "--lines-resource", "new", "--python", "pins.py"])
    assert "'pins.py' is there and says something else; --replace replaces it" in capsys.readouterr().err
    assert (before, False) == ((folder / "pins.py").read_bytes(), (folder / "new").exists())
    for option, name in zip(FILES[::2], FILES[1::2], strict=True):
        assert 0 == main([*ARGUMENTS, option, name, "--replace"])
        told = capsys.readouterr()
        assert "replaced" in told.out
        assert "the floor falls from 7 to 6" in told.err
        assert "bank version 7 -> 6\n  weakening: the version goes back" in told.err
        assert "  a.example: " in told.err


def test_another_root_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed root is a warning, and so is a file that this command did not write."""
    assert 0 == main([*ARGUMENTS, "--python", "pins.py"])
    signer = CryptoSigner.generate_ed25519()
    root = Metadata(Root(version=1, expires=datetime(2031, 1, 1, tzinfo=UTC)))
    root.signed.add_key(signer.public_key, "root")
    root.sign(signer)
    root.to_file("1.root.json")
    assert 0 == main([*ARGUMENTS, "--python", "pins.py", "--replace"])
    assert "another root: " in capsys.readouterr().err
    (folder / "pins.py").write_text("print('mine')\n")
    assert 0 == main([*ARGUMENTS, "--python", "pins.py", "--replace"])
    assert "held something that this command did not write" in capsys.readouterr().err


@pytest.mark.parametrize("text", [
    "", "(", "print('x')", "Embedded(1)", "Embedded(root_octets='x', bundle_octets='y', floor_number=1, root_digest='', bundle_digest='')",
    "Embedded(root_octets=open('x'))", "\x00",
])  # fmt: skip
def test_a_module_is_read_without_running_it(text: str) -> None:
    """A module that was not written here is refused by its text alone."""
    with pytest.raises(EmbeddedPinsError):
        embedded_in(text.encode(), Form.PYTHON)


def test_an_unsigned_root_is_not_embedded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A root that its own keys have not signed, and a file that is no root, embed nothing."""
    table = json.loads((folder / "1.root.json").read_text())
    table["signed"]["version"] = 2
    for content in (json.dumps(table), "{}", "[]", '{"signed": {"_type": "targets"}}'):
        (folder / "1.root.json").write_text(content)
        assert 2 == main([*ARGUMENTS, "--python", "pins.py"])
        assert "is no root that its own keys have signed" in capsys.readouterr().err
    assert not (folder / "pins.py").exists()


def test_the_floor_is_within_the_policy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A floor above the policy's version would lock the program out of what it is shipped with."""
    assert 2 == main([*ARGUMENTS, "--python", "pins.py", "--floor", "8"])
    told = capsys.readouterr().err
    assert "invalid value for '--floor': a floor of 8, expected 1 to 7, the version of 'pins.toml'\n" in told
    assert "embedded" not in told


def test_no_file_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file to write there is nothing to do."""
    assert 2 == main(ARGUMENTS)
    assert "at least one of --python" in capsys.readouterr().err


def test_a_missing_tuf_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without tuf the root cannot be checked, and the error says what to install."""
    monkeypatch.setitem(sys.modules, "tuf.api.exceptions", None)
    assert 2 == main([*ARGUMENTS, "--python", "pins.py"])
    assert "pip install 'pinscher[updates]'" in capsys.readouterr().err
