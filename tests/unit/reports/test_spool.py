"""The spool; the rules are those at the top of ``reports/spool.py``."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pinscher.reports import FolderVault, Item, Kind, Spool, VaultError
from pinscher.store import KeptKey, KeyFile, SealedStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.reports import Vault


@pytest.fixture(params=["folder", "sealed"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """A plain folder, and the sealed store."""
    if request.param == "folder":
        plain = FolderVault(tmp_path / "spool")
        yield plain
        plain.close()
    else:
        with SealedStore.open(tmp_path / "store", KeptKey(KeyFile(str(tmp_path / "keys" / "key")))) as store:
            yield store


def test_what_was_accepted_is_there_after_a_start(vault: Vault) -> None:
    """An item keeps its number, key, channel and content, through a start of the program and in any vault."""
    first = Spool(vault).accept("main", Kind.REPORT, b"one")
    again = Spool(vault)
    second = again.accept("a.b-c", Kind.HEARTBEAT, b"two")
    assert (first, second) == Spool(vault).items()
    assert [b"one", b"two"] == [again.content(item) for item in (first, second)]
    assert (1, 2, "a.b-c") == (first.number, second.number, second.channel)


def test_an_acknowledged_item_leaves(vault: Vault) -> None:
    """What was acknowledged is gone, for this spool and the next; a second time changes nothing."""
    spool = Spool(vault)
    item = spool.accept("main", Kind.REPORT, b"one")
    spool.acknowledge(item)
    spool.acknowledge(item)
    assert ((), (), None, 0) == (spool.items(), Spool(vault).items(), spool.content(item), spool.dropped)


def test_the_oldest_gives_way_and_is_counted(vault: Vault) -> None:
    """Where there is no room by number or by size, the oldest are dropped, and a start remembers how many."""
    spool = Spool(vault, most_items=3, largest=100)
    for number in range(5):
        spool.accept("main", Kind.REPORT, bytes([number]))
    assert ([3, 4, 5], 2) == ([item.number for item in spool.items()], spool.dropped)
    spool.accept("main", Kind.REPORT, b"x" * 99)
    assert ([5, 6], 4) == ([item.number for item in spool.items()], spool.dropped)
    spool.accept("main", Kind.REPORT, b"x" * 200)
    again = Spool(vault)
    assert ([7], 6, 6) == ([item.number for item in again.items()], again.dropped, spool.dropped)
    assert 8 == again.accept("main", Kind.REPORT, b"").number


def test_numbers_grow_although_everything_was_dropped(vault: Vault) -> None:
    """After a start no number is used again that was counted as dropped."""
    spool = Spool(vault, most_items=1)
    spool.accept("main", Kind.REPORT, b"one")
    last = spool.accept("main", Kind.REPORT, b"two")
    spool.acknowledge(last)
    assert 2 == Spool(vault).accept("main", Kind.REPORT, b"three").number
    assert 1 == len(Spool(vault).items())


def test_an_item_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    """An item whose file went away is dropped and counted; those before it stay."""
    vault = FolderVault(tmp_path / "spool")
    spool = Spool(vault)
    first, second = (spool.accept("main", Kind.REPORT, b"x") for _ in range(2))
    (tmp_path / "spool" / second.name).unlink()
    assert (None, (first,), 1) == (spool.content(second), spool.items(), spool.dropped)
    vault.close()


def test_foreign_entries_are_left_alone(vault: Vault) -> None:
    """Other entries of a vault are not the spool's: a store keeps them (rule 4)."""
    vault.write({"policy": b"pins"})
    spool = Spool(vault, most_items=1)
    for _ in range(3):
        spool.accept("main", Kind.REPORT, b"x")
    spool.keep_install(b"who")
    assert (b"pins", b"who") == (vault.read("policy"), Spool(vault).install())
    assert Item.of("policy") is None


def test_an_item_is_bounded(vault: Vault) -> None:
    """What is larger than an item may be is refused, and nothing is kept."""
    with pytest.raises(ValueError, match="at most"):
        Spool(vault).accept("main", Kind.REPORT, bytes(2 << 20))
    assert () == Spool(vault).items()


def test_a_folder_belongs_to_one_process_and_one_user(tmp_path: Path) -> None:
    """A folder in use, one that others can enter, and one that is a file or a link are refused."""
    vault = FolderVault(tmp_path / "spool")
    with pytest.raises(VaultError, match="another process uses it"):
        FolderVault(tmp_path / "spool")
    vault.close()
    assert 0o700 == stat.S_IMODE((tmp_path / "spool").stat().st_mode)
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "spool")
    for name in ("open", "link"):
        with pytest.raises(VaultError, match="a folder of this user"):
            FolderVault(tmp_path / name)
    with pytest.raises(VaultError, match="no such file"):
        FolderVault(tmp_path / "missing" / "spool")


def test_what_a_killed_writer_began_is_removed(tmp_path: Path) -> None:
    """A temporary file of a killed process goes at the next start."""
    FolderVault(tmp_path / "spool").close()
    (tmp_path / "spool" / ".new-x").write_bytes(b"half")
    vault = FolderVault(tmp_path / "spool")
    assert [".lock"] == os.listdir(tmp_path / "spool")
    vault.close()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk refuses the item, leaves no temporary file, and the next one is kept."""
    vault = FolderVault(tmp_path / "spool")
    spool = Spool(vault)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(VaultError, match="no space left on device"):
            spool.accept("main", Kind.REPORT, b"x")
    assert [".lock"] == os.listdir(tmp_path / "spool")
    assert 1 == spool.accept("main", Kind.REPORT, b"x").number
    vault.close()
