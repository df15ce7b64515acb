"""What a person names on the command line; the rules are those of ``cli/reading.py``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.reading import is_file
from pinscher.probe import Endpoint, NoAnswerError, Trust, observe
from pinscher.tls import chains_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, in which stand a folder, a pipe, a loop of links and a folder named as a host."""
    monkeypatch.chdir(tmp_path)
    for name in ("keys", "bank.example"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize("verb", ["pin", "show"])
def test_a_folder_is_no_host(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is given for a file is told as one, and not looked up."""
    assert 2 == main([verb, "keys"])
    assert "pinscher: error: cannot read 'keys': is a directory\n" in capsys.readouterr().err


def test_what_exists_is_a_file_but_for_a_folder_named_as_a_host() -> None:
    """A pipe is a file; a folder that is called as a host is none, for many hold that host's files."""
    expected = {"pipe": True, "keys": True, "keys:443": False, "bank.example": False, "./bank.example": True}
    assert expected == {name: is_file(name) for name in expected}


@pytest.mark.parametrize(
    "line",
    [
        ["check", "--policy", "loop", "a.example", "x.pem"],
        ["diff", "loop", "loop"],
        ["export", "android", "--policy", "loop"],
        ["discover", "loop"],
    ],
    ids=lambda line: line[0],
)
def test_a_loop_of_links_is_told_as_one(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A path that leads round in a circle exists, and is not told to be missing."""
    assert 2 == main(line)
    told = capsys.readouterr().err
    assert ("too many levels of symbolic links" in told, "no such file" in told) == (True, False), told


@pytest.mark.parametrize("address", ["bogus..", "a" * 64, "x." + "b" * 70 + ".example"])
def test_an_address_that_can_be_none_is_a_usage_error(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What no resolver can be asked for is said in plain words, and no codec is named."""
    assert 2 == main(["show", "a.example", "--connect", address])
    told = capsys.readouterr().err
    assert f"invalid value for '--connect': expected an address or a name, found '{address}'" in told
    with pytest.raises(NoAnswerError, match="neither an address nor a name"):
        observe(Endpoint("a.example", connect_to=address), trust=Trust.of(None), chains=chains_of, timeout=60)


def test_a_database_takes_the_place_of_the_folder(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """A folder beside a database that would hold nothing is a usage error, and is not made."""
    assert 2 == main(["serve", "--policy", "-", "--data", "d", "--database", "postgresql://127.0.0.1:1/x"])
    assert "'--database' takes the place of '--data'" in capsys.readouterr().err
    assert not (folder / "d").exists()
