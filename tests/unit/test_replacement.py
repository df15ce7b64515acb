"""A file replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from pinscher.replacement import LEFTOVER, remove, replace_file, sync_folder, write_new

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "descriptor"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int | None]:
    """Return an open folder, or none where files go by their paths; the current folder is the same one."""
    before = os.getcwd()
    os.chdir(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY) if request.param == "descriptor" else None
    yield descriptor
    if descriptor is not None:
        os.close(descriptor)
    os.chdir(before)


def test_a_content_takes_the_place_of_another(folder: int | None, tmp_path: Path) -> None:
    """The new content has the name, its permission bits, and nothing else is left (rule 1)."""
    for content, mode in ((b"old", 0o600), (b"new" * 1000, 0o640)):
        replace_file("file", content, mode=mode, folder=folder)
        assert (content, mode) == ((tmp_path / "file").read_bytes(), stat.S_IMODE((tmp_path / "file").stat().st_mode))
    assert ["file"] == os.listdir(tmp_path)


def test_the_content_is_on_the_disk_before_it_has_the_name(folder: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is write, sync, check, rename, sync of the folder (rule 1)."""
    seen: list[str] = []
    for name in ("write", "fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, call=call, name=name, **named: (seen.append(name), call(*given, **named))[1]
        )
    replace_file("file", b"content", mode=0o600, folder=folder, check=lambda: seen.append("check"))
    assert ["write", "fsync", "check", "replace", "fsync"] == seen


def test_a_folder_is_synced_once_for_several_files(folder: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who replaces several files can leave the folder for the end; each content is on the disk all the same."""
    seen: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(descriptor), fsync(descriptor))[1])
    replace_file("file", b"content", mode=0o600, folder=folder, syncs_folder=False)
    assert 1 == len(seen)


def test_exact_permissions_are_not_masked(folder: int | None, tmp_path: Path) -> None:
    """A content can have exactly the permission bits of the file before, whatever the process's mask takes away."""
    before = os.umask(0o077)
    try:
        replace_file("masked", b"", mode=0o644, folder=folder)
        replace_file("exact", b"", mode=0o600, folder=folder, permissions=0o664)
    finally:
        os.umask(before)
    assert [0o600, 0o664] == [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("masked", "exact")]


def test_what_is_refused_changes_nothing(folder: int | None, tmp_path: Path) -> None:
    """A check that raises, and a name that a folder has, leave what was there and no leftover (rule 1)."""
    replace_file("file", b"old", mode=0o600, folder=folder)
    (tmp_path / "taken").mkdir()

    def check() -> None:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        replace_file("file", b"new", mode=0o600, folder=folder, check=check)
    with pytest.raises(OSError, match="directory"):
        replace_file("taken", b"new", mode=0o600, folder=folder)
    assert (b"old", {"file", "taken"}) == ((tmp_path / "file").read_bytes(), set(os.listdir(tmp_path)))


def test_no_link_is_followed(folder: int | None, tmp_path: Path) -> None:
    """A new file is written neither through a link nor over a file, and a replaced link is no link any more (rule 3)."""
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("link", "elsewhere"):
        with pytest.raises(FileExistsError):
            write_new(name, b"new", mode=0o600, folder=folder)
    replace_file("link", b"new", mode=0o600, folder=folder)
    assert (b"mine", False) == ((tmp_path / "elsewhere").read_bytes(), (tmp_path / "link").is_symlink())
    remove("link", folder=folder)
    assert ["elsewhere"] == os.listdir(tmp_path)


def test_a_new_file_that_cannot_be_filled_is_removed(
    folder: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full leaves no half of a new file, and a file that was there stays (rule 3)."""
    (tmp_path / "mine").write_bytes(b"mine")
    monkeypatch.setattr(os, "fsync", full)
    for name in ("new", "mine"):
        with pytest.raises(OSError, match=r"full|exists"):
            write_new(name, b"new", mode=0o600, folder=folder)
    assert {"mine": b"mine"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def full(_descriptor: int) -> None:
    """Refuse, as a disk that is full does."""
    raise OSError(errno.ENOSPC, "the disk is full")


def test_a_leftover_is_told_by_its_name(folder: int | None, tmp_path: Path) -> None:
    """While a content is being written it lies under a name that tells what it is (rule 2)."""
    seen: list[str] = []
    replace_file("file", b"new", mode=0o600, folder=folder, check=lambda: seen.extend(os.listdir(tmp_path)))
    assert [True] == [name.startswith(LEFTOVER) for name in seen]


def test_windows_has_no_folder_to_sync(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system opens no folder nothing is synced, and a missing one is not looked for."""
    monkeypatch.setattr("pinscher.replacement.os.name", "nt")
    sync_folder(str(tmp_path / "none"))
