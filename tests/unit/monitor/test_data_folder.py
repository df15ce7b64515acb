"""The folder of a monitor: whose it is, and who has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.database import FILE, Database
from pinscher.monitor.errors import DatabaseUnusableError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")]


async def _refusal(folder: Path) -> str:
    with pytest.raises(DatabaseUnusableError) as refused:
        await Database.in_folder(folder)
    return str(refused.value)


def _used(tmp_path: Path, mode: int) -> Path:
    """Return a folder that holds something already."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "something").touch()
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
async def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Who could write it could put another database there."""
    folder = _used(tmp_path, mode)
    said = await _refusal(folder)
    assert f"the folder '{folder}' cannot be used" in said
    assert "run chmod go-w on it" in said
    assert ["something"] == [one.name for one in folder.iterdir()]


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o700])
async def test_a_folder_that_others_can_enter_holds_nothing_that_they_can_read(tmp_path: Path, mode: int) -> None:
    """As whoever makes one has it; the files are the owner's alone."""
    folder = _used(tmp_path, mode)
    database = await Database.in_folder(folder)
    try:
        assert {0o600} == {one.stat().st_mode & 0o777 for one in folder.iterdir() if one.name != "something"}
        assert mode == folder.stat().st_mode & 0o777
    finally:
        await database.close()


@pytest.mark.parametrize("mode", [0o775, 0o777])
async def test_a_folder_that_is_handed_over_empty_is_closed_to_others(tmp_path: Path, mode: int) -> None:
    """It was made for the monitor, whatever the habits of whoever made it."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    await (await Database.in_folder(folder)).close()
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
async def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner could change what is in it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    assert "expected a folder of this user" in await _refusal(folder)


async def test_a_folder_behind_a_link_is_held_to_the_same(tmp_path: Path) -> None:
    """A link leads to a folder that is this user's and that nobody else can write, or it is refused."""
    there, folder = tmp_path / "there", tmp_path / "data"
    there.mkdir(mode=0o700)
    folder.symlink_to(there)
    await (await Database.in_folder(folder)).close()
    assert (there / FILE).is_file()
    there.chmod(0o777)
    assert "run chmod go-w on it" in await _refusal(folder)


@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal", f"{FILE}-shm"])
async def test_a_file_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written where somebody else's link leads."""
    elsewhere = tmp_path / "elsewhere.sqlite"
    elsewhere.touch()
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / name).symlink_to(elsewhere)
    said = await _refusal(folder)
    assert f"'{folder / name}'\n  remedy: " in said
    assert b"" == elsewhere.read_bytes()


@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal"])
async def test_a_file_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    """A database that was copied back with another mode is told, with the command that mends it."""
    folder = tmp_path / "data"
    await (await Database.in_folder(folder)).close()
    (folder / name).touch()
    (folder / name).chmod(0o644)
    said = await _refusal(folder)
    assert "its mode is 0644" in said
    assert "chmod go-rwx" in said
    (folder / name).chmod(0o600)
    await (await Database.in_folder(folder)).close()


async def test_a_folder_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    """A second one is told so and opens nothing; after the first has closed, the folder is free."""
    folder = tmp_path / "data"
    first = await Database.in_folder(folder)
    assert f"the folder '{folder}' cannot be used: another process uses it" in await _refusal(folder)
    await first.close()
    await first.close()
    await (await Database.in_folder(folder)).close()


async def test_a_folder_whose_database_cannot_be_opened_is_free_again(tmp_path: Path) -> None:
    """Whoever mends it may open it in the same process."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / FILE).touch(mode=0o600)
    (folder / FILE).write_text("junk" * 1000)
    assert "not a database" in await _refusal(folder)
    (folder / FILE).unlink()
    await (await Database.in_folder(folder)).close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands in its place, or in the place of the database's file."""
    (tmp_path / "file").write_text("x")
    assert "cannot be used: file exists" in await _refusal(tmp_path / "file")
    assert "cannot be used: not a directory" in await _refusal(tmp_path / "file" / "data")
