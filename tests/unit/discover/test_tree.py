"""Folders are read file by file, and what is not read is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinscher.discover import Inventory, files_below, read_file, tree
from pinscher.discover.readers import READERS, reader_of


@pytest.mark.parametrize(
    ("name", "beginning", "reader"),
    [
        ("a.har", b"", "har"), ("x", b'{"log": {', "har"), ("x.json", b' {"openapi": "3', "openapi-json"),
        ("x.json", b'{"a"', "json"), ("x.yaml", b"# c\nswagger: '2.0'", "openapi-yaml"), ("x.yml", b"a: b", "yaml"),
        ("x", b"1000:8:response", "flows"), ("x.aab", b"PK\x03\x04", "package"), (".env.local", b"", "settings"),
        ("x.toml", b"", "settings"), ("x.TS", b"", "code"), ("x.log", b"", "log"), ("x.png", b"\x89PNG", None),
    ],
)  # fmt: skip
def test_a_file_finds_its_reader(name: str, beginning: bytes, reader: str | None) -> None:
    """By its name where names are kept to, and otherwise by how it begins."""
    assert reader == reader_of(f"folder/{name}", beginning)
    assert reader is None or reader in READERS


def test_a_folder_is_walked_in_order(tmp_path: Path) -> None:
    """Files come in the order of their names; links, pipes and installed packages are named as skipped."""
    for name in ("b/x.py", "a.py", "node_modules/y.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('U = "https://a.example"')
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    inventory = Inventory()
    found = [Path(path).name for path, _ in files_below(str(tmp_path), inventory)]
    assert ["a.py", "x.py"] == found
    assert {
        "a folder of installed packages or version control": 1,
        "a link or something that is no regular file": 2,
    } == {reason: one.count for reason, one in inventory.skipped.items()}


def test_a_single_file_may_be_a_link(tmp_path: Path) -> None:
    """A path that a person names is followed; what is no regular file is named."""
    (tmp_path / "a.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    inventory = Inventory()
    assert [(str(tmp_path / "link.py"), 0)] == list(files_below(str(tmp_path / "link.py"), inventory))
    assert [] == list(files_below(str(tmp_path / "none.py"), inventory))
    assert [] == list(files_below("a\0b", inventory))
    assert {"cannot be read: no such file or directory", "cannot be read: a name with a nul"} == set(inventory.skipped)


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than the bound are not read, and it says so."""
    monkeypatch.setattr(tree, "MOST_FILES", 1)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("")
    inventory = Inventory()
    assert 1 == len(list(files_below(str(tmp_path), inventory)))
    assert ["more than 1 files"] == list(inventory.skipped)


def test_reading_says_how_far_it_is(tmp_path: Path) -> None:
    """The octets of a file are told as they are read, and none twice."""
    path = tmp_path / "a.har"
    path.write_text('{"log": {"entries": [' + " " * 700_000 + "]}}")
    told: list[int] = []
    inventory = Inventory()
    assert read_file(str(path), inventory, on_octets=told.append) is None
    assert path.stat().st_size == sum(told)
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    assert read_file(str(tmp_path / "a.zip"), inventory) is None


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A file that is gone, and one without a reader, have their reasons."""
    inventory = Inventory()
    assert "none.py: cannot be read: no such file or directory" in str(read_file(str(tmp_path / "none.py"), inventory))
    (tmp_path / "a.bin").write_text("x")
    assert "no reader for files of this kind" in str(read_file(str(tmp_path / "a.bin"), inventory))
    assert {"no reader for files of this kind": 1} == {
        reason: one.count for reason, one in inventory.skipped.items() if "reader" in reason
    }


def test_a_folder_that_cannot_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the system does not list is named."""
    walked = os.walk

    def refusing(path: str, onerror: object = None) -> object:
        assert callable(onerror)
        onerror(PermissionError(13, "Permission denied", f"{path}/secret"))
        return walked(path)

    monkeypatch.setattr(os, "walk", refusing)
    inventory = Inventory()
    assert [] == list(files_below(str(tmp_path), inventory))
    assert ["a folder that cannot be read"] == list(inventory.skipped)
