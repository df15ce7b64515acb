"""``pinscher store``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.store import KeptKey, KeyFile, Passphrase, ProvidedKey, SealedStore, SystemdCredential

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Return a store with two entries and a floor, and its key, as they are named on the command line."""
    with SealedStore.open(tmp_path / "store", KeptKey(KeyFile(str(tmp_path / "keys" / "key")))) as store:
        store.write({"bundle": bytes(1000), "report/1": b"r"}, floor={"policy": (0, 7)})
    return [str(tmp_path / "store"), f"--key=file:{tmp_path / 'keys' / 'key'}"]


def test_show_says_what_is_in_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A store's entries, floor, generation and the place of its key are shown, in words and as JSON."""
    assert 0 == main(["store", "show", *arguments])
    told = capsys.readouterr().out
    for part in ("2 in it, generation 2", "floor  policy 0.7", "1000  bundle", "report/1", "keys/key"):
        assert part in told
    assert 0 == main(["store", "show", "--json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert {"store", "key", "generation", "floor", "entries"} == set(document)
    assert ({"policy": [0, 7]}, {"name": "bundle", "length": 1000}) == (document["floor"], document["entries"][0])


def test_check_opens_everything(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A whole store is a good answer."""
    assert 0 == main(["store", "check", *arguments])
    assert capsys.readouterr().out.endswith("whole, opened 2 of 2\n")
    assert 0 == main(["store", "check", "--json", *arguments])
    expected = {"store": arguments[0], "whole": True, "entries": 2, "error": None}
    assert expected == json.loads(capsys.readouterr().out)


def test_a_broken_seal_is_a_bad_answer(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed entry is exit 1 with what to do, in words and as JSON."""
    path = next((tmp_path / "store").glob("*.entry"))
    path.write_bytes(path.read_bytes()[:-1])
    assert 1 == main(["store", "check", *arguments])
    told = capsys.readouterr().out
    assert "NOT as it was sealed" in told
    assert "remedy: keep a copy" in told
    assert 1 == main(["store", "check", "--json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert (False, True) == (document["whole"], "the seal is broken" in document["error"])


def test_no_store_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a store is no answer, and no store is made in it."""
    for command in ("show", "check"):
        assert 2 == main(["store", command, str(tmp_path / "none"), f"--key=file:{tmp_path / 'key'}"])
        assert "there is no store in" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_reset_asks_first(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store is begun anew only when that is meant; its floor stays."""
    assert 2 == main(["store", "reset", *arguments])
    assert "nothing was removed" in capsys.readouterr().err
    (tmp_path / "store" / "index").write_bytes(b"broken")
    assert 0 == main(["store", "reset", "--yes", *arguments])
    assert "empty, with a new key; floor: policy 0.7\n" in capsys.readouterr().out
    assert 0 == main(["store", "reset", "--yes", "--json", *arguments])
    assert {"store": arguments[0], "floor": {"policy": [0, 7]}} == json.loads(capsys.readouterr().out)
    assert 0 == main(["store", "check", *arguments])


def test_a_mistyped_key_empties_no_store(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the key's place holds nothing, a store stays as it is until it is said that the key is lost."""
    mistyped = f"--key=file:{tmp_path / 'keys' / 'typo'}"
    assert 2 == main(["store", "reset", "--yes", arguments[0], mistyped])
    told = capsys.readouterr().err
    assert all(part in told for part in (arguments[0], str(tmp_path / "keys" / "typo"), "--key-is-lost"))
    assert not (tmp_path / "keys" / "typo").exists()
    assert 0 == main(["store", "check", *arguments])
    capsys.readouterr()
    assert 0 == main(["store", "reset", "--yes", "--key-is-lost", arguments[0], mistyped])
    assert "empty, with a new key; floor: none was kept\n" in capsys.readouterr().out


def test_a_mistyped_store_is_not_begun(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that is not there is not begun anew, and the key that was named stays the other store's."""
    assert 2 == main(["store", "reset", "--yes", "--key-is-lost", str(tmp_path / "typo"), arguments[1]])
    told = capsys.readouterr().err
    assert all(part in told for part in (str(tmp_path / "typo"), str(tmp_path / "keys" / "key"), "mkdir -m 700"))
    assert not (tmp_path / "typo").exists()
    assert 0 == main(["store", "check", *arguments])


def test_a_store_that_was_removed_is_begun_anew_in_an_empty_folder(arguments: list[str], tmp_path: Path) -> None:
    """Where a store is gone and its key remembers it, an empty folder in its place is begun anew, with the floor."""
    (tmp_path / "store").rename(tmp_path / "gone")
    (tmp_path / "store").mkdir(mode=0o700)
    assert 2 == main(["store", "show", *arguments])
    assert 0 == main(["store", "reset", "--yes", *arguments])
    with SealedStore.open(tmp_path / "store", KeptKey(KeyFile(str(tmp_path / "keys" / "key")))) as store:
        assert {"policy": (0, 7)} == store.floor


@pytest.mark.parametrize("text", ["", "file", "file:", "vault:x", "keyring"])
def test_an_odd_key_is_a_usage_error(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key whose place is none of the six is a usage error that lists them."""
    assert 2 == main(["store", "show", str(tmp_path), f"--key={text}"])
    assert "keyring:LABEL, file:PATH, credential:PATH, tpm:PATH, provided:PATH or passphrase" in capsys.readouterr().err


def test_every_place_of_a_key_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the six places is understood, and a passphrase is asked for at the terminal."""
    from pinscher.cli.store_key import custody_of

    (tmp_path / "provided").write_bytes(bytes(32))
    (tmp_path / "provided").chmod(0o600)
    assert isinstance(custody_of(f"provided:{tmp_path / 'provided'}"), ProvidedKey)
    assert "keyring entry app of pinscher" == custody_of("keyring:app").place
    credential = custody_of(f"credential:{tmp_path / 'x.cred'}")
    assert SystemdCredential(str(tmp_path / "x.cred")).place == credential.place
    monkeypatch.setenv("TPM2TOOLS_TCTI", "nothing:here")
    assert str(tmp_path / "x.tpm") == custody_of(f"tpm:{tmp_path / 'x.tpm'}").place
    monkeypatch.setattr("click.prompt", lambda *_, **__: "secret")
    asked = custody_of("passphrase")
    assert isinstance(asked, Passphrase)
    assert "secret" == asked.ask()


def test_a_tpm_that_is_not_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in a TPM that does not answer is one error with what to do, and nothing else on the terminal."""
    monkeypatch.setenv("TPM2TOOLS_TCTI", "nothing:here")
    monkeypatch.delenv("TSS2_LOG", raising=False)
    assert 2 == main(["store", "show", str(tmp_path / "none"), f"--key=tpm:{tmp_path / 'key'}"])
    out, err = capsys.readouterr()
    reasons = ("no TPM answers at 'nothing:here'", "pip install 'pinscher[tpm]'")
    assert ("", True) == (out, any(reason in err for reason in reasons))


@pytest.mark.parametrize(("verb", "commands"), [("store", ["show", "check", "reset"]), ("log", ["verify", "show"])])
def test_a_verb_of_several_commands_lists_them(
    verb: str, commands: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The help of a verb that is several commands lists them in order, and another word is a usage error."""
    assert 0 == main([verb, "--help"])
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert commands == re.findall(r"^  (\w+)  ", listed, re.MULTILINE)
    assert 2 == main([verb, "nothing"])
    assert "no such command" in capsys.readouterr().err
