"""Files replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.writing import UnwritableFileError, check_outputs, known_content, replace_file

if TYPE_CHECKING:
    from pathlib import Path


def test_new_file_is_written(tmp_path: Path) -> None:
    """A file that is not there yet is written, and nothing else is left beside it."""
    replace_file(tmp_path / "pins.toml", b"new", expected=None)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("pins.toml", b"new")]


def test_permissions_stay(tmp_path: Path) -> None:
    """A replaced file has the permissions of the one before."""
    path = tmp_path / "pins.toml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    replace_file(path, b"new", expected=b"old")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)


def test_symbolic_link_stays(tmp_path: Path) -> None:
    """A symbolic link is followed, and stays a link."""
    real, link = tmp_path / "real.toml", tmp_path / "pins.toml"
    real.write_bytes(b"old")
    link.symlink_to(real)
    replace_file(link, b"new", expected=b"old")
    assert (link.is_symlink(), real.read_bytes()) == (True, b"new")


@pytest.mark.parametrize("expected", [None, b"what I read"])
def test_somebody_elses_change_is_not_overwritten(tmp_path: Path, expected: bytes | None) -> None:
    """A file that changed since it was read is left alone, and so is its directory."""
    path = tmp_path / "pins.toml"
    path.write_bytes(b"somebody else's")
    with pytest.raises(UnwritableFileError, match="somebody else changed it meanwhile"):
        replace_file(path, b"new", expected=expected)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("pins.toml", b"somebody else's")]


def test_missing_directory_is_told(tmp_path: Path) -> None:
    """A file in a directory that is not there is one clear error."""
    with pytest.raises(UnwritableFileError, match="no such file or directory"):
        replace_file(tmp_path / "none" / "pins.toml", b"new", expected=None)


@pytest.mark.parametrize("name", ["pipe", "link", "/dev/null", "folder"])
def test_what_is_no_regular_file_is_not_replaced(name: str, tmp_path: Path) -> None:
    """A pipe, a device and a folder are refused by name before anything is read from them, and through a link too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    for call in (known_content, lambda path: replace_file(path, b"new", expected=None)):
        with pytest.raises(UnwritableFileError, match=rf"{name}': it is (no regular file|a folder)"):
            call(tmp_path / name)
    assert {"pipe", "link", "folder"} == set(os.listdir(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"), [("loop", "symbolic links"), ("a\0b", "holds a NUL"), ("no/x", "folder does")]
)
def test_a_name_that_leads_nowhere_is_refused_at_the_start(name: str, told: str, tmp_path: Path) -> None:
    """A loop of links, a NUL in a name and a folder that is missing are one clear error before anything is done."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnwritableFileError, match=told):
        check_outputs({"--svg": str(tmp_path / name)})


KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PLAN = ["plan", "a.example", "--refresh", "24"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ([*PLAN, "--svg", "one", "--ics", "./one"], "--svg and --ics name one file, './one'"),
        ([*PLAN, "--svg", "-"], "invalid value for '--svg': expected the name of a file, and '-' is none"),
        ([*PLAN, "--svg", "pipe"], "cannot write 'pipe': it is no regular file"),
        ([*PLAN, "--svg", "one", "--ics", "pipe"], "cannot write 'pipe': it is no regular file"),
        (["embed", "x", "--root", "x", "--python", "x.py", "--json-resource", "x.py"], "--json-resource name one file"),
        (["discover", "pipe", "--policy-out", "-"], "invalid value for '--policy-out'"),
        (["discover", "pipe", "--policy-out", "there.toml"], "'there.toml': it exists, and is not overwritten"),
        (["pin", "there.toml", "--write", "pipe"], "cannot write 'pipe': it is no regular file"),
        (["lab", "run", "--junit", "pipe", "--", "false"], "cannot write 'pipe': it is no regular file"),
        (["log", "verify", ".", "--head", "pipe", "--key", KEY], "cannot write 'pipe': it is no regular file"),
        (["update", "--repository=https://a.example", "--root=x", "--data=d", "--output=pipe"], "cannot write 'pipe'"),
    ],
)
def test_outputs_that_cannot_all_be_written_are_refused_at_the_start(
    line: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file for two outputs, '-', a pipe, and a draft in place of a file are refused, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "there.toml").write_bytes(b"mine")
    assert 2 == main(line)
    said = capsys.readouterr()
    assert ("", True) == (said.out, told in said.err), said.err
    assert ({"pipe", "there.toml"}, b"mine") == (set(os.listdir(tmp_path)), (tmp_path / "there.toml").read_bytes())
