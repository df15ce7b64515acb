"""One folder of this user's own files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pinscher.store import StoreUnavailableError, UnsafeFileError
from pinscher.store.folder import Folder, Privacy

if TYPE_CHECKING:
    from pathlib import Path


def test_a_write_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is synced before it is renamed, and its folder after it."""
    folder = Folder.make(str(tmp_path), Privacy.CLOSED)
    seen: list[str] = []
    for name in ("write", "fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, call=call, name=name, **named: (seen.append(name), call(*given, **named))[1]
        )
    folder.replace("file", b"content")
    assert ["write", "fsync", "replace", "fsync"] == seen


def test_a_refused_rename_leaves_nothing(tmp_path: Path) -> None:
    """Where the name is taken by a folder the write is refused, and what was begun is removed."""
    folder = Folder.make(str(tmp_path), Privacy.CLOSED)
    (tmp_path / "file").mkdir(mode=0o700)
    with pytest.raises(StoreUnavailableError, match="cannot write"):
        folder.replace("file", b"content")
    assert ["file"] == list(folder.names())
    with pytest.raises(StoreUnavailableError, match="cannot read"):
        folder.read("file", limit=10)


def test_a_read_has_its_limit(tmp_path: Path) -> None:
    """No more than one octet beyond the limit is read."""
    folder = Folder.make(str(tmp_path), Privacy.CLOSED)
    folder.replace("file", bytes(100))
    assert (11, 100, None) == (
        len(folder.read("file", limit=10) or b""), len(folder.read("file", limit=100) or b""), folder.read("no", limit=1)
    )  # fmt: skip


def test_a_readable_folder_is_still_its_owners_to_write(tmp_path: Path) -> None:
    """A folder for others to read has files that they can read, and is refused when they can write in it."""
    folder = Folder.make(str(tmp_path / "open"), Privacy.READABLE)
    folder.replace("file", b"x")
    assert (0o644, 0o755) == (
        (tmp_path / "open" / "file").stat().st_mode & 0o777,
        (tmp_path / "open").stat().st_mode & 0o777,
    )
    (tmp_path / "open").chmod(0o775)
    with pytest.raises(UnsafeFileError, match=r"0775.*\n.*chmod go-w"):
        Folder.make(str(tmp_path / "open"), Privacy.READABLE)


def test_a_folder_without_a_descriptor_is_used_by_its_path(tmp_path: Path) -> None:
    """Where the system opens no folders (Windows) the same calls go by the folder's path."""
    folder = Folder(str(tmp_path), Privacy.CLOSED)
    folder.replace("file", b"one")
    folder.replace("file", b"two")
    folder.add("other", b"x")
    folder.remove("other")
    assert (b"two", ["file"]) == (folder.read("file", limit=10), list(folder.names()))
    folder.close()


def test_a_folder_that_went_away_is_told(tmp_path: Path) -> None:
    """A folder that cannot be listed any more is one clear error."""
    with pytest.raises(StoreUnavailableError, match="cannot list the folder"):
        list(Folder(str(tmp_path / "none"), Privacy.CLOSED).names())
