"""Files replaced as a whole or not at all."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from pinscher.cli.writing import UnwritableFileError, replace_file

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
